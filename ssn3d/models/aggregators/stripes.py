"""Parts are stripes at fixed heights, each with a 3D block.  PCB: Sun et al., ECCV 2018.

The division of "Beyond Part Models: Person Retrieval with Refined Part Pooling" (Sun, Zheng, Yang,
Tian and Wang), from which MGH and ST-GCN start too, with the blocks and the fusion of SSN3D: the
two methods only differ in where parts are.  Unlike in PCB, a stripe is pooled to a window of cells,
and stripes are fused to one embedding instead of being classified one by one.
"""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ssn3d.models.part_conv import Block, PartConv
from ssn3d.models.reid import Output


class Stripes(nn.Module):
    """SSN3D with horizontal stripes in the place of its self-separated network."""

    def __init__(
        self,
        channels: int,
        *,
        parts: int = 9,
        window: int = 3,
        width: int = 256,
        block: Block = "bottleneck",
        embedding: int = 1024,
    ):
        """parts: number of stripes.  window: side of one, once pooled.  Others as in `SSN3D`."""
        super().__init__()
        self.parts, self.window = parts, window
        self.part_conv = PartConv(channels, parts, width, block)
        self.fusion = nn.Linear(parts * width, embedding)

    def cut(self, features: Tensor) -> Tensor:
        """Pool each stripe to i x j cells, also where n i does not divide h: [b t n c i j]."""
        size = self.parts * self.window, self.window
        frames = rearrange(features, "b t c h w -> (b t) c h w")
        cells = F.adaptive_avg_pool2d(frames, size)  # [f c (n i) j]
        return rearrange(cells, "(b t) c (n i) j -> b t n c i j", b=len(features), n=self.parts)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        vectors = self.part_conv(self.cut(features))
        return Output(self.fusion(rearrange(vectors, "b n d -> b (n d)")), None)
