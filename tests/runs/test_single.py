import json
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version

import pytest
import torch

from ssn3d import data
from ssn3d.config import StudyConfig
from ssn3d.config import reid as reid_config
from ssn3d.config.reid import pretraining
from ssn3d.datasets.tracklets import Split
from ssn3d.runs import experiments
from ssn3d.runs import single as runs
from ssn3d.synthetic.walkers import render
from ssn3d.training import checkpoint
from tests.stored import RESULTS, bits_of


@pytest.fixture(autouse=True)
def told(caplog) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="ssn3d.runs.single")
    return caplog


def test_a_run_is_missing_once_and_found_after(tiny_config, store, told, trainings):
    made = runs.load_or_train(tiny_config)
    assert f"MISS {made.id}" in told.messages
    assert "HIT" not in told.text
    told.clear()
    found = runs.load_or_train(tiny_config)
    assert told.messages == [f"HIT {made.id}"]
    assert found == made
    assert trainings == [0]
    assert made.folder == store / runs.identify(tiny_config)


def test_a_run_that_was_not_made_is_not_found(tiny_config, store):
    assert runs.find(tiny_config) is None
    assert not store.exists()


def test_a_cached_run_equals_a_fresh_one(tiny_config, store, monkeypatch, tmp_path):
    cached = runs.load_or_train(tiny_config)
    cached = runs.load_or_train(tiny_config)
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "another store"))
    fresh = runs.load_or_train(tiny_config)
    assert fresh.folder != cached.folder
    assert bits_of(fresh) == bits_of(cached)


def test_a_run_says_how_it_was_made(tiny_config, store):
    made = runs.load_or_train(tiny_config).made
    told = {"kind", "data", "starts_from", "results_version", "commit", "device", "seconds"}
    assert set(made) == told | {"resumed_after", "versions", "sha256"}
    assert made["starts_from"] is None
    assert set(made["versions"]) == {"ssn3d", "torch", "torchvision"}
    assert set(made["sha256"]) == set(RESULTS)
    assert str(store.parent) not in json.dumps(made)


@pytest.fixture
def later(tiny_config):
    """A run that starts from a pretrained backbone."""
    return replace(tiny_config, pretraining_steps=2, seed=7)


def test_a_run_starts_from_the_run_it_names_which_is_trained_once(later, store, trainings, told):
    run, other = (runs.load_or_train(replace(later, seed=seed)) for seed in (7, 8))
    assert trainings == [0, 7, 8]
    start = runs.find(pretraining(later))
    assert run.made["starts_from"] == other.made["starts_from"] == start.id
    assert f"MISS {start.id}" in told.messages
    trained, before = run.model().backbone.state_dict(), start.model().backbone.state_dict()
    assert trained.keys() == before.keys()
    assert not all(torch.equal(trained[name], before[name]) for name in before)


def test_another_start_is_another_run(later, monkeypatch):
    scratch = replace(later, pretraining_steps=0)
    before = runs.identify(later), runs.identify(scratch)
    monkeypatch.setattr(reid_config, "OTHER_PEOPLE", 5)
    assert runs.identify(later) != before[0]
    assert runs.identify(scratch) == before[1]


def test_two_that_ask_at_once_share_what_they_start_from(later, store, trainings):
    data.prepare(later)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(runs.load_or_train, (later, replace(later, seed=8))))
    assert sorted(trainings) == [0, 7, 8]


def test_steps_of_what_a_run_starts_from_are_reported_first(later, store):
    seen = []
    runs.load_or_train(replace(later, epochs=3), on_step=lambda *step: seen.append(step[:2]))
    assert seen == [(1, 2), (2, 2), *((step, 6) for step in range(1, 7))]


def test_a_run_that_resumes_does_not_start_again(later, store, trainings, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)

    def interrupt(step, steps, terms):
        if (step, steps) == (5, 6):
            raise KeyboardInterrupt

    longer = replace(later, epochs=3)
    with pytest.raises(KeyboardInterrupt):
        runs.load_or_train(longer, on_step=interrupt)
    resumed = runs.load_or_train(longer)
    assert resumed.made["resumed_after"] == 5
    assert trainings == [0, 7, 7]
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "another store"))
    assert bits_of(runs.load_or_train(longer)) == bits_of(resumed)


def test_steps_are_reported_while_a_run_is_trained(tiny_config, store):
    seen = []
    runs.load_or_train(tiny_config, on_step=lambda *step: seen.append(step[:2]))
    runs.load_or_train(tiny_config, on_step=lambda *step: seen.append(step[:2]))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize("damage", ["truncated", "missing weights"])
