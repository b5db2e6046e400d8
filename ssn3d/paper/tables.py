"""Tables of our numbers, with their spread over seeds, beside those of the paper."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ssn3d.datasets.tracklets import Split, summarise

from . import numbers as paper

METRICS = {"top1": "top-1", "top5": "top-5", "top10": "top-10", "mean_ap": "mAP"}
"""How the metrics of a run are written in tables."""
COMPARISONS = {"ilids_vid": 3, "mars": 4, "dukemtmc": 5}
"""Which table of the paper compares methods on which data set."""


class Measured(NamedTuple):
    """One run in a table."""

    row: str
    dataset: str
    seed: int
    run: str
    metrics: Mapping[str, Any]


def over_seeds(
    records: Iterable[Mapping[str, Any]], by: Sequence[str], *, decimals: int = 6
) -> pd.DataFrame:
    """Mean and spread of each measure over the runs of each group, one a row.

    Args:
        records: one for each run, with the names in `by`, "seed" and "run" (its id); all other
            entries are measures, NaN where the run has none.
        by: names of the entries that a group of runs has in common.
        decimals: that single values are rounded to.

    Returns:
        Columns of `by`, then measure, mean, std (over seeds, NaN for a single one), seeds, values
        and runs, in the order they came in.
    """
    table = pd.DataFrame(list(records))
    measures = [name for name in table.columns if name not in {*by, "seed", "run"}]
    entries = []
    for group, members in table.groupby(list(by), sort=False, dropna=False):
        for measure in measures:
            values = members[measure].astype(float)
            if values.isna().all():
                continue
            entries.append(
                dict(zip(by, group, strict=True))
                | {
                    "measure": measure,
                    "mean": values.mean(),
                    "std": values.std(ddof=1),
                    "seeds": members.seed.tolist(),
                    "values": [round(value, decimals) for value in values],
                    "runs": members.run.tolist(),
                }
            )
    columns = [*by, "measure", "mean", "std", "seeds", "values", "runs"]
    return pd.DataFrame(entries, columns=columns)


def measurements(table: int, runs: Iterable[Measured], metrics: Sequence[str]) -> pd.DataFrame:
    """All numbers of one of the paper's tables, one a row, ours and the paper's.

    Args:
        table: number of the paper's table.
        runs: our runs.
        metrics: which of `METRICS`.

    Returns:
        Columns row, dataset, metric, paper, mean, std (over seeds, NaN for a single one), seeds,
        values and runs; numbers in percent, rows and data sets in the order they came in.
    """
    records = [
        {"row": run.row, "dataset": run.dataset, "seed": run.seed, "run": run.run}
        | {metric: 100 * run.metrics[metric] for metric in metrics}
        for run in runs
    ]
    numbers = over_seeds(records, ["row", "dataset"], decimals=4)
    numbers = numbers.rename(columns={"measure": "metric"})
    which = zip(numbers.row, numbers.dataset, numbers.metric, strict=True)
    numbers.insert(3, "paper", [_quoted(table, *entry) for entry in which])
    return numbers


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


def with_quotes(
    dataset: str, numbers: pd.DataFrame, references: Sequence[str] = ()
) -> pd.DataFrame:
    """All rows of the paper's table on a data set, and below them what was measured here.

    Args:
        dataset: one of `COMPARISONS`.
        numbers: from `measurements`, all methods with the same seeds.
        references: methods that all others are compared with in mAP, in a column each: the mean
            difference in points, and in how many seeds it is above zero.

    Returns:
        Markdown, the best of each column in bold, indexed by origin ("quoted by the paper",
        "measured here") and method, with a column for each metric and reference.
    """
    printed, ours = paper.table(COMPARISONS[dataset]), numbers[numbers.dataset == dataset]
    printed = printed[(printed.dataset == dataset) & printed.metric.isin(METRICS)]
    entries = pd.concat(
        {
            "quoted by the paper": printed.rename(columns={"value": "mean"}),
            "measured here": ours,
        },
        names=["origin"],
    ).reset_index("origin")
    best = entries.groupby(["origin", "metric"])["mean"].transform("max")
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for entry, highest in zip(entries.to_dict("records"), best, strict=True):
        shown = text(entry["mean"], entry["std"])
        line = cells.setdefault((entry["origin"], entry["row"]), {})
        line[METRICS[entry["metric"]]] = f"**{shown}**" if entry["mean"] == highest else shown
    values = ours[ours.metric == "mean_ap"].set_index("row")["values"].map(pd.Series)
    for reference in references:
        for row in values.index.drop(reference):
            gaps = values[row] - values[reference]
            cells["measured here", row][f"mAP above that of {reference}"] = (
                f"{text(gaps.mean(), signed=True)} ({(gaps > 0).sum()} of {len(gaps)} seeds)"
            )
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–")
    columns = [name for name in METRICS.values() if name in table]
    return table[[*columns, *table.columns.difference(columns, sort=False)]]


def readable(numbers: pd.DataFrame, rows: Sequence[str], decimals: int = 3) -> pd.DataFrame:
    """The table people read: "0.012 ± 0.003", indexed by `rows`, a column for all else.

    Args:
        numbers: from `over_seeds`.
        rows: names of the columns of `numbers` that say what a row is.
        decimals: to show.
    """
    fixed = {*rows, "mean", "std", "seeds", "values", "runs"}
    varied = [name for name in numbers.columns if numbers[name].map(str).nunique() > 1]
    columns = [name for name in varied if name not in fixed]
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    for entry in numbers.to_dict("records"):
        line = cells.setdefault(tuple(entry[name] for name in rows), {})
        title = " ".join(str(entry[name]) for name in columns) or entry["measure"]
        line[title] = text(entry["mean"], entry["std"], decimals=decimals)
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–")
    return table.set_axis(pd.MultiIndex.from_tuples(cells, names=rows), axis=0)


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


def data_sets(splits: Mapping[str, Split]) -> pd.DataFrame:
    """What data sets hold: people, tracklets, frames and lengths of their three lists."""
    entries = [
        {"data set": title, **summary._asdict()}
        for title, split in splits.items()
        for summary in summarise(split)
    ]
    return pd.DataFrame(entries).set_index(["data set", "part"])


def save(numbers: pd.DataFrame, text: str, stem: Path) -> list[Path]:
    """Write a table for people (`stem`.md, holding `text`) and for programs (`stem`.csv).

    Args:
        numbers: from `measurements` or `over_seeds`.
        text: Markdown.
        stem: of both files, without ending.

    Returns:
        Both files.
    """
    lists = {
        name: [" ".join(map(str, some)) for some in numbers[name]]
        for name in ("seeds", "values", "runs")
    }
    page, sheet = stem.with_suffix(".md"), stem.with_suffix(".csv")
    page.write_text(text)
    numbers.assign(**lists).round(4).to_csv(sheet, index=False, lineterminator="\n")
    return [page, sheet]


def markdown(table: pd.DataFrame) -> str:
    """A data frame with its index as a Markdown table."""

    def words(label: Any) -> str:
        return " ".join(label) if isinstance(label, tuple) else str(label)

    keys = [key if isinstance(key, tuple) else (key,) for key in table.index]
    names = [name or "" for name in table.index.names]
    rows = ((*key, *row) for key, row in zip(keys, table.to_numpy(), strict=True))
    return markdown_rows([*names, *map(words, table.columns)], rows)


def markdown_rows(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table, given the titles of its columns and its rows."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def text(
    mean: float, spread: float = float("nan"), *, decimals: int = 1, signed: bool = False
) -> str:
    """ "71.3 ± 2.0"; the mean alone if the spread is NaN, "–" if the mean is."""
    if pd.isna(mean):
        return "–"
    shown = f"{mean:{'+' if signed else ''}.{decimals}f}"
    return shown if pd.isna(spread) else f"{shown} ± {spread:.{decimals}f}"


def _quoted(table: int, row: str, dataset: str, metric: str) -> float:
    try:
        return paper.value(table, row, dataset, metric)
    except KeyError:  # a row of ours that the paper does not have
        return float("nan")
