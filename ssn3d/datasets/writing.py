"""What the official layouts share in writing: checks first, then frames as files, and points."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from . import keypoints
from .images import read_image, write_image
from .layout import check_not_empty
from .tracklets import Split, Tracklet


class Planned(NamedTuple):
    """A tracklet and where it is to be written."""

    tracklet: Tracklet
    folder: str
    """Relative to the root, with forward slashes."""
    names: list[str]
    """One file name for each frame."""


def check_writable(split: Split, root: Path, parts: Sequence[str]) -> None:
    """Raise before anything is written if `split` is no data set or `root` holds one already.

    Args:
        split: what is to be written.
        root: where.
        parts: the names below `root` that would be overwritten.
    """
    check_not_empty(split, "write")
    for part in (*parts, keypoints.POINTS_FILE):
        if (root / part).exists():
            raise FileExistsError(f"{root / part} exists already; write to an empty folder")
    for tracklet in (*split.train, *split.query, *split.gallery):
        who = f"tracklet of person {tracklet.person} at camera {tracklet.camera}"
        frames = tracklet.frames
        if not len(frames):
            raise ValueError(f"{who}: expected at least one frame, got none; leave it out")
        if isinstance(frames, Tensor) and (
            frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3
        ):
            raise ValueError(
                f"{who}: expected frames as uint8 [t 3 H W], got {frames.dtype} "
                f"{list(frames.shape)}; convert them"
            )
        if tracklet.points is not None and len(tracklet.points.truth) != len(tracklet):
            raise ValueError(
                f"{who}: expected body points for {len(tracklet)} frames, got them for "
                f"{len(tracklet.points.truth)}; cut both alike"
            )


def write_tracklets(plan: Sequence[Planned], root: Path) -> None:
    """Write the frames of every tracklet, and the body points of those that have them.

    A file whose suffix fits is copied byte for byte; other frames are encoded by the suffix.
    """
    points = {}
    for tracklet, folder, names in plan:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for frame, name in zip(tracklet.frames, names, strict=True):
            _write_frame(frame, root / folder / name)
        if tracklet.points is not None:
            points[f"{folder}/{names[0]}"] = tracklet.points
    if points:
        keypoints.save(points, root)


def _write_frame(frame: Path | Tensor, path: Path) -> None:
    if isinstance(frame, Path):
        if frame.suffix == path.suffix:
            shutil.copyfile(frame, path)
            return
        frame = read_image(frame)
    write_image(frame, path)
