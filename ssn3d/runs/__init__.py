"""Runs: kept in a store under their names, and made once, one by one or many side by side."""

from .single import device_name, find, identify, load_or_train, prepare, sweep
from .store import Run

__all__ = ["Run", "device_name", "find", "identify", "load_or_train", "prepare", "sweep"]
