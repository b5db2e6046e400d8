"""What a video re-identification data set is: tracklets of people in train, query and gallery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor

from .images import read_image
from .keypoints import Points, by_place

DISTRACTOR = 0
"""Person number of tracklets that show nobody of interest: always wrong answers (MARS)."""
JUNK = -1
"""Person number of badly detected tracklets, which evaluation leaves out (MARS)."""


@dataclass(frozen=True, eq=False)
class Tracklet:
    """The frames of one person walking past one camera, in temporal order."""

    frames: Sequence[Path] | Tensor
    """Image files, or the images themselves as uint8 [t 3 H W]."""
    person: int
    """The data set's own number, never relabelled."""
    camera: int
    """The data set's own number, never relabelled: matches within a camera do not count."""
    points: Points | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def __eq__(self, other: object) -> bool:
        """Whether both show the same pixels of the same person and camera, with the same points."""
        if not isinstance(other, Tracklet):
            return NotImplemented
        return (
            (self.person, self.camera, len(self)) == (other.person, other.camera, len(other))
            and (self.points is None) == (other.points is None)
            and all(
                torch.equal(mine.nan_to_num(-1), theirs.nan_to_num(-1))
                for mine, theirs in zip(self.points or (), other.points or (), strict=True)
            )
            and all(
                torch.equal(load_frames(self, [i]), load_frames(other, [i]))
                for i in range(len(self))
            )
        )

    __hash__ = object.__hash__


class Split(NamedTuple):
    """A division of a data set into people to train with and people to search for."""

    train: list[Tracklet]
    query: list[Tracklet]
    gallery: list[Tracklet]
    """Holds the query tracklets, the same objects, where the protocol of the set asks for it."""


class Summary(NamedTuple):
    """What papers print of one list of a data set."""

    part: str
    """train, query or gallery."""
    people: int
    """Different people. Junk and distractors do not count; other loaders count two more."""
    tracklets: int
    distractors: int
    """How many of the tracklets show nobody of interest."""
    junk: int
    """How many of the tracklets are badly detected."""
    cameras: int
    frames: int
    shortest: int
    """Frames of the shortest tracklet."""
    median: float
    longest: int


def summarise(split: Split) -> list[Summary]:
    """Count what a split holds: a row for each list, of which `pandas.DataFrame` makes a table.

    An empty list has 0 everywhere.
    """
    return [
        Summary(
            part=part,
            people=len({t.person for t in tracklets} - {DISTRACTOR, JUNK}),
            tracklets=len(tracklets),
            distractors=sum(t.person == DISTRACTOR for t in tracklets),
            junk=sum(t.person == JUNK for t in tracklets),
            cameras=len({t.camera for t in tracklets}),
            frames=sum(lengths),
            shortest=min(lengths, default=0),
            median=float(median(lengths or [0])),
            longest=max(lengths, default=0),
        )
        for part, tracklets in split._asdict().items()
        for lengths in [[len(t) for t in tracklets]]
    ]


def with_sides_by_place(split: Split) -> Split:
    """The same split, with points as of `keypoints.by_place`; shared tracklets stay shared."""
    each = {id(tracklet): tracklet for part in split for tracklet in part}
    changed = {
        key: replace(tracklet, points=tracklet.points and by_place(tracklet.points))
        for key, tracklet in each.items()
    }
    return Split(*([changed[id(tracklet)] for tracklet in part] for part in split))


def load_frames(tracklet: Tracklet, indices: Sequence[int]) -> Tensor:
    """Some frames of a tracklet as uint8 [t 3 H W].

    Raises:
        FileNotFoundError: a frame's file is gone; names it.
        ValueError: a frame's file is no readable image, or frames differ in size; names it.
    """
    if isinstance(tracklet.frames, Tensor):
        return tracklet.frames[list(indices)]
    images = [read_image(tracklet.frames[i]) for i in indices]
    for i, image in zip(indices, images, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"frames of one tracklet must have one size: {tracklet.frames[i]} is "
                f"{tuple(image.shape[1:])}, the frames before it {tuple(images[0].shape[1:])}"
            )
    return torch.stack(images)
