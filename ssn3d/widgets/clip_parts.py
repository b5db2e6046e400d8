"""What a trained network finds in one clip of a tracklet, as arrays to draw."""

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
from ssn3d.evaluation.part_metrics import PERSON_ASPECT, distances, locate
from ssn3d.models.reid import ReID
from ssn3d.training.inference import find_parts


@dataclass(frozen=True, eq=False)
class ClipParts:
    """The t frames of one clip, and where a network finds the n parts in them."""

    images: NDArray[np.uint8]
    """[t H W 3] in the size that the network takes."""
    maps: NDArray[np.floating]
    """[t n h w] attention maps; each sums to 1, or to 0 for a part that is missing."""
    points: NDArray[np.floating]
    """[t n 2] where each part is, (x, y) in 0..1; NaN for a part that is missing."""
    truth: NDArray[np.floating] | None
    """[t m 2] true body points, NaN where not visible; None if the tracklet has no points."""
    names: tuple[str, ...]
    """Names of the n parts."""
    named: bool
    """Whether part n stands for body point n. Without labels a network chooses its own parts."""
    source: str
    """Where the points come from: "attention", or "estimated points" (supervised strategy)."""
    window: int
    """Side of a part's window, in cells of the maps."""
    first: int
    """Number of the clip's first frame in its tracklet, from 0."""


def parts_in_clip(config: RunConfig, model: ReID, tracklet: Tracklet, frame: int) -> ClipParts:
    """Find the parts in the test clip that holds a frame; snippets are cut as in a test.

    Args:
        config: settings of the run.
        model: its network, on the CPU.
        tracklet: of any person, also one that the network was trained on.
        frame: number of a frame in the tracklet, from 0.

    Returns:
        All frames of the clip, without those that are repeated to fill the last clip.

    Raises:
        FileNotFoundError: the file of a frame is missing; says which.
        ValueError: the file of a frame is not a readable image; the network has no parts; or the
            strategy needs body points that the tracklet does not have.
    """
    if config.strategy == "supervised" and tracklet.points is None:
        raise ValueError(
            "the supervised strategy takes parts from body points, but this tracklet has none; "
            "add them (`ssn3d label` writes points.npz), or choose a run of another strategy"
        )
    split = config.test_protocol == "split"
    number = frame // config.test_frames
    first = number * config.test_frames
    frames = range(first, min(first + config.test_frames, len(tracklet)))
    multiple = config.clip_frames if split else 1
    indices = covering_clips(len(tracklet), config.test_frames, multiple=multiple)[number]
    t = config.clip_frames if split else len(indices)
    snippets = rearrange(torch.tensor(indices), "(t s) -> s t", t=t).tolist()
    found = [find_parts(config, model, tracklet, snippet).maps for snippet in snippets]
    maps = rearrange(torch.cat(found), "s t n h w -> (t s) n h w")[: len(frames)]
    images = resized_frames(tracklet, frames, (config.height, config.width))
    points = tracklet.points
    return ClipParts(
        images=rearrange(images, "t c h w -> t h w c").contiguous().numpy(),
        maps=maps.numpy(),
        points=locate(maps).numpy(),
        truth=None if points is None else points.labels()[frames.start : frames.stop].numpy(),
        names=part_names(config),
        named=config.strategy != "unsupervised",
        source="estimated points" if config.strategy == "supervised" else "attention",
        window=config.window,
        first=first,
    )


def part_names(config: RunConfig) -> tuple[str, ...]:
    """Names of the parts of a run: body points if labels teach them, else "part 1" and so on."""
    if config.strategy != "unsupervised":
        return PARTS
    return tuple(f"part {n + 1}" for n in range(config.parts))


def mean_distance(clip: ClipParts, frame: int, parts: Sequence[int]) -> float:
    """Mean distance of parts from their true points, as a share of the frame's height.

    Args:
        clip: the clip.
        frame: number of one of its frames in the tracklet, from 0.
        parts: numbers of the parts; a part that is missing, or has no known point, is left out.

    Returns:
        NaN if every part is left out, or if parts do not stand for body points.
    """
    if clip.truth is None or not clip.named:
        return float("nan")
    row = frame - clip.first
    found, truth = (torch.from_numpy(p[row, list(parts)]) for p in (clip.points, clip.truth))
    apart = distances(found, truth, aspect=PERSON_ASPECT)
    return apart[apart.isfinite()].mean().item()
