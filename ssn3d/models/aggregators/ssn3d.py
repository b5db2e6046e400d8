"""SSN3D: find the parts, convolve each over time, fuse them to one embedding.  Figure 1."""

from einops import rearrange
from torch import Tensor, nn

from ssn3d.models.part_conv import Block, PartConv
from ssn3d.models.reid import Output
from ssn3d.models.ssn import SSN
from ssn3d.models.windows import Padding


class SSN3D(nn.Module):
    """The paper's aggregator: self-separated network, a 3D block for each part, fusion."""

    def __init__(
        self,
        channels: int,
        *,
        parts: int = 9,
        window: int = 3,
        padding: Padding = "same",
        hidden: int = 512,
        frames: int | None = None,
        width: int = 256,
        block: Block = "bottleneck",
        embedding: int = 1024,
    ):
        """Arguments as in `SSN` and `PartConv`; embedding: d of the fused vector."""
        super().__init__()
        self.ssn = SSN(channels, parts, window, hidden, padding, frames)
        self.part_conv = PartConv(channels, parts, width, block)
        self.fusion = nn.Linear(parts * width, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points [b t n 2] replace the attention."""
        parts = self.ssn(features, points)
        vectors = self.part_conv(parts.features)
        return Output(self.fusion(rearrange(vectors, "b n d -> b (n d)")), parts)

    def anchor(self, features: Tensor, points: Tensor) -> Tensor:
        """2nd round scores at labelled points; see `SSN.anchor`."""
        return self.ssn.anchor(features, points)
