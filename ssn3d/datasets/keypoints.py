"""The nine body points of the paper (Experimental Setting, "Supervised Labels") and the file they are kept in.

A point is (x, y) as a share of the frame, x to the right and y down, both in 0..1; a point that is
not known is NaN and is masked wherever it is used, never placed at (0, 0).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
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


class Points(NamedTuple):
    """What is known of the body points in the frames of one tracklet."""

    estimated: Tensor
    """[t n 2] as a pose estimator reports them: shaken, sometimes swapped, NaN where missed."""
    truth: Tensor
    """[t n 2] as drawn, or as labelled by a careful person; NaN where unknown."""
    visible: Tensor
    """[t n] bool, whether the point can be seen in the frame: inside it and not hidden."""


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
        points: the points of each tracklet, under the path of its first frame relative to `root`, with
            forward slashes.
        root: folder of a data set in one of the official layouts.
    """
    keys = sorted(points)
    np.savez_compressed(
        root / POINTS_FILE,
        first_frame=np.array(keys),
        length=np.array([len(points[key].truth) for key in keys]),
        **{
            field: torch.cat([getattr(points[key], field) for key in keys]).numpy()
            for field in (Points._fields if keys else ())
        },
    )


def load(root: Path) -> dict[str, Points]:
    """Read what `save` wrote: the points of each tracklet under its first frame, or {} where there is no file."""
    path = root / POINTS_FILE
    if not path.exists():
        return {}
    with np.load(path, allow_pickle=False) as stored:
        lengths = stored["length"].tolist()
        if not lengths:
            return {}
        fields = [torch.from_numpy(stored[field]).split(lengths) for field in Points._fields]
        return {
            str(key): Points(*rows)
            for key, rows in zip(stored["first_frame"], zip(*fields, strict=True), strict=True)
        }
