"""Five hundred small runs through two workers that live on: nothing may grow, leak or stay behind.

Prints a line of the table in tests/README.md; what each process held over time goes to stderr.
"""

import argparse
import getpass
import json
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import linear_regression, median
from typing import NamedTuple

import dask
import psutil
from distributed import Client, LocalCluster

from ssn3d.config import RunConfig
from ssn3d.runs import single as runs
from ssn3d.runs.store import Run, store_folder

GROWTH = 0.02
"""Of the memory of a process, from the first fifth after its warm-up to the last, at most."""
SLOPE = 30.0
"""Kilobytes more with each run of the sweep, at most; the network of one takes a thousand."""
MORE = {"files": 4, "threads": 0, "children": 0}
"""What else a process may have more of; dask opens a connection or two when it first needs them."""
WARM_UP = 0.2
"""Share of the samples that do not count: caches fill, code is loaded."""
SECONDS = 120
"""A sweep that takes longer hangs."""
ALONE = 20
"""How many of the runs are made again, in this process and another store, to be compared."""
KEPT = {
    "dask-scratch-space",
    "global.lock",
    "purge.lock",
    f"torchinductor_{getpass.getuser()}",
}
"""What dask and torch keep in the temporary folder for their next time, however often they run."""
TINY = RunConfig.preset(
    "smoke",
    "ilids_vid",
    train_people=4,
    test_people=3,
    hidden=16,
    block_width=8,
    embedding=16,
    ids_per_batch=2,
    precision="float32",
)
"""Two steps on four people."""


class Vitals(NamedTuple):
    """What a process holds at one moment."""

    memory: float
    """Kilobytes resident."""
    files: int
    """Open descriptors."""
    threads: int
    children: int


class Outcome(NamedTuple):
    """What came of it."""

    tries: int
    wrong: int
    """Runs with other results than alone, and things that grew or stayed behind."""
    lost: int
    """Runs that are not in the store, those of `hangs` among them."""
    hangs: int
    """Sweeps that did not end."""


def vitals(process: psutil.Process) -> Vitals:
    """What a process holds now."""
    return Vitals(
        process.memory_info().rss / 1024,
        process.num_fds(),
        process.num_threads(),
        len(process.children(recursive=True)),
    )


def ends(values: Sequence[float]) -> tuple[float, float]:
    """Medians of the first and of the last fifth, after the warm-up."""
    counted = values[round(WARM_UP * len(values)) :]
    fifth = max(1, len(counted) // 5)
    return median(counted[:fifth]), median(counted[-fifth:])


def slope(memory: Sequence[float], each: int) -> float:
    """Kilobytes a run, by a straight line through all samples after the warm-up."""
    counted = memory[round(WARM_UP * len(memory)) :]
    return linear_regression(range(0, each * len(counted), each), counted).slope


def grown(name: str, samples: Sequence[Vitals]) -> Iterator[str]:
    """What a process of some name has more of in the end than at first."""
    before, after = ends([sample.memory for sample in samples])
    if after > before * (1 + GROWTH):
        yield f"memory of {name}: {before:.0f} kB, later {after:.0f}"
    for field, more in MORE.items():
        before, after = ends([getattr(sample, field) for sample in samples])
        if after > before + more:
            yield f"{field} of {name}: {before:g}, later {after:g}"


def left_behind(finished: Iterable[Run]) -> Iterator[str]:
    """What is in the store, or beside rendered sets, that no finished run accounts for.

    Each run keeps one empty lock: were it removed, two processes could hold locks of one name.
    """
    store = store_folder()
    names = {run.id for run in finished}
    known = names | {f"{name}.lock" for name in names} | {".mark"}
    yield from (f"in the store: {path.name}" for path in store.iterdir() if path.name not in known)
    yield from (f"not empty: {path.name}" for path in store.glob("*.lock") if path.stat().st_size)
    drafts = (store.parent / "generated").glob(".*")
    yield from (f"beside the rendered sets: {path.name}" for path in drafts)


def processes_of(client: Client) -> dict[str, psutil.Process]:
    """The processes that work, and this one, in which the scheduler and the nannies live."""
    workers = {f"worker {pid}": psutil.Process(pid) for pid in client.run(os.getpid).values()}
    return {"caller": psutil.Process()} | workers


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the middle of what takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def soak(batches: Sequence[Sequence[RunConfig]]) -> dict[str, list[Vitals]]:
    """Sweep one batch after the other, with the same two workers.

    Returns:
        Each process's vitals, after each batch; no more of them after one that hangs.
    """
    samples: dict[str, list[Vitals]] = defaultdict(list)
    with (
        # dask's profiler keeps all that it saw in the last thousand seconds: 200 kB a run
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=None
        ) as cluster,
        Client(cluster) as client,
    ):
        for batch in batches:
            try:
                with limited(SECONDS):
                    runs.sweep(batch, client=client)
            except TimeoutError:
                break
            for name, process in processes_of(client).items():
                samples[name].append(vitals(process))
    return samples


