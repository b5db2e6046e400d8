"""Rendered people walking past cameras: video re-identification sets from a seed."""
