import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models.aggregators.ssn3d import SSN3D
from ssn3d.models.aggregators.stripes import Stripes
from ssn3d.models.part_conv import PartConv
from ssn3d.models.ssn import SSN

CHANNELS, PARTS = 5, 2
BLOCKS = ("bottleneck", "plain")


def stripes(parts: int = PARTS, **options) -> Stripes:
    torch.manual_seed(1)
    return Stripes(CHANNELS, parts=parts, width=6, embedding=7, **options).eval()


@pytest.fixture
def features(generator) -> Tensor:
    return torch.randn(3, 4, CHANNELS, 12, 6, generator=generator)


def test_a_stripe_is_cut_across_the_frame_and_pooled_to_a_window(features):
    cut = stripes().cut(features)
    assert cut.shape == (3, 4, PARTS, CHANNELS, 3, 3)
    for n in range(PARTS):
        for i in range(3):
            for j in range(3):
                row, column = 6 * n + 2 * i, 2 * j
                cells = features[..., row : row + 2, column : column + 2]
                assert_close(cut[:, :, n, :, i, j], cells.mean(dim=(-1, -2)))


@pytest.mark.parametrize(("parts", "height"), [(9, 16), (9, 8), (6, 16), (1, 16), (9, 4)])
def test_stripes_lie_in_their_share_of_the_height_also_where_it_is_no_whole_number(parts, height):
    rows = torch.arange(height) + 0.5
    features = (rows / height).expand(1, 1, CHANNELS, 8, height).mT
    middles = stripes(parts).cut(features).mean(dim=(-1, -2))[0, 0, :, 0]
    assert_close(middles, (torch.arange(parts) + 0.5) / parts, atol=0.5 / height, rtol=0)


@pytest.mark.parametrize("block", BLOCKS)
def test_stripes_differ_from_ssn3d_in_where_parts_are_and_nothing_else(block, features):
    model = stripes(block=block)
    ssn3d = SSN3D(CHANNELS, parts=PARTS, width=6, block=block, embedding=7).eval()
    mine = {name: value.shape for name, value in model.state_dict().items()}
    theirs = {
        name: value.shape
        for name, value in ssn3d.state_dict().items()
        if not name.startswith("ssn.")
    }
    assert mine == theirs

    class Cut(SSN):
        def forward(self, features, points=None):
            return super().forward(features)._replace(features=model.cut(features))

    ssn3d.ssn = Cut(CHANNELS, PARTS)
    ssn3d.load_state_dict(model.state_dict(), strict=False)
    assert_close(model(features).embedding, ssn3d(features).embedding)


@pytest.mark.parametrize("block", BLOCKS)
def test_of_one_frame_the_blocks_are_2d_convolutions(block, features):
    model = stripes(block=block)
    flat: list[nn.Module] = []
    for layer in model.part_conv.blocks:
        if isinstance(layer, nn.Conv3d):
            middle = layer.weight[:, :, layer.kernel_size[0] // 2]
            twin = nn.Conv2d(
                layer.in_channels,
                layer.out_channels,
                middle.shape[-2:],
                padding=layer.padding[1:],
                groups=PARTS,
                bias=False,
            )
            twin.weight = nn.Parameter(middle)
        elif isinstance(layer, nn.BatchNorm3d):
            twin = nn.BatchNorm2d(layer.num_features).eval()
        else:
            twin = nn.ReLU()
        flat.append(twin)
    cut = model.cut(features[:, :1])[:, 0].flatten(1, 2)  # [b (n c) i j]
    vectors = nn.Sequential(*flat)(cut).mean(dim=(-1, -2))
    assert_close(model(features[:, :1]).embedding, model.fusion(vectors))


def test_each_stripe_has_a_block_of_its_own(features):
    model = stripes()
    assert isinstance(model.part_conv, PartConv)
    moved = features.clone()
    moved[..., 6:, :] += 1
    vectors, changed = (model.part_conv(model.cut(x)) for x in (features, moved))
    assert_close(vectors[:, 0], changed[:, 0])
    assert (vectors[:, 1] - changed[:, 1]).abs().max() > 1e-3
