import logging
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from pickle import UnpicklingError

import pytest
import torch
from torch import nn

from ssn3d.config import StudyConfig
from ssn3d.training import checkpoint, loop, reid, ssn_only
from ssn3d.training.checkpoint import Checkpoint


class Killed(BaseException):
    """What no handler sees, like kill -9."""


@pytest.fixture
def always(monkeypatch) -> None:
    """Progress is saved after every step."""
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 1e9)


@pytest.fixture
def config(tiny_config):
    return replace(tiny_config, epochs=3, steps_per_epoch=2, decay_every=2)


def killed_after(step: int):
    def on_step(done: int, *_: object) -> None:
        if done == step:
            raise Killed

    return on_step


def same(one: nn.Module, other: nn.Module) -> bool:
    weights = other.state_dict()
    return all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "not shared"])
def test_a_killed_training_ends_as_one_that_was_never_killed(
    config, tiny_split, tmp_path, always, precision, shared
):
    config = replace(config, precision=precision, shared=shared)
    network, history = reid.fit(config, tiny_split.train)
    for step in (1, 3, 4):  # three times killed, three times continued
        with pytest.raises(Killed):
            reid.fit(
                config, tiny_split.train, checkpoint=tmp_path / "run", on_step=killed_after(step)
            )
    again, continued = reid.fit(config, tiny_split.train, checkpoint=tmp_path / "run")
    assert continued == history
    assert same(again, network)


def test_only_the_steps_after_the_last_saving_are_taken_again(
    config, tiny_split, tmp_path, monkeypatch
):
    monkeypatch.setattr(Checkpoint, "offer", lambda self, h: len(h["total"]) == 2 and self.save(h))
    with pytest.raises(Killed):
        reid.fit(config, tiny_split.train, checkpoint=tmp_path / "run", on_step=killed_after(5))
    taken = []
    reid.fit(
        config,
        tiny_split.train,
        checkpoint=tmp_path / "run",
        on_step=lambda done, *_: taken.append(done),
    )
    assert taken == [3, 4, 5, 6]


def test_a_killed_study_ends_as_one_that_was_never_killed(tmp_path, always):
    config = StudyConfig.preset("smoke", "random_maps", steps=5)
    network, history = ssn_only.fit(config)
    with pytest.raises(Killed):
        ssn_only.fit(config, checkpoint=tmp_path / "run", on_step=killed_after(3))
    again, continued = ssn_only.fit(config, checkpoint=tmp_path / "run")
    assert continued == history
    assert same(again, network)


@pytest.fixture
def parts() -> Iterator[tuple[nn.Module, torch.optim.Optimizer]]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Linear(3, 2)
        yield network, torch.optim.Adam(network.parameters())


def taken(parts, file: Path, steps: int) -> Checkpoint:
    """Some steps, and the last state saved."""
    network, optimiser = parts
    saved = Checkpoint(file, network, optimiser)
    terms = lambda _: {"total": network.weight.square().sum()}  # noqa: E731
    saved.save(loop.run(terms, count, steps, network, optimiser))
    return saved


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_counts_as_nothing(parts, tmp_path, caplog, share):
    saved = taken(parts, tmp_path / "run", 2)
    content = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(content[: int(share * len(content))])
    assert saved.resume() == {}
    assert "cannot be resumed from" in caplog.text


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_flipped_bit_is_noticed(parts, tmp_path, caplog, share):
    saved = taken(parts, tmp_path / "run", 2)
    content = bytearray((tmp_path / "run").read_bytes())
    content[int(share * len(content))] ^= 1
    (tmp_path / "run").write_bytes(content)
    assert saved.resume() == {}
    assert "cannot be resumed from" in caplog.text


def test_the_checkpoint_of_another_network_is_refused(parts, tmp_path):
    taken(parts, tmp_path / "run", 2)
    other = nn.Linear(4, 2)
    with pytest.raises(ValueError, match="checkpoint of another network"):
        Checkpoint(tmp_path / "run", other, torch.optim.Adam(other.parameters())).resume()


def test_a_full_disk_stops_no_training(parts, tmp_path, monkeypatch, caplog):
    saved = taken(parts, tmp_path / "run", 2)
    kept = (tmp_path / "run").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    saved.save({"total": [0.0] * 9})
    assert "No space left on device); training goes on" in caplog.text
    assert (tmp_path / "run").read_bytes() == kept
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_saving_is_rare_enough_to_cost_little(parts, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])
    saved = Checkpoint(tmp_path / "run", *parts)
    times = []

    def slow_save(_: object) -> None:
        times.append(clock[0])
        clock[0] += 1.0  # a large network, a slow disk

    monkeypatch.setattr(saved, "save", slow_save)
    while clock[0] < 1000:
        saved.offer({"total": [0.0]})
        clock[0] += 0.5
    assert len(times) <= 1000 * checkpoint.SHARE + 1
    assert times[0] == checkpoint.EVERY


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("unpickled"),)


def test_nothing_is_unpickled_but_numbers(parts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stored = BytesIO()
    torch.save({"network": Evil()}, stored)
    content = stored.getvalue()
    Path("run").write_bytes(sha256(content).digest() + content)
    with pytest.raises(UnpicklingError):
        Checkpoint(Path("run"), *parts).resume()
    assert not Path("unpickled").exists()


def test_resuming_is_said(parts, tmp_path, caplog):
    saved = taken(parts, tmp_path / "run", 2)
    with caplog.at_level(logging.INFO, "ssn3d"):
        assert len(saved.resume()["total"]) == 2
    assert "resumed after step 2" in caplog.text
