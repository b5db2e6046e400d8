"""The SSN without the 3D part, in single pictures.  Section "Study on SSN"."""

from einops import rearrange
from torch import Tensor, nn

from .frames import FrameEncoder
from .ssn import SSN, Parts


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
