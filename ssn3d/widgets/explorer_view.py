"""The explorer's picture: frames with their parts, and how the parts move over a clip.

Drawn with Pillow: matplotlib is too slow to follow a slider.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ssn3d.plots.style import overlay, part_colour

from .clip_parts import ClipParts

DENSITY = 2
"""Pixels of the picture for each pixel of the page, for smooth lines."""
WIDTH = 960 * DENSITY
HEAD, PANEL, FOOT, GAP = (size * DENSITY for size in (42, 256, 30, 12))
STRIP, LEGEND, AXIS = (size * DENSITY for size in (64, 106, 46))
SMALL, TEXT, THIN = 11 * DENSITY, 13 * DENSITY, DENSITY
CAPTION = 19 * DENSITY
"""Height of a line of small text."""
TRAIL = 8
"""Frames over which the path of a part is drawn: a longer path would cover the person."""
INK, GREY, RULE, PAPER = "#222222", "#666666", "#dddddd", "#ffffff"
ACROSS, DOWN = 0, 1
CHART_LABELS = {
    ACROSS: ("across the frame", "left", "right"),
    DOWN: ("height in the frame", "top", "bottom"),
}

Pixels = list[tuple[float, float]]
"""Points (x, y) in pixels of the picture."""


class Selection(NamedTuple):
    """What the user chose to see."""

    frame: int
    """Number of the frame in the tracklet, from 0."""
    parts: tuple[int, ...]
    """Numbers of the parts, from 0."""
    opacity: float
    """Of the attention over the frames, 0..1."""
    truth: bool
    """Whether to mark the true body points, where they are known."""


class Box(NamedTuple):
    """A rectangle of the picture, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def at(self, points: NDArray[np.floating]) -> Pixels:
        """Pixels of points [k 2], given as (x, y) in 0..1 of the box."""
        sides = np.array([self.right - self.left, self.bottom - self.top])
        return [(x, y) for x, y in (points * sides + (self.left, self.top)).tolist()]


def picture(clips: Mapping[str, ClipParts], selection: Selection) -> bytes:
    """Draw one row for each network: windows and paths, attention, and the clip over time.

    Args:
        clips: what each network finds in the clip of the chosen frame, under the title of its row.
        selection: what to show; a row leaves out parts that its network does not have.

    Returns:
        A PNG, `WIDTH` pixels wide, to be shown at 1 / `DENSITY` of its size.
    """
    rows = [_row(title, clip, selection) for title, clip in clips.items()]
    canvas = Image.new("RGB", (WIDTH, sum(row.height for row in rows)), PAPER)
    for number, row in enumerate(rows):
        canvas.paste(row, (0, number * row.height))
    content = BytesIO()
    canvas.save(content, "PNG", compress_level=1)  # half the time of the default
    return content.getvalue()


def painted(
    clip: ClipParts, rows: Sequence[int], parts: Sequence[int], opacity: float, height: int
) -> list[Image.Image]:
    """Frames with the attention of some parts over them, painted by `plots.style.overlay`.

    Args:
        clip: the clip.
        rows: positions of the frames in the clip.
        parts: numbers of the parts.
        opacity: 0 leaves the frames as they are.
        height: of the results, in pixels.

    Returns:
        An image for each of `rows`, in the frames' proportions.
    """
    layers = _layers(clip, tuple(rows), tuple(parts), height)
    return [Image.blend(plain, full, opacity) for plain, full in layers]


