"""How well a re-identification network finds body parts: accurate, stable, distinct.

What Table 2's weight sharing is about, "stable across multiple frames", as numbers.
"""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange

from ssn3d.config import RunConfig
from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.models.reid import ReID
from ssn3d.training.inference import find_parts_of

from . import part_metrics as alignment

AT_ONCE = 8
"""Clips that go through the network together."""


def measure(config: RunConfig, model: ReID, tracklets: Sequence[Tracklet]) -> dict[str, Any] | None:
    """Look at one clip of each tracklet, strided as in training where that is long enough.

    Parts that were learned without labels are assigned to points on the tracklets of every other
    person; what is measured is measured on those of the others, whatever the strategy.

    Args:
        config: of the run.
        model: trained.
        tracklets: of people not trained on; those with fewer frames than a clip, or without points,
            do not count.

    Returns:
        "pck" (and "pck_parts", one a part), "spread" of the found places over the frames of a
        clip and over people, "distinctness" and "extent"; see `alignment`.  None if the network
        knows no parts, or nothing is known of where they are.
    """
    long = [t for t in tracklets if t.points is not None and len(t) >= config.clip_frames]
    people = sorted({t.person for t in long})
    if not hasattr(model.aggregator, "ssn") or len(people) < 2:
        return None
    clips = [(tracklet, _clip(config, len(tracklet))) for tracklet in long]
    looks = torch.cat(  # [p t n h w]
        [
            find_parts_of(config, model, clips[first : first + AT_ONCE]).maps
            for first in range(0, len(clips), AT_ONCE)
        ]
    )
    truth = torch.stack(  # [p t n 2]
        [
            Points(*(field[taken] for field in tracklet.points)).labels()
            for tracklet, taken in clips
            if tracklet.points
        ]
    )

    aspect = 0.5  # people are shown half as wide as high, whatever the pixels
    judged = torch.tensor([people.index(t.person) % 2 == 1 for t in long])
    found = alignment.locate(looks)
    if config.strategy == "unsupervised":
        seen, true = (rearrange(x[~judged], "p t n xy -> (p t) n xy") for x in (found, truth))
        found = found[:, :, alignment.assign(seen, true, aspect=aspect)]
    found, truth = found[judged], truth[judged]
    flat_found, flat_truth = (rearrange(x, "p t n xy -> (p t) n xy") for x in (found, truth))
    flat_maps = rearrange(looks[judged], "p t n h w -> (p t) n h w")
    accuracy = alignment.pck(flat_found, flat_truth, aspect=aspect)
    spread = alignment.spread(found, truth, aspect=aspect)
    return {
        "pck": accuracy.nanmean().item(),
        "pck_parts": accuracy.tolist(),
        "spread": {name: each.nanmean().item() for name, each in spread._asdict().items()},
        "distinctness": alignment.distinctness(flat_maps),
        "extent": alignment.extent(flat_maps).nanmean().item(),
        "tracklets": int(judged.sum()),
    }


def _clip(config: RunConfig, length: int) -> list[int]:
    stride = min(config.clip_stride, (length - 1) // max(config.clip_frames - 1, 1))
    return [i * stride for i in range(config.clip_frames)]
