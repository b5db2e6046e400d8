"""The paper's numbers beside ours, with the spread over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ssn3d.datasets.tracklets import Split, summarise

from . import numbers as paper

METRICS = {"top1": "top-1", "top5": "top-5", "top10": "top-10", "mean_ap": "mAP"}
"""How the metrics of a run are written in tables."""


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
        Columns row, dataset, metric, paper, mean, std (over seeds, NaN for a single one), seeds,
        values and runs; numbers in percent, rows and data sets in the order they came in.
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
    """The table people read: the paper's numbers and ours for each data set and method.

    Args:
        numbers: from `measurements`.

    Returns:
        Text such as "90.1" and "71.3 ± 2.0", indexed by data set and method, in columns
        (metric, "paper" or "ours").
    """
    cells: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for entry in numbers.to_dict("records"):
        line = cells.setdefault((paper.TITLES[entry["dataset"]], entry["row"]), {})
        line[METRICS[entry["metric"]], "paper"] = text(entry["paper"])
        line[METRICS[entry["metric"]], "ours"] = text(entry["mean"], entry["std"])
    table = pd.DataFrame.from_dict(cells, orient="index")
    return table.set_axis(pd.MultiIndex.from_tuples(table.columns), axis=1)


def markdown(table: pd.DataFrame) -> str:
    """A data frame with its index as a Markdown table."""

    def line(cells: Iterable[Any]) -> str:
        return "| " + " | ".join(map(str, cells)) + " |"

    def words(label: Any) -> str:
        return " ".join(label) if isinstance(label, tuple) else str(label)

    keys = [key if isinstance(key, tuple) else (key,) for key in table.index]
    names = [name or "" for name in table.index.names]
    return "\n".join(
        [
            line([*names, *map(words, table.columns)]),
            line(["---"] * (len(names) + len(table.columns))),
            *(line((*key, *row)) for key, row in zip(keys, table.to_numpy(), strict=True)),
        ]
    )


def orderings(numbers: pd.DataFrame, best_first: Sequence[str], metric: str) -> pd.DataFrame:
    """Whether methods come in a claimed order, each compared with the next, seed by seed.

    Args:
        numbers: from `measurements`; all methods with the same seeds.
        best_first: methods, the best one first.
        metric: one of `METRICS`.

    Returns:
        A row for each data set and pair: dataset, claim, difference (in points, mean ± standard
        deviation over seeds), seeds (in how many it was seen, "2 of 3") and seen (whether in all).
    """
    chosen = numbers[numbers.metric == metric].set_index(["dataset", "row"])["values"]
    entries = []
    for dataset in numbers.dataset.unique():
        for better, worse in pairwise(best_first):
            gaps = pd.Series(chosen[dataset, better]) - pd.Series(chosen[dataset, worse])
            entries.append(
                {
                    "dataset": paper.TITLES[dataset],
                    "claim": f"{better} > {worse}",
                    "difference": text(gaps.mean(), gaps.std(ddof=1), signed=True),
                    "seeds": f"{(gaps > 0).sum()} of {len(gaps)}",
                    "seen": bool((gaps > 0).all()),
                }
            )
    return pd.DataFrame(entries)


def statements(comparisons: pd.DataFrame, metric: str) -> list[str]:
    """What `orderings` found, a plain sentence a data set."""
    sentences = []
    for dataset, group in comparisons.groupby("dataset", sort=False):
        verdict = "is seen" if group.seen.all() else "is not seen"
        steps = "; ".join(
            f"{entry.claim} by {entry.difference} points, in {entry.seeds} seeds"
            for entry in group.itertuples()
        )
        sentences.append(f"{dataset}: the paper's order {verdict} ({METRICS[metric]}): {steps}.")
    return sentences


def data_sets(splits: Mapping[str, Split]) -> pd.DataFrame:
    """What data sets hold: people, tracklets, frames and lengths of their three lists."""
    entries = [
        {"data set": title, **summary._asdict()}
        for title, split in splits.items()
        for summary in summarise(split)
    ]
    return pd.DataFrame(entries).set_index(["data set", "part"])


def save(numbers: pd.DataFrame, text: str, stem: Path) -> list[Path]:
    """Write a table for people (`stem`.md, holding `text`) and for programs (`stem`.csv)."""
    lists = {
        name: [" ".join(map(str, some)) for some in numbers[name]]
        for name in ("seeds", "values", "runs")
    }
    page, sheet = stem.with_suffix(".md"), stem.with_suffix(".csv")
    page.write_text(text)
    numbers.assign(**lists).round(4).to_csv(sheet, index=False, lineterminator="\n")
    return [page, sheet]


def text(mean: float, spread: float = float("nan"), *, signed: bool = False) -> str:
    """ "71.3 ± 2.0"; "–" for what is not known."""
    if pd.isna(mean):
        return "–"
    sign = "+" if signed else ""
    return f"{mean:{sign}.1f}" if pd.isna(spread) else f"{mean:{sign}.1f} ± {spread:.1f}"


def _quoted(table: int, row: str, dataset: str, metric: str) -> float:
    try:
        return paper.value(table, row, dataset, metric)
    except KeyError:  # a row of ours that the paper does not have
        return float("nan")
