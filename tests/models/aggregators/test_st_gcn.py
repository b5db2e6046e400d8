import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ssn3d.models.aggregators.st_gcn import STGCN, GraphConv, normalised, stripes_of

CHANNELS = 6


@pytest.fixture
def features(generator) -> Tensor:
    return torch.randn(2, 3, CHANNELS, 8, 4, generator=generator)


def test_edges_are_shares_with_loops_over_the_roots_of_both_degrees(generator):
    affinity = torch.randn(2, 4, 4, generator=generator)
    shares = affinity.exp() / affinity.exp().sum(dim=-1, keepdim=True)
    expected = torch.zeros(2, 4, 4)
    for b in range(2):
        linked = shares[b] + torch.eye(4)
        for i in range(4):
            for j in range(4):
                degrees = linked[i].sum() * linked[j].sum()
                expected[b, i, j] = linked[i, j] / degrees.sqrt()
    assert_close(normalised(affinity), expected)


def test_a_node_alone_keeps_to_itself():
    assert_close(normalised(torch.zeros(1, 1, 1)), torch.ones(1, 1, 1))


def test_similar_nodes_are_linked_most(generator):
    torch.manual_seed(1)
    one, other = 5 * torch.randn(2, 1, CHANNELS, generator=generator)
    nodes = torch.cat([one, one, other])[None]
    graph = GraphConv(CHANNELS)
    graph.compared.weight.data = torch.eye(CHANNELS)
    edges = graph.edges(nodes)[0]
    assert edges[0, 1] > 2 * edges[0, 2]


def test_a_layer_adds_what_neighbours_see(generator):
    torch.manual_seed(1)
    graph = GraphConv(CHANNELS, layers=1)
    nodes = torch.randn(2, 5, CHANNELS, generator=generator)
    edges = graph.edges(nodes)
    linear, norm, _ = graph.layers[0]
    expected = torch.zeros_like(nodes)
    for b in range(2):
        for i in range(5):
            seen = sum(edges[b, i, j] * nodes[b, j] for j in range(5))
            expected[b, i] = nodes[b, i] + norm(linear.weight @ seen).relu()
    assert_close(graph(nodes), expected)


def test_a_stripe_is_the_maximum_over_its_rows(features):
    stripes = stripes_of(features, 4)
    assert stripes.shape == (2, 3, 4, CHANNELS)
    for v in range(4):
        assert_close(stripes[:, :, v], features[..., 2 * v : 2 * v + 2, :].amax(dim=(-1, -2)))


def test_three_branches_are_joined(features):
    torch.manual_seed(1)
    model = STGCN(CHANNELS, embedding=7)
    nodes = stripes_of(features, 4)
    clips = torch.zeros(2, 3, CHANNELS)
    for b in range(2):
        clips[b, 0] = model.over_time(nodes[b].reshape(1, 12, CHANNELS))[0].amax(dim=0)
        for t in range(3):
            clips[b, 1] += model.over_space(nodes[b, t][None])[0].amax(dim=0) / 3
            clips[b, 2] += features[b, t].amax(dim=(1, 2)) / 3
    assert_close(model(features).embedding, model.to_embedding(clips.flatten(1)))


def test_the_order_of_frames_does_not_matter(features):
    torch.manual_seed(1)
    model = STGCN(CHANNELS, embedding=7)
    assert_close(model(features[:, [2, 0, 1]]).embedding, model(features).embedding)
