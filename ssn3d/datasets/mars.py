"""MARS on disk: boxes of people in two folders, and lists in info/ that make tracklets of them.

The lists decide, not the folders: tracklet numbers have gaps, and a tracklet need not begin with
frame 1. The .mat files count from 1, and both ends of a range belong to it; here everything counts
from 0, and the end of a range does not belong to it.
"""

import logging
import re
from collections import Counter, defaultdict
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .layout import (
    ENDING,
    Planned,
    attach_points,
    check_not_empty,
    check_writable,
    list_images,
    locate,
    tracklet_of,
    write_tracklets,
)
from .matlab import read_array, write_array
from .text import read_text
from .tracklets import DISTRACTOR, JUNK, Split, Tracklet

TREE = """\
  MARS/
    bbox_train/0001/0001C1T0001F001.jpg ...
    bbox_test/00-1/00-1C1T0001F001.jpg ...
    info/train_name.txt  test_name.txt
         tracks_train_info.mat  tracks_test_info.mat  query_IDX.mat"""

log = logging.getLogger(__name__)

_FROM_ONE = "if they count from 0, add 1 to each"

_NAME = re.compile(rf"(\d{{4}}|00-1)C(\d)T(\d{{4}})F(\d{{3}}){ENDING}", re.ASCII)


class Name(NamedTuple):
    """What the name of a frame's file says, such as 0001C1T0001F001.jpg."""

    person: int
    camera: int
    tracklet: int
    frame: int


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


def read(root: Path, *, junk: bool = False) -> Split:
    """Read MARS, or a set in its layout, without opening an image.

    Args:
        root: folder with bbox_train, bbox_test and info, or the folder above it.
        junk: keep the badly detected tracklets (person -1) in the gallery. They never count, so
            leaving them out changes no result.

    Returns:
        Tracklets in the order of the lists. The gallery holds the query tracklets, the same
        objects: without them 140 queries of MARS would have no right answer.

    Raises:
        FileNotFoundError: a folder, a list or a frame that the lists name is missing. A missing
            list of names is no error if the folders hold all images: it is derived from them, with
            a warning. A frame of another ending, such as .png, is no missing one.
        ValueError: the lists do not fit each other or the frames.
    """
    home = locate((root, root / "MARS"), ("bbox_train", "bbox_test", "info"), TREE)
    info = read_info(home / "info")
    train = _read_part(home, "train", info.train)
    test = _read_part(home, "test", info.test)
    tracklets = attach_points(train + test, home)
    train, test = tracklets[: len(train)], tracklets[len(train) :]
    query = [test[row] for row in info.query]
    gallery = [tracklet for tracklet in test if junk or tracklet.person != JUNK]
    return check_not_empty(Split(train, query, gallery), str(home))


def write(split: Split, root: Path) -> None:
    """Write a split as MARS is laid out, so that `read(root, junk=True)` gives it back.

    Tracklets are stored by person, then camera; a split in another order comes back in this one,
    except the queries, which keep theirs. JPEG files are copied as they are, frames in memory are
    encoded as JPEG and come back nearly the same. As in MARS, the last tracklet of each list skips
    a tracklet number and begins after frame 1.

    Args:
        split: persons -1 (junk), 0 (distractors) to 9999, cameras 0 to 9, at most 999 frames.
        root: folder to write to, without a data set in it.

    Raises:
        ValueError: a list is empty, a query is not in the gallery or of nobody, or a number fits no
            file name.
        FileExistsError: there is a data set in `root` already.
    """
    check_writable(split, root, ("bbox_train", "bbox_test", "info"))
    train, test = (sorted(part, key=_order) for part in (split.train, split.gallery))
    row_of = {id(tracklet): row for row, tracklet in enumerate(test)}
    for tracklet in split.query:
        if id(tracklet) not in row_of:
            raise ValueError(
                f"query of person {tracklet.person} at camera {tracklet.camera}: expected one of "
                "the gallery's tracklets, the same object, got another; MARS keeps its queries in "
                "the gallery, so put it there"
            )
        if tracklet.person <= DISTRACTOR:
            raise ValueError(
                f"query: expected a person from 1 on, got {tracklet.person}; leave it out, as "
                "nobody is looked for with junk and distractors"
            )
    plans = {"train": _plan(train, "bbox_train"), "test": _plan(test, "bbox_test")}

    write_tracklets(plans["train"] + plans["test"], root)
    info = root / "info"
    info.mkdir()
    for part, plan in plans.items():
        lines = [f"{name}\n" for planned in plan for name in planned.names]
        (info / f"{part}_name.txt").write_text("".join(lines), newline="\r\n")
    query = [row_of[id(tracklet)] for tracklet in split.query]
    _write_info(info, Info(_rows(train), _rows(test), query))


