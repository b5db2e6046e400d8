"""How the settings of the demo scale were chosen: steps, learning rate, and padding of windows.

    python -m tests.benchmarks.settings

Steps and rate are chosen on average pooling and 3D convolution alone, on rendered sets and seeds
that no table has: for each set the fewest steps after which twice as many add less than two points
of mAP, in the mean of both, and the rate with the highest mAP.  The padding without labels is
chosen by where parts are found and how much of them lies at the border, which no score of
re-identification decides.  The runs are kept in the run store; settings.md, beside this file, is
what came out.
"""

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from ssn3d.config import DATASETS, RunConfig
from ssn3d.runs import sweep

BASELINES = ("average", "conv3d")
SEEDS = (100, 101)
OTHERS = {"data_seed": 7, "strategy": "unsupervised"}
FEWEST, MOST = 350, 11_200
"""Steps to begin with and to end with."""
RATES = (5e-4, 1e-3, 2e-3)
GAIN = 0.02
"""What twice as many steps must add to be worth it, in mAP."""
EPOCHS = 14
"""The rate falls after ten of them."""


def main() -> None:
    """Train what is missing, and write settings.md."""
    by_steps: dict[str, dict[str, float]] = {}
    enough = {dataset: steps_for(dataset, by_steps) for dataset in DATASETS}
    by_rate: dict[str, dict[str, float]] = {}
    for rate in RATES:
        row = by_rate[f"{rate:g}"] = {}
        for dataset, steps in enough.items():
            row |= scores(dataset, steps, rate)
    best = max(RATES, key=lambda rate: mean(by_rate[f"{rate:g}"].values()))
    by_padding: dict[str, dict[str, float]] = {"same": {}, "valid": {}}
    for padding, row in by_padding.items():
        for dataset, steps in enough.items():
            row |= parts(dataset, steps, best, padding)
    chosen = ", ".join(f"{steps} on {dataset}" for dataset, steps in enough.items())
    text = [
        f"Steps: **{chosen}**; rate: **{best:g}**. Rendered sets of seed {OTHERS['data_seed']}, "
        f"means over the seeds {' and '.join(map(str, SEEDS))}; mAP in %.",
        table("steps, at a rate of 1e-3", by_steps),
        table("rate, at these steps", by_rate),
        "SSN3D without labels, with windows that may reach over the border (same) and that may "
        "not (valid): the points that parts fit best, and the share of attention at the border.",
        table("padding", by_padding),
    ]
    Path(__file__).with_suffix(".md").write_text("\n\n".join(text) + "\n")
    print("\n\n".join(text))


def steps_for(dataset: str, rows: dict[str, dict[str, float]]) -> int:
    """The fewest steps after which twice as many do not pay; adds what was measured to `rows`."""
    steps, before = FEWEST, scores(dataset, FEWEST, 1e-3)
    while steps < MOST:
        rows.setdefault(str(steps), {}).update(before)
        after = scores(dataset, 2 * steps, 1e-3)
        rows.setdefault(str(2 * steps), {}).update(after)
        if mean(after.values()) - mean(before.values()) < GAIN:
            break
        steps, before = 2 * steps, after
    return steps


def scores(dataset: str, steps: int, rate: float) -> dict[str, float]:
    """The mean mAP of each baseline."""
    found = {}
    for name in BASELINES:
        runs = sweep(configs(dataset, name, steps, rate))
        found[f"{dataset}, {name}"] = mean(run.metrics["mean_ap"] for run in runs)
    return found


def parts(dataset: str, steps: int, rate: float, padding: str) -> dict[str, float]:
    """The mean PCK of the parts that fit points best, and their mean share at the border."""
    runs = sweep(configs(dataset, "ssn3d", steps, rate, padding=padding))
    measured = [run.metrics["parts"] for run in runs]
    return {
        f"{dataset}, PCK": mean(each["pck"] for each in measured),
        f"{dataset}, at the border": mean(mean(each["at_border"]) for each in measured),
    }


def configs(dataset: str, name: str, steps: int, rate: float, **changes: Any) -> list[RunConfig]:
    """The runs of one setting, a seed each."""
    changes |= {"epochs": EPOCHS, "steps_per_epoch": steps // EPOCHS, "learning_rate": rate}
    return [
        RunConfig.preset("demo", dataset, aggregator=name, seed=seed, **OTHERS, **changes)  # type: ignore[arg-type]
        for seed in SEEDS
    ]


def table(title: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of shares as a Markdown table in percent; what was not measured stays empty."""
    columns = list(dict.fromkeys(at for row in rows.values() for at in row))
    lines = [[title, *columns], ["---"] * (1 + len(columns))]
    for name, row in rows.items():
        lines.append([name, *(f"{100 * row[at]:.1f}" if at in row else "" for at in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
