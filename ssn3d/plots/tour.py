"""Two figures of the tour: what lies at one point of each frame, and how a training proceeds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from einops import rearrange
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .style import STYLE, overlay

Array = NDArray[Any]


class Followed(NamedTuple):
    """A point in each frame, and the patch around it."""

    points: Array
    """[t 2] as (x, y) in 0..1."""
    patches: Array
    """[t i j 3] uint8, cut out around them."""
    colour: Any


def film_strip(frames: Array, rows: Mapping[str, Followed], side: float) -> Figure:
    """Frames over time, and below them the patches around one point of each.

    Args:
        frames: [t H W 3].
        rows: points and patches, under the title of their row.
        side: of a patch, as a share of the height of a frame; a box shows it there.
    """
    cell, aspect = 0.75, frames.shape[2] / frames.shape[1]  # inches; width / height
    heights = [cell / aspect] + [cell] * len(rows)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(cell * len(frames), sum(heights)))
        grid: dict[str, Any] = {"left": 0, "right": 1, "bottom": 0, "top": 1, "wspace": 0.06}
        grid |= {"hspace": 0.06, "height_ratios": heights}
        axes = figure.subplots(len(heights), len(frames), squeeze=False, gridspec_kw=grid)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, frame in zip(axes[0], frames, strict=True):
            axis.imshow(frame, interpolation="nearest", extent=(0, aspect, 1, 0))
            axis.set_autoscale_on(False)
        for line, (title, row) in zip(axes[1:], rows.items(), strict=True):
            line[0].text(-0.12, 0.5, title, transform=line[0].transAxes, ha="right", va="center")
            for axis, patch in zip(line, row.patches, strict=True):
                axis.imshow(patch, interpolation="nearest")
                axis.spines[:].set(visible=True, color=row.colour, linewidth=2)
            for axis, (x, y) in zip(axes[0], row.points, strict=True):
                for colour, width in (("white", 2.6), (row.colour, 1.4)):
                    corner = x * aspect - side / 2, y - side / 2
                    axis.add_patch(
                        Rectangle(corner, side, side, fill=False, edgecolor=colour, linewidth=width)
                    )
                    axis.plot(x * aspect, y, "+", color=colour, markersize=5, mew=width)
    return figure


def training_progress(
    history: Mapping[str, Sequence[float]],
    frames: Array,
    snapshots: Mapping[int, Array],
    *,
    steps: int,
    every: int,
    margin: float,
) -> Figure:
    """A training so far: the parts found in some frames, and the losses below.

    Args:
        history: the loss terms "ssn", added up over the parts, and "triplet", of each step so far.
        frames: [t 3 H W] that are watched, an even number; shown in two rows.
        snapshots: maps [t n h w] of these frames, under the number of steps done before.
        steps: how many there will be.
        every: steps from one snapshot to the next.
        margin: m of Eq. (5).
    """
    n = next(iter(snapshots.values())).shape[1]
    pixels = rearrange(frames, "t c h w -> t h w c")
    wide, low, gap = 6.5, 0.7, 0.2  # inches
    strip = 0.94 * wide / (steps / every + 1)
    tall = strip * frames.shape[2] / frames.shape[3] * 4 / len(frames)
    size, y = (wide + 1, tall + 2 * (low + gap) + 0.6), 0.5
    levels = {"triplet": (margin, "all alike"), "SSN": (n * np.log(n), "guessing")}
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        for height, term in ((low, "triplet"), (low, "SSN"), (tall, "maps")):
            place = (0.7 / size[0], y / size[1], wide / size[0], height / size[1])
            axis = figure.add_axes(place)
            y += height + gap
            if term == "maps":
                axis.axis("off")
                for step, maps in snapshots.items():
                    square = rearrange(
                        overlay(pixels, maps, 1), "(a b) h w c -> (a h) (b w) c", a=2
                    )
                    sides = step - 0.47 * every, step + 0.47 * every
                    axis.imshow(square, extent=(*sides, 0, 1), aspect="auto")
            else:
                level, meaning = levels[term]
                values = history.get(term.lower(), [])
                axis.plot(range(1, len(values) + 1), values, color="0.2", linewidth=1.2)
                axis.axhline(level, color="0.5", linestyle=":", linewidth=1)
                axis.text(steps + 0.55 * every, level, meaning, va="center", color="0.4")
                axis.set(ylabel=f"{term} loss", ylim=(0, 1.25 * max(level, *values, level)))
                axis.tick_params(labelbottom=term == "triplet")
            axis.set_xlim(-every / 2, steps + every / 2)
        figure.axes[0].set_xlabel("step")
    return figure
