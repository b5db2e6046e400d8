"""Attention from relations to a reference.  MG-RAFA: Zhang, Lan, Zeng and Chen, CVPR 2020.

"Multi-Granularity Reference-Aided Attentive Feature Aggregation for Video-Based Person
Re-Identification", written from the method, without its text at hand.  The weight of each cell of a
clip comes from its relations to the cells of the clip's mean frame, the reference.  The channels
are divided among granularities, each with a coarser reference than the one before.  Left out: more
than two granularities, coarser features beside the coarser reference, normalisation of what is
compared, attention after more than one layer of the backbone, and the identification loss.
"""

import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output

GRIDS = ((8, 4), (4, 2))
"""Cells of the reference in each granularity."""


class ReferenceAttention(nn.Module):
    """A weighted mean of all cells of a clip, whose weights come from relations to a reference."""

    def __init__(self, channels: int, grid: tuple[int, int], *, reduction: int = 8):
        """channels: c.  grid: cells of the reference.  reduction: c divided by this is compared."""
        super().__init__()
        self.grid = grid
        inner, references = max(channels // reduction, 8), grid[0] * grid[1]
        self.of_cell, self.of_reference, self.appearance = (
            nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3)
        )
        self.score = nn.Sequential(
            nn.Conv2d(references + inner, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, 1, 1, bias=False),
        )

    def relations(self, features: Tensor) -> Tensor:
        """Products of every cell with all of the reference.  [b t c h w] -> [b t r h w]."""
        reference = F.adaptive_avg_pool2d(
            reduce(features, "b t c h w -> b c h w", "mean"), self.grid
        )
        cells = self.of_cell(rearrange(features, "b t c h w -> (b t) c h w"))
        cells = rearrange(cells, "(b t) c h w -> b t c h w", b=len(features))
        references = rearrange(self.of_reference(reference), "b c i j -> b (i j) c")
        return einsum(references, cells, "b r c, b t c h w -> b t r h w")

    def weights(self, features: Tensor) -> Tensor:
        """The weight of each cell.  [b t c h w] -> [b t h w], each clip summing to 1."""
        t = features.shape[1]
        embedded = self.appearance(rearrange(features, "b t c h w -> (b t) c h w"))
        relations = rearrange(self.relations(features), "b t r h w -> (b t) r h w")
        scores = self.score(torch.cat([relations, embedded], dim=1))  # [f 1 h w]
        weights = rearrange(scores, "(b t) 1 h w -> b (t h w)", t=t).softmax(dim=-1)
        return weights.view(len(features), t, *features.shape[-2:])

    def forward(self, features: Tensor) -> Tensor:
        """[b t c h w] -> [b c]."""
        return einsum(self.weights(features), features, "b t h w, b t c h w -> b c")


class MGRAFA(nn.Module):
    """Reference attention at each granularity, on a share of the channels, and a linear layer."""

    def __init__(self, channels: int, *, embedding: int = 1024):
        """channels: c of the features.  embedding: d."""
        super().__init__()
        share = channels // len(GRIDS)
        self.granularities = nn.ModuleList(ReferenceAttention(share, grid) for grid in GRIDS)
        self.to_embedding = nn.Linear(share * len(GRIDS), embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        shares = features.chunk(len(GRIDS), dim=2)
        clips = [one(share) for one, share in zip(self.granularities, shares, strict=True)]
        return Output(self.to_embedding(torch.cat(clips, dim=1)))
