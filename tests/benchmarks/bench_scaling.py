"""What the paper costs in GPU hours, and how its runs scale: a simulation, with named assumptions.

The runs of `make figures` are those of figures/results.json, with the seconds that each took.  The
paper's own are counted: no GPU was measured for them.
"""

import argparse
import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from ssn3d import data
from ssn3d.config import DATASETS, RunConfig
from ssn3d.evaluation import complexity
from ssn3d.paper.methods import OURS, methods
from ssn3d.reproduce import results

WORKERS = (1, 2, 4, 8, 16, 32, 64)
CLAIMS = ("11_claims", 9.0)
"""The last notebook, which waits for all others, and its seconds."""


class Task(NamedTuple):
    """A piece of work for one worker."""

    name: str
    seconds: float
    needs: tuple[str, ...] = ()
    """Names of tasks, earlier in the list, that must be done before."""


DRAWING = {
    "00_tour": 16,
    "01_learning_strategies": 11,
    "02_weight_sharing": 9,
    "03_lambda": 7,
    "04_state_of_the_art": 16,
    "05_pedestrian_128": 12,
    "06_random_data": 8,
    "07_amber_abstract": 18,
}
"""Seconds of a notebook whose runs are all in the store."""
MEASURED = 7783 + 1635
"""Seconds of `make figures` on two cores, from an empty store, when it made these runs, and of the
four methods that were added later; other work went beside it."""
RENDERING = {"mars": 42, "ilids_vid": 25, "dukemtmc": 32, "amber": 29, "pedestrians": 4}
"""Seconds, as `make figures` took them; random maps are drawn as they are needed."""
STEPS = {"mars": 235, "ilids_vid": 19, "dukemtmc": 140}
"""Of an epoch with 8 x 4 clips.  MARS: counted, from its official lists.  The others: estimated,
from chunks of tracklets whose lengths are drawn with the published least, mean and most, and on
DukeMTMC-VideoReID with as many chunks of 32 frames as others report: 18 to 19, and 120 to 150."""
TEST_FRAMES = {"mars": 657_709, "ilids_vid": 21_240, "dukemtmc": 445_764}
"""Of all queries and galleries, without junk; iLIDS-VID: 300 tracklets of 70.8."""
SPLITS = {"ilids_vid": 10}


def schedule(tasks: Sequence[Task], workers: int) -> dict[str, float]:
    """When each task is done, in seconds: a free worker takes the first task that is ready.

    Raises:
        ValueError: tasks need each other, or what is not in the list.
    """
    waiting = {task.name: len(task.needs) for task in tasks}
    place = {task.name: number for number, task in enumerate(tasks)}
    next_ones: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        for need in task.needs:
            next_ones[need].append(task.name)
    ready = [place[name] for name, needs in waiting.items() if not needs]
    working: list[tuple[float, int]] = []
    done: dict[str, float] = {}
    now = 0.0
    while ready or working:
        while ready and len(working) < workers:
            taken = heapq.heappop(ready)
            heapq.heappush(working, (now + tasks[taken].seconds, taken))
        now, finished = heapq.heappop(working)
        done[tasks[finished].name] = now
        for name in next_ones[tasks[finished].name]:
            waiting[name] -= 1
            if not waiting[name]:
                heapq.heappush(ready, place[name])
    if len(done) < len(tasks):
        raise ValueError(f"never ready: {', '.join(sorted(waiting.keys() - done.keys()))}")
    return done


def graph(
    runs: Mapping[str, Sequence[Task]],
    drawing: Mapping[str, float],
    starting: float,
    *,
    barrier: bool,
) -> list[Task]:
    """The tasks of all notebooks, in order.

    Args:
        runs: the runs of each notebook.  A run may need the rendering of its set, which is a task
            of the first notebook that needs it.
        drawing: seconds of each notebook when its runs are there.
        starting: seconds to start the processes of a sweep, and to stop them.
        barrier: a notebook begins when the one before it is done, with processes of its own; else
            all begin at once, with the same processes, as `make figures` does.
    """
    tasks: list[Task] = []
    last: tuple[str, ...] = ()
    for notebook, own in runs.items():
        if barrier or not tasks:
            begin = f"start {notebook}"
            tasks.append(Task(begin, starting, last))
        tasks += [task._replace(needs=(begin, *task.needs)) for task in own]
        last = (f"draw {notebook}",)
        tasks.append(Task(*last, drawing[notebook], (begin, *(task.name for task in own))))
    drawn = tuple(f"draw {notebook}" for notebook in runs)
    return [*tasks, Task(f"draw {CLAIMS[0]}", CLAIMS[1], drawn)]


