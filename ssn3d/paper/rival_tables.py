"""Tables 3 to 5: what the paper quotes, apart from what was measured here, and who leads."""

import pandas as pd

from . import numbers as paper
from .tables import METRICS, text

NUMBERS = {"ilids_vid": 3, "mars": 4, "dukemtmc": 5}
"""Which table of the paper compares methods on which data set."""


def with_quotes(dataset: str, numbers: pd.DataFrame) -> pd.DataFrame:
    """All rows of the paper's table on a data set, and below them what was measured here.

    Args:
        dataset: which.
        numbers: from `measurements`.

    Returns:
        Text, indexed by who says so and method, a column a metric.
    """
    printed, ours = paper.table(NUMBERS[dataset]), numbers[numbers.dataset == dataset]
    printed = printed[(printed.dataset == dataset) & printed.metric.isin(METRICS)]
    quoted, measured = "quoted by the paper", "measured here"
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for entry in printed.to_dict("records"):
        line = cells.setdefault((quoted, entry["row"]), {})
        line[METRICS[entry["metric"]]] = text(entry["value"])
    for entry in ours.to_dict("records"):
        line = cells.setdefault((measured, entry["row"]), {})
        line[METRICS[entry["metric"]]] = text(entry["mean"], entry["std"])
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–")
    return table[[name for name in METRICS.values() if name in table]]


def beaten_by(numbers: pd.DataFrame, ours: str, metric: str) -> list[str]:
    """Who is ahead of a method, a sentence a data set.

    Args:
        numbers: from `tables.measurements`, all methods with the same seeds.
        ours: the method.
        metric: one of `tables.METRICS`.
    """
    sentences = []
    chosen = numbers[numbers.metric == metric]
    for dataset, group in chosen.groupby("dataset", sort=False):
        entries = {entry["row"]: entry for entry in group.to_dict("records")}
        mine = entries.pop(ours)
        ahead = []
        for name, entry in sorted(entries.items(), key=lambda pair: -pair[1]["mean"]):
            if entry["mean"] > mine["mean"]:
                wins = sum(a > b for a, b in zip(entry["values"], mine["values"], strict=True))
                seeds = f"in {wins} of {len(mine['values'])} seeds"
                ahead.append(f"{name} ({text(entry['mean'], entry['std'])}; {seeds})")
        sentences.append(
            f"{paper.TITLES[str(dataset)]}, {METRICS[metric]}: {ours} reaches "
            f"{text(mine['mean'], mine['std'])}. "
            + (f"Ahead of it: {', '.join(ahead)}." if ahead else "No other method is ahead of it.")
        )
    return sentences
