import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models.aggregators.conv3d import Bottleneck, Conv3D, inflated
from tests.models.aggregators.video_resnet import VideoResNet, over_clips

CHANNELS, WIDTH = 6, 4


@pytest.fixture
def volumes(generator) -> Tensor:
    return torch.rand(2, CHANNELS, 5, 6, 4, generator=generator)


def spatial(stride: int = 1) -> nn.Conv3d:
    torch.manual_seed(1)
    steps = (1, stride, stride)
    return nn.Conv3d(CHANNELS, WIDTH, (1, 3, 3), steps, padding=(0, 1, 1), bias=False)


def randomised(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for number in (*model.parameters(), *model.buffers()):
            if number.is_floating_point():
                number += torch.rand_like(number) / 2
    return model.eval()


@pytest.mark.parametrize("stride", [1, 2])
def test_an_inflated_convolution_starts_with_the_function_it_had(volumes, stride):
    flat = spatial(stride)
    full = inflated(flat)
    assert full.kernel_size == (3, 3, 3)
    assert_close(full(volumes), flat(volumes))


def test_an_inflated_convolution_learns_to_see_the_frames_around(volumes):
    full = inflated(spatial())
    full(volumes).square().sum().backward()
    assert full.weight.grad.abs().amin(dim=(0, 1, 3, 4)).gt(0).all()


def test_a_bottleneck_starts_as_identity(volumes):
    assert torch.equal(Bottleneck(CHANNELS, WIDTH, inflated)(volumes), volumes)


def test_of_one_frame_it_is_a_2d_bottleneck(volumes):
    model = randomised(Conv3D(CHANNELS, width=WIDTH, embedding=7))
    frame = volumes[:, :, 0]
    seen = frame
    for layer in model.block.layers:
        if isinstance(layer, nn.Conv3d):
            middle = layer.weight[:, :, layer.kernel_size[0] // 2]
            seen = nn.functional.conv2d(seen, middle, padding=middle.shape[-1] // 2)
        else:
            seen = layer(seen[:, :, None])[:, :, 0]
    expected = model.to_embedding((frame + seen).relu().amax(dim=(2, 3)))
    assert_close(model(frame[:, None]).embedding, expected)


def test_a_network_over_clips_sees_each_frame_as_the_2d_network_does(volumes):
    def net() -> nn.Module:
        torch.manual_seed(1)
        first = nn.Conv2d(CHANNELS, 8, 3, 2, padding=1, bias=False)
        stage = nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU())
        return randomised(nn.Sequential(stage, nn.Conv2d(8, 3, 1, bias=False)))

    flat, full = net(), over_clips(net()).eval()
    for t in range(5):
        assert_close(full(volumes)[:, :, t], flat(volumes[:, :, t]))


@pytest.mark.parametrize(("kernel", "weights"), [(None, 24_792_753), (inflated, 28_921_521)])
def test_the_published_networks_have_as_many_weights_as_there(kernel, weights):
    with torch.device("meta"):
        network = VideoResNet(625, kernel=kernel)
        embedding = network(torch.rand(2, 4, 3, 256, 128)).embedding
    assert sum(weight.numel() for weight in network.parameters()) == weights
    assert embedding.shape == (2, 2048)
    assert network.classifier(embedding).shape == (2, 625)


def test_the_last_stage_of_the_published_networks_keeps_the_map_as_it_is():
    with torch.device("meta"):
        maps = VideoResNet(625).layers(torch.rand(1, 3, 2, 256, 128))
    assert maps.shape == (1, 2048, 2, 16, 8)
