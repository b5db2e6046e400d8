"""How parts move over a clip: where each one is, frame by frame, along one axis of the frame."""

import numpy as np
from PIL import ImageDraw

from .drawing import (
    CAPTION,
    GREY,
    INK,
    RULE,
    SMALL,
    THIN,
    Box,
    Shown,
    colour_of,
    font,
    line,
    unbroken,
)
from .looks import Look

ACROSS, DOWN = 0, 1
WORDS = {
    ACROSS: ("across the frame", "left", "right"),
    DOWN: ("height in the frame", "top", "bottom"),
}


def chart(draw: ImageDraw.ImageDraw, box: Box, axis: int, look: Look, shown: Shown) -> None:
    """Draw where each part is, the frames from left to right; dots where it should be.

    Args:
        draw: the picture.
        box: where in it; the caption goes above.
        axis: `ACROSS` or `DOWN`.
        look: the clip.
        shown: which parts, and whether with true points.
    """
    caption, start, end = WORDS[axis]
    draw.rectangle(box, outline=RULE, width=THIN)
    draw.text((box.left, box.top - CAPTION + THIN), caption, GREY, font(SMALL))
    draw.text((box.left - 4 * THIN, box.top), start, GREY, font(SMALL), anchor="ra")
    draw.text((box.left - 4 * THIN, box.bottom), end, GREY, font(SMALL), anchor="rd")
    times = moments(len(look.places))
    for part in shown.parts:
        for path in unbroken(np.stack([times, look.places[:, part, axis]], axis=1)):
            line(draw, box.at(path), colour_of(part))
        if shown.truth and look.truth is not None and look.named:
            for path in unbroken(np.stack([times, look.truth[:, part, axis]], axis=1)):
                for centre in box.at(path):
                    draw.circle(centre, 1.5 * THIN, fill=colour_of(part))


def time_axis(draw: ImageDraw.ImageDraw, box: Box, look: Look, shown: Shown) -> None:
    """Write numbers of frames below a box, and rule a line through the one that is shown."""
    t = len(look.places)
    [(now, _)] = box.at(np.array([[moments(t)[shown.frame - look.first], 0]]))
    label = f"frame {shown.frame + 1}"
    clearance = draw.textlength(label, font(SMALL, bold=True)) / 2 + 3 * SMALL
    y = box.bottom + 4 * THIN
    for number in range(0, t, max(1, t // 8)):
        [(x, _)] = box.at(np.array([[moments(t)[number], 1]]))
        if abs(x - now) > clearance:
            draw.text((x, y), str(look.first + number + 1), GREY, font(SMALL), anchor="ma")
    draw.line([(now, box.top), (now, box.bottom)], INK, THIN)
    draw.text((now, y), label, INK, font(SMALL, bold=True), anchor="ma")


def moments(t: int) -> np.ndarray:
    """[t] where the middle of each frame is between the start of a clip, 0, and its end, 1."""
    return (np.arange(t) + 0.5) / t
