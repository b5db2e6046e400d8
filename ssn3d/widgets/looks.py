"""What a trained network sees in one clip of a tracklet, as arrays ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray

from ssn3d.config import RunConfig
from ssn3d.datasets.clips import covering_clips, resized_frames
from ssn3d.datasets.keypoints import PARTS
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.evaluation import part_metrics
from ssn3d.models.reid import ReID
from ssn3d.training import inference


@dataclass(frozen=True, eq=False)
class Look:
    """The frames of one clip and where a network sees the parts in them."""

    images: NDArray[np.uint8]
    """[t H W 3] as large as the network sees them."""
    maps: NDArray[np.floating]
    """[t n h w], each summing to 1, or to 0 for a part that is missing."""
    places: NDArray[np.floating]
    """[t n 2] where each part is, (x, y) in 0..1; NaN for a part that is missing."""
    truth: NDArray[np.floating] | None
    """[t m 2] the body points that can be seen, NaN for others; None if nothing is known."""
    names: tuple[str, ...]
    """Of the n parts."""
    named: bool
    """Whether part n stands for body point n; without labels a network chooses its own parts."""
    source: str
    """What tells the places: "attention", or the points of an estimator (supervised)."""
    window: int
    """Side of a part's window, in cells of the maps."""
    first: int
    """Number of the clip's first frame in its tracklet, from 0."""


def look_at(config: RunConfig, model: ReID, tracklet: Tracklet, frame: int) -> Look:
    """Look at the test clip that a frame is in, cut in snippets as the network is tested.

    Args:
        config: of the run.
        model: its network, on the CPU.
        tracklet: any, also of people the network was trained on.
        frame: number of one of its frames, from 0.

    Raises:
        FileNotFoundError: a frame's file is gone; names it.
        ValueError: a frame's file is no readable image (named), the network knows no parts, or
            needs body points that are not there.
    """
    if config.strategy == "supervised" and tracklet.points is None:
        raise ValueError(
            "the supervised strategy takes parts from body points, but this tracklet has none; "
            "add them (points.npz), or choose a run of another strategy"
        )
    split = config.test_protocol == "split"
    number = frame // config.test_frames
    first = number * config.test_frames
    shown = range(first, min(first + config.test_frames, len(tracklet)))
    multiple = config.clip_frames if split else 1
    taken = covering_clips(len(tracklet), config.test_frames, multiple=multiple)[number]
    t = config.clip_frames if split else len(taken)
    snippets = rearrange(torch.tensor(taken), "(t s) -> s t", t=t).tolist()
    seen = [inference.find_parts(config, model, tracklet, snippet).maps for snippet in snippets]
    maps = rearrange(torch.cat(seen), "s t n h w -> (t s) n h w")[: len(shown)]  # no repeated ones
    images = resized_frames(tracklet, shown, (config.height, config.width))
    points = tracklet.points
    return Look(
        images=rearrange(images, "t c h w -> t h w c").contiguous().numpy(),
        maps=maps.numpy(),
        places=part_metrics.locate(maps).numpy(),
        truth=None if points is None else points.labels()[shown.start : shown.stop].numpy(),
        names=part_names(config),
        named=config.strategy != "unsupervised",
        source="estimated points" if config.strategy == "supervised" else "attention",
        window=config.window,
        first=first,
    )


def part_names(config: RunConfig) -> tuple[str, ...]:
    """What to call the parts of a run: body points where labels teach them, else numbers."""
    if config.strategy != "unsupervised":
        return PARTS
    return tuple(f"part {n + 1}" for n in range(config.parts))


def distance(look: Look, frame: int, parts: Sequence[int]) -> float:
    """How far parts are from their true points, on average, as a share of the frame's height.

    Args:
        look: of a clip.
        frame: number of a frame in the tracklet.
        parts: which; those missing or without a known point do not count.

    Returns:
        NaN if that is true of all of them, or parts stand for no points.
    """
    if look.truth is None or not look.named:
        return float("nan")
    row = frame - look.first
    found, truth = (torch.from_numpy(p[row, list(parts)]) for p in (look.places, look.truth))
    apart = part_metrics.distances(found, truth, aspect=part_metrics.PERSON_ASPECT)
    return apart[apart.isfinite()].mean().item()
