import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.spa_atn import SpaAtn, diversity_loss

CHANNELS, PARTS, EMBEDDING = 5, 3, 7


@pytest.fixture
def model() -> SpaAtn:
    torch.manual_seed(1)
    return SpaAtn(CHANNELS, parts=PARTS, hidden=4, embedding=EMBEDDING)


@pytest.fixture
def features(generator) -> Tensor:
    return 3 * torch.randn(2, 4, CHANNELS, 6, 4, generator=generator)


def hellinger(p: Tensor, q: Tensor) -> Tensor:
    return ((p.sqrt() - q.sqrt()).square().sum() / 2).sqrt()


def test_the_loss_adds_up_how_near_maps_are_by_their_hellinger_distance(generator):
    logits = 2 * torch.randn(2, PARTS, 6, 4, generator=generator)
    maps = logits.flatten(2).softmax(dim=-1)
    total = sum(
        (1 - hellinger(frame[i], frame[j]) ** 2) ** 2
        for frame in maps
        for i in range(PARTS)
        for j in range(PARTS)
        if i != j
    )
    assert_close(diversity_loss(logits), total / len(maps))


def test_equal_maps_cost_most_and_maps_without_a_common_cell_nothing(generator):
    same = torch.randn(1, 1, 6, 4, generator=generator).expand(2, PARTS, 6, 4)
    assert_close(diversity_loss(same), torch.tensor(PARTS * (PARTS - 1.0)))
    apart = torch.full((2, PARTS, 6, 4), -1e4)
    for n in range(PARTS):
        apart[:, n, 2 * n : 2 * n + 2] = 0
    apart.requires_grad_()
    loss = diversity_loss(apart)
    loss.backward()
    assert_close(loss, torch.tensor(0.0))
    assert apart.grad is not None
    assert apart.grad.isfinite().all()


def test_following_the_loss_moves_maps_apart(model, features):
    optimiser = torch.optim.SGD(model.parameters(), 0.05)
    losses = []
    for _ in range(20):
        loss = model(features).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_each_part_has_a_scorer_of_its_own(model, features):
    maps = model(features).parts.maps
    assert_close(maps.sum(dim=(-1, -2)), torch.ones(2, 4, PARTS))
    first, _, last = model.score
    for n in range(PARTS):
        own = slice(4 * n, 4 * n + 4)
        cells = torch.einsum("btchw,kc->btkhw", features, first.weight[own, :, 0, 0])
        hidden = (cells + first.bias[own, None, None]).relu()
        scores = torch.einsum("btkhw,k->bthw", hidden, last.weight[n, :, 0, 0])
        assert_close(maps[:, :, n], scores.flatten(2).softmax(-1).view_as(scores))


def test_the_embedding_is_that_of_weighted_means_over_space_then_time(model, features):
    torch.nn.init.normal_(model.temporal)
    output = model(features)
    clips = torch.zeros(2, PARTS, CHANNELS)
    for b in range(2):
        for n in range(PARTS):
            seen = torch.stack(
                [(output.parts.maps[b, t, n] * features[b, t]).sum(dim=(1, 2)) for t in range(4)]
            )
            weights = (seen @ model.temporal[n]).softmax(dim=0)
            clips[b, n] = (weights[:, None] * seen).sum(dim=0)
            assert_close(output.parts.features[b, :, n, :, 0, 0], seen)
    assert_close(output.embedding, model.to_embedding(clips.flatten(1)))


def test_the_order_of_frames_does_not_matter(model, features):
    torch.nn.init.normal_(model.temporal)
    assert_close(model(features[:, [2, 0, 3, 1]]).embedding, model(features).embedding)
