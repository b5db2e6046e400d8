"""iLIDS-VID on disk: two tracklets of each person, and ten splits into training and test people.

The split file numbers people by their place in the sorted folders, not by their own number.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from .layout import (
    ENDING,
    Planned,
    attach_points,
    check_not_empty,
    check_writable,
    list_folders,
    list_images,
    locate,
    tracklet_of,
    write_tracklets,
)
from .matlab import read_array, write_array
from .text import read_text
from .tracklets import Split, Tracklet

SPLIT_FILES = ("train-test people splits/train_test_splits_ilidsvid.mat", "splits.json")
"""Relative to the root; the second is not shipped but made by loaders like torchreid's."""
SPLITS = 10

TREE = f"""\
  iLIDS-VID/
    i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png ...
                         cam2/person001/cam2_person001_00120.png ...
    {SPLIT_FILES[0]}   (or {SPLIT_FILES[1]})"""

_PERSON = re.compile(r"person_?(\d+)", re.ASCII)
_NAME = re.compile(rf"cam(\d)_person_?(\d+)_(\d+){ENDING}", re.ASCII)


class Name(NamedTuple):
    """What the name of a frame's file says, such as cam1_person001_00317.png."""

    camera: int
    person: int
    frame: int


def read(root: Path, split: int = 0, *, test_half: Literal["first", "last"] = "first") -> Split:
    """Read iLIDS-VID, or a set in its layout, without opening an image.

    Args:
        root: folder of i-LIDS-VID and of the split folder, or i-LIDS-VID itself.
        split: which of the ten, from 0. Published results are the mean over all ten, or one.
        test_half: which half of the split file's columns are the test people: "first" as in
            torchreid and AP3D, "last" as in SCAN, GRL and TF-CLIP. A splits.json needs no such
            choice.

    Returns:
        By person: in train both tracklets of the training people, in query those of the test
        people at camera 1, in gallery those at camera 2.

    Raises:
        FileNotFoundError: the sequences or the splits are nowhere; names every place looked at.
        ValueError: the splits do not fit the people found.
    """
    if test_half not in ("first", "last"):
        raise ValueError(f"test_half: expected 'first' or 'last', got {test_half!r}")
    inner = (root / "i-LIDS-VID", root / "i-LIDS-VID" / "i-LIDS-VID")
    home = locate((root, *inner), ("sequences/cam1", "sequences/cam2"), TREE)
    outer = root.parent if home == root else root
    people = _people(home / "sequences")
    train, test = _read_split((outer, root, *inner), people, split, test_half == "first")

    tracklets = attach_points(
        [_tracklet(home, camera, person) for camera in (1, 2) for person in people], outer
    )
    first = dict(zip(people, tracklets, strict=False))
    second = dict(zip(people, tracklets[len(people) :], strict=True))
    return check_not_empty(
        Split(
            train=[seen[person] for person in sorted(train) for seen in (first, second)],
            query=[first[person] for person in sorted(test)],
            gallery=[second[person] for person in sorted(test)],
        ),
        str(home),
    )


def write(split: Split, root: Path) -> None:
    """Write a split as iLIDS-VID is laid out, so that `read(root)` gives it back, by person.

    Split 0 of the file is the given one, the other nine are drawn at random, always the same.
    PNG files are copied as they are, other frames encoded as PNG; both come back exactly. Frame
    numbers begin anywhere, as in iLIDS-VID.

    Args:
        split: persons 0 to 999, each with one tracklet at camera 1 and one at camera 2; half of
            them to train with, or one more.
        root: folder to write to, without a data set in it.

    Raises:
        ValueError: the split is empty or cannot be stored in this layout.
        FileExistsError: there is a data set in `root` already.
    """
    check_writable(split, root, ("i-LIDS-VID", *SPLIT_FILES))
    seen: dict[tuple[int, int], Tracklet] = {}
    for name, cameras in (("train", (1, 2)), ("query", (1,)), ("gallery", (2,))):
        for tracklet in getattr(split, name):
            sighting = tracklet.person, tracklet.camera
            if tracklet.camera not in cameras or sighting in seen:
                raise ValueError(
                    f"{name}: expected one tracklet of each person at camera "
                    f"{' and '.join(map(str, cameras))}, got person {tracklet.person} at camera "
                    f"{tracklet.camera}{' again' if sighting in seen else ''}; leave it out"
                )
            seen[sighting] = tracklet
    people = sorted({person for person, _ in seen})
    alone = [person for person in people if {(person, 1), (person, 2)} - seen.keys()]
    if alone:
        raise ValueError(f"expected every person at both cameras, got only one of {alone[0]}")
    test = {tracklet.person for tracklet in split.query}
    if len(test) != len(people) // 2:
        raise ValueError(
            f"expected {len(people) // 2} of {len(people)} people in query, as iLIDS-VID tests "
            f"with half of them, got {len(test)}; move people between train and test"
        )
    plan = []
    for (person, camera), tracklet in sorted(seen.items(), key=lambda item: item[0]):
        start = 1 + (37 * person + 101 * camera) % 400
        frames = range(start, start + len(tracklet))
        names = [format_name(Name(camera, person, frame)) for frame in frames]
        folder = f"i-LIDS-VID/sequences/cam{camera}/person{person:03}"
        plan.append(Planned(tracklet, folder, names))
    write_tracklets(plan, root)
    _write_splits(root, [person in test for person in people])


