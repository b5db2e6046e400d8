from dataclasses import replace

import pytest
import torch

from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.evaluation import reid_parts as part_metrics
from ssn3d.models.ssn import Parts

H, W = 8, 4


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, clip_frames=2, clip_stride=3, test_frames=2)


def tracklet(person: int, cells: list[list[int]]) -> Tracklet:
    """Four frames; part n of frame t stands in cell `cells[t][n]`, and the first pixels say so."""
    cells = torch.tensor(cells)
    frames = torch.zeros(len(cells), 3, 16, 16, dtype=torch.uint8)
    frames[:, 0, 0, :9] = cells
    points = torch.stack([cells % W + 0.5, cells // W + 0.5], -1) / torch.tensor([W, H])
    seen = torch.ones(len(cells), 9, dtype=torch.bool)
    return Tracklet(frames, person, 1, Points(points, points, seen))


@pytest.fixture
def people():
    dice = torch.Generator().manual_seed(0)
    return [
        tracklet(person, [torch.randperm(H * W, generator=dice)[:9].tolist() for _ in range(4)])
        for person in range(6)
    ]


@pytest.fixture
def oracle(monkeypatch):
    """A network that sees each part where the frame says, in an order that may be turned."""
    network = torch.nn.Module()
    network.aggregator = torch.nn.Module()
    network.aggregator.ssn = torch.nn.Module()

    def look(config, model, clips):
        shown = torch.stack([tracklet.frames[taken, 0, 0, :9] for tracklet, taken in clips])
        cells = shown.long().roll(network.turn, dims=2)
        maps = torch.nn.functional.one_hot(cells, H * W).float().reshape(len(clips), -1, 9, H, W)
        return Parts(maps, maps, maps)

    monkeypatch.setattr(part_metrics, "find_parts_of", look)
    network.turn = 0
    return network


def test_parts_that_are_where_they_should_be(config, people, oracle):
    found = part_metrics.measure(config, oracle, people)
    assert found["pck"] == 1
    assert found["spread"] == pytest.approx({"frames": 0, "people": 0}, abs=1e-6)
    assert found["distinctness"] == 1
    assert found["extent"] == pytest.approx(1 / (H * W))
    assert found["tracklets"] == 3  # every other person


def test_only_parts_without_labels_are_assigned_to_points(config, people, oracle):
    oracle.turn = 1
    named = part_metrics.measure(config, oracle, people)
    free = part_metrics.measure(replace(config, strategy="unsupervised"), oracle, people)
    assert named["pck"] < 0.5
    assert free["pck"] == 1


def test_points_that_cannot_be_seen_do_not_count(config, people, oracle):
    oracle.turn = 1  # all wrong, if anybody looked
    hidden = [
        replace(t, points=t.points._replace(visible=torch.zeros(4, 9, dtype=torch.bool)))
        if t.person % 2
        else t
        for t in people
    ]
    found = part_metrics.measure(config, oracle, hidden[1:2] + people[:1])
    assert found["pck"] != found["pck"]  # nothing is left to count


def test_nothing_is_said_where_nothing_is_known(config, people, oracle):
    bare = [replace(t, points=None) for t in people]
    assert part_metrics.measure(config, oracle, bare) is None
    longer = replace(config, clip_frames=5, test_frames=5)
    assert part_metrics.measure(longer, oracle, people) is None
    assert part_metrics.measure(replace(config, clip_stride=99), oracle, people)["pck"] == 1
    oracle.aggregator = torch.nn.Module()
    assert part_metrics.measure(config, oracle, people) is None


def test_a_real_network_is_measured(tiny_config, tiny_split, trained):
    found = part_metrics.measure(replace(tiny_config, clip_stride=2), trained[0], tiny_split.query)
    assert 0 <= found["pck"] <= 1
    assert len(found["pck_parts"]) == 9
