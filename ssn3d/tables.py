"""The paper's numbers beside ours: mean and spread over seeds, with the data and scale they belong to."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from . import paper

METRICS = {"top1": "top-1", "top5": "top-5", "top10": "top-10", "mean_ap": "mAP"}
"""How the metrics of a run are written in tables."""
TITLES = {"ilids_vid": "iLIDS-VID", "mars": "MARS", "dukemtmc": "DukeMTMC-VideoReID"}
"""How the data sets are written in tables."""


class Measured(NamedTuple):
    """One run's place in a table."""

    row: str
    dataset: str
    seed: int
    run: str
    metrics: Mapping[str, Any]


def measurements(table: int, runs: Iterable[Measured], metrics: Sequence[str]) -> pd.DataFrame:
    """All numbers of a table, one a row, ours and the paper's.

    Args:
        table: number of the paper's table.
        runs: our runs.
        metrics: which of `METRICS`.

    Returns:
        Columns row, dataset, metric, paper, mean, std (over seeds, NaN for a single one), values and runs, numbers
        in percent; rows and data sets in the order in which they were given.
    """
    groups: dict[tuple[str, str], list[Measured]] = {}
    for run in runs:
        groups.setdefault((run.row, run.dataset), []).append(run)
    entries = []
    for (row, dataset), members in groups.items():
        for metric in metrics:
            ours = pd.Series([100 * member.metrics[metric] for member in members])
            entries.append(
                {
                    "row": row,
                    "dataset": dataset,
                    "metric": metric,
                    "paper": _quoted(table, row, dataset, metric),
                    "mean": ours.mean(),
                    "std": ours.std(ddof=1),
                    "seeds": [member.seed for member in members],
                    "values": [round(value, 4) for value in ours],
                    "runs": [member.run for member in members],
                }
            )
    return pd.DataFrame(entries)


def compare(numbers: pd.DataFrame) -> pd.DataFrame:
    """The table people read: a row a method, for each data set and metric the paper's number and ours.

    Args:
        numbers: from `measurements`.

    Returns:
        Text such as "90.1" and "71.3 ± 2.0", indexed by method, columns (data set, metric, paper or ours).
    """
    cells = {}
    for entry in numbers.to_dict("records"):
        heading = (TITLES.get(entry["dataset"], entry["dataset"]), METRICS[entry["metric"]])
        cells[entry["row"], *heading, "paper"] = _text(entry["paper"])
        cells[entry["row"], *heading, "ours"] = _text(entry["mean"], entry["std"])
    rows = list(dict.fromkeys(key[0] for key in cells))
    columns = list(dict.fromkeys(key[1:] for key in cells))
    return pd.DataFrame(
        [[cells.get((row, *column), "") for column in columns] for row in rows],
        index=rows,
        columns=pd.MultiIndex.from_tuples(columns),
    )


def markdown(comparison: pd.DataFrame, caption: str) -> str:
    """A comparison as a Markdown table under a caption that says what it shows."""
    heading = [" ".join(column) for column in comparison.columns]
    lines = [
        caption,
        "",
        "| | " + " | ".join(heading) + " |",
        "|---|" + "---|" * len(heading),
        *(
            f"| {row} | " + " | ".join(cells) + " |"
            for row, cells in zip(comparison.index, comparison.to_numpy().tolist(), strict=True)
        ),
    ]
    return "\n".join(lines) + "\n"


def save(numbers: pd.DataFrame, caption: str, stem: Path) -> None:
    """Write a table for people (`stem`.md) and for programs (`stem`.csv)."""
    stem.with_suffix(".md").write_text(markdown(compare(numbers), caption))
    flat = numbers.assign(
        **{name: numbers[name].map(lambda some: " ".join(map(str, some))) for name in ("seeds", "values", "runs")}
    )
    flat.round(4).to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")


def _quoted(table: int, row: str, dataset: str, metric: str) -> float:
    try:
        return paper.value(table, row, dataset, metric)
    except KeyError:  # a row of ours that the paper does not have
        return float("nan")


def _text(mean: float, spread: float = float("nan")) -> str:
    if pd.isna(mean):
        return "–"
    return f"{mean:.1f}" if pd.isna(spread) else f"{mean:.1f} ± {spread:.1f}"
