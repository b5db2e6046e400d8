"""The paper: its numbers, its claims, and how ours compare."""