def test_a_damaged_run_is_made_again_with_a_warning(tiny_config, store, told, trainings, damage):
    first = runs.load_or_train(tiny_config)
    before = bits_of(first)
    told.clear()
    if damage == "truncated":
        (first.folder / "metrics.json").write_bytes(b"{")
    else:
        (first.folder / "weights.safetensors").unlink()
    again = runs.load_or_train(tiny_config)
    [warning] = [record for record in told.records if record.levelno == logging.WARNING]
    assert "holds a damaged run" in warning.getMessage()
    assert "will be made again" in warning.getMessage()
    assert bits_of(again) == before
    assert trainings == [0, 0]


def test_a_run_is_named_in_words_and_digits(tiny_config):
    name = runs.identify(tiny_config)
    assert re.fullmatch(r"reid-ilids_vid-ssn3d-semi-supervised-seed0-[0-9a-f]{8}", name)
    alone = runs.identify(StudyConfig.preset("smoke", "random_maps"))
    assert re.fullmatch(r"ssn_only-random_maps-normal-n9-seed0-[0-9a-f]{8}", alone)


def test_other_settings_data_or_version_are_another_run(tiny_config, monkeypatch):
    names = {runs.identify(tiny_config), runs.identify(replace(tiny_config, margin=0.5))}
    kind = experiments.EXPERIMENTS["reid"]
    monkeypatch.setitem(experiments.EXPERIMENTS, "reid", kind._replace(results_version=99))
    names.add(runs.identify(tiny_config))
    monkeypatch.setattr(data, "identity_of", lambda _: "drawn differently")
    names.add(runs.identify(tiny_config))
    assert len(names) == 4


def test_another_version_of_the_renderer_is_another_run(tiny_config, monkeypatch):
    before = runs.identify(tiny_config)
    monkeypatch.setattr(render, "RENDERER_VERSION", 99)
    assert runs.identify(tiny_config) != before


def test_a_run_of_other_settings_under_this_name_is_no_hit(tiny_config, store, told, trainings):
    other = runs.load_or_train(replace(tiny_config, margin=0.5))
    other.folder.rename(store / runs.identify(tiny_config))
    assert runs.load_or_train(tiny_config).config == tiny_config
    assert "holds a run of other settings (margin)" in told.text
    assert trainings == [0, 0]


def test_a_hit_says_once_if_the_run_was_made_elsewhere(tiny_config, store, told, monkeypatch):
    others = replace(tiny_config, seed=1)
    for config in (tiny_config, others, tiny_config):
        runs.load_or_train(config)
    assert "elsewhere" not in told.text
    monkeypatch.setattr(runs, "device_name", lambda device: "another processor")
    runs.load_or_train(tiny_config)
    runs.load_or_train(others)
    [warning] = [line for line in told.messages if "elsewhere" in line]
    assert "here another processor" in warning


def test_a_run_on_timm_tells_its_version_and_a_run_that_does_not_is_no_stranger(
    tiny_config, store, told, monkeypatch
):
    pytest.importorskip("timm")
    config = replace(tiny_config, backbone="timm:tf_efficientnet_lite0")
    run = runs.load_or_train(config)
    versions = run.made["versions"]
    assert versions["timm"] == version("timm")
    monkeypatch.setattr(runs.store, "read", lambda folder: run)
    del versions["timm"]  # as in runs that were made before it was kept
    runs.load_or_train(config)
    assert "elsewhere" not in told.text
    versions["timm"] = "0"
    runs.load_or_train(config)
    assert "timm 0, here" in told.text


def test_an_unknown_aggregator_is_refused_before_any_work(tiny_config, store):
    with pytest.raises(ValueError, match="aggregator must be one of"):
        runs.load_or_train(replace(tiny_config, aggregator="none"))
    assert not store.exists()


def test_data_that_cannot_be_scored_are_refused_before_training(
    tiny_config, tiny_split, store, monkeypatch, trainings
):
    alone = Split(tiny_split.train, tiny_split.query[:1], tiny_split.gallery[1:])
    monkeypatch.setattr(data, "split_of", lambda config: alone)
    with pytest.raises(ValueError, match="none of the 1 queries has a match"):
        runs.load_or_train(tiny_config)
    assert trainings == []


def test_a_failed_training_leaves_no_run(tiny_config, store):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.load_or_train(tiny_config, on_step=interrupt)
    assert not [path for path in store.iterdir() if path.is_dir()]
    assert runs.load_or_train(tiny_config)


def test_two_that_ask_for_one_run_train_it_once(tiny_config, store, trainings):
    start = threading.Barrier(2)

    def ask(_):
        start.wait()
        return runs.load_or_train(tiny_config)

    with ThreadPoolExecutor(2) as askers:
        one, other = askers.map(ask, range(2))
    assert one == other
    assert trainings == [0]


def test_a_run_says_which_device_computed_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"an accelerator, {device}")
    assert runs.device_name("cuda:1") == "an accelerator, cuda:1"
    assert ", one thread" in runs.device_name("cpu")


def test_an_untrained_network_is_a_run_too(store):
    run = runs.load_or_train(StudyConfig.preset("smoke", "amber", steps=0))
    assert (run.history, run.made["resumed_after"]) == ({}, 0)
