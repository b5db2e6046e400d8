"""Reproducing the paper: what notebooks need, and the main job that runs them all."""
