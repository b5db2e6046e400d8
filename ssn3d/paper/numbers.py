"""The numbers the paper prints, in percent, read from data/paper/*.csv; missing where not legible.

Some of them cannot come from the standard protocol, so nothing here aims at them. With one match
per query, the CMC printed for iLIDS-VID (88.9, 97.3, 98.8) forces an mAP between 90.7 and 93.5, not
89.2, and a top-1 of 73.2 forbids the 69.4 of Table 2. No number of right answers among the 150
people of a split makes 88.9 %.
"""

from functools import cache
from pathlib import Path

import pandas as pd

TITLES = {"ilids_vid": "iLIDS-VID", "mars": "MARS", "dukemtmc": "DukeMTMC-VideoReID"}
"""How the data sets are written in tables and figures."""
ILIDS_NOTE = (
    "The paper's mAP on iLIDS-VID cannot come from the standard protocol: with one match per "
    "query, its own CMC forces a value between 90.7 and 93.5."
)
"""Shown wherever the paper's mAP on iLIDS-VID is."""


@cache
def table(number: int) -> pd.DataFrame:
    """A table of the paper in long form.

    Args:
        number: 1 to 5.

    Returns:
        Columns row, dataset, metric, value (percent, NaN where not legible or not given) and
        source, in the order of the paper.
    """
    installed = Path(__file__).with_name("_numbers")
    folder = installed if installed.is_dir() else Path(__file__).parents[2] / "data" / "paper"
    path = folder / f"table{number}.csv"
    if not path.exists():
        raise ValueError(f"the paper has tables 1 to 5, got {number!r}")
    return pd.read_csv(path)


def value(number: int, row: str, dataset: str, metric: str) -> float:
    """One number of a table, in percent; NaN where the paper has none or it is not legible.

    Raises:
        KeyError: the table has no such row, data set or metric.
    """
    entries = table(number)
    found = entries[
        (entries.row == row) & (entries.dataset == dataset) & (entries.metric == metric)
    ]
    if len(found) != 1:
        raise KeyError(f"Table {number} has no entry for {row!r}, {dataset!r}, {metric!r}")
    return float(found.value.iloc[0])
