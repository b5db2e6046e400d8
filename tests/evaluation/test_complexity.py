from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from ssn3d.config import RunConfig
from ssn3d.evaluation.complexity import count
from ssn3d.runs.store import clips_per_second
from ssn3d.training.reid import build


@pytest.mark.parametrize("aggregator", ["ssn3d", "average"])
def test_parameters_are_those_of_the_network(tiny_config, aggregator):
    config = replace(tiny_config, aggregator=aggregator)
    network = build(config)
    cost = count(config)
    assert cost.parameters == sum(weight.numel() for weight in network.parameters())
    assert cost.aggregator == sum(weight.numel() for weight in network.aggregator.parameters())


def test_flops_of_the_mean_are_those_of_its_convolutions_and_its_layer(tiny_config):
    config = replace(tiny_config, aggregator="average")
    height, width = config.height // 2, config.width // 2
    layers = [(3, 16, 1), (16, 32, 2), (32, 64, 2), (64, 64, 2)]  # channels, and how much smaller
    convolutions = sum(
        9 * source * out * (height // by) * (width // by) for source, out, by in layers
    )
    expected = 2 * (config.clip_frames * convolutions + 64 * config.embedding)
    assert count(config).flops == expected


def test_counting_the_papers_network_makes_and_fetches_no_parameters(monkeypatch):
    def fetch(*_, **__):
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fetch)
    cost = count(RunConfig.preset("paper", "mars"))
    assert cost.parameters > 20e6
    assert cost.flops > 15e9


def test_counting_a_network_on_a_backbone_of_timm_needs_no_weights(tiny_config, monkeypatch):
    pytest.importorskip("timm")
    monkeypatch.setattr("ssn3d.models.lite0_weights.read", None)
    monkeypatch.setattr("timm.models._builder.load_pretrained", None)
    config = replace(tiny_config, backbone="timm:tf_efficientnet_lite0", pretrained=True)
    cost = count(config)
    assert cost.parameters - cost.aggregator == 700_768
    assert cost.flops > 0


def test_speed_is_the_median_over_runs():
    config = SimpleNamespace(ids_per_batch=8, clips_per_id=2)
    runs = [
        SimpleNamespace(
            config=config,
            history={"total": [0.0] * 10},
            made={"seconds": {"train": seconds}, "resumed_after": 0},
        )
        for seconds in (1, 2, 100)
    ]
    assert clips_per_second(runs) == 80


def test_the_speed_of_a_resumed_training_is_that_of_its_last_sitting(tiny_config):
    history = {"total": [1.0] * 10}
    made = {"seconds": {"train": 2.0, "test": 1.0}, "resumed_after": 6}
    run = SimpleNamespace(config=tiny_config, history=history, made=made)
    clips = tiny_config.ids_per_batch * tiny_config.clips_per_id
    assert clips_per_second([run]) == 4 * clips / 2.0
