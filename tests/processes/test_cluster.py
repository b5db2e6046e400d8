"""Runs on a cluster: scheduler and workers as processes of their own, at addresses of their own."""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import Client, LocalCluster

from ssn3d.runs import dispatch, workers
from ssn3d.runs import single as runs
from tests.stored import bits_of

ALWAYS = 'while :; do "$@"; done'
"""What a service manager does, or Slurm: start anew what has ended."""


@pytest.fixture(autouse=True)
def told(caplog) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="ssn3d")
    return caplog


class Cluster:
    """A scheduler and workers with a GPU slot each; all end with the test."""

    def __init__(self, stack: ExitStack, folder: Path):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.stack, self.folder = stack, folder
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.start_scheduler()

    def start_scheduler(self) -> None:
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )

    def start_worker(self, place: int, *options: str, always: bool = False) -> Any:
        return self._start(
            "worker", self.address, "--host", f"127.0.0.{place}", "--nthreads", "1",
            "--no-dashboard", "--local-directory", str(self.folder), *options, always=always,
        )  # fmt: skip

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(count, timeout=60)

    def _start(self, *arguments: str, always: bool = False) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *arguments]
        started = subprocess.Popen(
            ["sh", "-c", ALWAYS, "sh", *command] if always else command,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.stack.callback(started.wait)
        self.stack.callback(_kill_all_of, started)
        return started


def _kill_all_of(started: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(started.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    with ExitStack() as stack:
        yield Cluster(stack, tmp_path)


class Doing:
    """A progress bar that does something when the first run is done."""

    def __init__(self, action: Callable[[], Any]):
        self.actions = [action]

    def update(self) -> None:
        if self.actions:
            self.actions.pop()()


def same_bits_alone(
    wanted: list[Any], beside: list[dict[str, bytes]], tmp_path, monkeypatch
) -> bool:
    monkeypatch.delenv("SSN3D_CLUSTER")
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "alone"))
    return [bits_of(run) for run in map(runs.load_or_train, wanted)] == beside


def test_a_cluster_that_loses_a_worker_gives_the_same_bits(
    tiny_config, store, tmp_path, monkeypatch, cluster
):
    first, _ = (
        cluster.start_worker(place, "--no-nanny", "--resources", "GPU=1") for place in (2, 3)
    )
    cluster.wait_for_workers(2)
    wanted = [replace(tiny_config, seed=seed, steps_per_epoch=10) for seed in range(3)]
    monkeypatch.setenv("SSN3D_CLUSTER", cluster.address)
    monkeypatch.setattr(runs, "tqdm", lambda **_: nullcontext(Doing(first.kill)))
    beside = [bits_of(run) for run in runs.sweep(wanted)]
    assert first.wait() != 0
    assert same_bits_alone(wanted, beside, tmp_path, monkeypatch)


def test_a_sweep_outlives_its_scheduler(tiny_config, store, tmp_path, monkeypatch, cluster, told):
    cluster.start_worker(2, always=True)
    cluster.wait_for_workers(1)

    def restart() -> None:
        cluster.scheduler.kill()
        cluster.scheduler.wait()
        cluster.start_scheduler()

    wanted = [replace(tiny_config, seed=seed, steps_per_epoch=10) for seed in range(2)]
    monkeypatch.setenv("SSN3D_CLUSTER", cluster.address)
    monkeypatch.setattr(runs, "tqdm", lambda **_: nullcontext(Doing(restart)))
    beside = [bits_of(run) for run in runs.sweep(wanted)]
    assert f"lost the scheduler {cluster.address}; waiting up to 300 s for it" in told.text
    assert same_bits_alone(wanted, beside, tmp_path, monkeypatch)


def test_a_cluster_that_does_not_come_back_says_what_is_missing(cluster, store, monkeypatch):
    monkeypatch.setenv("SSN3D_PATIENCE", "1")
    cluster.start_worker(3, "--no-nanny")
    cluster.wait_for_workers(1)
    done = dispatch.each(cluster.address, time.sleep, [(0,), (60,)], words=str, shared=store)
    assert next(done) == (0,)
    cluster.scheduler.kill()
    with pytest.raises(
        workers.Unmanned,
        match=r"no answer in 1 s.*Of 2, 1 are done and kept, 1 are missing \(\(60,\)\)",
    ):
        next(done)


def test_a_client_that_is_closed_is_refused(store):
    with in_this_process(0) as client:
        pass
    with pytest.raises(workers.Unmanned, match="expected a connected dask client, got a closed"):
        next(dispatch.each(client, print, [()], words=str, shared=store))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://here"])
def test_an_address_without_a_scheduler_is_refused_soon(tiny_config, store, monkeypatch, address):
    monkeypatch.setenv("SSN3D_CLUSTER", address)
    monkeypatch.setattr(workers, "AT_FIRST", 1)
    with pytest.raises(RuntimeError, match=f"expected a dask scheduler at '{address}', got no"):
        runs.sweep([tiny_config])


def test_a_patience_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("SSN3D_PATIENCE", "an hour")
    with pytest.raises(ValueError, match="expected seconds, such as 3600, got 'an hour'"):
        workers.patience()


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


def test_a_cluster_without_workers_is_waited_for_but_not_for_ever(
    tiny_config, store, monkeypatch, told
):
    monkeypatch.setenv("SSN3D_PATIENCE", "1")
    with (
        in_this_process(0) as client,
        pytest.raises(RuntimeError, match="expected workers, got none; start some: dask worker"),
    ):
        runs.sweep([tiny_config], client=client)
    assert "Waiting up to 1 s" in told.text


def test_work_for_gpus_is_refused_where_no_worker_has_one(tiny_config, store, monkeypatch):
    monkeypatch.setattr(workers, "AT_FIRST", 1)
    with (
        in_this_process(1) as client,
        pytest.raises(RuntimeError, match=r"with a GPU slot.*, got 1 without; .* GPU=1"),
    ):
        next(runs._on(client, runs.load_or_train, [tiny_config], device="cuda"))


def test_a_worker_that_sees_another_folder_is_found_before_it_works(
    tiny_config, store, monkeypatch
):
    monkeypatch.setattr(dispatch, "PROPAGATION", 0.1)
    monkeypatch.setattr(dispatch, "_mark", lambda folder: folder / "elsewhere")
    with (
        in_this_process(1) as client,
        pytest.raises(RuntimeError, match=f"expected a worker that shares the folder {store}, got"),
    ):
        runs.sweep([tiny_config], client=client)
    assert runs.find(tiny_config) is None


def test_a_worker_with_another_copy_of_the_code_trains_nothing(tiny_config, store):
    with pytest.raises(RuntimeError, match=r"makes the run reid-0, got one .* that would make"):
        runs._remote(runs.load_or_train, tiny_config, {}, "reid-0")
    assert runs.find(tiny_config) is None


def test_what_two_clients_ask_for_is_done_once(store, tmp_path):
    def slow(diary: Path) -> None:
        with diary.open("a") as file:
            file.write("called ")
        time.sleep(0.5)

    diary = tmp_path / "diary"

    def ask(client: Client) -> None:
        list(dispatch.each(client, slow, [(diary,)], words=str, shared=store))

    with in_this_process(2) as client, Client(client.scheduler.address) as other:
        askers = [threading.Thread(target=ask, args=[each]) for each in (client, other)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert diary.read_text().split() == ["called"]


def test_all_that_is_left_in_the_store_beside_runs_is_locks_and_a_mark(tiny_config, store):
    with in_this_process(1) as client:
        assert runs.sweep([tiny_config], client=client)
    assert {path.suffix or path.name for path in store.iterdir() if path.is_file()} == {
        *(".lock", ".mark")
    }


@pytest.mark.parametrize(
    ("error", "times"), [(ValueError("no good"), 1), (OSError("no disk"), 1 + dispatch.RETRIES)]
)
def test_what_a_worker_raises_comes_back_with_the_name_of_the_work(
    store, tmp_path, told, error, times
):
    def fail(diary: Path) -> None:
        with diary.open("a") as file:
            file.write("called ")
        raise error

    diary = tmp_path / "diary"
    with in_this_process(1) as client, pytest.raises(type(error), match=str(error)) as raised:
        list(dispatch.each(client, fail, [(diary,)], words=lambda _: "run 7", shared=store))
    assert raised.value.__notes__ == ["This happened in a worker, in run 7."]
    assert f"run 7: {error!r}" in told.text
    assert diary.read_text().split() == ["called"] * times


def test_a_fault_that_passes_costs_a_retry(store, tmp_path):
    def fail_once(diary: Path) -> None:
        if not diary.exists():
            diary.touch()
            raise OSError("stale file handle")

    work = [(tmp_path / "one",), (tmp_path / "other",)]
    with in_this_process(1) as client:
        assert sorted(dispatch.each(client, fail_once, work, words=str, shared=store)) == work


def test_work_that_kills_its_workers_is_named(store):
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        workers.this_machine(1) as client,
        pytest.raises(
            RuntimeError, match=r"\(9,\): workers that had it, at work or waiting, died 3 times"
        ),
    ):
        list(dispatch.each(client, os._exit, [(9,)], words=str, shared=store))
