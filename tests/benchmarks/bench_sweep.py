"""What a sweep by two workers costs beyond the runs themselves, and how runs slow each other."""

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from ssn3d import data, runs
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.runs import Run
from tests.benchmarks.harness import start, verdict

WORKERS, RUNS = 2, 8
SHORT = RunConfig.preset("demo", "ilids_vid", epochs=1, steps_per_epoch=60)
"""A run of about ten seconds; only the number of steps is not that of `make figures`."""
NOTHING = StudyConfig.preset("smoke", "random_maps", height=16, width=16, steps=200)
"""Over in no time, but steps enough that processes are started for a sweep of two."""
REAL = (18, 40.0)
"""A sweep of `make figures`, one a table: runs, and seconds of each."""


class Sweep(NamedTuple):
    """Where the time of a sweep went, in seconds."""

    wall: float
    each: list[float]
    """Of each run, by its own record."""
    before: float
    """Until the first run begins: processes start, import, and read the data."""
    after: float
    """From the end of the last run: processes stop, results are read."""

    @property
    def ideal(self) -> float:
        """Had the workers done nothing but runs."""
        return sum(self.each) / WORKERS

    @property
    def between(self) -> float:
        """For each run, what a worker does or waits besides: build, write, an uneven end."""
        return WORKERS * (self.wall - self.before - self.after - self.ideal) / len(self.each)


def sweep(configs: Sequence[Settings]) -> Sweep:
    """Sweep into an empty store, with as many workers as there are cores."""
    with tempfile.TemporaryDirectory() as store:
        os.environ["SSN3D_RUNS"] = store
        begin = time.time()
        made = runs.sweep(configs)
        end = time.time()
        each = [sum(run.made["seconds"].values()) for run in made]
        ends = [written(run) for run in made]
    first = min(last - seconds for last, seconds in zip(ends, each, strict=True))
    return Sweep(end - begin, each, first - begin, end - max(ends))


def written(run: Run) -> float:
    """When a run was done, by the clock of the files."""
    return Path(run.folder, "made.json").stat().st_mtime


def alone(config: RunConfig) -> float:
    """Seconds of a run in a worker like any other, beside which nothing works."""
    return sweep([config, NOTHING]).each[0]


def main() -> None:
    start(
        f"a sweep of {RUNS} short runs at demo scale by {WORKERS} workers, {os.cpu_count()} cores"
    )
    os.environ["TQDM_DISABLE"] = "1"
    data.prepare(SHORT)
    configs = [replace(SHORT, seed=seed) for seed in range(RUNS)]
    singles = [alone(config) for config in configs[:2]]
    whole = sweep(configs)
    singles += [alone(config) for config in configs[-2:]]
    line = f"{whole.wall:.1f} s against {whole.ideal:.1f} s, half of what its runs took"
    verdict(line, [whole.wall / whole.ideal] * 3, "the time")
    print(
        f"  until the first run begins {whole.before:.1f} s, after the last {whole.after:.1f} s, "
        f"beside each run {whole.between:.2f} s"
    )
    number, seconds = REAL
    ideal = number * seconds / WORKERS
    extra = whole.before + whole.after + whole.between * number / WORKERS
    line = f"so {number} runs of {seconds:.0f} s: {ideal + extra:.0f} s against {ideal:.0f} s"
    verdict(line, [1 + extra / ideal] * 3, "the time", at_most=1.05)
    beside = [whole.each[seed] for seed in (0, 1, RUNS - 2, RUNS - 1)]
    slower = [one / other for one, other in zip(beside, singles, strict=True)]
    line = f"a run beside another, {sum(beside) / 4:.1f} s, against alone, {sum(singles) / 4:.1f} s"
    verdict(line, quantiles(slower, n=4), "as long")
    gain = [WORKERS / times for times in quantiles(slower, n=4)[::-1]]
    verdict(f"runs in an hour, {WORKERS} workers against one", gain, "as many")


if __name__ == "__main__":
    main()
