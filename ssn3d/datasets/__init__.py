"""Data sets: their official layouts, read and written, and rendered people to fill them with."""
