"""Feature maps of random noise, or of ones alone ("Random Generation", Figure 5)."""

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
    """Draw the batch of maps of one step; every step has its own.

    Args:
        distribution: "normal" with mean 0 and variance 1; "uniform" in 0..1, with mean 1/2 and
            variance 1/12; "centred", the same minus 1/2; "standardised", the uniform one with mean
            0 and variance 1; "ones", which is 1 everywhere.
        batch: how many maps.
        step: of the training.
        seed: the same seed draws the same maps at the same step.
        size: (c, h, w); "128 x 16 x 16" in the paper.

    Returns:
        [batch c h w] float32.
    """
    maps = torch.empty(batch, *size)
    rng = stream("random maps", seed, step)
    if distribution == "normal":
        return maps.normal_(generator=rng)
    if distribution == "ones":
        return maps.fill_(1.0)
    maps.uniform_(generator=rng)
    if distribution == "uniform":
        return maps
    maps -= 0.5
    return maps if distribution == "centred" else maps * math.sqrt(12)
