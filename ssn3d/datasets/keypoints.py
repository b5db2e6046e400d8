"""The nine body points of the paper (section "Supervised Labels") and the file they are kept in.

A point is (x, y) as a share of the frame, x to the right and y down, both in 0..1; a point that is
not known is NaN and is masked wherever it is used, never placed at (0, 0).
"""

from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np
import torch
from einops import rearrange, repeat
from numpy.lib.npyio import NpzFile
from torch import Tensor

PARTS = (
    "head",
    "body",
    "crotch",
    "left elbow",
    "right elbow",
    "left knee",
    "right knee",
    "left foot",
    "right foot",
)
MIRRORED = (0, 1, 2, 4, 3, 6, 5, 8, 7)
"""Index of the part that each part becomes in a mirrored frame: left and right change places."""

POINTS_FILE = "points.npz"
LARGEST = 2**29
"""Bytes of one of its arrays; those of all 1.2 million frames of MARS take 86 million."""


class Points(NamedTuple):
    """What is known of the body points in the frames of one tracklet."""

    estimated: Tensor
    """[t n 2] as a pose estimator reports them: inexact, sometimes swapped, NaN where not found."""
    truth: Tensor
    """[t n 2] as drawn, or as labelled by a careful person; NaN where unknown."""
    visible: Tensor
    """[t n] bool, whether the point can be seen in the frame: inside it and not hidden."""

    def labels(self) -> Tensor:
        """[t n 2] as a careful person labels them: the true points, NaN where unseen."""
        return self.truth.where(self.visible[..., None], torch.nan)


def by_place(points: Points) -> Points:
    """The same points, left and right told apart by their place in the picture.

    Not in the paper: it says "left and right elbows, knees and feet", and here the left one is the
    one farther left.  Estimates are judged by themselves, and so is what a careful person sees.

    Args:
        points: of any frames, each judged by itself; see `swaps`.
    """
    labels, estimated = swaps(points.labels()), swaps(points.estimated)
    return Points(
        _swapped(points.estimated, estimated),
        _swapped(points.truth, labels),
        _swapped(points.visible[..., None], labels)[..., 0],
    )


def swaps(points: Tensor) -> Tensor:
    """Which pairs have their left part farther right in the picture than their right part.

    If only one of a pair is known, it is the left one if it lies to the left of the body's own
    axis, and the right one if to its right.  The axis is the straight line through crotch and body,
    or crotch and head, or body and head: the first two that are known.  A part on the axis, or
    without an axis, keeps its name, and so it does if the axis is level.

    Args:
        points: [... n 2] with n = 9 in the order of `PARTS`, NaN where unknown.

    Returns:
        [... 3] bool: elbows, knees, feet.
    """
    head, body, crotch = points[..., :3, :].split(1, dim=-2)  # [... 1 2]
    axis = _or(body - crotch, _or(head - crotch, head - body))
    limbs = points[..., 3:, :]
    x, y = (limbs - _or(crotch, body)).unbind(-1)
    # of the sign of the distance to the right of the axis, at the height of the part
    beside = (x * axis[..., 1] - y * axis[..., 0]) * axis[..., 1].sign()
    beside = rearrange(beside.nan_to_num(0.0), "... (pair side) -> ... pair side", side=2)
    x = rearrange(limbs[..., 0], "... (pair side) -> ... pair side", side=2)
    both = rearrange(limbs, "... (pair side) xy -> ... pair (side xy)", side=2).isfinite().all(-1)
    left, right = x.where(both[..., None], beside).unbind(-1)
    return left > right


def _or(values: Tensor, others: Tensor) -> Tensor:
    """Points [... 2], where they are unknown the others."""
    return values.where(values.isfinite().all(-1, keepdim=True), others)


def _swapped(values: Tensor, pairs: Tensor) -> Tensor:
    """Values [... n k] of points with left and right exchanged in some pairs [... 3]."""
    limbs = repeat(pairs, "... pair -> ... (pair side) 1", side=2)
    swapped = torch.cat([torch.zeros_like(limbs[..., :3, :]), limbs], dim=-2)
    return values[..., list(MIRRORED), :].where(swapped, values)


