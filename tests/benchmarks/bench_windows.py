"""Eq. (3), forward and backward: `pool_windows` against cutting every window out (F.unfold)."""

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import Tensor

from ssn3d.models.windows import pool_windows
from tests.benchmarks.harness import extra_megabytes, race, start, verdict

SCALES = {"paper": (128, 1024, 16, 8, 9, 3), "Amber": (4, 3, 120, 160, 9, 19)}
"""f, c, h, w, n, window."""


def unfolded(features: Tensor, maps: Tensor, window: int) -> Tensor:
    """The usual way: [f n c i j] from a copy of the features for every cell of a window."""
    windows = F.unfold(features, window, padding=window // 2)
    pooled = einsum(windows, rearrange(maps, "f n h w -> f n (h w)"), "f k hw, f n hw -> f n k")
    return rearrange(pooled, "f n (c i j) -> f n c i j", i=window, j=window)


def sides(scale: str) -> tuple[Tensor, Tensor, int]:
    """Features and maps of a scale, and its window."""
    f, c, h, w, n, window = SCALES[scale]
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(f, c, h, w, generator=generator)
    maps = torch.rand(f, n, h, w, generator=generator)
    return features.requires_grad_(), maps.requires_grad_(), window


def both_ways(way, features: Tensor, maps: Tensor, window: int) -> tuple[Tensor, ...]:
    """The gradients of features and maps."""
    pooled = way(features, maps, window)
    return torch.autograd.grad(pooled, (features, maps), torch.ones_like(pooled))


def main() -> None:
    start("pool_windows, forward and backward, against F.unfold")
    for scale, target in (("paper", 5), ("Amber", None)):
        setup = f"from tests.benchmarks.bench_windows import *; given = sides({scale!r})"
        ours, theirs = (
            extra_megabytes(setup, f"both_ways({way}, *given)")
            for way in ("pool_windows", "unfolded")
        )
        line = f"{scale} scale, peak memory: {ours:.0f} MB against {theirs:.0f} MB"
        verdict(line, [theirs / max(ours, 1)] * 3, "less", at_least=target)
    for scale, target in (("paper", 1), ("Amber", 2)):
        given = sides(scale)
        for one, other in zip(
            both_ways(pool_windows, *given), both_ways(unfolded, *given), strict=True
        ):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
        race(
            f"{scale} scale",
            lambda given=given: both_ways(pool_windows, *given),
            lambda given=given: both_ways(unfolded, *given),
            faster=target,
        )


if __name__ == "__main__":
    main()