def read_info(folder: Path) -> Info:
    """Read the three .mat files of info/, of MARS or of x-mars, without names or images.

    Returns:
        The lists, counted from 0.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is no list of the expected shape, or the query rows are not in the list,
            are there twice, show nobody or count from 0.
    """
    train = _read_rows(folder / "tracks_train_info.mat")
    test = _read_rows(folder / "tracks_test_info.mat")
    path = folder / "query_IDX.mat"
    stored = read_array(path)
    if min(stored.shape) > 1:
        raise ValueError(f"{path}: expected shape (1, queries), got {stored.shape}; copy it anew")
    query = (stored.ravel() - 1).tolist()
    remedy = "take both files from one copy of the data set"
    if any(not 0 <= row < len(test) for row in query):
        if min(query) < 0:
            remedy = f"{_FROM_ONE}, or {remedy}"
        raise ValueError(
            f"{path}: expected rows 1 to {len(test)} of tracks_test_info.mat, got {min(query) + 1} "
            f"to {max(query) + 1}; {remedy}"
        )
    if twice := [row for row, times in Counter(query).items() if times > 1]:
        raise ValueError(
            f"{path}: expected each row of tracks_test_info.mat once, got row {min(twice) + 1} "
            f"{query.count(min(twice))} times; {remedy}"
        )
    nobody = [row for row in query if test[row].person <= DISTRACTOR]
    if nobody or _counted_from_zero(query, test):
        got = (
            f"row {nobody[0] + 1} of person {test[nobody[0]].person}, who is junk or a distractor"
            if nobody
            else "each row before it"
        )
        raise ValueError(
            f"{path}: expected rows of tracks_test_info.mat, counted from 1, that show the people "
            f"to search for{'' if nobody else ', each the last of a person at a camera'}, got "
            f"{got}; {_FROM_ONE}, or {remedy}"
        )
    return Info(train, test, query)


def _counted_from_zero(query: list[int], test: list[Row]) -> bool:
    """Whether the rows are no choice of queries, but would be that of MARS if each were one higher.

    MARS asks with the last tracklet of each person at each camera, if several cameras saw the
    person. One lower, some rows are of the camera or the person before.
    """
    last = {(row.person, row.camera): n for n, row in enumerate(test) if row.person > DISTRACTOR}
    cameras = Counter(person for person, _ in last)
    official = sorted(n for (person, _), n in last.items() if cameras[person] > 1)
    asked = {(test[row].person, test[row].camera) for row in query}
    sound = len(asked) == len(query) and all(cameras[person] > 1 for person, _ in asked)
    return not sound and sorted(row + 1 for row in query) == official


def _write_info(folder: Path, info: Info) -> None:
    """Write the three .mat files that `read_info` reads, into an existing folder."""
    for part, rows in (("train", info.train), ("test", info.test)):
        table = np.array([row._replace(start=row.start + 1) for row in rows], np.int32)
        write_array(folder / f"tracks_{part}_info.mat", f"track_{part}_info", table)
    # The types of MARS; only a set five times as large needs a larger one.
    smallest: type[np.integer[Any]] = np.uint16 if len(info.test) < 2**16 else np.int32
    query = np.array([[row + 1 for row in info.query]], smallest)
    write_array(folder / "query_IDX.mat", "query_IDX", query)


