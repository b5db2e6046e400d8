"""3D convolution of whole frames, with nothing aligned.  I3D: Carreira and Zisserman, CVPR 2017.

"Quo Vadis, Action Recognition?" turns 2D networks into 3D ones that start with the 2D weights.
Unlike there, where every layer is 3D, one block follows a backbone that sees single frames.
"""

from collections.abc import Callable

import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output

Kernel = Callable[[nn.Conv3d], nn.Module]
"""Makes a layer over clips from a 1 x 3 x 3 convolution; it starts with the same function."""


def inflated(spatial: nn.Conv3d) -> nn.Conv3d:
    """A 3 x 3 x 3 convolution that starts as a 1 x 3 x 3 one: the frames around weigh nothing."""
    source, channels, stride = spatial.in_channels, spatial.out_channels, spatial.stride
    layer = nn.Conv3d(source, channels, 3, stride, 1, bias=False)  # type: ignore[arg-type]
    layer.weight = nn.Parameter(F.pad(spatial.weight.detach(), (0, 0, 0, 0, 1, 1)))
    return layer


class Bottleneck(nn.Module):
    """A residual block over clips that starts as identity, if it follows a ReLU."""

    def __init__(self, channels: int, width: int, kernel: Kernel):
        """channels: c, of input and output.  width: channels that the kernel sees."""
        super().__init__()
        spatial = nn.Conv3d(width, width, (1, 3, 3), padding=(0, 1, 1), bias=False)
        norm = nn.BatchNorm3d(channels)
        nn.init.zeros_(norm.weight)
        self.layers = nn.Sequential(
            nn.Conv3d(channels, width, 1, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            kernel(spatial),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
            nn.Conv3d(width, channels, 1, bias=False),
            norm,
        )

    def forward(self, volumes: Tensor) -> Tensor:
        """[b c t h w] -> [b c t h w]."""
        return F.relu(volumes + self.layers(volumes))


class Conv3D(nn.Module):
    """A bottleneck of 3 x 3 x 3, the maximum over space, the mean over time, a linear layer."""

    def __init__(self, channels: int, *, width: int = 256, embedding: int = 1024):
        """width: channels inside the block.  embedding: d."""
        super().__init__()
        self.block = Bottleneck(channels, width, inflated)
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        volumes = self.block(rearrange(features, "b t c h w -> b c t h w"))
        frames = reduce(volumes, "b c t h w -> b c t", "max")
        return Output(self.to_embedding(reduce(frames, "b c t -> b c", "mean")), None)
