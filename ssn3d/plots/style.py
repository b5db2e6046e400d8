"""The style of all figures, the colour of each part, and the figures of frames and of losses."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

STYLE: Any = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper"),
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "savefig.bbox": "tight",
    "font.family": "DejaVu Sans",
    "svg.hashsalt": "ssn3d",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
PART_COLOURS = sns.color_palette(
    [
        "#332288",
        "#CC6677",
        "#117733",
        "#88CCEE",
        "#DDCC77",
        "#AA4499",
        "#44AA99",
        "#882255",
        "#999933",
    ]
)
"""Of the parts in every figure: nine that colour-blind readers can tell apart (Paul Tol)."""
STRATEGY_COLOURS = dict(
    zip(
        ("supervised", "unsupervised", "semi-supervised"),
        sns.color_palette("colorblind", 3),
        strict=True,
    )
)


def part_colour(n: int) -> tuple[float, float, float]:
    """The colour of part n; from the tenth part on, the colours repeat."""
    return PART_COLOURS[n % len(PART_COLOURS)]


def save(figure: Figure, stem: Path, *, vector: bool = True) -> list[Path]:
    """Write a figure, byte for byte the same each time.

    Args:
        figure: any of this package's.
        stem: of the files, without ending.
        vector: write `stem`.svg beside `stem`.png; of no use for pictures made of pixels, which are
            kept a little coarser instead, as they take much space.
    """
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    # The solver of layouts ends at numbers whose last digits differ, which SVG makes names of.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis in figure.axes:
        axis.set_position([round(number, 6) for number in axis.get_position().bounds])  # type: ignore[arg-type]
    with matplotlib.rc_context(STYLE if vector else STYLE | {"savefig.dpi": 120}):
        figure.savefig(png, metadata={"Software": None})
        if vector:
            figure.savefig(svg, metadata={"Date": None})
    return [png, svg] if vector else [png]


def frames(rows: Mapping[str, NDArray[np.uint8]], groups: Sequence[str] = ()) -> Figure:
    """Some frames of some tracklets, with a row for each tracklet.

    Args:
        rows: [t H W 3] under the title of each row; t may differ.
        groups: titles over equal shares of the columns.
    """
    columns = max(map(len, rows.values()))
    height, width = next(iter(rows.values())).shape[1:3]
    cell = 0.5  # inches
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(cell * columns, cell * height / width * len(rows)))
        grid = {"wspace": 0.05, "hspace": 0.05, "left": 0, "right": 1, "bottom": 0, "top": 1}
        axes = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw=grid)
        for line, (title, images) in zip(axes, rows.items(), strict=True):
            for axis in line:
                axis.axis("off")
            for axis, image in zip(line, images, strict=False):
                axis.imshow(image, interpolation="nearest")
            line[0].text(-0.12, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
        for axis, title in zip(axes[0, :: columns // max(len(groups), 1)], groups, strict=False):
            axis.set_title(title, loc="left", fontsize="medium")
    return figure


def attention(
    rows: Mapping[str, tuple[NDArray[np.uint8], NDArray[np.floating] | None]],
    parts: Sequence[str],
    groups: Sequence[str] = (),
) -> Figure:
    """The parts found in some frames, each in its colour, with a row for each method.

    Args:
        rows: under the title of each row the frames [t H W 3] and the maps [t n h w] to paint over
            them, or None for the frames alone.
        parts: what to call the n parts in the legend.
        groups: see `frames`.
    """
    painted = {
        title: images if maps is None else overlay(images, maps)
        for title, (images, maps) in rows.items()
    }
    figure = frames(painted, groups)
    with matplotlib.rc_context(STYLE):
        figure.legend(
            handles=[
                Patch(color=colour, label=part)
                for part, colour in zip(parts, cycle(PART_COLOURS), strict=False)
            ],
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
        )
    return figure


def overlay(
    images: NDArray[np.uint8],
    maps: NDArray[np.floating],
    scale: int = 4,
    colours: Sequence[tuple[float, float, float]] = PART_COLOURS,
) -> NDArray[np.uint8]:
    """Frames, enlarged and greyed, with every part painted over them in its colour.

    A part shows where its map is above even weight, the stronger the more it is concentrated: an
    even map, which points nowhere, shows nowhere.

    Args:
        images: [t H W 3].
        maps: [t n h w], each summing to 1, or to 0 for a part that is missing.
        scale: how many times larger the result is.
        colours: of the parts.

    Returns:
        [t scale*H scale*W 3].
    """
    height, width = images.shape[1] * scale, images.shape[2] * scale
    grey = np.repeat(np.repeat(images, scale, axis=1), scale, axis=2).mean(axis=3, keepdims=True)
    even = 1 / (maps.shape[2] * maps.shape[3])
    peak = np.maximum(maps.max(axis=(2, 3), keepdims=True), even)
    strength = np.clip(maps - even, 0, None) / peak  # 0 where even, almost 1 where all weight is
    strength = np.stack([_enlarged(part, height, width) for part in strength.swapaxes(0, 1)])
    palette = np.array([c for c, _ in zip(cycle(colours), strength, strict=False)])
    share = strength / np.maximum(strength.sum(axis=0), 1e-12)
    paint = 255 * np.einsum("ntyx,nc->tyxc", share, palette)
    opacity = 0.9 * strength.max(axis=0)[..., None]
    return ((1 - opacity) * (90 + 0.65 * grey) + opacity * paint).round().astype(np.uint8)


def learning_curves(
    histories: Mapping[str, Sequence[Mapping[str, Sequence[float]]]],
    colours: Mapping[str, Any] = STRATEGY_COLOURS,
) -> Figure:
    """Both loss terms over the steps of training, with a line for each method.

    A band reaches from the lowest seed to the highest.

    The SSN loss is that of nine parts, added up.

    Args:
        histories: of several seeds, under the name of each method.
        colours: of the methods.
    """
    terms = {"triplet": "triplet loss, Eq. (5)", "ssn": "SSN loss, Eq. (4), nats"}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.4), layout="constrained")
        for axis, (term, label) in zip(figure.subplots(1, 2), terms.items(), strict=True):
            for method, runs in histories.items():
                if curves := [_smooth(run[term]) for run in runs if term in run]:
                    band(axis, curves, color=colours[method], label=method)
            axis.set(xlabel="step", ylabel=label)
            axis.set_ylim(bottom=0)
        chance = 9 * np.log(9)
        axis.set_ylim(top=max(axis.get_ylim()[1], 1.05 * chance))
        axis.axhline(chance, color="0.5", linestyle=":", linewidth=1)
        axis.text(
            axis.get_xlim()[1], chance, "chance, 9 ln 9", ha="right", va="bottom", color="0.4"
        )
        handles = [Line2D([], [], color=colours[name], label=name) for name in histories]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def band(
    axis: Axes,
    runs: Sequence[Sequence[float]] | Sequence[NDArray[np.floating]],
    *,
    color: Any,
    **line: Any,
) -> None:
    """The mean of some curves over the steps, and a band from the lowest to the highest.

    Args:
        axis: to draw on.
        runs: [runs steps].
        color: of the line and, lighter, the band.
        **line: more about the line; see matplotlib's `Axes.plot`.
    """
    curves = np.array(runs)
    low, mean, high = curves.min(axis=0), curves.mean(axis=0), curves.max(axis=0)
    steps = np.arange(1, len(mean) + 1)
    axis.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
    axis.plot(steps, mean, color=color, **line)


def _enlarged(maps: NDArray[np.floating], height: int, width: int) -> NDArray[np.floating]:
    """[t h w] -> [t height width], linear between the middles of the cells."""
    rows = _weights(maps.shape[1], height)
    columns = _weights(maps.shape[2], width)
    return np.einsum("yh,thw,xw->tyx", rows, maps, columns, optimize=True)


def _weights(cells: int, pixels: int) -> NDArray[np.floating]:
    """[pixels cells] how much each cell counts at each pixel."""
    middle = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    return np.clip(1 - np.abs(middle[:, None] - np.arange(cells)), 0, 1)


def _smooth(curve: Sequence[float], window: int = 9) -> NDArray[np.floating]:
    """Running mean, over fewer values at both ends."""
    ones = np.ones(min(window, len(curve)))
    return np.convolve(curve, ones, "same") / np.convolve(np.ones(len(curve)), ones, "same")
