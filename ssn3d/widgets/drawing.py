"""What all of the explorer's picture is drawn with: sizes, colours, lines and letters."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from ssn3d.plots.style import PART_COLOURS

DENSITY = 2
"""Pixels of the picture for each one on the page, which keeps lines smooth."""
SMALL, TEXT, THIN = 11 * DENSITY, 13 * DENSITY, DENSITY
CAPTION = 19 * DENSITY
"""Height of a line of small text."""
INK, GREY, RULE, PAPER = "#222222", "#666666", "#dddddd", "#ffffff"

Pixels = list[tuple[float, float]]
"""(x, y) of some places in the picture."""


class Shown(NamedTuple):
    """What a reader chose to see."""

    frame: int
    """Its number in the tracklet, from 0."""
    parts: tuple[int, ...]
    opacity: float
    """Of the attention over the frames, 0..1."""
    truth: bool
    """Whether to mark the true body points, where they are known."""


class Box(NamedTuple):
    """Some part of the picture, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def at(self, points: NDArray[np.floating]) -> Pixels:
        """Where points [k 2] are, given as (x, y) in 0..1 of the box."""
        sides = np.array([self.right - self.left, self.bottom - self.top])
        return [(x, y) for x, y in (points * sides + (self.left, self.top)).tolist()]


def line(
    draw: ImageDraw.ImageDraw, pixels: Pixels, colour: tuple[int, ...], *, cased: bool = False
) -> None:
    """A line, or a dot if it has one place only; cased in white, to stand out from a frame."""
    if len(pixels) == 1:
        draw.circle(pixels[0], 2 * THIN, fill=colour)
        return
    if cased:
        draw.line(pixels, PAPER, 3 * THIN, joint="curve")
    draw.line(pixels, colour, 3 * THIN // 2, joint="curve")


def unbroken(path: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """The stretches of a path [t 2] where nothing is missing."""
    known = np.isfinite(path).all(axis=1)
    for stretch in np.split(np.arange(len(path)), np.flatnonzero(np.diff(known)) + 1):
        if known[stretch[0]]:
            yield path[stretch]


def colour_of(part: int) -> tuple[int, ...]:
    """That of the part in every figure, 0..255."""
    return tuple(round(255 * share) for share in PART_COLOURS[part % len(PART_COLOURS)])


@cache
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """That of the figures, which comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
