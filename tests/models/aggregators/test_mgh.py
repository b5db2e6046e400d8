import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.mgh import MGH, incidence, shared
from ssn3d.models.aggregators.st_gcn import stripes_of

CHANNELS = 6


@pytest.fixture
def features(generator) -> Tensor:
    return torch.randn(2, 3, CHANNELS, 8, 4, generator=generator)


def test_an_edge_joins_a_node_with_those_of_the_nearest_directions():
    angles = torch.tensor([0.0, 0.1, 0.3, 1.0])
    lengths = torch.tensor([1.0, 5.0, 2.0, 3.0])
    nodes = torch.stack([lengths * angles.cos(), lengths * angles.sin()], dim=1)
    edges = incidence(nodes[None], size=2)[0]
    members = [set(edges[:, e].nonzero().flatten().tolist()) for e in range(4)]
    assert members == [{0, 1}, {0, 1}, {1, 2}, {2, 3}]


def test_a_node_is_in_its_own_edge_also_beside_its_equals():
    edges = incidence(torch.ones(1, 5, CHANNELS), size=2)[0]
    assert_close(edges.diagonal(), torch.ones(5))
    assert_close(edges.sum(dim=0), torch.full((5,), 2.0))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_shared_is_the_mean_over_edges_of_the_means_over_nodes(size, generator):
    nodes = torch.randn(2, 5, CHANNELS, generator=generator)
    edges = incidence(nodes, size)
    expected = torch.zeros_like(nodes)
    for b in range(2):
        for i in range(5):
            own = [e for e in range(5) if edges[b, i, e]]
            means = [nodes[b, edges[b, :, e].bool()].mean(dim=0) for e in own]
            expected[b, i] = sum(means) / len(means)
    assert_close(shared(nodes, edges), expected)


def test_nodes_far_apart_share_nothing(generator):
    near = torch.randn(1, 3, CHANNELS, generator=generator)
    far = -near
    near[:, 1:] = near[:, :1] + 0.1 * near[:, 1:]
    far[:, 1:] = far[:, :1] + 0.1 * far[:, 1:]
    edges = incidence(torch.cat([near, far], dim=1), size=3)
    assert not edges[:, :3, 3:].any()
    moved = shared(torch.cat([near, 2 * far], dim=1), edges)
    assert_close(moved[:, :3], shared(torch.cat([near, far], dim=1), edges)[:, :3])


def test_granularities_have_stripes_and_layers_of_their_own(features):
    torch.manual_seed(1)
    model = MGH(CHANNELS, stripes=(1, 4), size=3, layers=1, embedding=7)
    clips = []
    for count, layers in zip((1, 4), model.layers, strict=True):
        nodes = stripes_of(features, count).reshape(2, 3 * count, CHANNELS)
        nodes = nodes + layers[0](shared(nodes, incidence(nodes, 3)))
        clips.append(nodes.mean(dim=1))
    assert_close(model(features).embedding, model.to_embedding(torch.cat(clips, dim=1)))


@pytest.mark.parametrize("frames", [1, 2, 8])
def test_clips_may_have_fewer_stripes_than_an_edge_has_nodes(frames, features):
    clip = features.repeat(1, 3, 1, 1, 1)[:, :frames]
    assert MGH(CHANNELS, embedding=7)(clip).embedding.isfinite().all()


def test_the_order_of_frames_does_not_matter(features):
    torch.manual_seed(1)
    model = MGH(CHANNELS, embedding=7)
    assert_close(model(features[:, [2, 0, 1]]).embedding, model(features).embedding)
