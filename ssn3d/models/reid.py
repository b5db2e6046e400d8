"""A re-identification network: a backbone for frames, an aggregator that embeds clips."""

from typing import NamedTuple

from einops import rearrange
from torch import Tensor, nn

from .backbone import FrameEncoder
from .ssn import SSN, Parts


class Output(NamedTuple):
    """What a network returns for a batch of clips, in training and in evaluation."""

    embedding: Tensor
    """[b d]; clips of one person should have near embeddings."""
    parts: Parts | None = None
    """Where the parts are and their features; None from aggregators that know no parts."""
    loss: Tensor | None = None
    """Scalar, of aggregators that need a loss of their own."""


class ReID(FrameEncoder):
    """Backbone and aggregator.  Methods that are compared differ in the aggregator only."""

    def __init__(self, backbone: nn.Module, aggregator: nn.Module):
        """backbone: [f 3 H W] -> [f c h w].  aggregator: ([b t c h w], points) -> Output."""
        super().__init__(backbone)
        self.aggregator = aggregator

    def forward(self, clips: Tensor, points: Tensor | None = None) -> Output:
        """Embed clips.

        Args:
            clips: [b t 3 H W] uint8, or float in 0..1.
            points: [b t n 2] as (x, y) in 0..1, which replace the attention in the supervised
                strategy.
        """
        features = self.features(rearrange(clips, "b t c h w -> (b t) c h w"))
        features = rearrange(features, "(b t) c h w -> b t c h w", b=len(clips))
        return self.aggregator(features, points)

    def anchor(self, frames: Tensor, points: Tensor) -> Tensor:
        """2nd round scores of labelled frames; see `SSN.anchor`.

        Args:
            frames: [f 3 H W] uint8, or float in 0..1.
            points: [f n 2] their labels.
        """
        return self.aggregator.anchor(self.features(frames), points)  # type: ignore[operator]


class PartFinder(FrameEncoder):
    """A backbone and the SSN, no aggregator."""

    def __init__(self, backbone: nn.Module, ssn: SSN):
        """backbone: [f 3 H W] -> [f c h w]; `nn.Identity()` feeds the colours to the SSN."""
        super().__init__(backbone)
        self.ssn = ssn

    def forward(self, pictures: Tensor) -> Parts:
        """Find the parts of pictures, each a clip of its own.

        Args:
            pictures: [b 3 H W] uint8, or float in 0..1.

        Returns:
            `Parts` with t = 1.
        """
        return self.in_maps(self.features(pictures))

    def in_maps(self, features: Tensor) -> Parts:
        """Find the parts of feature maps [b c h w], without the backbone."""
        return self.ssn(rearrange(features, "b c h w -> b 1 c h w"))
