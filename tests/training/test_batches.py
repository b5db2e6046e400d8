from dataclasses import replace
from itertools import islice

import pytest
import torch

from ssn3d.datasets.tracklets import Tracklet
from ssn3d.training import batches


def same(one, other) -> bool:
    return all(
        torch.equal(a.nan_to_num(-1), b.nan_to_num(-1)) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("dense", [True, False])
def test_long_tracklets_are_cut_in_chunks_on_request(tiny_config, tiny_split, monkeypatch, dense):
    monkeypatch.setattr(batches, "DENSE", {"ilids_vid": (8, 16)})
    training = batches.TrainingBatches(replace(tiny_config, dense_chunks=dense), tiny_split.train)
    lengths = [len(tracklet) for tracklet in tiny_split.train]
    expected = sum(length // 8 for length in lengths) if dense else len(lengths)
    assert len(training.clips.tracklets) == expected


@pytest.mark.parametrize("strategy", ["unsupervised", "supervised", "semi-supervised"])
def test_batches_from_the_middle_are_those_of_an_uninterrupted_training(
    tiny_config, tiny_split, strategy
):
    training = batches.TrainingBatches(replace(tiny_config, strategy=strategy), tiny_split.train)
    every = list(islice(training.after(0), 5))
    for late, expected in zip(training.after(3), every[3:], strict=False):
        assert same(late, expected)


def test_batches_read_ahead_by_other_processes_are_the_same(tiny_config, tiny_split, monkeypatch):
    monkeypatch.setattr(batches, "PIXELS", {"cpu": 1})  # one test clip a batch
    training = batches.TrainingBatches(tiny_config, tiny_split.train)
    drawn, tested = [], []
    for loaders in (0, 2):
        monkeypatch.setattr(batches, "loaders_for", lambda _, count=loaders: count)
        drawn.append(list(islice(training.after(1), 3)))
        tested.append(list(batches.test_batches(tiny_config, tiny_split.query)))
    assert all(same(one, other) for one, other in zip(*drawn, strict=True))
    assert len(tested[0]) > 1
    for one, other in zip(*tested, strict=True):
        assert torch.equal(one.frames, other.frames)
        assert one.owners == other.owners


def test_as_many_frames_go_together_whatever_the_tracklets_are_like(tiny_config):
    config = replace(tiny_config, height=64, width=32, test_frames=32, test_protocol="full")
    long = Tracklet(torch.zeros(1, 3, 64, 32, dtype=torch.uint8).expand(640, -1, -1, -1), 1, 1)
    at_once = [len(batch.frames) for batch in batches.test_batches(config, [long])]
    assert at_once == [8, 8, 4]  # 2**19 pixels, and what is left
    large = replace(config, height=256, width=128)
    assert {len(batch.frames) for batch in batches.test_batches(large, [long])} == {1}


def test_a_cpu_has_other_work_than_reading_ahead():
    assert batches.loaders_for("cpu") == 0
    assert batches.loaders_for("cuda") >= 1
