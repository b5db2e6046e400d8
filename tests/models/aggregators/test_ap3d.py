import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models.aggregators.ap3d import AP3D, AlignedP3D, AppearancePreserving
from ssn3d.models.aggregators.non_local import NonLocal
from tests.models.aggregators.video_resnet import VideoResNet

CHANNELS = 6


@pytest.fixture
def volumes(generator) -> Tensor:
    return torch.randn(2, CHANNELS, 4, 5, 3, generator=generator, dtype=torch.float64)


def align(**options) -> AppearancePreserving:
    torch.manual_seed(1)
    return AppearancePreserving(CHANNELS, **options).double()


def kernel(*, random: bool = True) -> AlignedP3D:
    torch.manual_seed(1)
    spatial = nn.Conv3d(CHANNELS, CHANNELS, (1, 3, 3), padding=(0, 1, 1), bias=False)
    model = AlignedP3D(spatial).double()
    if random:
        nn.init.normal_(model.temporal.weight)
    return model


def registered_by_loop(model: AppearancePreserving, frame: Tensor, neighbour: Tensor) -> Tensor:
    """Cell by cell of one frame [c h w]."""
    project = model.similarity.weight[..., 0, 0, 0]
    found = torch.zeros_like(frame)
    for h in range(frame.shape[1]):
        for w in range(frame.shape[2]):
            cells = neighbour.flatten(1)
            seen, keys = project @ frame[:, h, w], project @ cells
            cosines = (seen @ keys) / (seen.norm() * keys.norm(dim=0))
            weights = torch.exp(model.scale * cosines)
            found[:, h, w] = cells @ weights / weights.sum()
    return found


@pytest.mark.parametrize("scale", [4.0, 20.0])
def test_each_cell_is_looked_for_in_the_neighbour_by_its_similarity(volumes, scale):
    model = align(scale=scale)
    found = model.register(volumes, volumes.flip(0))
    for b in range(2):
        for t in range(4):
            expected = registered_by_loop(model, volumes[b, :, t], volumes[1 - b, :, t])
            assert_close(found[b, :, t], expected)


def test_each_frame_stands_between_its_registered_neighbours(volumes):
    model = align()
    triples = model(volumes)
    assert triples.shape == (2, CHANNELS, 12, 5, 3)
    assert torch.equal(triples[:, :, 1::3], volumes)
    for t in range(1, 4):
        here, before = volumes[:, :, t : t + 1], volumes[:, :, t - 1 : t]
        found = model.register(here, before)
        assert_close(triples[:, :, 3 * t : 3 * t + 1], found * model.trust(here, found))
        back = model.register(before, here)
        assert_close(triples[:, :, 3 * t - 1 : 3 * t], back * model.trust(before, back))


def test_beyond_the_clip_there_is_nothing(volumes):
    triples = align()(volumes)
    assert not triples[:, :, 0].any()
    assert not triples[:, :, -1].any()
    assert triples[:, :, 2].any()


def test_a_person_who_moved_in_the_box_is_put_back(generator):
    scene = torch.randn(1, 32, 1, 6, 6, generator=generator)
    here, moved = scene[..., :4, :4], scene[..., 2:, 1:5]
    torch.manual_seed(1)
    model = AppearancePreserving(32, reduction=1)
    found = model.register(here, moved)
    seen_in_both = (..., slice(2, 4), slice(1, 4))
    unaligned = (moved - here)[seen_in_both].square().mean()
    assert (found - here)[seen_in_both].square().mean() < unaligned / 2
    assert (found - here).square().mean() < unaligned


def test_identical_frames_are_found_where_they_are(volumes):
    found = align(scale=1e4).register(volumes, volumes)
    assert_close(found, volumes)


def test_trust_is_a_share_for_each_cell_and_does_not_train_what_it_judges(volumes):
    volumes.requires_grad_()
    trust = align().trust(volumes, volumes.flip(0))
    assert trust.shape == (2, 1, 4, 5, 3)
    assert trust.min() > 0
    assert trust.max() < 1
    assert torch.autograd.grad(trust.sum(), volumes, allow_unused=True) == (None,)


def test_time_has_no_effect_at_the_start(volumes):
    model = kernel(random=False)
    assert_close(model(volumes), model.spatial(volumes))


def test_of_one_frame_only_the_middle_of_the_kernel_counts(volumes):
    model, volumes = kernel(), volumes[:, :, :1]
    seen = model.spatial(volumes)
    middle = model.temporal.weight[:, :, 1:2]
    assert_close(model(volumes), seen + nn.functional.conv3d(seen, middle))


def test_a_frame_sees_its_neighbours_and_no_others(volumes):
    model = kernel()
    moved = volumes.clone()
    moved[:, :, 0] += torch.arange(3)
    change = (model(moved) - model(volumes)).abs().amax(dim=(0, 1, 3, 4))
    assert change.gt(1e-3).tolist() == [True, True, False, False]


def test_its_embedding_is_the_mean_over_time_of_the_maximum_behind_the_block(volumes):
    model = AP3D(CHANNELS, width=4, embedding=7).double().eval()
    nn.init.normal_(model.block.layers[-1].weight)
    expected = model.to_embedding(model.block(volumes).amax(dim=(3, 4)).mean(dim=2))
    assert_close(model(volumes.transpose(1, 2)).embedding, expected)


@pytest.mark.parametrize(("channels", "weights"), [(128, 3_080), (256, 12_304)])
def test_alignment_has_as_many_weights_as_published(channels, weights):
    with torch.device("meta"):
        model = AppearancePreserving(channels)
    assert sum(weight.numel() for weight in model.parameters()) == weights


@pytest.mark.parametrize(("after", "weights"), [(None, 25_523_953), (NonLocal, 32_882_417)])
def test_the_published_networks_have_as_many_weights_as_there(after, weights):
    with torch.device("meta"):
        network = VideoResNet(625, kernel=AlignedP3D, after=after)
        embedding = network(torch.rand(2, 4, 3, 256, 128)).embedding
    assert sum(weight.numel() for weight in network.parameters()) == weights
    assert embedding.shape == (2, 2048)


def test_the_published_network_starts_as_resnet_frame_by_frame(generator):
    clips = torch.rand(1, 2, 3, 32, 32, generator=generator)
    full, flat = VideoResNet(3, kernel=AlignedP3D, after=NonLocal), VideoResNet(3)
    names = {".spatial.": "."}  # what a convolution over space is called within a kernel
    for stage in (5, 6):  # layer2 and layer3, where a block may have another behind it
        names |= {f"layers.{stage}.{place}.0.": f"layers.{stage}.{place}." for place in (1, 3, 5)}
    weights = {}
    for name, value in full.state_dict().items():
        for inner, outer in names.items():
            name = name.replace(inner, outer)
        weights[name] = value
    flat.load_state_dict({name: weights[name] for name in flat.state_dict()})
    with torch.no_grad():
        assert_close(full.eval()(clips).embedding, flat.eval()(clips).embedding)
