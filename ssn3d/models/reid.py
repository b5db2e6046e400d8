"""A re-identification network: a trunk sees frames, an aggregator makes one vector of a clip."""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from .ssn import Parts


class Output(NamedTuple):
    """What a network says of a batch of clips, in training and in evaluation alike."""

    embedding: Tensor
    """[b d]; the nearer two embeddings, the likelier one person."""
    parts: Parts | None
    """Where the parts are and what they look like; None from aggregators that know no parts."""


class ReID(nn.Module):
    """Trunk and aggregator.  Methods that are compared differ in the aggregator only."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, aggregator: nn.Module):
        """backbone: [f 3 H W] -> [f c h w].  aggregator: ([b t c h w], points) -> Output."""
        super().__init__()
        self.backbone = backbone
        self.aggregator = aggregator
        # colour statistics of ImageNet, which pretrained trunks expect
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None], False)

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

    def features(self, frames: Tensor) -> Tensor:
        """Feature maps of single frames.  [f 3 H W] uint8, or float in 0..1 -> [f c h w]."""
        if frames.dtype == torch.uint8:
            frames = frames.float() / 255
        frames = (frames - self.mean) / self.std
        return self.backbone(frames.contiguous(memory_format=torch.channels_last))
