"""Feature maps made of nothing but noise, or of nothing at all.  "Random Generation", Figure 5."""

import math
from typing import Literal

import torch
from torch import Tensor

from ssn3d.rng import stream

RENDERER_VERSION = 1
"""Raise it when `draw` draws other maps."""
Distribution = Literal["normal", "uniform", "centred", "standardised", "ones"]


def draw(
    distribution: Distribution, batch: int, step: int, *, seed: int, size: tuple[int, int, int]
) -> Tensor:
    """A batch of maps that no other step has.

    Args:
        distribution: "normal" with mean 0 and variance 1; "uniform" in 0..1, with mean 1/2 and
            variance 1/12; "centred", the same less its mean; "standardised", with mean 0 and
            variance 1; or "ones" everywhere.
        batch: how many maps.
        step: of the training.
        seed: the same seed draws the same maps at the same step.
        size: (c, h, w); "128 x 16 x 16" in the paper.

    Returns:
        [batch c h w] float32.
    """
    maps = torch.empty(batch, *size)
    dice = stream("random maps", seed, step)
    if distribution == "normal":
        return maps.normal_(generator=dice)
    if distribution == "ones":
        return maps.fill_(1.0)
    maps.uniform_(generator=dice)
    if distribution == "uniform":
        return maps
    maps -= 0.5
    return maps if distribution == "centred" else maps * math.sqrt(12)
