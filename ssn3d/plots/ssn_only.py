"""Figures 4, 5 and 6: what the self-separated network learns alone, without re-identification."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .style import STYLE, band, overlay, part_colour

Curves = Mapping[int, Sequence[Sequence[float]]]
"""Loss curves of several seeds, under the number of parts N."""
COLUMNS = 3
"""Panels in a row of Figure 5, pictures in a row of Figure 6."""
LETTERS = 12
"""In a line of a column's title in Figure 4; more would run into the next title."""


def random_data(panels: Mapping[str, Curves]) -> Figure:
    """Figure 5: SSN loss over the steps of training, a panel for each kind of maps.

    There is a line for each N, the mean over seeds, in a band from the lowest to the highest. A
    dotted line shows the loss of guessing, ln N.

    Args:
        panels: the curves under the title of each panel, three panels in a row.
    """
    numbers = sorted({n for curves in panels.values() for n in curves})
    colours = dict(zip(numbers, sns.color_palette("flare", len(numbers)), strict=True))
    rows, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.4 * columns, 2.2 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for axis in axes.flat[len(panels) :]:
            axis.axis("off")
        for axis, (title, curves) in zip(axes.flat, panels.items(), strict=False):
            for n, runs in curves.items():
                band(axis, runs, color=colours[n], linewidth=1.2)
                axis.axhline(np.log(n), color=colours[n], linestyle=":", linewidth=1)
            axis.set_title(title, fontsize="medium")
            axis.set_ylim(0, 1.15 * np.log(max(numbers)))
            axis.set_xscale("log")  # some maps take many times as long as others
        for axis in axes[-1]:
            axis.set_xlabel("step")
        for axis in axes[:, 0]:
            axis.set_ylabel("SSN loss, nats")
        handles = [Line2D([], [], color=colour, label=f"N = {n}") for n, colour in colours.items()]
        handles.append(Line2D([], [], color="0.4", linestyle=":", label="chance, ln N"))
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def amber(
    pictures: Sequence[NDArray[np.uint8]],
    middles: NDArray[np.floating],
    size: tuple[float, float],
    windows: Sequence[NDArray[np.floating]],
) -> Figure:
    """Figure 6: pictures with a numbered box around each part, and below what each part looks like.

    Args:
        pictures: k of [H W 3], all shown in the shape of the first.
        middles: [k n 2] of the boxes, as (x, y) in 0..1.
        size: height and width of every box, as shares of the picture.
        windows: of each part [l h w 3] in 0..1, from different pictures; a row for each part.
    """
    lines = -(-len(pictures) // COLUMNS)
    wide = 7.2  # inches
    above = lines * (wide / COLUMNS) * pictures[0].shape[0] / pictures[0].shape[1]
    below = len(windows) * (wide - 0.4) / max(map(len, windows))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(wide, above + 0.15 + below))
        top, bottom = figure.subfigures(
            2, 1, height_ratios=[above + 0.15, below], squeeze=False
        ).flat
        tight = {"left": 0, "right": 1, "top": 1}
        grid = tight | {"wspace": 0.03, "hspace": 0.03, "bottom": 0.15 / (above + 0.15)}
        axes = top.subplots(lines, COLUMNS, squeeze=False, gridspec_kw=grid)
        for axis in axes.flat:
            axis.axis("off")
        for axis, picture, places in zip(axes.flat, pictures, middles, strict=False):
            axis.imshow(picture, interpolation="antialiased", aspect="auto")
            _number(axis, places, size, picture.shape)

        grid = tight | {"wspace": 0.06, "hspace": 0.06, "left": 0.4 / wide, "bottom": 0}
        axes = bottom.subplots(
            len(windows), max(map(len, windows)), squeeze=False, gridspec_kw=grid
        )
        for n, (line, patches) in enumerate(zip(axes, windows, strict=True)):
            for axis in line:
                axis.axis("off")
            for axis, patch in zip(line, patches, strict=False):
                axis.imshow(patch.clip(0, 1), interpolation="bicubic")
            line[0].text(
                -0.3, 0.5, str(n + 1), transform=line[0].transAxes, ha="center", va="center",
                color="white", fontsize=9,
                bbox={"facecolor": part_colour(n), "edgecolor": "none"},
            )  # fmt: skip
    return figure


def _number(
    axis: Axes, places: NDArray[np.floating], size: tuple[float, float], shape: tuple[int, ...]
) -> None:
    """Draw a box around each part, with its number and in its colour."""
    height, width = size[0] * shape[0], size[1] * shape[1]
    for n, (x, y) in enumerate(places):
        corner = (x * shape[1] - width / 2, y * shape[0] - height / 2)
        colour = part_colour(n)
        for edge, line in (("white", 2.4), (colour, 1.4)):
            axis.add_patch(
                Rectangle(corner, width, height, fill=False, edgecolor=edge, linewidth=line)
            )
        axis.text(
            *corner, str(n + 1), color="white", fontsize=7, ha="left", va="top",
            bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.0},
        )  # fmt: skip


def parts_apart(
    pictures: NDArray[np.uint8],
    maps: NDArray[np.floating],
    parts: Sequence[str],
    titles: Sequence[str],
    points: NDArray[np.floating] | None = None,
) -> Figure:
    """Figure 4: the attention of each part (column) painted over the picture of each person (row).

    Args:
        pictures: [k H W 3].
        maps: [k n h w], each summing to 1.
        parts: titles of the n columns behind the first, which shows the picture as it is; long
            ones are broken into lines.
        titles: of the k rows.
        points: [k n 2] true places, marked by crosses; NaN where there is none to show.
    """
    height, width = pictures.shape[1:3]
    columns = 1 + len(parts)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(0.75 * columns, 0.75 * height / width * len(pictures)))
        grid = {"wspace": 0.05, "hspace": 0.03, "left": 0, "right": 1, "bottom": 0, "top": 1}
        axes = figure.subplots(len(pictures), columns, squeeze=False, gridspec_kw=grid)
        for k, line in enumerate(axes):
            for axis in line:
                axis.axis("off")
            line[0].imshow(pictures[k], interpolation="antialiased")
            line[0].text(
                -0.12, 0.5, titles[k], transform=line[0].transAxes, ha="right", va="center"
            )
            for n, axis in enumerate(line[1:]):
                colours = [part_colour(n)]
                painted = overlay(pictures[k : k + 1], maps[k : k + 1, n : n + 1], colours=colours)
                axis.imshow(painted[0], interpolation="antialiased")
                if points is not None:
                    x, y = points[k, n] * (painted.shape[2], painted.shape[1])
                    axis.plot(x, y, "+", color="white", markersize=7, markeredgewidth=2.4)
                    axis.plot(x, y, "+", color="black", markersize=6, markeredgewidth=1.0)
        for axis, part in zip(axes[0, 1:], parts, strict=True):
            axis.set_title(textwrap.fill(part, LETTERS), fontsize="medium")
    return figure
