"""Configurations of runs: every setting that decides a number, with the paper's as default."""

from .base import SCALES, Scale, Settings, replicates
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
    "replicates",
]
