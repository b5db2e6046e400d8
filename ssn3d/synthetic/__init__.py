"""Data that is rendered: it stands in for sets that cannot be handed on, from a seed."""