def unbroken(path: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Pieces [k 2] of a path [t 2] without missing points (NaN) between them."""
    known = np.isfinite(path).all(axis=1)
    for piece in np.split(np.arange(len(path)), np.flatnonzero(np.diff(known)) + 1):
        if known[piece[0]]:
            yield path[piece]


def colour_of(part: int) -> tuple[int, ...]:
    """The colour of a part in every figure, (red, green, blue) in 0..255."""
    return tuple(round(255 * share) for share in part_colour(part))


@lru_cache(maxsize=16)  # another opacity, or another frame of the same clip, needs no new layers
def _layers(
    clip: ClipParts, rows: tuple[int, ...], parts: tuple[int, ...], height: int
) -> list[tuple[Image.Image, Image.Image]]:
    """Each frame without attention and with full attention, enlarged with square pixels."""
    images, maps = clip.images[list(rows)], clip.maps[list(rows)]
    size = (max(1, round(height * images.shape[2] / images.shape[1])), height)
    if images.shape[1] > height:
        small = [Image.fromarray(image).resize(size, Image.Resampling.BOX) for image in images]
        images = np.stack([np.asarray(image) for image in small])
    full = images
    if parts:
        colours = [part_colour(part) for part in parts]
        scale = max(1, height // images.shape[1] // 4)  # a finer one looks the same, takes longer
        full = overlay(images, maps[:, list(parts)], scale, colours)
    pairs = zip(images, full, strict=True)
    return [tuple(_enlarged(image, size) for image in pair) for pair in pairs]  # type: ignore[misc]


def _enlarged(image: np.ndarray, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(image).resize(size, Image.Resampling.NEAREST)


def _row(title: str, clip: ClipParts, selection: Selection) -> Image.Image:
    """The picture of one network."""
    canvas = Image.new("RGB", (WIDTH, HEAD + PANEL + FOOT), PAPER)
    draw = ImageDraw.Draw(canvas)
    parts = tuple(part for part in selection.parts if part < len(clip.names))
    selection = selection._replace(parts=parts)
    rows = [selection.frame - clip.first]
    height = min(PANEL, PANEL * clip.images.shape[1] // clip.images.shape[2])  # no wider than high
    [frame] = painted(clip, rows, parts, 0, height)
    _mark(frame, clip, selection)
    [attention] = painted(clip, rows, parts, selection.opacity, height)
    draw.text((0, 0), title, INK, _font(TEXT, bold=True))
    left = 0
    for caption, panel in (("windows and paths", frame), (clip.source, attention)):
        draw.text((left, HEAD - CAPTION), caption, GREY, _font(SMALL))
        canvas.paste(panel, (left, HEAD))
        left += panel.width + GAP
    box = Box(left + AXIS, HEAD, WIDTH - LEGEND, HEAD + PANEL)
    _strip(canvas, box, clip, selection)
    middle = HEAD + STRIP + 0.6 * (PANEL - STRIP)  # a person is higher than wide
    _chart(draw, box._replace(top=HEAD + STRIP + CAPTION, bottom=middle), DOWN, clip, selection)
    _chart(draw, box._replace(top=middle + CAPTION), ACROSS, clip, selection)
    _time_axis(draw, box, clip, selection)
    _legend(draw, box._replace(left=box.right + GAP), clip, selection)
    return canvas


def _mark(image: Image.Image, clip: ClipParts, selection: Selection) -> None:
    """Draw the path of each part, its window, and the true points into a frame."""
    draw, box = ImageDraw.Draw(image), Box(0, 0, *image.size)
    row = selection.frame - clip.first
    half = clip.window / 2 / np.array(clip.maps.shape[:1:-1])  # of a window, as (x, y)
    for part in selection.parts:
        for path in unbroken(clip.points[max(0, row - TRAIL) : row + 1, part]):
            _line(draw, box.at(path), colour_of(part), outlined=True)
    for part in selection.parts:
        if np.isfinite(centre := clip.points[row, part]).all():
            corners: Any = box.at(np.stack([centre - half, centre + half]))
            draw.rectangle(corners, outline=PAPER, width=3 * THIN)
            draw.rectangle(corners, outline=colour_of(part), width=2 * THIN)
    if selection.truth and clip.truth is not None:
        points = list(selection.parts) if clip.named else list(range(clip.truth.shape[1]))
        for point, pixel in zip(points, box.at(clip.truth[row, points]), strict=True):
            if np.isfinite(pixel).all():
                ring = colour_of(point) if clip.named else INK
                draw.circle(pixel, 5 * THIN, outline=PAPER, width=4 * THIN)
                draw.circle(pixel, 4 * THIN, outline=ring, width=2 * THIN)


def _strip(canvas: Image.Image, box: Box, clip: ClipParts, selection: Selection) -> None:
    """Paste as many frames of the clip as fit into a box, each at its time."""
    t, height, width = clip.images.shape[:3]
    room = (box.right - box.left) / (STRIP * width / height + THIN)  # how many fit
    step = min(t, int(np.ceil(t / room)))
    starts = np.arange(0, t - step + 1, step)
    centres = box.at(np.stack([(starts + step / 2) / t, 0 * starts], axis=1))
    rows = (starts + step // 2).tolist()
    frames = painted(clip, rows, selection.parts, selection.opacity, STRIP)
    for frame, (x, y) in zip(frames, centres, strict=True):
        canvas.paste(frame, (round(x - frame.width / 2), round(y)))


def _chart(
    draw: ImageDraw.ImageDraw, box: Box, axis: int, clip: ClipParts, selection: Selection
) -> None:
    """Draw one coordinate of each part over time as a line, and of its true point as dots.

    Args:
        draw: draws into the picture.
        box: where; the caption goes above it.
        axis: `ACROSS` (x) or `DOWN` (y).
        clip: the clip.
        selection: which parts, and whether with true points.
    """
    caption, start, end = CHART_LABELS[axis]
    draw.rectangle(box, outline=RULE, width=THIN)
    draw.text((box.left, box.top - CAPTION + THIN), caption, GREY, _font(SMALL))
    draw.text((box.left - 4 * THIN, box.top), start, GREY, _font(SMALL), anchor="ra")
    draw.text((box.left - 4 * THIN, box.bottom), end, GREY, _font(SMALL), anchor="rd")
    times = _times(len(clip.points))
    for part in selection.parts:
        for path in unbroken(np.stack([times, clip.points[:, part, axis]], axis=1)):
            _line(draw, box.at(path), colour_of(part))
        if selection.truth and clip.truth is not None and clip.named:
            for path in unbroken(np.stack([times, clip.truth[:, part, axis]], axis=1)):
                for centre in box.at(path):
                    draw.circle(centre, 1.5 * THIN, fill=colour_of(part))


def _time_axis(draw: ImageDraw.ImageDraw, box: Box, clip: ClipParts, selection: Selection) -> None:
    """Write frame numbers below a box, and rule a line at the chosen frame."""
    t = len(clip.points)
    [(now, _)] = box.at(np.array([[_times(t)[selection.frame - clip.first], 0]]))
    label = f"frame {selection.frame + 1}"
    clearance = draw.textlength(label, _font(SMALL, bold=True)) / 2 + 3 * SMALL
    y = box.bottom + 4 * THIN
    for number in range(0, t, max(1, t // 8)):
        [(x, _)] = box.at(np.array([[_times(t)[number], 1]]))
        if abs(x - now) > clearance:
            draw.text((x, y), str(clip.first + number + 1), GREY, _font(SMALL), anchor="ma")
    draw.line([(now, box.top), (now, box.bottom)], INK, THIN)
    draw.text((now, y), label, INK, _font(SMALL, bold=True), anchor="ma")


def _times(t: int) -> np.ndarray:
    """[t] the middle of each frame in time; the clip starts at 0 and ends at 1."""
    return (np.arange(t) + 0.5) / t


def _legend(draw: ImageDraw.ImageDraw, box: Box, clip: ClipParts, selection: Selection) -> None:
    """Write the names of the chosen parts beside their colours."""
    height = min(22 * DENSITY, PANEL // max(len(selection.parts), 1))
    half = 5 * THIN
    for number, part in enumerate(selection.parts):
        y = box.top + (number + 0.5) * height
        draw.rectangle((box.left, y - half, box.left + 2 * half, y + half), colour_of(part))
        draw.text((box.left + 3 * half, y), clip.names[part], INK, _font(SMALL), anchor="lm")


def _line(
    draw: ImageDraw.ImageDraw, pixels: Pixels, colour: tuple[int, ...], *, outlined: bool = False
) -> None:
    """Draw a line, or a dot at a single point; a white outline sets it off from a frame."""
    if len(pixels) == 1:
        draw.circle(pixels[0], 2 * THIN, fill=colour)
        return
    if outlined:
        draw.line(pixels, PAPER, 3 * THIN, joint="curve")
    draw.line(pixels, colour, 3 * THIN // 2, joint="curve")


@cache
def _font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The font of the figures, which matplotlib brings along."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)
