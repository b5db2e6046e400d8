"""Training: build a network, fit it, and use it."""
