"""Numbers of the studies, which the paper prints none of: mean and spread over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd


def over_seeds(records: Iterable[Mapping[str, Any]], by: Sequence[str]) -> pd.DataFrame:
    """Mean and spread of each measure, one a row.

    Args:
        records: of one run each: what it was (the names in `by`), "seed", "run" (its id) and, all
            others, measures of it; NaN where a run has none.
        by: names of what tells groups of runs apart.

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
                    "values": [round(value, 6) for value in values],
                    "runs": members.run.tolist(),
                }
            )
    return pd.DataFrame(entries)


def readable(numbers: pd.DataFrame, rows: Sequence[str], decimals: int = 3) -> pd.DataFrame:
    """The table people read: "0.012 ± 0.003", indexed by `rows`, a column for all else.

    Args:
        numbers: from `over_seeds`.
        rows: names of what the rows are.
        decimals: to show.
    """
    fixed = {*rows, "mean", "std", "seeds", "values", "runs"}
    varied = [name for name in numbers.columns if numbers[name].map(str).nunique() > 1]
    columns = [name for name in varied if name not in fixed]
    cells: dict[tuple[Any, ...], dict[str, str]] = {}
    for entry in numbers.to_dict("records"):
        line = cells.setdefault(tuple(entry[name] for name in rows), {})
        title = " ".join(str(entry[name]) for name in columns) or entry["measure"]
        line[title] = text(entry["mean"], entry["std"], decimals)
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–")
    return table.set_axis(pd.MultiIndex.from_tuples(cells, names=rows), axis=0)


def text(mean: float, std: float, decimals: int = 3) -> str:
    """Mean ± spread; the mean alone where there is no spread to know."""
    shown = f"{mean:.{decimals}f}"
    return shown if pd.isna(std) else f"{shown} ± {std:.{decimals}f}"
