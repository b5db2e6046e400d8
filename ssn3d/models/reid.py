"""A re-identification network: a trunk sees frames, an aggregator makes one vector of a clip."""

from typing import NamedTuple

from einops import rearrange
from torch import Tensor, nn

from .backbone import FrameEncoder
from .ssn import SSN, Parts


class Output(NamedTuple):
    """What a network says of a batch of clips, in training and in evaluation alike."""

    embedding: Tensor
    """[b d]; the nearer two embeddings, the likelier one person."""
    parts: Parts | None
    """Where the parts are and what they look like; None from aggregators that know no parts."""


class ReID(FrameEncoder):
    """Trunk and aggregator.  Methods that are compared differ in the aggregator only."""

    def __init__(self, backbone: nn.Module, aggregator: nn.Module):
        """backbone: [f 3 H W] -> [f c h w].  aggregator: ([b t c h w], points) -> Output."""
        super().__init__(backbone)
        self.aggregator = aggregator

    def forward(self, clips: Tensor, points: Tensor | None = None) -> Output:
        """Embed clips.

        Args:
            clips: [b t 3 H W] uint8, or float in 0..1.
            points: [b t n 2] as (x, y) in 0..1 where an aggregator is told its parts (supervised
                strategy).
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
    """A trunk and the SSN, no aggregator."""

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
        """The same, of feature maps [b c h w] that need no trunk."""
        return self.ssn(rearrange(features, "b c h w -> b 1 c h w"))