def mirror(points: Tensor) -> Tensor:
    """Points of the left-right mirrored frames, left and right parts exchanged.

    Args:
        points: [... n 2] with n = 9 in the order of `PARTS`.

    Returns:
        [... n 2]; mirroring twice gives the points back.
    """
    swapped = points[..., list(MIRRORED), :]
    return torch.stack((1 - swapped[..., 0], swapped[..., 1]), dim=-1)


def save(points: dict[str, Points], root: Path) -> None:
    """Write the points of every tracklet to `root`/points.npz.

    Args:
        points: the points of each tracklet, under the path of its first frame relative to `root`,
            with forward slashes.
        root: folder of a data set in one of the official layouts.
    """
    keys = sorted(points)
    stored: dict[str, Any] = {
        "first_frame": np.array(keys),
        "length": np.array([len(points[key].truth) for key in keys], dtype=np.int64),
    }
    for field in Points._fields if keys else ():
        stored[field] = torch.cat([getattr(points[key], field) for key in keys]).numpy()
    np.savez_compressed(root / POINTS_FILE, **stored)


def load(root: Path) -> dict[str, Points]:
    """Read what `save` wrote: the points of each tracklet under its first frame.

    Returns:
        In 32 bits, also where another program has stored more or fewer; {} where there is no file.

    Raises:
        ValueError: the file is damaged.
    """
    path = root / POINTS_FILE
    if not path.exists():
        return {}
    try:
        _check_sizes(path)
        with np.load(path, allow_pickle=False) as stored:
            return _points(stored)
    except Exception as error:  # zipfile, zlib and numpy report damage by a dozen of them
        raise ValueError(
            f"{path}: expected the body points that `save` writes, got a damaged file "
            f"({error}); write the data set again, or delete the file to go without points"
        ) from None


def _check_sizes(path: Path) -> None:
    """Refuse a small file whose arrays would unpack to more than `LARGEST` bytes."""
    with ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > LARGEST:
                raise ValueError(
                    f"expected {member.filename} of at most {LARGEST} bytes, got {member.file_size}"
                )


def _points(archive: NpzFile) -> dict[str, Points]:
    lengths = archive["length"].tolist()
    if not lengths:
        return {}
    shape = (sum(lengths), len(PARTS), 2)
    fields = []
    for name, kind, wanted in zip(Points._fields, "ffb", (shape, shape, shape[:2]), strict=True):
        array = archive[name]
        if array.shape != wanted or array.dtype.kind != kind:
            raise ValueError(
                f"expected {name} of kind {kind!r} and shape {wanted}, got {array.dtype} of "
                f"{array.shape}"
            )
        # other programs store floats of 64 bits, or in another order of bytes
        stored = array.astype(bool if kind == "b" else np.float32)
        fields.append(torch.from_numpy(stored).split(lengths))
    return dict(zip(archive["first_frame"].tolist(), map(Points, *fields), strict=True))


def labelled_frames(points: Points, count: int = 2, apart: int = 8) -> list[int]:
    """The best frames of a tracklet to label: those in which most points are known.

    The paper labels frames of "high quality"; here quality is the number of points that are visible
    and have a true place. The chosen frames have the highest sum of it, the earliest among equals.

    Args:
        points: of one tracklet.
        count: how many frames to choose.
        apart: the least distance allowed between two of them, as neighbours show almost the same;
            in a tracklet too short for it, the largest possible distance.

    Returns:
        Frame numbers from 0, ascending; fewer than `count` only where there are fewer frames.
    """
    if count < 1 or apart < 1:
        raise ValueError(f"count and apart: expected at least 1, got {count} and {apart}")
    known = points.visible & points.truth.isfinite().all(-1)
    quality = known.sum(-1).tolist()
    length = len(quality)
    count = min(count, length)
    if count > 1:
        apart = min(apart, (length - 1) // (count - 1))

    # best[i]: the choice among the frames from i on, first of no frame, then of one more each time.
    best: list[tuple[int, list[int]]] = [(0, [])] * (length + apart)
    for chosen in range(1, count + 1):
        longer: list[tuple[int, list[int]]] = [(-1, [])] * (length + apart)
        for i in reversed(range(length)):
            total, frames = best[i + apart]
            here = (total + quality[i], [i, *frames]) if len(frames) == chosen - 1 else (-1, [])
            longer[i] = here if here[0] >= longer[i + 1][0] else longer[i + 1]
        best = longer
    return best[0][1]
