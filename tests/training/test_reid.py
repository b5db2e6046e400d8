import math
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from ssn3d import data
from ssn3d.datasets import ilids_vid
from ssn3d.datasets.clips import IdentitySampler
from ssn3d.evaluation import reid
from ssn3d.models.reid import ReID
from ssn3d.training import inference
from ssn3d.training import reid as train

STRATEGIES = ("unsupervised", "supervised", "semi-supervised")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def broken_files(tiny_config, tiny_split, tmp_path):
    """The tiny set copied to where its files may be damaged."""
    root = tmp_path / "broken"
    shutil.copytree(data.root_of(tiny_config), root)
    split = ilids_vid.read(root, 0)
    return split, [path for tracklet in split.train for path in tracklet.frames]


def same_weights(one: ReID, other: ReID) -> bool:
    weights = other.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("strategy", ["unsupervised", "semi-supervised"])
def test_parts_learn_to_tell_themselves_apart(tiny_config, tiny_split, strategy):
    config = replace(
        tiny_config,
        strategy=strategy,
        hidden=64,
        ssn_weight=1.0,
        steps_per_epoch=30,
        learning_rate=0.01,
    )
    _, history = train.fit(config, tiny_split.train)
    assert abs(history["ssn"][0] / 9 - math.log(9)) < 0.5  # as printed: the sum over nine parts
    assert history["ssn"][-1] < history["ssn"][0] / 2


def test_the_history_has_every_term_of_every_step(tiny_config, trained):
    _, history = trained
    assert set(history) == {"triplet", "ssn", "total", "learning_rate"}
    assert {len(values) for values in history.values()} == {2}
    for triplet, ssn, total in zip(*(history[k] for k in ("triplet", "ssn", "total")), strict=True):
        assert total == pytest.approx(triplet + tiny_config.ssn_weight * ssn, abs=1e-6)


def test_the_learning_rate_falls_after_so_many_epochs(tiny_config, tiny_split):
    config = replace(tiny_config, epochs=5, steps_per_epoch=1, decay_every=2, decay=0.1)
    _, history = train.fit(config, tiny_split.train)
    rates = [config.learning_rate * factor for factor in (1, 1, 0.1, 0.1, 0.01)]
    assert history["learning_rate"] == pytest.approx(rates)


def test_an_epoch_is_one_pass_of_the_sampler_unless_its_steps_are_given(tiny_config, tiny_split):
    config = replace(tiny_config, steps_per_epoch=None, epochs=2, dense_chunks=False)
    _, history = train.fit(config, tiny_split.train)
    people = [tracklet.person for tracklet in tiny_split.train]
    assert len(history["total"]) == 2 * len(IdentitySampler(people, 2, 2).one_pass(0))


def test_one_seed_gives_one_network(tiny_config, tiny_split, trained):
    network, history = train.fit(tiny_config, tiny_split.train)
    assert same_weights(network, trained[0])
    assert history == trained[1]


def test_another_seed_gives_another_network(tiny_config, tiny_split, trained):
    network, history = train.fit(replace(tiny_config, seed=1), tiny_split.train)
    assert not same_weights(network, trained[0])
    assert history != trained[1]


def test_the_number_of_threads_changes_nothing_and_is_restored(
    tiny_config, tiny_split, trained, threads
):
    torch.set_num_threads(2)
    network, _ = train.fit(tiny_config, tiny_split.train)
    vectors = inference.embed(tiny_config, network, tiny_split.query)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert same_weights(network, trained[0])
    assert torch.equal(vectors, inference.embed(tiny_config, network, tiny_split.query))


def test_training_and_testing_leave_the_global_random_state_alone(tiny_config, tiny_split):
    before = torch.get_rng_state()
    network, _ = train.fit(tiny_config, tiny_split.train)
    reid.evaluate(tiny_config, network, tiny_split)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_global_seed_does_not_count(tiny_config, tiny_split, trained):
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert same_weights(train.fit(tiny_config, tiny_split.train)[0], trained[0])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "not shared"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_strategy_trains_and_tests(tiny_config, tiny_split, strategy, shared, precision):
    config = replace(tiny_config, strategy=strategy, shared=shared, precision=precision)
    network, history = train.fit(config, tiny_split.train)
    assert not network.training
    assert ("ssn" in history) == (strategy != "supervised")
    result = reid.evaluate(config, network, tiny_split)
    assert result.cmc[-1] == 1


