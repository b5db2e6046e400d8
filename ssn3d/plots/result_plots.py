"""Figures of scores: over lambda (Figure 3), and the claims with their intervals."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import STYLE

REDUCTION_COLOURS = dict(zip(("sum", "mean"), sns.color_palette("colorblind", 2), strict=True))
VERDICT_COLOURS = {"holds": "#117733", "does not hold": "#AA3377", "undecided": "0.5"}


def over_lambda(
    numbers: pd.DataFrame,
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
    best: Mapping[str, float],
) -> Figure:
    """Figure 3: scores over lambda, a column a data set, a row a metric.

    A line is the mean over seeds, the band reaches from the lowest to the highest.  The mean over
    parts at nine times lambda is the sum at lambda, as long as no part is missing: dashed, the
    line of the sum moved to where the mean should have it.

    Args:
        numbers: a row a run: dataset, lambda, reduction ("mean" or "sum" of Eq. 4) and the metrics.
        titles: of the data sets.
        metrics: label of each metric, by its column.
        best: the lambda that the paper settles on for each data set, marked by a line.
    """  # fmt: skip
    with matplotlib.rc_context(STYLE):
        size = (2.3 * len(titles), 1.9 * len(metrics) + 0.4)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(metrics), len(titles), squeeze=False, sharex=True, sharey="row")
        for column, (dataset, title) in zip(axes.T, titles.items(), strict=True):
            column[0].set_title(title, fontsize="medium")
            column[-1].set_xlabel("λ")
            for axis, metric in zip(column, metrics, strict=True):
                axis.axvline(best[dataset], color="0.6", linestyle=":", linewidth=1.2, zorder=0)
                for reduction, colour in REDUCTION_COLOURS.items():
                    chosen = numbers[
                        (numbers.dataset == dataset) & (numbers.reduction == reduction)
                    ]
                    by_lambda = chosen.groupby("lambda")[metric]
                    low, mean, high = by_lambda.min(), by_lambda.mean(), by_lambda.max()
                    axis.fill_between(mean.index, low, high, color=colour, alpha=0.2, linewidth=0)
                    line = "o-" if reduction == "sum" else "o"
                    axis.plot(mean.index, mean, line, color=colour, markersize=3, label=reduction)
                    if reduction == "sum":
                        moved = {"color": REDUCTION_COLOURS["mean"], "linestyle": "--"}
                        axis.plot(9 * mean.index, mean, linewidth=1, zorder=1, **moved)
                axis.set_xscale("log")
        for axis, label in zip(axes[:, 0], metrics.values(), strict=True):
            axis.set_ylabel(label)
        handles, _ = axes[0, 0].get_legend_handles_labels()
        dashed = Line2D([], [], color=REDUCTION_COLOURS["mean"], linestyle="--", linewidth=1)
        dotted = Line2D([], [], color="0.6", linestyle=":")
        labels = ["sum over parts, as printed", "mean", "the sum's, at 9λ", "the paper's λ"]
        figure.legend(
            [*handles, dashed, dotted], labels, loc="outside upper center", ncols=len(labels)
        )
    return figure


def claims(findings: Sequence[Mapping[str, object]]) -> Figure:
    """Effects with their intervals, a panel a unit: right of zero speaks for the paper.

    Args:
        findings: records with title, place, unit, effect, low, high and verdict.
    """
    table = pd.DataFrame([one for one in findings if np.isfinite(float(one["effect"]))])  # type: ignore[arg-type]
    if table.empty:
        figure = Figure(figsize=(7.2, 0.6))
        figure.text(0.5, 0.5, "nothing measured yet", ha="center", va="center")
        return figure
    units = list(dict.fromkeys(table.unit))
    groups = [list(table[table.unit == unit].groupby("title", sort=False)) for unit in units]
    lines = [sum(1 + len(rows) for _, rows in group) for group in groups]
    with matplotlib.rc_context(STYLE):
        size = (7.2, 0.19 * sum(lines) + 0.5 * len(units))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(units), 1, squeeze=False, height_ratios=[n + 1 for n in lines])
        for axis, unit, group, count in zip(axes[:, 0], units, groups, lines, strict=True):
            axis.axvline(0, color="0.6", linewidth=1, zorder=0)
            places, row = {}, 0
            for title, rows in group:
                axis.text(
                    0.01, row, title, transform=axis.get_yaxis_transform(), va="center",
                    fontsize="small", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
                )  # fmt: skip
                for one in rows.itertuples():
                    row += 1
                    colour = VERDICT_COLOURS.get(one.verdict, "0.7")
                    axis.plot([one.low, one.high], [row, row], color=colour, linewidth=1.8)
                    axis.plot(one.effect, row, "o", color=colour, markersize=4)
                    places[row] = one.place
                row += 1
            axis.set_yticks(list(places), list(places.values()), fontsize="small")
            axis.set_ylim(count - 0.4, -0.6)
            axis.set_xlabel(unit, fontsize="small")
        handles = [
            Line2D([], [], color=colour, marker="o", label=verdict)
            for verdict, colour in VERDICT_COLOURS.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure
