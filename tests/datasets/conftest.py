import contextlib
import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ssn3d.datasets.images import write_image
from ssn3d.datasets.keypoints import PARTS, Points
from ssn3d.datasets.layout import FrameFiles
from ssn3d.datasets.openpose import ORDERS, Layout
from ssn3d.datasets.tracklets import DISTRACTOR, JUNK, Split, Tracklet


def with_change(document: dict[str, Any], *where: Any, to: Any) -> dict[str, Any]:
    """A copy of a document with one value replaced; ... removes it."""
    document = copy.deepcopy(document)
    inner: Any = document
    for key in where[:-1]:
        inner = inner[key]
    if to is ...:
        del inner[where[-1]]
    else:
        inner[where[-1]] = to
    return document


def smooth_frames(length: int, generator: torch.Generator) -> Tensor:
    """uint8 [t 3 32 16] of soft colours, which JPEG keeps nearly as they are."""
    colours = torch.rand(length, 3, 3, 2, generator=generator)
    return (255 * interpolate(colours, (32, 16), mode="bilinear")).to(torch.uint8)


@pytest.fixture
def tracklet() -> Callable[..., Tracklet]:
    """Makes a tracklet whose pixels, and points if asked for, differ from those of all others."""
    generator = torch.Generator().manual_seed(0)

    def make(person: int, camera: int, length: int = 4, points: bool = False) -> Tracklet:
        frames = smooth_frames(length, generator)
        if not points:
            return Tracklet(frames, person, camera)
        truth = torch.rand(length, len(PARTS), 2, generator=generator)
        truth[0, 0] = torch.nan
        return Tracklet(frames, person, camera, Points(truth + 0.01, truth, truth[..., 0] > 0.3))

    return make


@pytest.fixture
def files(tracklet, tmp_path: Path) -> FrameFiles:
    """Four frames of one tracklet as PNG files."""
    names = tuple(f"{frame}.png" for frame in range(4))
    for name, image in zip(names, tracklet(1, 1).frames, strict=True):
        write_image(image, tmp_path / name)
    return FrameFiles(tmp_path, names)


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the file system list every folder from the last name to the first."""
    scandir = os.scandir

    def listed(path):
        with scandir(path) as entries:
            return contextlib.nullcontext(sorted(entries, key=lambda e: e.name, reverse=True))

    monkeypatch.setattr(os, "scandir", listed)


@pytest.fixture
def mars_split(tracklet) -> Split:
    """With junk, distractors, people at one camera, twice at one camera, and for 2 frames only."""
    train = [tracklet(1, 1), tracklet(1, 4, points=True), tracklet(3, 6), tracklet(3, 6)]
    gallery = [
        tracklet(-1, 1),
        tracklet(0, 2),
        tracklet(0, 5),
        tracklet(2, 1, points=True),
        tracklet(2, 1),
        tracklet(2, 3, length=2),
        tracklet(10, 2),
        tracklet(12, 2),
        tracklet(12, 5, points=True),
    ]
    return Split(train, [gallery[row] for row in (4, 5, 7, 8)], gallery)


@pytest.fixture
def ilids_vid_split(tracklet) -> Split:
    """Person numbers with gaps, a tracklet of one frame, some with points."""
    train = [tracklet(person, camera) for person in (2, 9, 319) for camera in (1, 2)]
    query = [tracklet(1, 1, points=True), tracklet(7, 1, length=1), tracklet(30, 1)]
    gallery = [tracklet(1, 2), tracklet(7, 2, points=True), tracklet(30, 2)]
    return Split(train, query, gallery)


@pytest.fixture
def dukemtmc_split(tracklet) -> Split:
    """People asked for and not, a tracklet of one frame, some with points."""
    train = [tracklet(1, 5), tracklet(1, 6, points=True), tracklet(8, 2, length=1)]
    gallery = [
        tracklet(2, 1, points=True),
        tracklet(2, 3),
        tracklet(3, 8, length=1),
        tracklet(7, 2),
        tracklet(7, 4, length=11, points=True),
        tracklet(9, 4),
    ]
    return Split(train, [gallery[0], gallery[3]], gallery)


@pytest.fixture
def folder_split(tracklet) -> Split:
    """As MARS may be: distractors and junk, a query outside the gallery, points here and there."""
    train = [tracklet(1, 5), tracklet(1, 16, points=True), tracklet(8, 2, length=1)]
    gallery = [
        tracklet(JUNK, 2),
        tracklet(DISTRACTOR, 2),
        tracklet(2, 2, points=True),
        tracklet(2, 2),
        tracklet(2, 5, length=11),
        tracklet(12, 16, length=1, points=True),
    ]
    return Split(train, [gallery[2], gallery[4], tracklet(12, 2, points=True)], gallery)


STANDING = {  # shares of the frame, of a person who faces the camera
    "Nose": (0.5, 0.15), "Neck": (0.5, 0.25), "MidHip": (0.5, 0.52), "HeadTop": (0.5, 0.05),
    "UpperNeck": (0.5, 0.2), "Eye": (0.03, 0.13), "Ear": (0.08, 0.14), "Shoulder": (0.2, 0.25),
    "Elbow": (0.27, 0.4), "Wrist": (0.3, 0.52), "Hip": (0.12, 0.52), "Knee": (0.13, 0.72),
    "Ankle": (0.13, 0.93), "BigToe": (0.15, 0.95), "SmallToe": (0.18, 0.95), "Heel": (0.12, 0.95),
}  # fmt: skip


def walker(layout: Layout, width: float = 1, height: float = 1) -> Tensor:
    """[k 3] a person all of whose key points are found, in a frame of this size."""

    def place(name: str) -> tuple[float, float, float]:
        if name in STANDING:
            x, y = STANDING[name]
        else:  # the left side is on the right in the picture
            x, y = STANDING[name[1:]]
            x = 0.5 + x if name[0] == "L" else 0.5 - x
        return x * width, y * height, 0.9

    return torch.tensor([place(name) for name in ORDERS[layout]])
