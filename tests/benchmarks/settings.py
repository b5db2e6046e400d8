"""How the settings of the demo scale were chosen: steps, learning rate, and padding of windows.

    python -m tests.benchmarks.settings

Steps and rate are chosen on average pooling and 3D convolution alone, on rendered sets and seeds
that no table has: the fewest steps after which twice as many add less than two points of mAP on
every set, and the rate with the highest mAP.  The padding without labels is chosen by where parts
are found and how much of them lies at the border, which no score of re-identification decides.
The runs are kept in the run store; settings.md, beside this file, is what came out.
"""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from ssn3d.config import DATASETS, RunConfig
from ssn3d.runs import sweep

BASELINES = ("average", "conv3d")
SEEDS = (100, 101)
OTHERS = {"data_seed": 7, "strategy": "unsupervised"}
STEPS = (175, 350, 700, 1400)
RATES = (5e-4, 1e-3, 2e-3)
GAIN = 0.02
"""What twice as many steps must add to be worth it, in mAP."""
EPOCHS = 14
"""The rate falls after ten of them; an epoch has as many steps as fit."""


def main() -> None:
    """Train what is missing, and write settings.md."""
    steps = {count: scores(schedule(count, 1e-3)) for count in STEPS}
    enough = next(
        (
            count
            for count in STEPS[:-1]
            if all(steps[2 * count][at] - steps[count][at] < GAIN for at in steps[count])
        ),
        STEPS[-1],
    )
    rates = {rate: scores(schedule(enough, rate)) for rate in RATES}
    best = max(RATES, key=lambda rate: mean(rates[rate].values()))
    paddings = {padding: parts(padding, enough, best) for padding in ("same", "valid")}
    lines = [
        f"Chosen on baselines, rendered sets of seed {OTHERS['data_seed']}, seeds "
        f"{' and '.join(map(str, SEEDS))}: **{enough} steps**, rate **{best:g}**.",
        "mAP in %, means over seeds:",
        table("steps, at a rate of 1e-3", {f"{n}": row for n, row in steps.items()}),
        table(f"rate, {enough} steps", {f"{rate:g}": row for rate, row in rates.items()}),
        "SSN3D without labels, windows that may reach over the border (same) and that may not:",
        table("padding", paddings),
    ]
    Path(__file__).with_suffix(".md").write_text("\n\n".join(lines) + "\n")
    print("\n\n".join(lines))


def schedule(steps: int, rate: float) -> dict[str, Any]:
    """The fields of a configuration for a number of steps."""
    per_epoch = round(steps / EPOCHS)
    return {"epochs": EPOCHS, "steps_per_epoch": per_epoch, "learning_rate": rate}


def scores(changes: dict[str, Any]) -> dict[str, float]:
    """Mean mAP over seeds, for each set and baseline."""
    places = [(dataset, name) for dataset in DATASETS for name in BASELINES]
    runs = iter(sweep(configs(places, changes)))
    return {
        f"{dataset}, {name}": mean(next(runs).metrics["mean_ap"] for _ in SEEDS)
        for dataset, name in places
    }


def parts(padding: str, steps: int, rate: float) -> dict[str, float]:
    """PCK of the points that parts fit best, and their share at the border, for each set."""
    places = [(dataset, "ssn3d") for dataset in DATASETS]
    runs = iter(sweep(configs(places, schedule(steps, rate) | {"padding": padding})))
    found = {}
    for dataset, _ in places:
        measured = [next(runs).metrics["parts"] for _ in SEEDS]
        found[f"{dataset}, PCK"] = mean(each["pck"] for each in measured)
        found[f"{dataset}, at the border"] = mean(mean(each["at_border"]) for each in measured)
    return found


def configs(places: Iterable[tuple[str, str]], changes: dict[str, Any]) -> list[RunConfig]:
    """The runs of some sets and methods, seed by seed."""
    return [
        RunConfig.preset("demo", dataset, aggregator=name, seed=seed, **OTHERS, **changes)  # type: ignore[arg-type]
        for dataset, name in places
        for seed in SEEDS
    ]


def table(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Rows of shares as a Markdown table in percent."""
    columns = list(next(iter(rows.values())))
    lines = [[title, *columns], ["---"] * (1 + len(columns))]
    lines += [[name, *(f"{100 * row[at]:.1f}" for at in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
