"""The same runs by older instruction sets than this processor has: what differs, and how much.

Sums are the same on one type of processor, but each type adds in its own order, and rounds to 16
bits in its own places.  oneDNN, ATen and MKL can be told to do without the newest instructions,
which stands in for an older processor.

    python -m tests.benchmarks.bench_cpus --scale demo --older avx512 -s strategy=unsupervised
"""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch

import torch
from torch.backends.cpu import get_cpu_capability

from ssn3d import cli, data, runs
from ssn3d.config import DATASETS, SCALES, RunConfig, replicates
from ssn3d.evaluation import reid
from ssn3d.runs import Run
from tests.benchmarks.harness import start

OLDER = {
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
"""avx512: AVX-512 without bfloat16, as Intel's Skylake to Ice Lake have it; avx2: no AVX-512."""
DIFFERENT = 1e-6
"""Relative difference from which on two losses count as different."""
SCORES = ("top1", "mean_ap")
Result = TypeVar("Result")


class Tested(NamedTuple):
    """What a network makes of the test lists."""

    vectors: Any
    """[q+g d] of the queries, then of the gallery; NumPy's, to travel between processes whole."""
    scores: dict[str, float]
    """See `reid.summary`."""


def under(
    environment: Mapping[str, str], work: Callable[..., Result], *arguments: object
) -> Result:
    """What a function returns in a process of its own, to which the environment is known."""
    with patch.dict(os.environ, environment), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def test(made: list[Run[RunConfig]]) -> list[Tested]:
    """Networks as they were stored, tested once more."""
    results = []
    for run in made:
        split = data.split_of(run.config)
        sides = reid.embed_lists(run.config, run.model(), split)
        scores = reid.summary(reid.score(run.config, split, *sides))
        results.append(Tested(torch.cat(sides).numpy(), scores))
    return results


def parting(one: Run[RunConfig], other: Run[RunConfig]) -> int | None:
    """The first step, from 1, at which the losses of two runs differ; None if they never do."""
    both = zip(one.history["total"], other.history["total"], strict=True)
    return next((i for i, (a, b) in enumerate(both, 1) if abs(a - b) > DIFFERENT * abs(a)), None)


def compare_trainings(ours: list[Run[RunConfig]], theirs: list[Run[RunConfig]]) -> None:
    """Print whether runs are equal, when they part, and how far apart they end."""
    equal = sum(a.made["sha256"] == b.made["sha256"] for a, b in zip(ours, theirs, strict=True))
    print(f"  trained: {equal} of {len(ours)} runs equal to the last bit")
    steps = [parting(*pair) for pair in zip(ours, theirs, strict=True)]
    print(f"  first step at which losses differ: {', '.join(map(str, steps))}")
    for name in SCORES:
        a, b = ([100 * run.metrics[name] for run in side] for side in (ours, theirs))
        gaps = [there - here for here, there in zip(a, b, strict=True)]
        line = f"  {name}: {listed(a)} here, {listed(b)} there; differences {listed(gaps, '+')}"
        if len(gaps) > 1:
            line += f", mean {mean(gaps):+.1f}, spread {stdev(gaps):.1f}"
            line += f"; spread between seeds {stdev(a):.1f} here, {stdev(b):.1f} there"
        print(line)
    print(f"  seconds of training: {listed(seconds(ours))} here, {listed(seconds(theirs))} there")


def compare_tests(ours: list[Tested], theirs: list[Tested]) -> None:
    """Print how differently the same weights embed and rank."""
    apart = max(abs(a.vectors - b.vectors).max() for a, b in zip(ours, theirs, strict=True))
    size = mean(float(abs(one.vectors).mean()) for one in ours)
    print(f"  same weights: entries of embeddings, {size:.2g} on average, differ by <= {apart:.2g}")
    for name in SCORES:
        gaps = [100 * (b.scores[name] - a.scores[name]) for a, b in zip(ours, theirs, strict=True)]
        print(f"  same weights: {name} differs by {' '.join(f'{gap:+.2f}' for gap in gaps)}")


def seconds(made: list[Run[RunConfig]]) -> list[float]:
    """Of training, each run."""
    return [run.made["seconds"]["train"] for run in made]


def listed(values: list[float], sign: str = "") -> str:
    """One decimal each."""
    return " ".join(f"{value:{sign}.1f}" for value in values)


def configs(scale: Any, dataset: Any, seeds: int, changes: Sequence[str]) -> list[RunConfig]:
    """Runs as in notebook 01, a seed each."""
    return replicates(RunConfig.preset(scale, dataset, **cli._parse(tuple(changes))), seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="smoke")
    parser.add_argument("--dataset", choices=DATASETS, default="ilids_vid")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--older", choices=OLDER, nargs="+", default=list(OLDER))
    parser.add_argument("-s", "--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--keep", type=Path, help="folder of run stores: what is there is not made")
    asked = parser.parse_args()
    wanted = configs(asked.scale, asked.dataset, asked.seeds, asked.set)
    torch.set_num_threads(1)
    start(" ".join([asked.scale, asked.dataset, *asked.set, "natively by", get_cpu_capability()]))
    with TemporaryDirectory() as scratch:
        made, tests = {}, {}
        for name in ("native", *asked.older):
            environment = OLDER.get(name, {})
            own = {"SSN3D_RUNS": str((asked.keep or Path(scratch)) / name), "SSN3D_CLUSTER": ""}
            made[name] = under(environment | own, runs.sweep, wanted)
            tests[name] = under(environment, test, made["native"])
    for name in asked.older:
        print(f"{name}: by {under(OLDER[name], get_cpu_capability)}")
        compare_trainings(made["native"], made[name])
        compare_tests(tests["native"], tests[name])


if __name__ == "__main__":
    main()
