"""The lists in MARS' info folder: which lines of the name list make a tracklet, and which ask.

MATLAB counts from 1 and both ends of a range belong to it; here everything counts from 0.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from .matlab import read_array, write_array


class Row(NamedTuple):
    """A tracklet as info/ describes it: the lines [start, stop) of the name list, from 0."""

    start: int
    stop: int
    person: int
    camera: int


class Info(NamedTuple):
    """The lists in info/, counted from 0."""

    train: list[Row]
    test: list[Row]
    query: list[int]
    """Rows of `test`."""


class _Sighting(Protocol):
    @property
    def person(self) -> int: ...
    @property
    def camera(self) -> int: ...


def read_info(folder: Path) -> Info:
    """Read the three .mat files of info/, of MARS or of x-mars, without names or images.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is no list of the expected shape, or the query rows are not in the list.
    """
    train = _read_rows(folder / "tracks_train_info.mat")
    test = _read_rows(folder / "tracks_test_info.mat")
    path = folder / "query_IDX.mat"
    stored = read_array(path)
    if stored.ndim != 2 or min(stored.shape) > 1:
        raise ValueError(f"{path}: expected shape (1, queries), got {stored.shape}; copy it anew")
    query = (stored.ravel() - 1).tolist()
    if any(not 0 <= row < len(test) for row in query):
        raise ValueError(
            f"{path}: expected rows 1 to {len(test)} of tracks_test_info.mat, got {min(query) + 1} "
            f"to {max(query) + 1}; take both files from one copy of the data set"
        )
    return Info(train, test, query)


def choose_queries(sightings: Sequence[_Sighting]) -> list[int]:
    """The rows that MARS asks about: each person's last at each camera, if two cameras saw them.

    Found by comparing the official lists, where it gives all 1,980 queries.

    Args:
        sightings: rows or tracklets of the test list, in its order.

    Returns:
        Positions in `sightings`, ascending; junk and distractors are never asked about.
    """
    last = {(s.person, s.camera): row for row, s in enumerate(sightings) if s.person > 0}
    cameras = Counter(person for person, _ in last)
    return sorted(row for (person, _), row in last.items() if cameras[person] > 1)


def write_info(folder: Path, info: Info) -> None:
    """Write the three .mat files that `read_info` reads, into an existing folder."""
    for part, rows in (("train", info.train), ("test", info.test)):
        table = np.array(rows) + np.array([1, 0, 0, 0])
        write_array(folder / f"tracks_{part}_info.mat", f"track_{part}_info", table)
    write_array(folder / "query_IDX.mat", "query_IDX", np.array([info.query]) + 1)


def _read_rows(path: Path) -> list[Row]:
    stored = read_array(path)
    if stored.ndim != 2 or stored.shape[1] != 4:
        raise ValueError(
            f"{path}: expected shape (tracklets, 4) with columns first line, last line, person, "
            f"camera, got {stored.shape}; copy it anew"
        )
    # Lines count from 1 and the last belongs to the tracklet.
    return [Row(first - 1, last, person, cam) for first, last, person, cam in stored.tolist()]
