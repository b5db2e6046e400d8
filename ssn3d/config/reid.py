"""The configuration of a re-identification run, and its presets at three scales."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .backbone import check_backbone
from .base import Scale, Settings, affordable_precision, check

Published = Literal["ilids_vid", "mars", "dukemtmc"]
Dataset = Literal[Published, "folder"]
Source = Literal["rendered", "real"]
Strategy = Literal["unsupervised", "supervised", "semi-supervised"]

OTHER_PEOPLE = 10**6
"""`data_seed` of the people whom backbones are pretrained on."""
DATASETS: tuple[str, ...] = get_args(Published)
"""The paper's data sets, which can be rendered; "folder" is a data set of your own."""
SOURCES: tuple[str, ...] = get_args(Source)


@dataclass(frozen=True)
class RunConfig(Settings):
    """All settings that decide the numbers of a run.  Defaults are the paper's for MARS.

    Quotes are the paper's own words; fields without a quote are choices that it leaves open.
    """

    # data
    dataset: Dataset
    source: Source = "rendered"
    split: int = 0
    """Which of the ten splits of iLIDS-VID; the other sets have one, number 0."""
    height: int = 256
    width: int = 128
    data_seed: int = 0
    train_people: int | None = None
    """Rendered sets only, like the next four; None: as in the profile of the set."""
    test_people: int | None = None
    longest_tracklet: int | None = None
    """Frames."""
    jitter: float | None = None
    """How far the person is from the middle of the box, as a share of the box."""
    sides: Literal["image", "person"] = "image"
    """Which elbow, knee and foot is the left one: the one farther left in the picture, see
    `keypoints.by_place`; or the person's own, as labels and pose estimators say."""
    label_noise: float = 1.0
    """Errors of the pose estimator: 0 none, 1 as expected on such pictures, 2 twice that."""

    # model
    aggregator: str = "ssn3d"
    backbone: str = "resnet50"
    """ "small", "resnet34", "resnet50", or "timm:NAME" for a model of timm."""
    pretrained: bool = True
    """Whether the backbone starts from ImageNet weights."""
    pretraining_steps: int = 0
    """Of the small backbone, on other rendered people; see `pretraining`.  0: none."""
    stride: int | None = None
    """Pixels of a frame for each cell of the backbone's map, in both directions; None: 4 for the
    small backbone, else 16, so that the map of 64 x 32 or 256 x 128 pixels has 16 x 8 cells."""
    parts: int = 9
    """N: "head, body, crotch, left and right elbows, knees and feet"."""
    window: int = 3
    padding: Literal["same", "valid"] = "same"
    """Whether a window may reach over the border of the map, where zeros surround it."""
    hidden: int = 512
    """K of the attention classifier."""
    shared: bool = True
    """One attention classifier for all frames; False is Table 2's "NonSha."."""
    block: Literal["bottleneck", "plain"] = "bottleneck"
    block_width: int = 256
    embedding: int = 1024

    # objective
    strategy: Strategy = "semi-supervised"
    ssn_weight: float = 0.1
    """Lambda: 0.1 on iLIDS-VID and MARS, 0.05 on DukeMTMC-VideoReID."""
    ssn_reduction: Literal["mean", "sum"] = "sum"
    """How Eq. (4) adds up the parts: "sum" as printed; see `losses.ssn_loss`."""
    margin: float = 0.3
    labelled_frames: int | None = 2
    """ "We select two images with high-quality labels from each video tracklet"; None: all."""
    labelled_per_clip: int = 2
    """How many of them are added to each clip; if there are more, they are drawn at random."""

    # optimisation
    epochs: int = 150
    steps_per_epoch: int | None = None
    """None: one pass of the identity sampler."""
    learning_rate: float = 3e-4
    decay_every: int = 50
    """Epochs after which the learning rate is multiplied by `decay`."""
    decay: float = 0.1
    weight_decay: float = 5e-4
    ids_per_batch: int = 8
    clips_per_id: int = 4
    clip_frames: int = 4
    clip_stride: int = 8
    dense_chunks: bool = True
    """Cut long training tracklets of iLIDS-VID and DukeMTMC-VideoReID into several, as AP3D."""
    flip: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: automatic mixed precision, weights stay float32."""
    seed: int = 0

    # test
    test_frames: int = 32
    """ "Each video tracklet is split into multiple 32-frame video clips"."""
    test_protocol: Literal["split", "full"] = "split"
    """split: each clip is cut into strided snippets of `clip_frames`, as in training; full: not."""
    metric: Literal["euclidean", "cosine"] = "euclidean"

    COUNTS = (
        *("height", "width", "stride", "parts", "window", "hidden", "block_width", "embedding"),
        *("labelled_frames", "labelled_per_clip", "epochs", "steps_per_epoch", "decay_every"),
        *("clip_frames", "clip_stride", "test_frames"),
    )
    RANGES = {  # noqa: RUF012
        "pretraining_steps": (0, 1e6),
        "jitter": (0, 0.5),
        "label_noise": (0, 10),
        "ssn_weight": (0, 1e6),
        "margin": (0, 1e6),
        "learning_rate": (0, 1e6),
        "decay": (1e-12, 1),
        "weight_decay": (0, 1e6),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset == "folder" and self.source == "rendered":
            raise ValueError(
                'dataset="folder" is a set of your own, and nothing is rendered for it: set '
                'source="real", and the environment variable SSN3D_FOLDER to where it is'
            )
        if not 0 <= self.split < (10 if self.dataset == "ilids_vid" else 1):
            raise ValueError(
                f"split must be 0..9 for ilids_vid and 0 for the others, got {self.split} "
                f"for {self.dataset}"
            )
        if self.parts != 9 and self.aggregator == "ssn3d" and self.strategy != "unsupervised":
            raise ValueError(
                f"labels are of the nine body points, so parts must be 9, got {self.parts}; "
                'any number goes with strategy="unsupervised"'
            )
        if self.window % 2 == 0:
            raise ValueError(f"window must be odd, to have a centre cell, got {self.window}")
        check_backbone(self.backbone, self.pretrained, ("small", "resnet34", "resnet50"))
        if self.pretraining_steps and self.backbone != "small":
            raise ValueError(
                "only the small backbone is pretrained on rendered people, got "
                f"backbone={self.backbone!r} with pretraining_steps={self.pretraining_steps}; set "
                "pretraining_steps=0, and pretrained=True for ImageNet weights"
            )
        if self.train_people is not None and self.train_people < self.ids_per_batch:
            raise ValueError(
                f"a batch takes {self.ids_per_batch} people, but train_people is "
                f"{self.train_people}; raise it or lower ids_per_batch"
            )
        for name in ("ids_per_batch", "clips_per_id"):
            if getattr(self, name) < 2:
                raise ValueError(
                    f"{name} must be at least 2 so that every clip has a same and a different "
                    f"person to be compared with, got {getattr(self, name)}"
                )
        if self.test_frames % self.clip_frames:
            raise ValueError(
                f"test_frames ({self.test_frames}) must be a multiple of clip_frames "
                f"({self.clip_frames}), or snippets would leave frames out"
            )
        if not self.shared and self.test_protocol == "full":
            raise ValueError(
                "without weight sharing there is one classifier a frame position, which clips of "
                'other lengths do not have; use test_protocol="split" or shared=True'
            )

    @classmethod
    def preset(cls, scale: Scale, dataset: Dataset, **changes: Any) -> "RunConfig":
        """The settings of one scale on one data set.

        Args:
            scale: smoke, demo or paper.
            dataset: one of the paper's, or "folder".
            changes: any other field by name; it replaces the preset's value.  Another backbone
                than the small one takes the place of its pretraining, too.

        Raises:
            ValueError: an unknown scale, data set or field, with the nearest known one.
        """
        check("scale", scale, Scale)
        cls.check_names(changes)
        if scale != "paper":
            changes = {"precision": affordable_precision()} | changes
        if changes.get("backbone", "small") != "small":
            changes = {"pretraining_steps": 0} | changes
        return cls(dataset, **(PRESETS[scale] | OF_SETS.get(dataset, {}) | changes))


def pretraining(config: RunConfig) -> RunConfig | None:
    """The run whose backbone another run starts from, as the paper's starts from ImageNet's.

    Not in the paper: average pooling learns to tell rendered people apart whom no data set shows, a
    fifth as many as it takes steps.  All seeds and methods start from the same backbone.

    Args:
        config: of the run that starts.

    Returns:
        None if that run starts from random weights, or from ImageNet's.
    """
    steps = config.pretraining_steps
    if not steps:
        return None
    return RunConfig.preset(
        "demo",
        "mars",
        aggregator="average",
        strategy="unsupervised",
        pretraining_steps=0,
        stride=config.stride,
        height=config.height,
        width=config.width,
        precision=config.precision,
        data_seed=OTHER_PEOPLE,
        train_people=max(8, steps // 5),
        test_people=8,
        longest_tracklet=16,
        epochs=steps,
        steps_per_epoch=1,
        decay_every=max(1, round(0.7 * steps)),
    )


_SMALL = {
    # Not in the paper: a backbone and a schedule that two CPU cores can afford
    "height": 64,
    "width": 32,
    "backbone": "small",
    "pretrained": False,
    "hidden": 64,
    "block_width": 64,
    "embedding": 128,
}
PRESETS: dict[str, dict[str, Any]] = {
    "smoke": _SMALL
    | {
        "height": 32,
        "width": 16,
        "train_people": 6,
        "test_people": 6,
        "longest_tracklet": 8,
        "pretraining_steps": 2,
        "ids_per_batch": 4,
        "clips_per_id": 2,
        "epochs": 2,
        "steps_per_epoch": 1,
        "decay_every": 1,
        "test_frames": 8,
    },
    "demo": _SMALL
    | {
        "pretraining_steps": 2500,
        "clips_per_id": 2,
        # steps and rate: see tests/benchmarks/settings.py
        "epochs": 14,
        "steps_per_epoch": 100,
        "learning_rate": 1e-3,
        "decay_every": 10,
    },
    # Not in the paper: mixed precision, which accelerators are built for
    "paper": {"precision": "bfloat16"},
}
"""How each scale differs from the paper's settings."""
OF_SETS: dict[str, dict[str, Any]] = {
    "dukemtmc": {"ssn_weight": 0.05},
    "folder": {"source": "real", "strategy": "unsupervised"},
}
"""How the settings of a data set differ from those of MARS, which are the defaults."""
