"""How alike windows are that one part found in different pictures.  "Amber Abstract", Figure 6.

Not in the paper, which lets the reader judge by eye.
"""

from typing import NamedTuple

import torch
from einops import einsum, rearrange
from torch import Tensor


class Likeness(NamedTuple):
    """Mean cosines between windows of different pictures; see `likeness`."""

    within: float
    """Of windows of the same part."""
    between: float
    """Of windows of different parts."""
    shuffled: list[float]
    """Within, had the windows of each picture been given to parts by chance; one a shuffle."""
    pictures: list[float]
    """Within less between, for the windows of each picture against those of all others."""


def likeness(windows: Tensor, *, shuffles: int = 100) -> Likeness:
    """Compare what a part looks like from picture to picture with what other parts look like.

    Args:
        windows: [k n c i j] the window of each part in k pictures, colours less the mean colour of
            all pictures, so that a cosine of 0 says no more than "of the same series".
        shuffles: how many times parts are drawn by chance, for control.

    Returns:
        Cosines in -1..1; a window of exactly the mean colour counts as 0.
    """
    if windows.ndim != 5 or len(windows) < 2 or windows.shape[1] < 2:
        raise ValueError(
            "likeness: expected windows [k n c i j] of at least two parts in two pictures, got "
            f"{tuple(windows.shape)}"
        )
    units = rearrange(windows.float(), "k n c i j -> k n (c i j)")
    units = torch.nn.functional.normalize(units, dim=-1)
    within, between = _cosines(units)
    dice = torch.Generator().manual_seed(0)
    rank = torch.rand(shuffles, *units.shape[:2], generator=dice).argsort(dim=-1)
    shuffled = [
        _cosines(units.take_along_dim(parts[..., None], dim=1))[0].mean().item() for parts in rank
    ]
    return Likeness(
        within.mean().item(), between.mean().item(), shuffled, (within - between).tolist()
    )


def _cosines(units: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cosine of each picture's windows [k n d] with those of all other pictures.

    Returns:
        [k] of the same parts, and [k] of different parts.
    """
    k, n, _ = units.shape
    others = units.sum(dim=0) - units  # [k n d]: the sum over all other pictures
    own = einsum(units, others, "k n d, k n d -> k") / (k - 1)
    every = einsum(units.sum(dim=1), others.sum(dim=1), "k d, k d -> k") / (k - 1)
    return own / n, (every - own) / (n * (n - 1))
