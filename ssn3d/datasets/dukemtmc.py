"""DukeMTMC-VideoReID on disk: train, query and gallery with a folder for each person and tracklet.

File names have the frame's number in the tracklet, which need not begin with 1, and in the video.
The set was withdrawn in 2019; this reads copies that a user has, and sets in its layout.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .layout import (
    ENDING,
    FrameFiles,
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
from .tracklets import Split, Tracklet

PARTS = ("train", "query", "gallery")
TREE = """\
  DukeMTMC-VideoReID/
    train/0001/0003/0001_C6_F0099_X30823.jpg ...    (person, tracklet, frames)
    query/  gallery/                                (likewise)"""
VIDEO_STEP = 12
"""Frames of the camera's video between two frames of a tracklet."""

_FOLDER = re.compile(r"\d{4}", re.ASCII)
_NAME = re.compile(rf"(\d{{4}})_?C(\d)_?F(\d{{4}})_?([XD])(\d+){ENDING}", re.ASCII)


class Name(NamedTuple):
    """What the name of a frame's file says, such as 0001_C6_F0099_X30823.jpg."""

    person: int
    camera: int
    frame: int
    """Inside the tracklet, from 1."""
    video_frame: int
    """In the camera's video."""
    distractor: bool = False
    """Whether nobody asks for this person: D in the name instead of X."""


def read(root: Path) -> Split:
    """Read DukeMTMC-VideoReID, or a set in its layout, without opening an image.

    Args:
        root: folder with train, query and gallery, or the folder above it.

    Returns:
        Tracklets in the order of person and tracklet folder, their frames in the order of their
        numbers. A query that is also in the gallery, in folders and files of the same names, is the
        same object there.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a file or a folder is not named as it should be, or a tracklet has no frames.
    """
    home = locate((root, root / "DukeMTMC-VideoReID"), PARTS, TREE)
    found = {part: _read_part(home / part) for part in PARTS}
    gallery = {_place(tracklet): tracklet for tracklet in found["gallery"]}
    alone = [tracklet for tracklet in found["query"] if _place(tracklet) not in gallery]
    tracklets = attach_points([*found["train"], *found["gallery"], *alone], home)
    train, rest = tracklets[: len(found["train"])], tracklets[len(found["train"]) :]
    by_place = {_place(tracklet): tracklet for tracklet in rest}
    query = [by_place[_place(tracklet)] for tracklet in found["query"]]
    return check_not_empty(Split(train, query, rest[: len(gallery)]), str(home))


def write(split: Split, root: Path) -> None:
    """Write a split as DukeMTMC-VideoReID is laid out, so that `read` gives it back, by person.

    JPEG files are copied as they are, frames in memory are encoded as JPEG and come back nearly the
    same. Queries are written twice, as in the official set: in query/ and in gallery/. Gallery
    people who are no queries are marked as distractors, and the last tracklet of train/ and of
    gallery/ begins with frame 2.

    Args:
        split: persons 0 to 9999, cameras 0 to 9, at most 9999 tracklets of 9998 frames. A query
            that is not in the gallery as the same object is written to query/ alone.
        root: folder to write to, without a data set in it.

    Raises:
        ValueError: a list is empty, or a number does not fit a name.
        FileExistsError: there is a data set in `root` already.
    """
    check_writable(split, root, PARTS)
    asked = {tracklet.person for tracklet in split.query}
    train, gallery = (
        sorted(part, key=lambda tracklet: tracklet.person) for part in (split.train, split.gallery)
    )
    known = {id(tracklet) for tracklet in gallery}
    alone = [tracklet for tracklet in split.query if id(tracklet) not in known]
    plan: dict[int, Planned] = {}
    for number, (part, tracklet) in enumerate(
        [("train", t) for t in train]
        + [("gallery", t) for t in gallery]
        + [("query", t) for t in alone],
        start=1,
    ):
        late = tracklet is train[-1] or tracklet is gallery[-1]
        distractor = part == "gallery" and tracklet.person not in asked
        plan[id(tracklet)] = _plan(tracklet, part, number, 1 + late, distractor)
    twins = [
        # The points are kept once, with the gallery's copy.
        Planned(replace(t, points=None), folder.replace("gallery", "query"), names)
        for t, folder, names in (plan[id(t)] for t in split.query if id(t) in known)
    ]
    write_tracklets([*plan.values(), *twins], root)


def parse_name(text: str) -> Name:
    """Read the name of a frame's file, with or without underscores; ValueError if it is none."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(
            f"expected a file name like 0001_C6_F0099_X30823.jpg, got {text!r}; rename it"
        )
    person, camera, frame, flag, video_frame = match.groups()
    return Name(int(person), int(camera), int(frame), int(video_frame), flag == "D")


def format_name(name: Name) -> str:
    """The file name that `parse_name` reads; ValueError if a number has too many digits for it."""
    flag = "D" if name.distractor else "X"
    text = f"{name.person:04}_C{name.camera}_F{name.frame:04}_{flag}{name.video_frame:05}.jpg"
    if not _NAME.fullmatch(text):
        raise ValueError(
            "DukeMTMC-VideoReID file names hold persons and frames 0 to 9999 and cameras 0 to 9, "
            f"got {name}; renumber, or cut the tracklet"
        )
    return text


def _read_part(folder: Path) -> list[Tracklet]:
    return [
        tracklet_of(place, list_images(place), parse_name, int(person))
        for person in list_folders(folder, _FOLDER)
        for tracklet in list_folders(folder / person, _FOLDER)
        for place in [folder / person / tracklet]
    ]


def _place(tracklet: Tracklet) -> tuple[str, str, tuple[str, ...]]:
    """What a query and its copy in the gallery have in common."""
    assert isinstance(tracklet.frames, FrameFiles)
    folder = tracklet.frames.folder
    return folder.parent.name, folder.name, tracklet.frames.names


def _plan(tracklet: Tracklet, part: str, number: int, start: int, distractor: bool) -> Planned:
    person, camera = tracklet.person, tracklet.camera
    if number > 9999:
        raise ValueError("DukeMTMC-VideoReID folders number at most 9999 tracklets; write fewer")
    frames = range(start, start + len(tracklet))
    names = [
        format_name(Name(person, camera, frame, number + VIDEO_STEP * frame, distractor))
        for frame in frames
    ]
    return Planned(tracklet, f"{part}/{person:04}/{number:04}", names)
