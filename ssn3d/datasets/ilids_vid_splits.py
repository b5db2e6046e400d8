"""The ten halvings of the people of iLIDS-VID: its MATLAB file, or the splits.json of torchreid."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from .matlab import read_array, write_array

SPLIT_FILES = ("train-test people splits/train_test_splits_ilidsvid.mat", "splits.json")
"""Relative to the root; the second is not shipped but made by loaders like torchreid's."""
SPLITS = 10


def read_split(
    places: Sequence[Path], people: list[str], split: int, test_first: bool
) -> tuple[list[str], list[str]]:
    """The names of the people to train with and of those to test with.

    Args:
        places: folders where the split files may lie; a .mat in any of them goes first.
        people: the names of all person folders, sorted.
        split: which split, from 0.
        test_first: whether the first half of the .mat's columns is for testing.

    Raises:
        FileNotFoundError: there is no split file; names every place looked at.
        ValueError: the file has no such split, or speaks of other people.
    """
    paths = list(dict.fromkeys(place / file for file in SPLIT_FILES for place in places))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        looked = "\n  ".join(map(str, paths))
        raise FileNotFoundError(
            f"no file of train and test people; looked for\n  {looked}\nput the folder of splits "
            "beside i-LIDS-VID, as in the archive"
        )
    if path.suffix == ".json":
        named = _read_json(path)
        _check_split(split, len(named), path)
        train, test = named[split]
    else:
        positions = _read_positions(path, len(people))
        _check_split(split, len(positions), path)
        names = [people[position - 1] for position in positions[split]]
        half = len(names) // 2
        train, test = (names[half:], names[:half]) if test_first else (names[:half], names[half:])
    unknown = sorted({*train, *test} - set(people))
    twice = sorted(set(train) & set(test))
    if unknown or twice:
        raise ValueError(
            f"{path}, split {split}: expected folders of people, each in train or in test, got "
            + (f"{unknown[0]}, which is no folder" if unknown else f"{twice[0]} in both")
            + "; take the file and the images from one copy of the data set"
        )
    return train, test


def write_splits(root: Path, test: list[bool]) -> None:
    """Write the MATLAB file: split 0 as given, then nine random ones, always the same.

    Args:
        root: folder of the data set.
        test: whether each person is to test with, in the order of the sorted folders; for half of
            them, rounded down.
    """
    given = sorted(range(len(test)), key=lambda position: not test[position])
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(len(test), generator=generator).tolist() for _ in range(SPLITS - 1)]
    path = root / SPLIT_FILES[0]
    path.parent.mkdir(parents=True)
    write_array(path, "ls_set", np.array([given, *drawn]) + 1)


def _check_split(split: int, splits: int, path: Path) -> None:
    if not 0 <= split < splits:
        raise ValueError(f"split: expected 0 to {splits - 1} of {path}, got {split}")


def _read_positions(path: Path, people: int) -> list[list[int]]:
    stored = read_array(path)
    wanted = np.arange(1, people + 1)
    if stored.ndim != 2 or stored.shape[1] != people:
        raise ValueError(
            f"{path}: expected shape (splits, {people}), a column for each person folder, got "
            f"{stored.shape}; restore the missing folders, or remove those that do not belong"
        )
    if (np.sort(stored, axis=1) != wanted).any():
        raise ValueError(
            f"{path}: expected each of 1 to {people} once in every row, got other numbers; "
            "copy it anew"
        )
    rows: list[list[int]] = stored.tolist()
    return rows


def _read_json(path: Path) -> list[tuple[list[str], list[str]]]:
    try:
        splits = [
            (list(entry["train"]), list(entry["test"])) for entry in json.loads(path.read_bytes())
        ]
        for name in (name for halves in splits for half in halves for name in half):
            if not isinstance(name, str):
                raise TypeError(f"{name!r:.40} is no name")
        return splits
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected a list of {{'train': [folder, ...], 'test': [folder, ...]}}, got "
            f"something else ({type(error).__name__}: {error}); copy it anew or delete it"
        ) from error
