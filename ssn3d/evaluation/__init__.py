"""Measures: how well people are found again, and how well parts are found."""