def parse_name(text: str) -> Name:
    """Read the name of a frame's file; ValueError if it is none."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a file name like 0001C1T0001F001.jpg, got {text!r}; rename it")
    person, camera, tracklet, frame = match.groups()
    return Name(JUNK if person == "00-1" else int(person), int(camera), int(tracklet), int(frame))


def format_name(name: Name) -> str:
    """The file name that `parse_name` reads; ValueError if a number has too many digits for it."""
    text = f"{_folder(name.person)}C{name.camera}T{name.tracklet:04}F{name.frame:03}.jpg"
    if not _NAME.fullmatch(text):
        raise ValueError(
            "MARS file names hold persons -1 to 9999, cameras 0 to 9, tracklets 0 to 9999 of a "
            f"person and frames 0 to 999, got {name}; renumber, or cut the tracklet"
        )
    return text


def _folder(person: int) -> str:
    return "00-1" if person == JUNK else f"{person:04}"


def _order(tracklet: Tracklet) -> tuple[int, int]:
    return tracklet.person, tracklet.camera


def _read_part(home: Path, part: str, rows: list[Row]) -> list[Tracklet]:
    listed = home / "info" / f"{part}_name.txt"
    boxes = home / f"bbox_{part}"
    if (boxes / boxes.name).is_dir():  # some unpack it once more
        boxes = boxes / boxes.name
    if listed.is_file():
        names = read_names(listed)
    else:
        names = _names_from_folders(boxes, listed, max((row.stop for row in rows), default=0))
    present: dict[str, set[str]] = {}
    tracklets = []
    for number, row in enumerate(rows, start=1):
        at = f"row {number} of {home / 'info' / f'tracks_{part}_info.mat'}"
        if not 0 <= row.start < row.stop <= len(names):
            _check_names(names, 0, listed)
            zero = f"{_FROM_ONE}, or " if row.start < 0 else ""
            raise ValueError(
                f"{at}: expected lines between 1 and {len(names)} of {listed}, got "
                f"{row.start + 1} to {row.stop}; {zero}take both files from one copy of the data "
                "set"
            )
        folder = boxes / _folder(row.person)
        wanted = names[row.start : row.stop]
        if folder.name not in present:
            present[folder.name] = set(list_images(folder)) if folder.is_dir() else set()
        try:
            tracklet = tracklet_of(folder, wanted, parse_name, row.person, row.camera)
        except ValueError as error:
            _check_names(wanted, row.start, listed)
            raise ValueError(
                f"{error}; or take {listed}, whose lines {row.start + 1} to {row.stop} name it, "
                f"and {at} from one copy of the data set"
            ) from None
        if not present[folder.name].issuperset(wanted):
            found = _in_other_formats(folder, wanted, present[folder.name], listed)
            tracklet = tracklet_of(folder, found, parse_name, row.person, row.camera)
        tracklets.append(tracklet)
    return tracklets


def _check_names(names: list[str], start: int, listed: Path) -> None:
    """A ValueError that names the first line that is no file name; `names` are those from `start`.

    Only called once something is wrong: a check of all of MARS's names would take a second.
    """
    for line, name in enumerate(names, start + 1):
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{listed}, line {line}: expected a file name like 0001C1T0001F001.jpg, got "
                f"{name[:60]!r}; correct the list: one name a line, nothing else"
            )


def _in_other_formats(
    folder: Path, wanted: list[str], present: set[str], listed: Path
) -> list[str]:
    """The files of `folder` that are called as listed, but for the ending where none is the same.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: there are several.
    """
    files = defaultdict(list)
    for name in sorted(present):
        files[name.rpartition(".")[0]].append(name)
    found = [[name] if name in present else files[name.rpartition(".")[0]] for name in wanted]
    missing = [name for name, same in zip(wanted, found, strict=True) if not same]
    if missing:
        raise FileNotFoundError(
            f"frame {folder / missing[0]} does not exist, although {listed} lists it "
            f"({len(missing)} of this tracklet's {len(wanted)} frames are missing); "
            "unpack the images again"
        )
    for name, same in zip(wanted, found, strict=True):
        if len(same) > 1:
            raise ValueError(
                f"{folder}: expected one file for {name} of {listed}, got {same[0]} and {same[1]}; "
                "remove one"
            )
    return [name for [name] in found]


def read_names(path: Path) -> list[str]:
    """The names of frames in train_name.txt or test_name.txt, as other systems write them too.

    Returns:
        The text of each line, of which no more than the file's name if it is a path.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no text.
    """
    lines = read_text(path).rstrip().replace("\\", "/").split("\n")
    return [line.rpartition("/")[2].strip() for line in lines]


def _read_rows(path: Path) -> list[Row]:
    stored = read_array(path)
    if stored.shape[1] != 4:
        raise ValueError(
            f"{path}: expected shape (tracklets, 4) with columns first line, last line, person, "
            f"camera, got {stored.shape}; copy it anew"
        )
    # Lines count from 1 and the last belongs to the tracklet.
    return [Row(first - 1, last, person, cam) for first, last, person, cam in stored.tolist()]


def _names_from_folders(boxes: Path, listed: Path, count: int) -> list[str]:
    """What a missing list of names said: every image, in the order of folder and name.

    If they do not fit the tracklets, reading these fails: each name has person and camera.
    """
    folders = sorted(path for path in boxes.iterdir() if path.is_dir())
    names = [name for folder in folders for name in sorted(list_images(folder))]
    if len(names) != count:
        raise FileNotFoundError(
            f"{listed} does not exist, and cannot be made anew from the images: expected {count} "
            f"in {boxes}, got {len(names)}; copy it from the data set's archive"
        )
    log.warning("%s does not exist; made anew from the %d images of %s", listed, count, boxes)
    return names


def _rows(tracklets: list[Tracklet]) -> list[Row]:
    stops = accumulate(map(len, tracklets))
    return [Row(stop - len(t), stop, *_order(t)) for stop, t in zip(stops, tracklets, strict=True)]


def _plan(tracklets: list[Tracklet], boxes: str) -> list[Planned]:
    plan = []
    for person, group in groupby(tracklets, key=lambda tracklet: tracklet.person):
        for number, tracklet in enumerate(group, start=1):
            start = 1
            if tracklet is tracklets[-1]:
                number, start = number + 1, min(6, max(1, 1000 - len(tracklet)))
            frames = range(start, start + len(tracklet))
            names = [format_name(Name(person, tracklet.camera, number, f)) for f in frames]
            plan.append(Planned(tracklet, f"{boxes}/{_folder(person)}", names))
    return plan
