"""Runs: trained once and kept in a store under their names, one by one or many at once."""

from .many import prepare, sweep
from .single import device_name, find, identify, load_or_train
from .store import Run

__all__ = ["Run", "device_name", "find", "identify", "load_or_train", "prepare", "sweep"]
