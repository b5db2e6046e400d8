"""Every cell of a clip attends to every other one.  Wang, Girshick, Gupta and He, CVPR 2018.

The block of "Non-local Neural Networks", embedded Gaussian.  Unlike there, where blocks are spread
over a ResNet, one block follows the backbone.
"""

import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output


class NonLocal(nn.Module):
    """A residual block over clips that starts as identity."""

    def __init__(self, channels: int):
        """channels: c of input and output; half as many are compared."""
        super().__init__()

        def to_half() -> nn.Conv3d:
            return nn.Conv3d(channels, channels // 2, 1)

        def pooled() -> nn.Sequential:
            return nn.Sequential(to_half(), nn.MaxPool3d((1, 2, 2)))

        self.theta, self.phi, self.g = to_half(), pooled(), pooled()
        norm = nn.BatchNorm3d(channels)
        nn.init.zeros_(norm.weight)
        self.back = nn.Sequential(nn.Conv3d(channels // 2, channels, 1), norm)

    def forward(self, volumes: Tensor) -> Tensor:
        """[b c t h w], at least 2 x 2 cells -> [b c t h w]."""
        t, h, w = volumes.shape[2:]
        theta, phi, g = (
            rearrange(layer(volumes), "b c t h w -> b 1 (t h w) c")
            for layer in (self.theta, self.phi, self.g)
        )
        seen = F.scaled_dot_product_attention(theta, phi, g, scale=1.0)  # softmax(theta phi) g
        seen = rearrange(seen, "b 1 (t h w) c -> b c t h w", t=t, h=h, w=w)
        return volumes + self.back(seen)


class NonLocalPooling(nn.Module):
    """A non-local block, the maximum over space, the mean over time, a linear layer."""

    def __init__(self, channels: int, *, embedding: int = 1024):
        """channels: c of the features.  embedding: d."""
        super().__init__()
        self.block = NonLocal(channels)
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        volumes = self.block(rearrange(features, "b t c h w -> b c t h w"))
        frames = reduce(volumes, "b c t h w -> b c t", "max")
        return Output(self.to_embedding(reduce(frames, "b c t -> b c", "mean")), None)
