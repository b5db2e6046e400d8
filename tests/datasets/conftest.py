import contextlib
import os
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ssn3d.datasets.keypoints import PARTS, Points
from ssn3d.datasets.tracklets import Tracklet


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
def backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the file system list every folder from the last name to the first."""
    scandir = os.scandir

    def listed(path):
        with scandir(path) as entries:
            return contextlib.nullcontext(sorted(entries, key=lambda e: e.name, reverse=True))

    monkeypatch.setattr(os, "scandir", listed)
