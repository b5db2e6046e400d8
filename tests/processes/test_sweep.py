"""Sweeps on processes and threads of this machine: the bits of one alone, and errors come home."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ssn3d import data
from ssn3d.runs import single as runs
from tests.stored import bits_of


@pytest.fixture(scope="module")
def workers(tiny_config) -> Iterator[Any]:
    """Two processes, started as a sweep starts them."""

    def start() -> None:
        import ssn3d.runs  # noqa: F401

    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runs, "WORTH_PROCESSES", 0)
            patch.setattr("dask.system.CPU_COUNT", 2)
            client = stack.enter_context(runs._workers(None, [tiny_config], 2))
        client.run(start)  # in both at once, not one after the other when work comes
        yield client


def test_data_sets_are_rendered_before_they_are_needed(tiny_config, workers, monkeypatch, tmp_path):
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    wanted = [tiny_config, replace(tiny_config, seed=1), replace(tiny_config, data_seed=7)]
    assert not any(map(data.is_ready, wanted))
    runs.prepare(wanted, client=workers)
    assert all(map(data.is_ready, wanted))
    assert len([path for path in (tmp_path / "generated").iterdir() if path.is_dir()]) == 2


def test_processes_give_the_same_bits_as_one(tiny_config, store, tmp_path, monkeypatch, workers):
    wanted = [replace(tiny_config, seed=seed) for seed in (1, 0, 1)]
    beside = runs.sweep(wanted, client=workers)
    assert [run.config for run in beside] == wanted
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "in process"))
    assert [bits_of(run) for run in runs.sweep(wanted)] == [bits_of(run) for run in beside]


def test_two_processes_that_ask_for_one_run_train_it_once(tiny_config, store, workers):
    folders = {name: os.environ[name] for name in ("SSN3D_DATA", "SSN3D_RUNS")}

    def ask(config: Any, diary: Path) -> None:
        import logging
        import os

        from ssn3d.runs import single as runs

        os.environ.update(folders)
        handler = logging.FileHandler(diary)
        runs.log.addHandler(handler)
        runs.log.setLevel(logging.INFO)
        runs.load_or_train(config)
        runs.log.removeHandler(handler)
        handler.close()

    store.mkdir()
    config = replace(tiny_config, steps_per_epoch=40)  # long enough for both to ask
    workers.wait_for_workers(2, timeout=30)  # or what is known of them may be out of date
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


def test_what_stops_a_run_in_a_worker_reaches_the_caller(
    tiny_config, store, workers, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    for frame in data.root_of(tiny_config).rglob("*.png"):
        frame.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"person.*\.png is not a readable image"):
        runs.sweep([tiny_config, replace(tiny_config, seed=1)], client=workers)


SCRIPT = """
import dask.system
from dataclasses import replace
from ssn3d import RunConfig, runs, sweep

dask.system.CPU_COUNT, runs.WORTH_PROCESSES = 2, 0
config = RunConfig(**{settings})
print(len(sweep(replace(config, seed=seed) for seed in range(2))), "runs by", __file__)
"""


def test_a_script_may_sweep_unguarded(tiny_config, store, tmp_path, monkeypatch):
    """Without `if __name__ == "__main__"`, that is; Python would run it again in each worker."""
    monkeypatch.delenv("SSN3D_CLUSTER", raising=False)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(settings=asdict(tiny_config)))
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"TQDM_DISABLE": "1"},
    )
    assert done.stdout == f"2 runs by {script}\n", done.stderr


def test_workers_of_several_threads_take_turns(tiny_config, store, tmp_path, monkeypatch):
    folders = {name: os.environ[name] for name in ("SSN3D_DATA", "SSN3D_RUNS")}
    wanted = [replace(tiny_config, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda c: runs._remote(runs.load_or_train, c, folders), wanted))
    beside = [bits_of(run) for run in runs.sweep(wanted)]
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "one by one"))
    assert [bits_of(run) for run in runs.sweep(wanted)] == beside
