"""Figures of scores: of methods, over lambda (Figure 3), over misalignment, of parts, of claims."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .style import STRATEGY_COLOURS, STYLE

METHOD_COLOURS = {
    "SSN3D": STRATEGY_COLOURS["semi-supervised"],
    "SSN3D, no labels": STRATEGY_COLOURS["unsupervised"],
    "SSN3D, pose estimator": STRATEGY_COLOURS["supervised"],
    "average pooling": "#7A4A2B",
    "temporal attention": "#AA4499",
    "recurrent": "#CC6677",
    "stripes + 3D": "#332288",
    "3D convolution": "#882255",
    "non-local": "#88CCEE",
    "AP3D": "#999933",
    "SpaAtn": "#117733",
    "MG-RAFA": "#DDCC77",
    "ST-GCN": "#44AA99",
    "MGH": "#E69F00",
}
"""One colour a method; what is neither a method nor a strategy is grey."""
HIT, MISS, QUERY = "#117733", "#CC3311", "0.3"
REDUCTION_COLOURS = dict(zip(("sum", "mean"), sns.color_palette("colorblind", 2), strict=True))
VERDICT_COLOURS = {"holds": "#117733", "does not hold": "#AA3377", "undecided": "0.5"}


def scores(
    numbers: pd.DataFrame,
    metrics: Mapping[str, str],
    titles: Mapping[str, str],
    *,
    quoted: bool = False,
) -> Figure:
    """Every method's scores, seed by seed, in a panel for each data set and metric.

    Args:
        numbers: from `tables.measurements`: row (the method), dataset, metric, paper, mean, values.
        metrics: label of each metric to show.
        titles: of the data sets.
        quoted: whether to mark the paper's numbers by crosses.
    """
    methods = list(dict.fromkeys(numbers.row))
    with matplotlib.rc_context(STYLE):
        size = (2.4 * len(titles) + 1.2, (0.19 * len(methods) + 0.6) * len(metrics) + 0.2)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(metrics), len(titles), squeeze=False, sharey=True)
        for line, (metric, label) in zip(axes, metrics.items(), strict=True):
            for axis, dataset in zip(line, titles, strict=True):
                chosen = numbers[(numbers.dataset == dataset) & (numbers.metric == metric)]
                for entry in chosen.to_dict("records"):
                    place, colour = methods.index(entry["row"]), _colour(entry["row"])
                    axis.plot(entry["mean"], place, "|", color=colour, markersize=11, mew=2)
                    for value in entry["values"]:
                        axis.plot(value, place, "o", color=colour, markersize=3, alpha=0.7)
                    if quoted:
                        axis.plot(entry["paper"], place, "x", color="0.3", markersize=6)
                axis.set_xlabel(label)
                axis.grid(axis="x", color="0.9")
            line[0].set_yticks(range(len(methods)), methods)
        for axis, title in zip(axes[0], titles.values(), strict=True):
            axis.set_title(title, fontsize="medium")
        axes[0, 0].set_ylim(len(methods) - 0.4, -0.6)  # which all share
        marks = {"mean of the seeds": "|", "a seed": "o"} | ({"the paper's": "x"} if quoted else {})
        handles = [
            Line2D([], [], color="0.3", marker=mark, linestyle="", label=label)
            for label, mark in marks.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def ranked_lists(
    rows: Mapping[str, Sequence[NDArray[np.uint8]]],
    right: Mapping[str, Sequence[bool]],
) -> Figure:
    """Queries and their first answers: green if it is the person, else red.

    Args:
        rows: pictures [H W 3] under the title of each row, the query's first; a row for each query
            and method.
        right: for each row whether each answer shows the query's person.
    """
    columns = max(map(len, rows.values()))
    height, width = next(iter(rows.values()))[0].shape[:2]
    cell = 0.52  # inches
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(cell * (columns + 0.3), cell * height / width * len(rows)))
        grid = {"wspace": 0.12, "hspace": 0.14, "left": 0, "right": 1, "bottom": 0, "top": 1}
        axes = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw=grid)
        for line, (title, pictures) in zip(axes, rows.items(), strict=True):
            colours = [QUERY, *(HIT if hit else MISS for hit in right[title])]
            for axis in line[len(pictures) :]:
                axis.axis("off")
            for axis, picture, colour in zip(line, pictures, colours, strict=False):
                axis.imshow(picture, interpolation="nearest")
                axis.set(xticks=[], yticks=[])
                for spine in axis.spines.values():
                    spine.set(visible=True, color=colour, linewidth=2.5)
            line[0].text(-0.2, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
        for place, axis in enumerate(axes[0]):
            axis.set_title("query" if place == 0 else str(place), fontsize="small")
        patches = {"right person": HIT, "another person": MISS}
        figure.legend(
            handles=[Patch(color=colour, label=label) for label, colour in patches.items()],
            loc="upper right",
            bbox_to_anchor=(1.0, 0.0),
            ncols=2,
        )
    return figure


def over(axis: Axes, numbers: pd.DataFrame, by: str, value: str, method: str) -> None:
    """Draw a method: a line through the means over seeds, bars from the lowest to the highest."""
    grouped = numbers.groupby(by)[value]
    low, mean, high = grouped.min(), grouped.mean(), grouped.max()
    colour = _colour(method)
    axis.vlines(mean.index, low, high, color=colour, alpha=0.4, linewidth=1)
    axis.plot(mean.index, mean, "o-", color=colour, markersize=3, label=method)


def misalignment(numbers: pd.DataFrame, moved: pd.DataFrame) -> Figure:
    """What misalignment does, to every method.

    Left, mAP and top-1 over how far people stray in their boxes, each method trained anew at each
    level.  Right, how far an embedding moves when every other frame is shifted, as a share of the
    distance to the nearest other person.

    Args:
        numbers: a row for each run: method, jitter (percent of the box), mean_ap, top1 (percent).
        moved: a row for each run and shift: method, cells, share (percent).
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.0), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        for method in dict.fromkeys(numbers.method):
            over(left, numbers[numbers.method == method], "jitter", "mean_ap", method)
            over(middle, numbers[numbers.method == method], "jitter", "top1", method)
            over(right, moved[moved.method == method], "cells", "share", method)
        left.set(xlabel="straying, % of the box", ylabel="mAP, %")
        middle.set(xlabel="straying, % of the box", ylabel="top-1, %")
        right.set(
            xlabel="shift of every other frame, cells",
            ylabel="displacement, % of the distance\nto the nearest other person",
        )
        right.set_ylim(bottom=0)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center")
    return figure


