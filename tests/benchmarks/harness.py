"""Two ways to do one thing, taken in turns: how many times the time or the memory of the other."""

import subprocess
import sys
from collections.abc import Callable
from statistics import median, quantiles
from time import perf_counter

import torch

Work = Callable[[], object]


def start(what: str) -> None:
    """Print what is measured, and with how many threads."""
    print(f"== {what}; threads: {torch.get_num_threads()}", flush=True)


def seconds(work: Work) -> float:
    """How long it takes, once."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def race(
    name: str,
    ours: Work,
    theirs: Work,
    *,
    rounds: int = 7,
    faster: float | None = None,
    cost: float | None = None,
) -> None:
    """Time both in turns, after one round that does not count, and print one line.

    Args:
        name: of the line.
        ours: what is judged.
        theirs: what it is measured against.
        rounds: how many times each runs.
        faster: the target, how many times as fast as theirs ours should be; or instead
        cost: how many times as long ours may take.  With neither, how long it takes is printed.
    """
    times = [(seconds(ours), seconds(theirs)) for _ in range(rounds + 1)][1:]
    one, other = map(median, zip(*times, strict=True))
    if faster is not None:
        spread = quantiles([slow / fast for fast, slow in times], n=4)
        verdict(f"{name}: {one:.3g} s against {other:.3g} s", spread, "faster", at_least=faster)
    else:
        spread = quantiles([more / less for more, less in times], n=4)
        verdict(f"{name}: {one:.3g} s against {other:.3g} s", spread, "the time", at_most=cost)


def verdict(
    line: str,
    spread: list[float],
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> None:
    """Print a ratio (lower quartile, median, upper quartile) and whether its target is met."""
    low, middle, high = spread
    text = f"{line}; {middle:.2f} times {unit} [{low:.2f}, {high:.2f}]"
    if at_least is not None:
        text += f"; target >= {at_least:g}: {'met' if middle >= at_least else 'NOT MET'}"
    if at_most is not None:
        text += f"; target <= {at_most:g}: {'met' if middle <= at_most else 'NOT MET'}"
    print(text, flush=True)


def extra_megabytes(setup: str, work: str) -> float:
    """Peak memory of Python code beyond that of its setup, each in a process of its own."""
    ask = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    peaks = [
        subprocess.run(
            [sys.executable, "-c", code + ask], capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        for code in (setup, f"{setup}\n{work}")
    ]
    return (int(peaks[1]) - int(peaks[0])) / 1024
