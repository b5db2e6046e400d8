from urllib.error import HTTPError, URLError

import pytest
import torch

from ssn3d.models.backbone import ResNetBackbone, SmallBackbone, make


def test_the_small_backbone_makes_the_map_of_the_paper_from_a_small_frame():
    backbone = SmallBackbone()
    assert backbone(torch.zeros(2, 3, 64, 32)).shape == (2, backbone.channels, 16, 8)


def test_the_small_backbone_has_the_widths_it_is_given():
    backbone = SmallBackbone((3, 4, 5, 6))
    assert backbone.channels == 6
    assert backbone(torch.zeros(1, 3, 16, 16)).shape == (1, 6, 4, 4)


@pytest.mark.parametrize(("name", "channels"), [("resnet34", 256), ("resnet50", 1024)])
def test_a_resnet_makes_the_map_of_the_paper_from_a_large_frame(name, channels):
    with torch.device("meta"):
        backbone = ResNetBackbone(name)
        features = backbone.eval()(torch.zeros(2, 3, 256, 128))
    assert backbone.channels == channels
    assert features.shape == (2, channels, 16, 8)


def test_resnet50_up_to_its_fourth_stage_has_as_many_parameters_as_published():
    with torch.device("meta"):
        backbone = ResNetBackbone("resnet50")
    assert sum(weight.numel() for weight in backbone.parameters()) == 8_543_296


@pytest.mark.parametrize(
    "error", [URLError("no route"), HTTPError("there", 503, "no route", {}, None)]
)
def test_imagenet_weights_without_a_network_say_what_to_do(monkeypatch, error):
    def unreachable(*_, **__):
        raise error

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with pytest.raises(ConnectionError, match=r"weights of resnet50 .*no route.*pretrained=False"):
        ResNetBackbone("resnet50", pretrained=True)


@pytest.mark.parametrize(
    ("name", "stride", "expected"),
    [
        ("small", 4, (64, 64, 32)),
        ("small", 8, (128, 32, 16)),
        ("resnet34", 4, (64, 64, 32)),
        ("resnet34", 8, (128, 32, 16)),
        ("resnet50", 16, (1024, 16, 8)),
        ("resnet50", 32, (2048, 8, 4)),
    ],
)
def test_a_backbone_has_the_stride_that_is_asked_for(name, stride, expected):
    with torch.device("meta"):
        backbone = make(name, stride=stride, size=(256, 128)).eval()
        features = backbone(torch.zeros(1, 3, 256, 128))
    assert features.shape == (1, *expected)
    assert backbone.channels == expected[0]


@pytest.mark.parametrize(
    ("name", "stride", "strides"),
    [("small", 16, "4, 8"), ("resnet50", 2, "4, 8, 16, 32"), ("resnet34", 64, "4, 8, 16, 32")],
)
def test_a_stride_that_a_backbone_lacks_is_refused_with_those_it_has(name, stride, strides):
    with pytest.raises(ValueError, match=f"{name}.* no map of stride {stride}, it has {strides};"):
        make(name, stride=stride, size=(256, 128))
