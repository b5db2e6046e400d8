"""How the settings of the demo scale were chosen: steps, learning rate, and padding of windows.

    python -m tests.benchmarks.settings

Steps and rate are chosen on average pooling and 3D convolution alone, in the mean of both, on
rendered sets and seeds that no table has: the fewest steps after which twice as many add less than
two points of mAP on each set, and the rate that the steps were chosen at unless another adds that
much to the mean over sets.  The padding without labels is chosen by where parts are found and how
much of them lies at the border, which no score of re-identification decides.  The runs are kept in
the run store; settings.md, beside this file, is what came out.
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
USUAL, OTHER_RATES = 1e-3, (5e-4, 2e-3)
GAIN = 0.02
"""What twice as many steps, or another rate, must add to be worth it, in mAP."""
EPOCHS = 14
"""The rate falls after ten of them."""


def main() -> None:
    """Train what is missing, and write settings.md."""
    steps, by_steps = FEWEST, {FEWEST: scores(FEWEST, USUAL)}
    while steps < MOST:
        twice = by_steps[2 * steps] = scores(2 * steps, USUAL)
        gains = [of_set(dataset, twice) - of_set(dataset, by_steps[steps]) for dataset in DATASETS]
        if max(gains) < GAIN:
            break
        steps *= 2
    by_rate = {USUAL: by_steps[steps]} | {rate: scores(steps, rate) for rate in OTHER_RATES}
    best = max(by_rate, key=lambda rate: mean(by_rate[rate].values()))
    gain = mean(by_rate[best].values()) - mean(by_rate[USUAL].values())
    rate = best if gain >= GAIN else USUAL
    by_padding = {padding: parts(steps, rate, padding) for padding in ("same", "valid")}
    text = [
        "# Settings of the demo scale",
        f"**{steps} steps at a rate of {rate:g}.** Rendered sets of seed {OTHERS['data_seed']}, "
        f"means over the seeds {' and '.join(map(str, SEEDS))}; mAP in %.",
        table(f"steps, at a rate of {USUAL:g}", by_steps),
        table(f"rate, after {steps} steps", by_rate),
        "SSN3D without labels, with windows that may reach over the border (same) and that may "
        "not (valid): the points that parts fit best, and the share of attention at the border.",
        table("padding", by_padding),
    ]
    Path(__file__).with_suffix(".md").write_text("\n\n".join(text) + "\n")
    print("\n\n".join(text))


def of_set(dataset: str, row: Mapping[str, float]) -> float:
    """The mean of both baselines on one set."""
    return mean(row[f"{dataset}, {name}"] for name in BASELINES)


def scores(steps: int, rate: float) -> dict[str, float]:
    """The mean mAP of each baseline on each set."""
    return {
        f"{dataset}, {name}": mean(
            run.metrics["mean_ap"] for run in sweep(configs(dataset, name, steps, rate))
        )
        for dataset in DATASETS
        for name in BASELINES
    }


def parts(steps: int, rate: float, padding: str) -> dict[str, float]:
    """The mean PCK of the parts that fit points best, and their mean share at the border."""
    found = {}
    for dataset in DATASETS:
        runs = sweep(configs(dataset, "ssn3d", steps, rate, padding=padding))
        measured = [run.metrics["parts"] for run in runs]
        found[f"{dataset}, PCK"] = mean(each["pck"] for each in measured)
        found[f"{dataset}, at the border"] = mean(mean(each["at_border"]) for each in measured)
    return found


def configs(dataset: str, name: str, steps: int, rate: float, **changes: Any) -> list[RunConfig]:
    """The runs of one setting, a seed each."""
    changes |= {"epochs": EPOCHS, "steps_per_epoch": steps // EPOCHS, "learning_rate": rate}
    return [
        RunConfig.preset("demo", dataset, aggregator=name, seed=seed, **OTHERS, **changes)  # type: ignore[arg-type]
        for seed in SEEDS
    ]


def table(title: str, rows: Mapping[Any, Mapping[str, float]]) -> str:
    """Rows of shares as a Markdown table in percent."""
    columns = list(next(iter(rows.values())))
    lines = [[title, *columns], ["---"] * (1 + len(columns))]
    lines += [
        [str(name), *(f"{100 * row[at]:.1f}" for at in columns)] for name, row in rows.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