def label_quality(
    noise: pd.DataFrame, amount: pd.DataFrame, references: Mapping[str, float]
) -> Figure:
    """What labels are worth: worse ones for the supervised strategy, more for the semi-supervised.

    Args:
        noise: a row for each run of the supervised strategy: noise (1 as expected), mean_ap
            (percent).
        amount: a row for each run of the semi-supervised strategy: labels (labelled frames in a
            tracklet, as text), mean_ap.
        references: mAP of other methods, drawn across both panels.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        over(left, noise, "noise", "mean_ap", "SSN3D, pose estimator")
        places = list(dict.fromkeys(amount.labels))
        right_numbers = amount.assign(place=[places.index(label) for label in amount.labels])
        over(right, right_numbers, "place", "mean_ap", "SSN3D")
        right.set_xticks(range(len(places)), places)
        for axis in (left, right):
            for method, value in references.items():
                axis.axhline(value, color=_colour(method), linestyle="--", linewidth=1, zorder=0)
        left.set(xlabel="errors of the pose estimator, 1 as expected", ylabel="mAP, %")
        right.set(xlabel="labelled frames a tracklet")
        lines = {"supervised": "SSN3D, pose estimator", "semi-supervised": "SSN3D"}
        handles = [
            Line2D([], [], color=_colour(method), marker="o", markersize=3, label=label)
            for label, method in lines.items()
        ]
        handles += [
            Line2D([], [], color=_colour(method), linestyle="--", label=method)
            for method in references
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def confusion(
    accuracy: pd.DataFrame, shares: Mapping[str, NDArray[np.floating]], parts: Sequence[str]
) -> Figure:
    """How often each part is found, and which part its windows are taken for in the 2nd round.

    Args:
        accuracy: a row for each run and part: method, part, pck (percent).
        shares: for each method [n m] which part the window at each true point is taken for, in
            0..1; NaN where a point is never known.
        parts: names of the n = m parts.
    """
    places = range(len(parts))
    colours = dict(zip(shares, sns.color_palette("colorblind", len(shares)), strict=True))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.6 + 2.9 * len(shares), 3.3), layout="constrained")
        ratios = [2] + [2.7] * len(shares)
        left, *panels = figure.subplots(1, 1 + len(shares), sharey=True, width_ratios=ratios)
        for number, (method, colour) in enumerate(colours.items()):
            for place, part in enumerate(parts):
                chosen = accuracy[(accuracy.method == method) & (accuracy.part == part)].pck
                height = place + 0.3 * (number - (len(shares) - 1) / 2)
                left.plot(
                    chosen, [height] * len(chosen), "o", color=colour, markersize=3, alpha=0.6
                )
                left.plot(chosen.mean(), height, "|", color=colour, markersize=9, mew=2)
        left.set(xlabel="found (PCK), %", xlim=(-3, 103))
        left.set_yticks(places, parts)
        left.grid(axis="x", color="0.9")
        for axis, (method, rows) in zip(panels, shares.items(), strict=True):
            axis.set_title(method, fontsize="medium", color=colours[method])
            axis.imshow(100 * rows, cmap="Greys", vmin=0, vmax=100, aspect="auto")
            for row, column in np.argwhere(np.isfinite(rows)):
                percent = 100 * rows[row, column]
                axis.text(
                    column, row, f"{percent:.0f}", ha="center", va="center", fontsize="x-small",
                    color="white" if percent > 55 else "black" if percent >= 0.5 else "0.8",
                )  # fmt: skip
            axis.set_xticks(places, parts, rotation=60, ha="right", rotation_mode="anchor")
            axis.set_xlabel("taken for, % of windows")
            axis.tick_params(length=0)
        left.set_ylim(len(parts) - 0.5, -0.5)  # which all share
    return figure


def over_lambda(
    numbers: pd.DataFrame,
    titles: Mapping[str, str],
    metrics: Mapping[str, str],
    best: Mapping[str, float],
) -> Figure:
    """Figure 3: scores over lambda, with a column for each data set and a row for each metric.

    A line is the mean over seeds, its band reaches from the lowest to the highest. As long as no
    part is missing, the mean over parts at nine times lambda is the sum at lambda; where the mean
    was measured, the dashed line is that of the sum, moved to where the mean should have it.

    Args:
        numbers: a row for each run: dataset, lambda, reduction ("mean" or "sum" of Eq. 4), metrics.
        titles: of the data sets.
        metrics: label of each metric, by its column.
        best: the lambda that the paper settles on for each data set, marked by a line.
    """
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
                    low, means, high = by_lambda.min(), by_lambda.mean(), by_lambda.max()
                    axis.fill_between(means.index, low, high, color=colour, alpha=0.2, linewidth=0)
                    if reduction == "sum":
                        total = means
                        axis.plot(total.index, total, "o-", color=colour, markersize=3)
                    elif len(means):
                        axis.plot(9 * total.index, total, "--", color=colour, linewidth=1, zorder=1)
                        axis.plot(means.index, means, "o", color=colour, markersize=3)
                axis.set_xscale("log")
        for axis, label in zip(axes[:, 0], metrics.values(), strict=True):
            axis.set_ylabel(label)
        colours = REDUCTION_COLOURS
        lines = {
            "sum over parts, as printed": {"color": colours["sum"], "marker": "o", "markersize": 3},
            "mean": {"color": colours["mean"], "marker": "o", "markersize": 3, "linestyle": ""},
            "the sum's, at 9λ": {"color": colours["mean"], "linestyle": "--", "linewidth": 1},
            "the paper's λ": {"color": "0.6", "linestyle": ":"},
        }
        handles = [Line2D([], [], **line) for line in lines.values()]  # type: ignore[arg-type]
        figure.legend(handles, [*lines], loc="outside upper center", ncols=len(lines))
    return figure


def claims(findings: Sequence[Mapping[str, object]]) -> Figure:
    """Effects with their intervals, in a panel for each unit: right of zero supports the paper.

    Args:
        findings: records with title, place, pooled (drawn as a diamond), unit, effect, low, high,
            verdict, and paper: the effect by the paper's own numbers, NaN where it has none.
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
                    axis.plot(
                        one.effect, row, "D" if one.pooled else "o", color=colour, markersize=4
                    )
                    axis.plot(one.paper, row, "x", color="black", markersize=5)
                    places[row] = one.place
                row += 1
            axis.set_yticks(list(places), list(places.values()), fontsize="small")
            axis.set_ylim(count - 0.4, -0.6)
            axis.set_xlabel(unit, fontsize="small")
        handles = [
            Line2D([], [], color=colour, marker="o", label=verdict)
            for verdict, colour in VERDICT_COLOURS.items()
        ]
        handles.append(Line2D([], [], color="black", marker="x", linestyle="", label="the paper's"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _colour(name: str) -> Any:
    return {**METHOD_COLOURS, **STRATEGY_COLOURS}.get(name, "0.5")
