"""3D convolutions for each part, over the frames and the window of the part.

Section "3D Convolutional Network Block".
"""

from typing import Literal

from einops import rearrange, reduce
from torch import Tensor, nn

Block = Literal["bottleneck", "plain"]


class PartConv(nn.Module):
    """n blocks without shared weights, computed as one grouped convolution with a group per part.

    Not in the paper: the block's layout, which is drawn in its Figure 1 but not described.
    "bottleneck" separates space and time (pseudo-3D); "plain" is one 3 x 3 x 3 convolution, which
    at the paper's sizes has almost seven times the weights.  Both take clips of any length.
    """

    def __init__(self, channels: int, parts: int, width: int, block: Block = "bottleneck"):
        """channels: c of the part features.  width: channels inside and at the end of a block."""
        super().__init__()
        if block not in ("bottleneck", "plain"):
            raise ValueError(f'block must be "bottleneck" or "plain", got {block!r}')
        inner, outer = parts * width, parts * channels

        def conv(source: int, kernel: tuple[int, int, int]) -> nn.Conv3d:
            same = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
            return nn.Conv3d(source, inner, kernel, padding=same, groups=parts, bias=False)

        def active() -> list[nn.Module]:
            return [nn.BatchNorm3d(inner), nn.ReLU(inplace=True)]

        self.blocks = nn.Sequential(
            *(
                [conv(outer, (1, 1, 1)), *active(), conv(inner, (1, 3, 3)), conv(inner, (3, 1, 1))]
                if block == "bottleneck"
                else [conv(outer, (3, 3, 3))]
            ),
            *active(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """[b t n c i j] of aligned parts -> [b n d], one vector a part, d = width."""
        n = features.shape[2]
        volumes = rearrange(features, "b t n c i j -> b (n c) t i j")
        return reduce(self.blocks(volumes), "b (n d) t i j -> b n d", "mean", n=n)
