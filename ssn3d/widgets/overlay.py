"""Looks in, a PNG out: frames with their parts over them, and how the parts move over a clip.

Without matplotlib's drawing, which is too slow to follow a reader who slides from frame to frame.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ssn3d.plots.style import PART_COLOURS, overlay

from . import png
from .charts import ACROSS, DOWN, chart, time_axis
from .drawing import (
    CAPTION,
    DENSITY,
    GREY,
    INK,
    PAPER,
    SMALL,
    TEXT,
    THIN,
    Box,
    Shown,
    colour_of,
    font,
    line,
    unbroken,
)
from .looks import Look

WIDTH = 960 * DENSITY
HEAD, PANEL, FOOT, GAP = (size * DENSITY for size in (42, 256, 30, 12))
STRIP, LEGEND, AXIS = (size * DENSITY for size in (64, 106, 46))
TRAIL = 8
"""Frames over which the path of a part is drawn: more would cover the person."""


def picture(looks: Mapping[str, Look], shown: Shown) -> bytes:
    """A row for each network: windows and paths, the attention, and the clip from end to end.

    Args:
        looks: what each network sees in the clip of the shown frame, under the title of its row.
        shown: what of it to show; parts that a network does not have are left out of its row.

    Returns:
        A PNG, `WIDTH` pixels wide, to be shown at 1 / `DENSITY` of its size.
    """
    rows = [_row(title, look, shown) for title, look in looks.items()]
    canvas = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), PAPER)
    for number, row in enumerate(rows):
        canvas.paste(row, (0, number * row.height))
    return png.encode(np.asarray(canvas))


def painted(
    look: Look, rows: Sequence[int], parts: Sequence[int], opacity: float, height: int
) -> list[Image.Image]:
    """Frames with the attention of some parts over them, as `plots.overlay` paints it.

    Args:
        look: a clip.
        rows: which of its t frames.
        parts: which of its n parts.
        opacity: 0 leaves the frames as they are.
        height: of the results, in pixels.
    """
    layers = _layers(look, tuple(rows), tuple(parts), height)
    return [Image.blend(plain, full, opacity) for plain, full in layers]


@lru_cache(maxsize=16)  # what stays while another frame or opacity is chosen
def _layers(
    look: Look, rows: tuple[int, ...], parts: tuple[int, ...], height: int
) -> list[tuple[Image.Image, Image.Image]]:
    """Frames, and the same with all attention over them; their pixels stay squares."""
    images, maps = look.images[list(rows)], look.maps[list(rows)]
    size = (max(1, round(height * images.shape[2] / images.shape[1])), height)
    if images.shape[1] > height:
        small = [Image.fromarray(image).resize(size, Image.Resampling.BOX) for image in images]
        images = np.stack([np.asarray(image) for image in small])
    full = images
    if parts:
        colours = [PART_COLOURS[part % len(PART_COLOURS)] for part in parts]
        scale = max(1, height // images.shape[1] // 4)  # finer ones look alike but take longer
        full = overlay(images, maps[:, list(parts)], scale, colours)
    pairs = zip(images, full, strict=True)
    return [tuple(_enlarged(image, size) for image in pair) for pair in pairs]  # type: ignore[misc]


def _enlarged(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(image).resize(size, Image.Resampling.NEAREST)


def _row(title: str, look: Look, shown: Shown) -> Image.Image:
    canvas = Image.new("RGB", (WIDTH, HEAD + PANEL + FOOT), PAPER)
    draw = ImageDraw.Draw(canvas)
    shown = shown._replace(parts=tuple(part for part in shown.parts if part < len(look.names)))
    now = [shown.frame - look.first]
    height = min(PANEL, PANEL * look.images.shape[1] // look.images.shape[2])  # no wider than high
    [frame] = painted(look, now, shown.parts, 0, height)
    _mark(frame, look, shown)
    [attention] = painted(look, now, shown.parts, shown.opacity, height)
    draw.text((0, 0), title, INK, font(TEXT, bold=True))
    left = 0
    for caption, panel in (("windows and paths", frame), (look.source, attention)):
        draw.text((left, HEAD - CAPTION), caption, GREY, font(SMALL))
        canvas.paste(panel, (left, HEAD))
        left += panel.width + GAP
    clip = Box(left + AXIS, HEAD, WIDTH - LEGEND, HEAD + PANEL)
    _strip(canvas, clip, look, shown)
    middle = HEAD + STRIP + 0.6 * (PANEL - STRIP)  # a person is higher than wide
    chart(draw, clip._replace(top=HEAD + STRIP + CAPTION, bottom=middle), DOWN, look, shown)
    chart(draw, clip._replace(top=middle + CAPTION), ACROSS, look, shown)
    time_axis(draw, clip, look, shown)
    _legend(draw, clip._replace(left=clip.right + GAP), look, shown)
    return canvas


def _mark(frame: Image.Image, look: Look, shown: Shown) -> None:
    """Draw into a frame the path of each part, its window, and the true points."""
    draw, box = ImageDraw.Draw(frame), Box(0, 0, *frame.size)
    now = shown.frame - look.first
    half = look.window / 2 / np.array(look.maps.shape[:1:-1])  # of a window, as (x, y)
    for part in shown.parts:
        for path in unbroken(look.places[max(0, now - TRAIL) : now + 1, part]):
            line(draw, box.at(path), colour_of(part), cased=True)
    for part in shown.parts:
        if np.isfinite(here := look.places[now, part]).all():
            corners: Any = box.at(np.stack([here - half, here + half]))
            draw.rectangle(corners, outline=PAPER, width=3 * THIN)
            draw.rectangle(corners, outline=colour_of(part), width=2 * THIN)
    if shown.truth and look.truth is not None:
        points = list(shown.parts) if look.named else list(range(look.truth.shape[1]))
        for point, centre in zip(points, box.at(look.truth[now, points]), strict=True):
            if np.isfinite(centre).all():
                ring = colour_of(point) if look.named else INK
                draw.circle(centre, 5 * THIN, outline=PAPER, width=4 * THIN)
                draw.circle(centre, 4 * THIN, outline=ring, width=2 * THIN)


def _strip(canvas: Image.Image, box: Box, look: Look, shown: Shown) -> None:
    """Paste as many frames of the clip as there is room for, each where its time is."""
    t, height, width = look.images.shape[:3]
    room = (box.right - box.left) / (STRIP * width / height + THIN)  # for so many
    step = min(t, int(np.ceil(t / room)))
    starts = np.arange(0, t - step + 1, step)
    centres = box.at(np.stack([(starts + step / 2) / t, 0 * starts], axis=1))
    frames = painted(look, (starts + step // 2).tolist(), shown.parts, shown.opacity, STRIP)
    for frame, (x, y) in zip(frames, centres, strict=True):
        canvas.paste(frame, (round(x - frame.width / 2), round(y)))


def _legend(draw: ImageDraw.ImageDraw, box: Box, look: Look, shown: Shown) -> None:
    height = min(22 * DENSITY, PANEL // max(len(shown.parts), 1))
    half = 5 * THIN
    for number, part in enumerate(shown.parts):
        y = box.top + (number + 0.5) * height
        draw.rectangle((box.left, y - half, box.left + 2 * half, y + half), colour_of(part))
        draw.text((box.left + 3 * half, y), look.names[part], INK, font(SMALL), anchor="lm")