def made(figures: Path) -> tuple[dict[str, list[Task]], list[float]]:
    """What `make figures` makes, notebook by notebook: each run takes the median of its seeds.

    Returns:
        The tasks, and each run's seconds as a share of that median.
    """
    entries = results.read(figures).values()
    chosen: dict[str, dict[str, Any]] = {notebook: {} for notebook in DRAWING}
    known: set[str] = set()
    for notebook, own in chosen.items():
        for entry in (entry for entry in entries if entry["notebook"] == notebook):
            for name, run in entry["runs"].items():
                if name not in known:
                    known.add(name)
                    own[name] = entry["settings"] | run
    seconds: dict[str, list[float]] = defaultdict(list)
    for run in (run for own in chosen.values() for run in own.values()):
        seconds[_setting(run)].append(sum(run["seconds"].values()))
    tasks: dict[str, list[Task]] = {}
    rendered: set[str] = set()
    for notebook, own in chosen.items():
        sets = {run["data"]: run["data"].rpartition("-")[0] for run in own.values()}
        sets = {name: kind for name, kind in sets.items() if kind in RENDERING}
        new = [Task(name, RENDERING[kind]) for name, kind in sets.items() if name not in rendered]
        rendered |= sets.keys()
        tasks[notebook] = new + [
            Task(
                name, median(seconds[_setting(run)]), (run["data"],) if run["data"] in sets else ()
            )
            for name, run in own.items()
        ]
    return tasks, [one / median(several) for several in seconds.values() for one in several]


def _setting(run: Mapping[str, Any]) -> str:
    """The same for runs that differ only in seed and split."""
    return repr(
        sorted(
            item for item in run.items() if item[0] not in ("seed", "split", "seconds", "device")
        )
    )


class Cost(NamedTuple):
    """Operations of one run at scale "paper"."""

    training: float
    testing: float
    frames: float
    """Read for a step."""


def cost(config: RunConfig) -> Cost:
    """Counted: a step's gradients take twice as many operations as its forward pass."""
    clip = complexity.count(config).flops
    labelled = config.labelled_per_clip if config.strategy == "semi-supervised" else 0
    # labelled frames go through the backbone, which is all that average pooling computes
    backbone = complexity.count(
        RunConfig.preset("paper", config.dataset, aggregator="average", strategy="unsupervised")
    ).flops
    clips = config.ids_per_batch * config.clips_per_id
    step = 3 * clips * (clip + backbone * labelled / config.clip_frames)
    return Cost(
        config.epochs * STEPS[config.dataset] * step,
        TEST_FRAMES[config.dataset] / config.clip_frames * clip,
        clips * (config.clip_frames + labelled),
    )


def paper_runs(seeds: int) -> Iterator[tuple[str, str, RunConfig]]:
    """Every run of Tables 1 to 5 and Figure 3: its notebook, what it is, its configuration.

    A run that an earlier notebook has made is not made again.
    """
    baselines = {name: changes for name, changes in methods().items() if OURS not in name}
    strategies = ("supervised", "unsupervised", "semi-supervised")
    lambdas: list[Mapping[str, Any]] = [{"ssn_weight": weight} for weight in (0.01, 0.3, 1.0)]
    lambdas.append({"ssn_reduction": "mean"})
    kinds: dict[str, dict[str, list[Mapping[str, Any]]]] = {
        "01": {f"{OURS}, {name}": [{"strategy": name}] for name in strategies},
        "02": {f"{OURS}, not shared": [{"shared": False}]},
        "03": {f"{OURS}, other lambdas": lambdas},
        "04": {name: [changes] for name, changes in baselines.items()},
    }
    for notebook, own in kinds.items():
        for dataset in DATASETS:
            for name, several in own.items():
                for changes in several * seeds * SPLITS.get(dataset, 1):
                    config = RunConfig.preset("paper", dataset, **changes)  # type: ignore[arg-type]
                    yield notebook, name, config


