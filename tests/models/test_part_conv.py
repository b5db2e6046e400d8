import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models.part_conv import PartConv

CHANNELS, PARTS, WIDTH = 4, 3, 5
BLOCKS = ("bottleneck", "plain")


def part_conv(block: str) -> PartConv:
    """All weights and statistics random, so that no part's block is like another's."""
    torch.manual_seed(1)
    model = PartConv(CHANNELS, PARTS, WIDTH, block)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm3d):
            for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                numbers.data.uniform_(0.5, 1.5)
    return model.eval()


def block_of(model: PartConv, part: int) -> nn.Sequential:
    """One part's block as ungrouped layers, with that part's share of the weights."""
    layers: list[nn.Module] = []
    for layer in model.blocks:
        if isinstance(layer, nn.Conv3d):
            source = layer.in_channels // PARTS
            alone = nn.Conv3d(source, WIDTH, layer.kernel_size, padding=layer.padding, bias=False)
        elif isinstance(layer, nn.BatchNorm3d):
            alone = nn.BatchNorm3d(WIDTH)
        else:
            alone = nn.ReLU()
        alone.load_state_dict(
            {
                name: value[part * WIDTH : (part + 1) * WIDTH] if value.ndim else value
                for name, value in layer.state_dict().items()
            }
        )
        layers.append(alone)
    return nn.Sequential(*layers).train(model.training)


def parts_alone(model: PartConv, features: Tensor) -> Tensor:
    volumes = features.permute(0, 2, 3, 1, 4, 5)  # [b n c t i j]
    blocks = [block_of(model, part) for part in range(PARTS)]
    return torch.stack(
        [block(volumes[:, n]).mean(dim=(2, 3, 4)) for n, block in enumerate(blocks)], dim=1
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("frames", [1, 4, 7])
@pytest.mark.parametrize("block", BLOCKS)
def test_part_conv_equals_a_block_for_each_part(block, frames, training, generator):
    model = part_conv(block).train(training)
    features = torch.randn(2, frames, PARTS, CHANNELS, 3, 3, generator=generator)
    expected = parts_alone(model, features)
    vectors = model(features)
    assert vectors.shape == (2, PARTS, WIDTH)
    assert_close(vectors, expected)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_vector_of_a_part_depends_on_that_part_and_its_weights_only(block, generator):
    model = part_conv(block)
    features = torch.randn(2, 4, PARTS, CHANNELS, 3, 3, generator=generator).requires_grad_()
    model(features)[:, 1].sum().backward()
    assert features.grad.any(dim=(0, 1)).flatten(1).any(dim=1).tolist() == [False, True, False]
    for weight in model.parameters():
        share = weight.grad.unflatten(0, (PARTS, WIDTH)).flatten(1)
        assert share.any(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize("block", BLOCKS)
def test_part_conv_sees_the_order_of_frames(block, generator):
    features = torch.randn(1, 4, PARTS, CHANNELS, 3, 3, generator=generator)
    model = part_conv(block)
    assert (model(features) - model(features.flip(1))).abs().max() > 1e-3


def test_part_conv_takes_windows_of_any_side(generator):
    features = torch.randn(1, 2, PARTS, CHANNELS, 5, 5, generator=generator)
    assert_close(part_conv("bottleneck")(features), parts_alone(part_conv("bottleneck"), features))


@pytest.mark.parametrize(("block", "weights"), [("bottleneck", 9_446_400), ("plain", 63_705_600)])
def test_blocks_have_as_many_weights_as_counted_by_hand_at_the_sizes_of_the_paper(block, weights):
    with torch.device("meta"):
        model = PartConv(channels=1024, parts=9, width=256, block=block)
    assert sum(weight.numel() for weight in model.parameters()) == weights


def test_an_unknown_block_is_refused():
    with pytest.raises(ValueError, match='must be "bottleneck" or "plain", got \'p3d\''):
        PartConv(CHANNELS, PARTS, WIDTH, "p3d")
