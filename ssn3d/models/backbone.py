"""Backbones turn a frame into a feature map of `.channels` channels.  Section "CNN Backbones"."""

from typing import ClassVar
from urllib.error import URLError

import torch
from torch import Tensor, nn

from .timm_backbone import TimmBackbone

Colour = tuple[float, float, float]
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


def make(
    name: str, *, stride: int, size: tuple[int, int], pretrained: bool = False
) -> "SmallBackbone | ResNetBackbone | TimmBackbone":
    """Make a backbone by name.

    Args:
        name: "small", "resnet34", "resnet50", or "timm:NAME".
        stride: pixels for each cell of the map, in both directions.
        size: height and width of the frames.
        pretrained: start from ImageNet weights.

    Raises:
        ValueError: the backbone has no map of this stride; see also `TimmBackbone`.
        ConnectionError: the weights are not on this machine and cannot be fetched.
    """
    if name.startswith("timm:"):
        model = name.removeprefix("timm:")
        return TimmBackbone(model, stride=stride, size=size, pretrained=pretrained)
    strides = SmallBackbone.STRIDES if name == "small" else ResNetBackbone.STAGES
    if stride not in strides:
        raise ValueError(
            f"backbone {name!r} has no map of stride {stride}, it has "
            f"{', '.join(map(str, strides))}; set stride to one of these"
        )
    if name == "small":
        return SmallBackbone(*SmallBackbone.STRIDES[stride])
    return ResNetBackbone(name, ResNetBackbone.STAGES[stride], pretrained)


class SmallBackbone(nn.Sequential):
    """Four 3 x 3 convolutions; strides of 4 in all make the paper's 16 x 8 map of a 64 x 32 frame.

    Not in the paper: it makes every experiment fit on two CPU cores.
    """

    STRIDES: ClassVar = {4: ((16, 32, 64, 64), (2, 2, 1, 1)), 8: ((16, 32, 64, 128), (2, 2, 2, 1))}
    """Widths and strides of the convolutions for each stride in all; 8 is for Figure 4."""

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (16, 32, 64, 64),
        strides: tuple[int, int, int, int] = (2, 2, 1, 1),
    ):
        layers: list[nn.Module] = []
        for source, width, stride in zip((3, *widths), widths, strides, strict=False):
            layers += [
                nn.Conv2d(source, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)
        self.channels = widths[-1]


class ResNetBackbone(nn.Module):
    """The first stages of a ResNet.  "We only use the first four" of five: conv1 to layer3."""

    STAGES: ClassVar = {4: 2, 8: 3, 16: 4, 32: 5}
    """How many stages have which stride."""

    def __init__(self, name: str = "resnet50", stages: int = 4, pretrained: bool = False):
        """Make the stages with random weights, or with ImageNet's.

        Args:
            name: which ResNet, "resnet34" or "resnet50".
            stages: 2 to 5; 4 have a total stride of 16; 3, of stride 8, are what Figure 4 is made
                with.
            pretrained: start from torchvision's ImageNet weights, which are downloaded once.

        Raises:
            ConnectionError: the weights are not on this machine and cannot be fetched.
        """
        import torchvision  # here, as importing it takes longer than all the rest together

        super().__init__()
        try:
            net = torchvision.models.get_model(
                name, weights="IMAGENET1K_V1" if pretrained else None
            )
        except URLError as error:
            raise ConnectionError(
                f"the ImageNet weights of {name} are not on this machine and could not be fetched "
                f"({error.reason}); connect once, or set pretrained=False to start from random "
                "weights"
            ) from None
        stem = [net.conv1, net.bn1, net.relu, net.maxpool]
        layers = [*stem, net.layer1, net.layer2, net.layer3, net.layer4]
        self.layers = nn.Sequential(*layers[: stages + 3])
        self.channels: int = net.fc.in_features // 2 ** (5 - stages)

    def forward(self, frames: Tensor) -> Tensor:
        """[f 3 H W] -> [f c h w]: 1024 x 16 x 8 of a 256 x 128 frame with ResNet-50."""
        return self.layers(frames)


class FrameEncoder(nn.Module):
    """A backbone behind the normalisation of colours that its weights expect."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module):
        """Join backbone and normalisation.

        Args:
            backbone: [f 3 H W] -> [f c h w]; `nn.Identity()` keeps the colours as features. Its
                `mean` and `std`, if it has any, are the colour statistics; else those of ImageNet.
        """
        super().__init__()
        self.backbone = backbone
        mean = torch.tensor(getattr(backbone, "mean", IMAGENET_MEAN))
        std = torch.tensor(getattr(backbone, "std", IMAGENET_STD))
        self.register_buffer("mean", mean[:, None, None], False)
        self.register_buffer("std", std[:, None, None], False)

    def features(self, frames: Tensor) -> Tensor:
        """Feature maps of single frames.  [f 3 H W] uint8, or float in 0..1 -> [f c h w]."""
        if frames.dtype == torch.uint8:
            frames = frames.float() / 255
        frames = (frames - self.mean) / self.std
        return self.backbone(frames.contiguous(memory_format=torch.channels_last))
