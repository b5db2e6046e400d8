import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.non_local import NonLocal, NonLocalPooling
from tests.models.aggregators.video_resnet import VideoResNet

CHANNELS = 6


@pytest.fixture
def volumes(generator) -> Tensor:
    return torch.randn(2, CHANNELS, 3, 6, 4, generator=generator, dtype=torch.float64)


def block() -> NonLocal:
    torch.manual_seed(1)
    model = NonLocal(CHANNELS).double().eval()
    torch.nn.init.uniform_(model.back[1].weight)
    torch.nn.init.uniform_(model.back[1].bias)
    return model


def by_loop(model: NonLocal, volumes: Tensor) -> Tensor:
    """Cell by cell of one clip [c t h w]."""
    _, t, h, w = volumes.shape
    theta, phi, g = (
        layer.weight[..., 0, 0, 0] @ volumes.flatten(1) + layer.bias[:, None]
        for layer in (model.theta, model.phi[0], model.g[0])
    )  # [k (t h w)]
    phi, g = (x.reshape(-1, t, h // 2, 2, w // 2, 2).amax(dim=(3, 5)).flatten(1) for x in (phi, g))
    seen = torch.zeros_like(theta)
    for cell in range(t * h * w):
        weights = torch.exp(theta[:, cell] @ phi)
        seen[:, cell] = g @ weights / weights.sum()
    back, norm = model.back
    seen = back(seen.reshape(1, -1, t, h, w))[0]
    scale = norm.weight / (1 + norm.eps) ** 0.5
    return volumes + scale[:, None, None, None] * seen + norm.bias[:, None, None, None]


@pytest.mark.parametrize("frames", [1, 3])
def test_each_cell_adds_what_it_finds_in_all_cells_of_its_clip(volumes, frames):
    model, volumes = block(), volumes[:, :, :frames]
    expected = torch.stack([by_loop(model, clip) for clip in volumes])
    assert_close(model(volumes), expected)


def test_a_non_local_block_starts_as_identity(volumes):
    assert torch.equal(NonLocal(CHANNELS).double()(volumes), volumes)


def test_of_a_clip_with_one_picture_it_is_the_block_of_that_picture(volumes):
    picture = volumes[:, :, :1]
    still = picture.expand(-1, -1, 4, -1, -1)
    assert_close(block()(still), block()(picture).expand_as(still))


def test_its_embedding_is_the_mean_over_time_of_the_maximum_behind_the_block(volumes):
    model = NonLocalPooling(CHANNELS, embedding=7).double().eval()
    model.block = block()
    expected = model.to_embedding(model.block(volumes).amax(dim=(3, 4)).mean(dim=2))
    assert_close(model(volumes.transpose(1, 2)).embedding, expected)


@pytest.mark.parametrize(("channels", "weights"), [(512, 526_592), (1024, 2_101_760)])
def test_the_block_has_as_many_weights_as_published(channels, weights):
    with torch.device("meta"):
        model = NonLocal(channels)
    assert sum(weight.numel() for weight in model.parameters()) == weights


def test_the_published_network_has_as_many_weights_as_there():
    with torch.device("meta"):
        network = VideoResNet(625, after=NonLocal)
        embedding = network(torch.rand(2, 4, 3, 256, 128)).embedding
    assert sum(weight.numel() for weight in network.parameters()) == 32_151_217
    assert embedding.shape == (2, 2048)
