"""Sweeps on worker processes: the same bits as in one process, and errors that say what to do."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from ssn3d import data
from ssn3d.config.reid import pretraining
from ssn3d.runs import find, identify, load_or_train, many, prepare, sweep
from tests.stored import bits_of


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Two processes, started as a sweep starts them."""

    def start() -> None:
        import ssn3d.runs  # noqa: F401

    with many.local_workers(2) as client:
        client.run(start)  # in both at once, not one after the other when work comes
        yield client


@contextmanager
def in_this_process(count: int) -> Iterator[Client]:
    """A cluster whose workers are threads."""
    with (
        LocalCluster(
            n_workers=count, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_data_sets_are_rendered_at_the_same_time(tiny_config, workers, monkeypatch, tmp_path):
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    wanted = [tiny_config, replace(tiny_config, seed=1), replace(tiny_config, data_seed=7)]
    assert not any(map(data.is_ready, wanted))
    prepare(wanted, client=workers)
    assert all(map(data.is_ready, wanted))
    assert len([path for path in (tmp_path / "generated").iterdir() if path.is_dir()]) == 2


def test_workers_at_an_address_give_the_same_bits_and_report_what_they_train(
    tiny_config, store, tmp_path, monkeypatch, workers
):
    """In 16 bits, whose rounding shows any change of order."""
    wanted = [replace(tiny_config, seed=seed, precision="bfloat16") for seed in (1, 0, 1, 2)]
    load_or_train(wanted[-1])
    news: list[dict] = []
    workers.subscribe_topic(many.NEWS, lambda event: news.append(event[1]))
    monkeypatch.setenv("SSN3D_CLUSTER", workers.scheduler.address)
    beside = sweep(wanted)
    workers.unsubscribe_topic(many.NEWS)
    assert [run.config for run in beside] == wanted
    asked, *made = news
    assert asked == {"asked": tuple(map(identify, wanted[:2]))}
    assert sorted(each["made"] for each in made) == sorted(asked["asked"])
    assert {path.suffix for path in store.iterdir() if path.is_file()} == {".lock"}
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "alone"))
    assert [bits_of(run) for run in map(load_or_train, wanted)] == [bits_of(run) for run in beside]


def test_workers_make_what_runs_start_from_before_any_of_them(tiny_config, store, workers):
    wanted = [replace(tiny_config, seed=seed, pretraining_steps=2) for seed in (7, 8)]
    start = pretraining(wanted[0])
    news: list[dict] = []
    workers.subscribe_topic(many.NEWS, lambda event: news.append(event[1]))
    made = sweep(wanted, client=workers)
    workers.unsubscribe_topic(many.NEWS)
    first, *others = (each["made"] for each in news if "made" in each)
    assert first == identify(start)
    assert sorted(others) == sorted(map(identify, wanted))
    assert {run.made["starts_from"] for run in made} == {first}


class Killing:
    """A progress bar that kills a worker when the first run is done."""

    def __init__(self, client: Client) -> None:
        self.client, self.killed = client, False

    def update(self) -> None:
        if not self.killed:
            os.kill(next(iter(self.client.run(os.getpid).values())), signal.SIGKILL)
            self.killed = True


def test_a_sweep_that_loses_a_worker_gives_the_same_bits(
    tiny_config, store, tmp_path, monkeypatch, workers
):
    wanted = [replace(tiny_config, seed=seed, steps_per_epoch=10) for seed in range(3)]
    bar = Killing(workers)
    monkeypatch.setattr(many, "tqdm", lambda **_: nullcontext(bar))
    beside = [bits_of(run) for run in sweep(wanted, client=workers)]
    assert bar.killed
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "alone"))
    assert [bits_of(run) for run in map(load_or_train, wanted)] == beside


def test_two_processes_that_ask_for_one_run_train_it_once(tiny_config, store, workers):
    folders = {name: os.environ[name] for name in ("SSN3D_DATA", "SSN3D_RUNS")}

    def ask(config: Any, diary: Path) -> None:
        import logging
        import os

        from ssn3d.runs import load_or_train

        os.environ.update(folders)
        log, handler = logging.getLogger("ssn3d"), logging.FileHandler(diary)
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        load_or_train(config)
        log.removeHandler(handler)
        handler.close()

    store.mkdir()
    config = replace(tiny_config, steps_per_epoch=40)  # long enough for both to ask
    workers.wait_for_workers(2, timeout=30)  # one was killed
    processes = list(workers.scheduler_info()["workers"])
    assert len(processes) == 2
    diaries = [store / "one.log", store / "other.log"]
    workers.gather(
        [
            workers.submit(ask, config, diary, workers=[process], pure=False)
            for diary, process in zip(diaries, processes, strict=True)
        ]
    )
    said = sorted(diary.read_text().split()[0] for diary in diaries)
    assert said == ["HIT", "MISS"]


def test_what_stops_a_run_in_a_worker_reaches_the_caller_and_stops_it_once_more(
    tiny_config, store, workers, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    frames = list(data.root_of(tiny_config).rglob("*.png"))
    contents = [frame.read_bytes() for frame in frames]
    for frame in frames:
        frame.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"person.*\.png is not a readable image") as raised:
        sweep([tiny_config], client=workers)
    assert raised.value.__notes__ == [f"This happened in a worker, in {identify(tiny_config)}."]
    for frame, content in zip(frames, contents, strict=True):
        frame.write_bytes(content)
    assert sweep([tiny_config], client=workers)  # mended, it is tried again


def test_work_that_kills_its_workers_is_named(tiny_config, store, workers):
    def die(_: Any) -> None:
        import os

        os._exit(1)

    workers.cluster.scheduler.allowed_failures = 0
    with pytest.raises(Exception, match="all those workers died") as raised:
        list(many._each(workers, die, [tiny_config]))
    assert identify(tiny_config) in raised.value.__notes__[0]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://here"])
def test_an_address_without_a_scheduler_is_refused_soon(tiny_config, store, monkeypatch, address):
    monkeypatch.setenv("SSN3D_CLUSTER", address)
    monkeypatch.setattr(many, "WAIT", 1)
    with pytest.raises(RuntimeError, match=f"expected a dask scheduler at '{address}', got no"):
        sweep([tiny_config])


def test_a_cluster_without_the_workers_it_needs_is_refused_soon(tiny_config, store, monkeypatch):
    monkeypatch.setattr(many, "WAIT", 0.1)
    with in_this_process(0) as client:
        with pytest.raises(RuntimeError, match=r"expected workers, got none .*\(dask worker"):
            sweep([tiny_config], client=client)
    with in_this_process(1) as client:
        with pytest.raises(RuntimeError, match=r'resource "GPU", got 1 without .* GPU=1\)'):
            sweep([tiny_config], client=client, device="cuda")
    assert find(tiny_config) is None


def test_workers_of_several_threads_take_turns(tiny_config, store, tmp_path, monkeypatch):
    folders = {name: os.environ[name] for name in ("SSN3D_DATA", "SSN3D_RUNS")}
    wanted = [replace(tiny_config, seed=seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(
            threads.map(
                lambda config: many._call(load_or_train, config, identify(config), folders), wanted
            )
        )
    beside = [bits_of(run) for run in sweep(wanted)]
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "one by one"))
    assert [bits_of(run) for run in sweep(wanted)] == beside
