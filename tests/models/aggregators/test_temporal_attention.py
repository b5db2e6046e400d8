import pytest
import torch
from einops import reduce
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.temporal_attention import TemporalAttention, frame_weights

CHANNELS, EMBEDDING = 5, 7


@pytest.fixture
def model() -> TemporalAttention:
    torch.manual_seed(1)
    return TemporalAttention(CHANNELS, hidden=6, embedding=EMBEDDING)


@pytest.fixture
def features(generator) -> Tensor:
    return 3 * torch.randn(3, 4, CHANNELS, 6, 4, generator=generator)


def test_frame_weights_are_qualities_over_their_sum(generator):
    scores = 3 * torch.randn(5, 4, generator=generator)
    quality = 1 / (1 + torch.exp(-scores))
    assert_close(frame_weights(scores), quality / quality.sum(dim=1, keepdim=True))


@pytest.mark.parametrize("scores", [[-1e4, -1e4], [1e4, 1e4], [0.0, 0.0]])
def test_alike_frames_share_alike_however_good_or_bad(scores):
    assert_close(frame_weights(torch.tensor([scores])), torch.tensor([[0.5, 0.5]]))


def test_good_frames_do_not_crowd_each_other_out():
    weights = frame_weights(torch.tensor([[50.0, 5.0, -50.0]]))
    assert_close(weights, torch.tensor([[0.5, 0.5, 0.0]]), atol=5e-3, rtol=0)


@pytest.mark.parametrize("frames", [1, 4, 32])
def test_weights_of_a_clip_sum_to_one_and_differ(model, features, frames):
    weights = model.weights(features.repeat(1, 8, 1, 1, 1)[:, :frames])
    assert weights.shape == (3, frames)
    assert_close(weights.sum(dim=1), torch.ones(3))
    assert frames == 1 or (weights.amax(dim=1) / weights.amin(dim=1)).min() > 1.01


def test_weights_follow_their_frames(model, features):
    order = [2, 0, 3, 1]
    assert_close(model.weights(features[:, order]), model.weights(features)[:, order])


def test_the_embedding_is_the_weighted_mean_of_the_frames_embeddings(model, features):
    alone = model.to_embedding(reduce(features, "b t c h w -> b t c", "max"))
    expected = (model.weights(features)[..., None] * alone).sum(dim=1)
    assert_close(model(features).embedding, expected)


def test_one_frame_alone_is_its_maximum_over_space_whatever_its_quality(model, features):
    expected = model.to_embedding(features[:, 0].amax(dim=(2, 3)))
    model.quality[-1].bias.data.fill_(-100)
    assert_close(model(features[:, :1]).embedding, expected)


def test_a_frame_of_no_quality_leaves_no_trace(model, features):
    for weight in model.quality.parameters():
        weight.data.zero_()
    model.quality[0].weight.data[0, 0, 1, 1] = 1
    model.quality[-1].weight.data[0, 0] = 100
    model.quality[-1].bias.data.fill_(-50)
    features[:, :, 0] = 1
    features[:, 2, 0] = 0
    without = features[:, [0, 1, 3]]
    assert_close(model(features).embedding, model(without).embedding)
