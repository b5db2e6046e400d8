"""From pixels to a feature map: what every network here begins with."""

import torch
from torch import Tensor, nn


class FrameEncoder(nn.Module):
    """A trunk behind the normalisation of colours that pretrained trunks expect."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module):
        """backbone: [f 3 H W] -> [f c h w]; `nn.Identity()` keeps the colours as features."""
        super().__init__()
        self.backbone = backbone
        # colour statistics of ImageNet
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None], False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None], False)

    def features(self, frames: Tensor) -> Tensor:
        """Feature maps of single frames.  [f 3 H W] uint8, or float in 0..1 -> [f c h w]."""
        if frames.dtype == torch.uint8:
            frames = frames.float() / 255
        frames = (frames - self.mean) / self.std
        return self.backbone(frames.contiguous(memory_format=torch.channels_last))
