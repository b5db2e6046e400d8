"""Runs on a cluster: scheduler and workers as processes of their own, at addresses of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import Client

from ssn3d import runs

RESULTS = ("config.json", "history.json", "metrics.json", "weights.safetensors")


def process(stack: ExitStack, *arguments: str) -> subprocess.Popen[bytes]:
    """A dask command that ends with the test."""
    started = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(started.wait)
    stack.callback(started.kill)
    return started


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and two workers with a GPU slot each."""
    with ExitStack() as stack:
        file = tmp_path / "scheduler.json"
        process(
            stack, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file),
        )  # fmt: skip
        while not file.exists():
            time.sleep(0.1)
        workers = [
            process(
                stack, "worker", "--scheduler-file", str(file), "--host", f"127.0.0.{place}",
                "--no-nanny", "--nthreads", "1", "--no-dashboard", "--resources", "GPU=1",
                "--local-directory", str(tmp_path),
            )
            for place in (2, 3)
        ]  # fmt: skip
        address = json.loads(file.read_bytes())["address"]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers


def contents(run: runs.Run) -> list[bytes]:
    return [(run.folder / name).read_bytes() for name in RESULTS]


def test_a_cluster_that_loses_a_worker_gives_the_same_bits(
    tiny_config, store, tmp_path, monkeypatch, cluster
):
    address, (first, _) = cluster
    wanted = [replace(tiny_config, seed=seed, steps_per_epoch=20) for seed in range(4)]
    monkeypatch.setenv("SSN3D_CLUSTER", address)
    monkeypatch.setattr(runs, "tqdm", lambda **_: nullcontext(Killing(first)))
    beside = [contents(run) for run in runs.sweep(wanted)]
    assert first.wait() != 0
    monkeypatch.delenv("SSN3D_CLUSTER")
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "alone"))
    assert [contents(run) for run in map(runs.load_or_train, wanted)] == beside


class Killing:
    """A progress bar that kills a process when the first run is done."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self.process = process

    def update(self) -> None:
        self.process.kill()
