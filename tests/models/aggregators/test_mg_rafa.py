import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.mg_rafa import GRIDS, MGRAFA, ReferenceAttention

CHANNELS, GRID = 8, (2, 2)


@pytest.fixture
def attention() -> ReferenceAttention:
    torch.manual_seed(1)
    return ReferenceAttention(CHANNELS, GRID).eval()


@pytest.fixture
def features(generator) -> Tensor:
    return 3 * torch.randn(2, 3, CHANNELS, 6, 4, generator=generator)


def test_relations_are_products_with_the_cells_of_the_mean_frame(attention, features):
    found = attention.relations(features)
    assert found.shape == (2, 3, 4, 6, 4)
    of_cell, of_reference = (
        layer.weight[:, :, 0, 0] for layer in (attention.of_cell, attention.of_reference)
    )
    mean = features.mean(dim=1)
    for i in range(2):
        for j in range(2):
            block = mean[:, :, 3 * i : 3 * i + 3, 2 * j : 2 * j + 2].mean(dim=(2, 3))
            for b in range(2):
                reference = of_reference @ block[b]
                cells = torch.einsum("kc,tchw->tkhw", of_cell, features[b])
                expected = torch.einsum("k,tkhw->thw", reference, cells)
                assert_close(found[b, :, 2 * i + j], expected)


def test_weights_of_a_clip_sum_to_one_and_differ_from_cell_to_cell(attention, features):
    weights = attention.weights(features)
    assert weights.shape == (2, 3, 6, 4)
    assert_close(weights.sum(dim=(1, 2, 3)), torch.ones(2))
    assert weights.std() > 1e-3


def test_a_clip_is_the_weighted_mean_of_its_cells(attention, features):
    weights = attention.weights(features)[:, :, None]
    assert_close(attention(features), (weights * features).sum(dim=(1, 3, 4)))


def test_equal_cells_have_equal_weights(attention):
    alike = torch.randn(1, 1, CHANNELS, 1, 1).expand(2, 3, CHANNELS, 6, 4)
    assert_close(attention.weights(alike), torch.full((2, 3, 6, 4), 1 / 72))
    assert_close(attention(alike), alike[:, 0, :, 0, 0])


def test_what_a_cell_counts_depends_on_the_rest_of_the_clip(attention, features):
    other = features.clone()
    other[:, 1:] = other[:, 1:].flip(-1) + 2
    mine, theirs = (attention.weights(x)[:, 0].flatten(1) for x in (features, other))
    order, changed = mine.argsort(dim=1), theirs.argsort(dim=1)
    assert (order != changed).any()


def test_granularities_share_the_channels_among_them(features):
    torch.manual_seed(1)
    model = MGRAFA(CHANNELS, embedding=7).eval()
    assert [one.grid for one in model.granularities] == list(GRIDS)
    halves = [features[:, :, :4], features[:, :, 4:]]
    clips = torch.cat([one(half) for one, half in zip(model.granularities, halves, strict=True)], 1)
    assert_close(model(features).embedding, model.to_embedding(clips))


def test_the_order_of_frames_does_not_matter(features):
    torch.manual_seed(1)
    model = MGRAFA(CHANNELS, embedding=7).eval()
    assert_close(model(features[:, [2, 0, 1]]).embedding, model(features).embedding)
