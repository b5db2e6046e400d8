"""What configurations may name as a backbone."""

from collections.abc import Sequence

from .base import nearest

TIMM = "timm:"
"""Before the name of a model of timm: "timm:resnet18"."""
WITHOUT_WEIGHTS = ("none", "small")


def check_backbone(backbone: str, pretrained: bool, known: Sequence[str]) -> None:
    """Raise ValueError unless there is such a backbone; whether timm has a model is not looked up.

    Args:
        backbone: one of `known`, or a model of timm.
        pretrained: whether it shall have ImageNet weights.
        known: the names that need no timm.
    """
    if backbone not in known and not backbone.startswith(TIMM):
        raise ValueError(
            f"backbone must be one of {', '.join(map(repr, known))}, or '{TIMM}NAME' with the name "
            f"of a model of timm; got {backbone!r}" + nearest(backbone, known)
        )
    if pretrained and backbone in WITHOUT_WEIGHTS:
        raise ValueError(
            f"there are no ImageNet weights for backbone={backbone!r}; set pretrained=False"
        )