def parse_name(text: str) -> Name:
    """Read the name of a frame's file; ValueError if it is none."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(
            f"expected a file name like cam1_person001_00317.png, got {text!r}; rename it"
        )
    return Name(*map(int, match.groups()))


def format_name(name: Name) -> str:
    """The file name that `parse_name` reads; ValueError if a number has too many digits for it."""
    camera, person, frame = name
    if not (0 <= camera <= 9 and 0 <= person <= 999 and 0 <= frame <= 99_999):
        raise ValueError(
            "iLIDS-VID file names hold cameras 0 to 9, persons 0 to 999 and frames 0 to 99999, "
            f"got {name}; renumber, or cut the tracklet"
        )
    return f"cam{camera}_person{person:03}_{frame:05}.png"


def _people(sequences: Path) -> list[str]:
    first, second = (list_folders(sequences / f"cam{camera}", _PERSON) for camera in (1, 2))
    if first != second:
        raise ValueError(
            f"{sequences}: expected the same people at both cameras, got only one camera for "
            f"{sorted(set(first) ^ set(second))}; restore or remove their folders"
        )
    return first


def _tracklet(home: Path, camera: int, person: str) -> Tracklet:
    folder = home / "sequences" / f"cam{camera}" / person
    return tracklet_of(folder, list_images(folder), parse_name, _number(person), camera)


def _number(person: str) -> int:
    return int(person.removeprefix("person").removeprefix("_"))


def _read_split(
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
        named = _read_json(path, people)
        _check_split(split, len(named), path)
        train, test = named[split]
    else:
        positions = _read_positions(path, len(people))
        _check_split(split, len(positions), path)
        names = [people[position - 1] for position in positions[split]]
        half = len(names) // 2
        train, test = (names[half:], names[:half]) if test_first else (names[:half], names[half:])
    unknown = sorted({*train, *test} - set(people))
    twice = [name for name, times in Counter([*train, *test]).items() if times > 1]
    if unknown or twice:
        both = "in both" if {*twice} & {*train} & {*test} else "twice"
        raise ValueError(
            f"{path}, split {split}: expected folders of people, each once in train or in test, "
            "got "
            + (f"{unknown[0]}, which is no folder" if unknown else f"{min(twice)} {both}")
            + "; take the file and the images from one copy of the data set"
        )
    return train, test


def _write_splits(root: Path, test: list[bool]) -> None:
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
    write_array(path, "ls_set", np.array([given, *drawn], np.uint16) + 1)


def _check_split(split: int, splits: int, path: Path) -> None:
    if not 0 <= split < splits:
        has = f"0 to {splits - 1} of {path}" if splits else f"one of {path}, which is empty"
        raise ValueError(f"split: expected {has}, got {split}; choose another, or copy it anew")


def _read_positions(path: Path, people: int) -> list[list[int]]:
    stored = read_array(path)
    wanted = np.arange(1, people + 1)
    if stored.shape[1] != people:
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


def _read_json(path: Path, people: list[str]) -> list[tuple[list[str], list[str]]]:
    text = read_text(path)
    try:
        return [_halves(entry["train"], entry["test"], people) for entry in json.loads(text)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected a list of {{'train': [folder, ...], 'test': [folder, ...]}}, got "
            f"something else ({type(error).__name__}: {error}); copy it anew or delete it"
        ) from error


def _halves(train: list[Any], test: list[Any], people: list[str]) -> tuple[list[str], list[str]]:
    """The folders that an entry of splits.json names, also by paths or by the persons' numbers.

    Numbers could as well be places in the sorted folders, as in the .mat. They are people's own
    only where they are those of all folders.
    """
    named = [*train, *test]
    if not isinstance(train, list) or not isinstance(test, list):
        raise TypeError("something else than two lists of folders")
    for name in named:
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise TypeError(f"{name!r:.40} is no name")
    if any(isinstance(name, int) for name in named):
        folder_of = {_number(person): person for person in people}
        if set(named) != folder_of.keys() or len(folder_of) < len(people):
            raise ValueError("numbers that are not those of the folders; write the folders' names")
        return [folder_of[name] for name in train], [folder_of[name] for name in test]
    names = [re.split(r"[/\\]", name.strip().rstrip("/\\"))[-1] for name in named]
    return names[: len(train)], names[len(train) :]
