"""The configuration of a run of the SSN alone (Section "Study on SSN"), at three scales."""

from dataclasses import dataclass
from typing import Any, Literal

from .backbone import check_backbone
from .base import Scale, Settings, affordable_precision, check

Study = Literal["random_maps", "amber", "pedestrians"]
Distribution = Literal["normal", "uniform", "centred", "standardised", "ones"]


@dataclass(frozen=True)
class StudyConfig(Settings):
    """All settings that decide the numbers of a run.  Heights and widths are in pixels.

    Quotes are the paper's own words; fields without a quote are choices that it leaves open.
    """

    # data
    study: Study
    distribution: Distribution = "normal"
    """Of random maps; see `synthetic.random_maps.draw`."""
    folder: str | None = None
    """Pictures of your own; None renders them.  Their labels, if any, are in its labels.json."""
    pictures: int = 128
    """ "We paint 128 different paintings", "the 128 pedestrian bounding boxes"."""
    height: int = 16
    width: int = 16
    channels: int = 128
    """Of random maps, "in the size of 128 x 16 x 16"; pictures have three."""
    data_seed: int = 0

    # model
    backbone: str = "none"
    """ "none" for the colours themselves, else as in `RunConfig`."""
    pretrained: bool = False
    """Whether the backbone starts from ImageNet weights."""
    stride: int = 8
    """Pixels of a picture for each cell of the backbone's map, in both directions; 8 makes 15 x 8
    cells of 120 x 60 pixels."""
    parts: int = 9
    window: int = 3
    hidden: int = 512
    """K of the attention classifier."""
    padding: Literal["same", "valid"] = "valid"
    """With "same", zeros around a map make windows at its border differ from all others, so even
    a map of ones has parts."""

    # training
    strategy: Literal["unsupervised", "semi-supervised"] = "unsupervised"
    labelled: int = 16
    """ "We manually labeled 16 of them (not all of them)"."""
    labelled_steps: int = 0
    """Steps on labelled pictures alone, before the steps on all: "After that, we continue training
    SSN with unlabeled data"."""
    keep_labels: bool = False
    """Whether labelled pictures stay in the batches as anchors after `labelled_steps`: "we feed the
    network with labeled and unlabeled data at the same time" (in the method's section only)."""
    shift: int = 0
    """Labelled pictures and their points are moved by up to this many pixels, in both directions;
    see `training.augmentation`."""
    colour_jitter: float = 0.0
    """Contrast and colours of labelled pictures are changed by up to this share."""
    steps: int = 400
    """Steps without labels, after `labelled_steps`."""
    batch: int = 128
    learning_rate: float = 3e-4
    weight_decay: float = 5e-4
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0

    COUNTS = (
        *("pictures", "height", "width", "channels", "parts", "window", "hidden"),
        *("stride", "labelled", "batch"),
    )
    RANGES = {  # noqa: RUF012
        "steps": (0, 1e9),
        "labelled_steps": (0, 1e9),
        "shift": (0, 1e6),
        "colour_jitter": (0, 1),
        "learning_rate": (0, 1e6),
        "weight_decay": (0, 1e6),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, to have a centre cell, got {self.window}")
        if self.study != "pedestrians" and (self.strategy, self.labelled_steps) != (
            "unsupervised",
            0,
        ):
            raise ValueError(
                f"only pedestrians have labels; for {self.study} use strategy='unsupervised' and "
                f"labelled_steps=0, got {self.strategy!r} and {self.labelled_steps}"
            )
        if (self.strategy == "semi-supervised") != (self.labelled_steps > 0):
            raise ValueError(
                "semi-supervised training begins with labelled_steps, which no other has; got "
                f"{self.strategy!r} with labelled_steps={self.labelled_steps}"
            )
        if self.keep_labels and not self.labelled_steps:
            raise ValueError("keep_labels keeps what labelled_steps begin with; set them, got 0")
        if (self.shift or self.colour_jitter) and not self.labelled_steps:
            raise ValueError(
                "shift and colour_jitter change labelled pictures, which have no steps here; set "
                f"labelled_steps, or both to 0; got {self.shift} and {self.colour_jitter:g}"
            )
        check_backbone(self.backbone, self.pretrained, ("none", "small", "resnet34", "resnet50"))
        if self.study == "random_maps" and (self.backbone, self.folder) != ("none", None):
            raise ValueError(
                "random maps are drawn and need no backbone: use backbone='none' and folder=None, "
                f"got {self.backbone!r} and {self.folder!r}"
            )

    @classmethod
    def preset(cls, scale: Scale, study: Study, **changes: Any) -> "StudyConfig":
        """The settings of one scale for one study.

        Args:
            scale: smoke, demo or paper.
            study: which pictures or maps.
            changes: any other field by name; it replaces the preset's value.

        Raises:
            ValueError: an unknown scale, study or field, with the nearest known one.
        """
        check("scale", scale, Scale)
        check("study", study, Study)
        cls.check_names(changes)
        if scale == "demo":
            changes = {"precision": affordable_precision()} | changes
        return cls(study, **(PAPER[study] | SMALLER[scale][study] | changes))


WITHOUT_LABELS: dict[str, Any] = {
    "strategy": "unsupervised",
    "labelled_steps": 0,
    "shift": 0,
    "colour_jitter": 0.0,
}
"""Changes the settings of pedestrians to training without labels."""
IMAGENET: dict[str, Any] = {"backbone": "timm:tf_efficientnet_lite0", "pretrained": True}
"""A backbone that starts from ImageNet weights, as the paper's does, without a download."""

PAPER: dict[str, dict[str, Any]] = {
    "random_maps": {},
    "amber": {
        # "We resize the original painting ... to the size of 120 x 160"; "3 x 19 x 19"
        "height": 120,
        "width": 160,
        "window": 19,
        "batch": 4,
        "steps": 960,
    },
    "pedestrians": {
        # "3 blocks of ResNet34 to extract a 128 x 8 x 15 feature map", "3 x 3"
        "height": 120,
        "width": 60,
        "backbone": "resnet34",
        "parts": 6,
        "padding": "same",
        "batch": 16,
        "strategy": "semi-supervised",
        "labelled_steps": 200,
        "steps": 400,
        # Not in the paper: sixteen pictures, seen as they are, are learned by heart
        "shift": 8,
        "colour_jitter": 0.3,
    },
}
"""How the settings of each study differ from the defaults, which are those of the first."""

SMALLER: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {
        "random_maps": {
            "channels": 8,
            "height": 8,
            "width": 8,
            "hidden": 8,
            "batch": 8,
            "steps": 3,
        },
        "amber": {
            "pictures": 12,
            "height": 30,
            "width": 40,
            "window": 5,
            "hidden": 8,
            "steps": 3,
            "learning_rate": 1e-3,
        },
        "pedestrians": {
            "pictures": 24,
            "backbone": "small",
            "hidden": 16,
            "labelled": 8,
            "batch": 8,
            "labelled_steps": 2,
            "steps": 2,
            "learning_rate": 1e-3,
        },
    },
    "demo": {
        # Not in the paper: what two CPU cores can afford
        "random_maps": {
            "hidden": 64,
            "steps": 800,
            "learning_rate": 1e-3,
        },
        "amber": {
            "hidden": 64,
            "steps": 160,
            "learning_rate": 1e-3,
        },
        "pedestrians": {
            "backbone": "small",
            "hidden": 64,
            "labelled_steps": 150,
            "steps": 150,
            "learning_rate": 1e-3,
        },
    },
    "paper": {"random_maps": {}, "amber": {}, "pedestrians": {"pretrained": True}},
}
"""How each scale differs from the settings of a study."""
