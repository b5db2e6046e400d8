"""Descriptions of runs: every setting that decides a number, checked, with the paper's value."""

from .base import SCALES, Scale, Settings
from .reid import DATASETS, SOURCES, Dataset, RunConfig
from .ssn_only import StudyConfig

__all__ = [
    "DATASETS",
    "SCALES",
    "SOURCES",
    "Dataset",
    "RunConfig",
    "Scale",
    "Settings",
    "StudyConfig",
]
