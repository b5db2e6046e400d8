"""Neighbouring frames are aligned to each other, then convolved over time.  AP3D, ECCV 2020.

"Appearance-Preserving 3D Convolution for Video-based Person Re-identification" (Gu, Chang, Ma,
Zhang and Chen), with the residual pseudo-3D kernel (P3D-C).  Unlike there, where five blocks are
within ResNet-50, one block follows the backbone.  As in their published code, guxinqian/AP3D,
frames beyond the clip are zero, and the attention that judges a match has no gradient to its input.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output

from .conv3d import Bottleneck


class AppearancePreserving(nn.Module):
    """Rebuilds each frame's two neighbours so that every cell shows what it shows in that frame."""

    def __init__(self, channels: int, *, reduction: int = 16, scale: float = 4.0):
        """reduction: c over the channels compared.  scale: factor of cosines before the softmax."""
        super().__init__()
        inner = max(channels // reduction, 8)  # 8 in the narrowest published block

        def project() -> nn.Conv3d:
            return nn.Conv3d(channels, inner, 1, bias=False)

        self.scale = scale
        self.similarity, self.of_frame, self.of_neighbour = project(), project(), project()
        self.gate = nn.Conv3d(inner, 1, 1, bias=False)

    def forward(self, volumes: Tensor) -> Tensor:
        """[b c t h w] -> [b c (t 3) h w]: of each frame its previous, itself and its next."""
        shifted = (F.pad(volumes, (0, 0, 0, 0, by, -by)) for by in (1, -1))  # [b c t h w]
        registered = (self.register(volumes, neighbours) for neighbours in shifted)
        previous, following = (x * self.trust(volumes, x) for x in registered)
        return rearrange([previous, volumes, following], "k b c t h w -> b c (t k) h w")

    def register(self, volumes: Tensor, neighbours: Tensor) -> Tensor:
        """Each cell becomes the mean of the neighbour's cells by similarity: [b c t h w]."""
        cells = "b c t h w -> b t (h w) c"
        frame, neighbour = (
            rearrange(F.normalize(self.similarity(x), dim=1, eps=1e-6), cells)
            for x in (volumes, neighbours)
        )
        # by hand: torch's own attention is slow where values are longer than keys; with it a whole
        # training step at demo scale took a fifth longer
        weights = (self.scale * frame @ neighbour.mT).softmax(dim=-1)
        values = rearrange(neighbours, cells)
        registered = weights.to(values.dtype) @ values
        return rearrange(registered, "b t (h w) c -> b c t h w", h=volumes.shape[3])

    def trust(self, volumes: Tensor, registered: Tensor) -> Tensor:
        """Contrastive attention, whether a cell was found at all, 0..1: [b 1 t h w]."""
        frame, neighbour = self.of_frame(volumes.detach()), self.of_neighbour(registered.detach())
        return torch.sigmoid(self.gate(frame * neighbour))


class AlignedP3D(nn.Module):
    """A convolution over space, plus one over aligned time that starts with no effect."""

    def __init__(self, spatial: nn.Conv3d):
        """spatial: 1 x 3 x 3."""
        super().__init__()
        channels = spatial.out_channels
        self.spatial = spatial
        self.align = AppearancePreserving(channels)
        # stride 3: from one frame with its neighbours to the next
        self.temporal = nn.Conv3d(channels, channels, (3, 1, 1), stride=(3, 1, 1), bias=False)
        nn.init.zeros_(self.temporal.weight)

    def forward(self, volumes: Tensor) -> Tensor:
        """[b c t h w] -> [b c t h w]."""
        volumes = self.spatial(volumes)
        return volumes + self.temporal(self.align(volumes))


class AP3D(nn.Module):
    """A bottleneck with aligned time, maximum over space, mean over time, and a linear layer."""

    def __init__(self, channels: int, *, width: int = 256, embedding: int = 1024):
        """width: channels inside the block.  embedding: d."""
        super().__init__()
        self.block = Bottleneck(channels, width, AlignedP3D)
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        volumes = self.block(rearrange(features, "b t c h w -> b c t h w"))
        frames = reduce(volumes, "b c t h w -> b c t", "max")
        return Output(self.to_embedding(reduce(frames, "b c t -> b c", "mean")), None)
