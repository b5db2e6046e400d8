"""Digests that identify data sets and settings.

A data set is identified by what its reader returns, and by what the frames' files hold. So a copy
elsewhere is the same set, and files that no reader opens do not count.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import contents
from .frame_cache import each_once
from .keypoints import Points
from .tracklets import Split


class Identity(NamedTuple):
    """What a data set is."""

    whole: str
    """Of people, cameras, frames, points and their division."""
    frames: str
    """Of the frames alone, the same for every division of a set."""
    state: str
    """Of `whole` and of the frames' files: another one where a file was touched or renamed."""
    hashed: int
    """How many tracklets had to be read; the digests of the others were known."""


def digest(value: Any) -> str:
    """Eight hexadecimal digits that identify a value made of JSON's types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def identify(split: Split, kept: Path) -> Identity:
    """The identity of a data set as its reader returns it.

    Args:
        split: tracklets of image files. What the files are called does not count, but for the order
            of the tracklets.
        kept: where the digests of files are kept, see `contents.digests`.

    Raises:
        FileNotFoundError: the file of a frame is missing; names it.
        ValueError: it is no regular file; names it.
    """
    tracklets = each_once(split)
    found = contents.digests([_paths(t.frames) for t in tracklets], kept)
    frames = {id(t): content for t, content in zip(tracklets, found.contents, strict=True)}
    points = {id(t): _of_points(t.points) for t in tracklets}
    parts = [[(t.person, t.camera, frames[id(t)], points[id(t)]) for t in part] for part in split]
    whole = digest(parts)
    return Identity(whole, digest(found.contents), digest([whole, found.states]), found.hashed)


def identify_pictures(folder: Path, names: Sequence[str], kept: Path) -> str:
    """The identity of pictures: their names, in order, and what they hold.

    Args:
        folder: where they are.
        names: paths below it.
        kept: as for `identify`.

    Raises:
        FileNotFoundError: a picture is missing; names it.
        ValueError: it is no regular file; names it.
    """
    found = contents.digests([[folder / name] for name in names], kept)
    return digest([*zip(names, found.contents, strict=True)])


def _paths(frames: object) -> Sequence[Path]:
    assert isinstance(frames, Sequence), "frames in memory are no files"
    return frames


def _of_points(points: Points | None) -> list[str] | None:
    if points is None:
        return None
    return [hashlib.sha256(field.numpy().tobytes()).hexdigest() for field in points]
