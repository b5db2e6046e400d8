"""Data sets: the official layouts and your own folder, read and written; clips; key points."""