def test_all_weights_of_the_attention_learn_in_every_frame_position(tiny_config, tiny_split):
    config = replace(tiny_config, shared=False)
    start, _ = train.fit(replace(config, learning_rate=0.0), tiny_split.train)
    end, _ = train.fit(config, tiny_split.train)
    for (name, old), new in zip(start.named_parameters(), end.parameters(), strict=True):
        assert not torch.equal(old, new), name


def test_a_network_starts_with_exactly_the_backbone_of_another(
    tiny_config, tiny_split, trained, monkeypatch
):
    begun = {}

    def no_step(terms, batches, steps, model, *rest, **options):
        begun.update({name: value.clone() for name, value in model.state_dict().items()})
        return {}

    monkeypatch.setattr(train.loop, "run", no_step)
    other = replace(tiny_config, aggregator="average", strategy="unsupervised", seed=3)
    train.fit(other, tiny_split.train)
    scratch = dict(begun)
    train.fit(other, tiny_split.train, start=trained[0])
    start = trained[0].state_dict()
    for name, value in begun.items():
        source = start if name.startswith("backbone.") else scratch
        assert torch.equal(value, source[name]), name
    assert not torch.equal(scratch["backbone.0.weight"], begun["backbone.0.weight"])


def test_steps_are_reported(tiny_config, tiny_split, trained):
    seen = []
    train.fit(tiny_config, tiny_split.train, on_step=lambda *step: seen.append(step))
    assert [(done, steps) for done, steps, _ in seen] == [(1, 2), (2, 2)]
    assert [values["total"] for _, _, values in seen] == trained[1]["total"]


def test_a_loss_that_is_no_number_stops_training(tiny_config, tiny_split, monkeypatch):
    features = ReID.features
    calls = []

    def sometimes_nan(self, frames):
        calls.append(frames)
        return features(self, frames) * (math.nan if len(calls) > 2 else 1)  # two calls a step

    monkeypatch.setattr(ReID, "features", sometimes_nan)
    with pytest.raises(FloatingPointError, match=r"step 2 of 2: \{'triplet': nan, 'ssn': nan"):
        train.fit(tiny_config, tiny_split.train)


def test_a_missing_frame_in_training_is_named(tiny_config, broken_files):
    split, paths = broken_files
    for path in paths:
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"person\d+_\d+\.png does not exist"):
        train.fit(tiny_config, split.train)


def test_a_corrupt_frame_in_training_is_named(tiny_config, broken_files):
    split, paths = broken_files
    for path in paths:
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"person\d+_\d+\.png is not a readable image"):
        train.fit(tiny_config, split.train)


def test_too_few_people_to_train_on_are_refused(tiny_config, tiny_split):
    with pytest.raises(ValueError, match="takes 2 people, but the training list has 0"):
        train.fit(tiny_config, [])
    with pytest.raises(ValueError, match="takes 2 people, but the training list has 1"):
        train.fit(tiny_config, tiny_split.train[:1])


def test_an_unknown_aggregator_is_refused_with_the_nearest(tiny_config):
    with pytest.raises(ValueError, match=r"aggregator .* got 'ssn3e'; did you mean 'ssn3d'\?"):
        train.build(replace(tiny_config, aggregator="ssn3e"))


def test_a_backbone_of_timm_learns_with_the_rest(tiny_config, tiny_split):
    pytest.importorskip("timm")
    config = replace(tiny_config, backbone="timm:test_efficientnet", stride=8)
    network, history = train.fit(config, tiny_split.train)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        fresh = train.build(config)
    assert len(history["total"]) == 2
    before = dict(fresh.named_parameters())
    moved = [not torch.equal(now, before[name]) for name, now in network.named_parameters()]
    assert all(moved)
    assert network.features(torch.zeros(1, 3, 32, 16, dtype=torch.uint8)).shape[-2:] == (4, 2)