def differing(finished: Sequence[Run], store: Path) -> Iterator[str]:
    """Runs that are others when made alone, in this process, whose store is another from now on."""
    os.environ["SSN3D_RUNS"] = str(store)
    for run in finished:
        alone = runs.load_or_train(run.config)
        if alone.made["sha256"] != run.made["sha256"]:  # of history, scores and weights
            yield f"results of {run.id}"


def complaints(samples: Mapping[str, Sequence[Vitals]], batches: int, each: int) -> Iterator[str]:
    """What grew, and which processes did not live from the first batch to the last."""
    for name, several in samples.items():
        if len(several) < batches:
            yield f"{name} lived through {len(several)} of {batches} batches"
            continue
        yield from grown(name, several)
        if (more := slope([sample.memory for sample in several], each)) > SLOPE:
            yield f"memory of {name}: {more:.1f} kB more with each run"


def processes_left(before: set[psutil.Process]) -> Iterator[str]:
    """Processes that this one started and that live on; Python's own cleaner always does."""
    for child in set(psutil.Process().children(recursive=True)) - before:
        command = " ".join(child.cmdline())
        if "resource_tracker" not in command:
            yield f"process: {command}"


def told(samples: Mapping[str, Sequence[Vitals]], each: int) -> Iterator[str]:
    """A line a process."""
    for name, several in samples.items():
        memory = [sample.memory for sample in several]
        before, after = ends(memory)
        last = several[-1]
        yield (
            f"{name}: {before / 1024:.1f} MB, in the end {after / 1024:.1f} "
            f"({after / before - 1:+.2%}, {slope(memory, each):+.2f} kB a run); "
            f"{last.files} descriptors, {last.threads} threads, {last.children} children"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--each", type=int, default=10, help="runs to a sweep")
    arguments = parser.parse_args()
    started, before = time.monotonic(), set(psutil.Process().children(recursive=True))
    each = arguments.each
    configs = [replace(TINY, seed=seed) for seed in range(arguments.runs)]
    batches = [configs[first : first + each] for first in range(0, len(configs), each)]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        tempfile.tempdir = str(scratch)  # of this process; the workers go by the environment
        os.environ |= {"TMPDIR": str(scratch), "SSN3D_DATA": folder, "TQDM_DISABLE": "1"}
        os.environ["SSN3D_RUNS"] = str(Path(folder, "runs"))
        samples = soak(batches)
        finished = [run for config in configs if (run := runs.find(config))]
        wrong = [
            *complaints(samples, len(batches), each),
            *left_behind(finished),
            *(f"temporary: {path}" for path in scratch.rglob("*") if path.name not in KEPT),
            *processes_left(before),
            *differing(finished[:: max(1, len(finished) // ALONE)], Path(folder, "alone")),
        ]
    lost, hangs = len(configs) - len(finished), int(len(samples["caller"]) < len(batches))
    print(*told(samples, each), *wrong, sep="\n", file=sys.stderr)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    print(json.dumps({"soak": Outcome(len(configs), len(wrong), lost, hangs)._asdict()}))
    sys.exit(bool(wrong or lost or hangs))


if __name__ == "__main__":
    main()