def table(runs: Mapping[str, list[Task]], drawing: Mapping[str, float], starting: float) -> None:
    """Print how long all takes with more and more workers, with the barrier and without."""
    print(
        "| workers | notebook by notebook | speed-up | efficiency "
        "| all at once | speed-up | efficiency |\n|---|---|---|---|---|---|---|"
    )
    plans = [graph(runs, drawing, starting, barrier=barrier) for barrier in (True, False)]
    alone = [max(schedule(plan, 1).values()) for plan in plans]
    for workers in WORKERS:
        cells = [str(workers)]
        for plan, one in zip(plans, alone, strict=True):
            long = max(schedule(plan, workers).values())
            cells += [_time(long), f"{one / long:.1f}", f"{one / long / workers:.0%}"]
        print(f"| {' | '.join(cells)} |")
    longest = max(task.seconds for own in runs.values() for task in own)
    print(f"\nThe longest run takes {_time(longest)}; no number of workers does it in less.\n")


def demo(starting: float) -> None:
    """The runs of `make figures`."""
    runs, shares = made(data.project_folder() / "figures")
    number = sum(len(own) for own in runs.values())
    low, _, high = quantiles(shares, n=4)
    print(
        f"## `make figures`\n\n{number} runs and renderings, on workers like those two, "
        "which slowed each other; a run takes the median of its seeds (half of them between "
        f"{low:.2f} and {high:.2f} of it, all between {min(shares):.2f} and {max(shares):.2f}); "
        f"{starting:.0f} s for processes to start and stop.\n"
    )
    table(runs, DRAWING, starting)
    ours = max(schedule(graph(runs, DRAWING, starting, barrier=False), 2).values())
    print(f"All at once on two workers: {ours:.0f} s, measured {MEASURED}: {ours / MEASURED:.2f}\n")


def paper(rate: float, seeds: int) -> None:
    """The paper's protocol, on GPUs that keep up a rate of operations a second."""
    known: dict[RunConfig, Cost] = {}
    rows: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    runs: dict[str, list[Task]] = defaultdict(list)
    numbers = count()
    for notebook, name, config in paper_runs(seeds):
        if config not in known:
            known[config] = cost(config)
        one = known[config]
        rows[name, config.dataset].append(one)
        seconds = (one.training + one.testing) / rate
        runs[notebook].append(Task(f"run {next(numbers)}", seconds))
    print(
        "| run | data set | runs | training, 10^15 operations | test, 10^15 "
        "| GPU minutes each | GPU hours in all |\n|---|---|---|---|---|---|---|"
    )
    for (name, dataset), several in sorted(rows.items()):
        one, hours = several[0], sum(c.training + c.testing for c in several) / rate / 3600
        print(
            f"| {name} | {dataset} | {len(several)} | {one.training / 1e15:.1f} "
            f"| {one.testing / 1e15:.2f} | {60 * hours / len(several):.1f} | {hours:.2f} |"
        )
    every = [one for several in rows.values() for one in several]
    hours = sum(one.training + one.testing for one in every) / rate / 3600
    test = sum(one.testing for one in every) / rate / 3600
    print(f"| all | | {len(every)} | | | | {hours:.1f}, of it test {test:.1f} |\n")
    steps = [(one.training / rate) / (c.epochs * STEPS[c.dataset]) for c, one in known.items()]
    hungry = max(one.frames / step for one, step in zip(known.values(), steps, strict=True))
    print(f"A GPU must be fed up to {hungry:,.0f} frames a second for that.\n")
    table(runs, dict.fromkeys(runs, 0.0), 0.0)


def _time(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{seconds / 60:.1f} min"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--starting", type=float, default=12, help="seconds, all starts and stops of `make figures`"
    )
    parser.add_argument("--peak", type=float, default=790, help="10^12 operations/s of a GPU")
    parser.add_argument("--sustained", type=float, default=0.35, help="share of it, assumed")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    demo(arguments.starting)
    print(
        f"## The paper's protocol\n\nTables 1 to 5 and Figure 3, {arguments.seeds} seeds, all ten "
        "splits of iLIDS-VID with each. Counted: multiplications and additions; assumed, for no "
        f"GPU was measured: {arguments.sustained:.0%} of {arguments.peak:g} 10^12 operations a "
        "second in 16 bits, and that reading keeps up.\n"
    )
    paper(arguments.sustained * arguments.peak * 1e12, arguments.seeds)


if __name__ == "__main__":
    main()
