"""How long the attention explorer takes from a control to its picture, on one CPU thread.

Two networks of the demo scale, nine parts each; trained for one step, which changes no time.
Measured in the kernel, without the way to the browser.

    python tests/benchmarks/bench_explorer.py
"""

import os
from collections.abc import Iterable
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from ssn3d.config import RunConfig
from ssn3d.rng import one_thread
from ssn3d.runs import sweep
from ssn3d.widgets.explorer import Explorer

TARGET = 150
"""Milliseconds from the slider to the picture."""
TIMES = 50


def main() -> None:
    with TemporaryDirectory() as folder, one_thread():
        os.environ |= {"SSN3D_DATA": folder, "SSN3D_RUNS": folder, "TQDM_DISABLE": "1"}
        explorer = Explorer(sweep(configs()))
        explorer.other.value = explorer.other.options[1][1]
        people = [person for _, person in explorer.person.options]
        report("a tracklet not seen before", measure(explorer, "person", people[1:]))
        explorer.person.value = max(people, key=lambda person: frames_of(explorer, person))
        last = min(explorer.frame.max, 32)  # of the first clip
        cycle = range(1, TIMES + 1)
        for name, values in (
            ("frame", [i % last + 1 for i in cycle]),
            ("opacity", [(i % 20 + 1) / 20 for i in cycle]),
            ("parts", [tuple(range(i % 9 + 1)) for i in cycle]),
        ):
            report(f"another value of {name}", measure(explorer, name, values))
    print(f"target for a slider: {TARGET} ms")


def configs() -> list[RunConfig]:
    """Two runs with few people, but with frames, tracklets and networks of the demo scale."""
    few: dict[str, Any] = {"train_people": 8, "test_people": 52, "epochs": 1, "steps_per_epoch": 1}
    strategies = ("semi-supervised", "unsupervised")
    return [RunConfig.preset("demo", "mars", strategy=strategy, **few) for strategy in strategies]


def frames_of(explorer: Explorer, person: int) -> int:
    explorer.person.value = person
    return explorer.frame.max


def measure(explorer: Explorer, name: str, values: Iterable[Any]) -> list[float]:
    """Milliseconds from setting a control to the new picture, for each value."""
    times = []
    for value in values:
        before = explorer.image.value
        start = perf_counter()
        getattr(explorer, name).value = value
        times.append(1000 * (perf_counter() - start))
        assert explorer.image.value is not before, explorer.message.value
    return times


def report(what: str, times: list[float]) -> None:
    low, median, high = quantiles(times, n=4)
    print(f"{what:32} median {median:4.0f} ms, quartiles {low:.0f} and {high:.0f}, {len(times)} x")


if __name__ == "__main__":
    main()
