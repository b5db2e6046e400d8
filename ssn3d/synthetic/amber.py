"""Amber Abstract: works of digital abstract expressionism in one style ("Amber Abstract", Fig. 6).

The paper's 128 paintings are not published.  These are painted anew, "inspired by the shapes and
colors of amber": a luminous ground, and on it resin and brush strokes in the oranges and blues that
Figure 6 speaks of.  A work draws its shapes, their places, sizes, turns, colours and order at
random, each for itself: nothing is meant to come back in another work, so there is no right answer
to what two works share.

Places and sizes are measured in frame heights: x to the right, y down, 0 at the upper left.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ssn3d.atomic import build_once
from ssn3d.datasets.identity import digest
from ssn3d.datasets.images import write_image
from ssn3d.rng import one_thread, stream

from .amber_shapes import REACH, Dice, Element, band, draw_elements

RENDERER_VERSION = 1
"""Raise it when `paint` paints other pictures."""
PALETTE = (
    "260a08 781a05 c24208 ed750d f7b033 fcd67a fff5d1",  # amber, as light comes through it
    "14141a 382b29 575445 788061 a3a67a d1cfa3 f7f2db",  # the sea, where amber and blue meet
    "080f33 0d1f5e 143d94 3373c2 6eadde b0dbf0 ebf7fa",  # blue amber
)
"""All colours of the series: rows from amber to blue, columns from dark to light."""


class Canvas(NamedTuple):
    """A work in progress: not colours but where they lie in the palette, so none is out of tune."""

    tone: Tensor
    """[h w] 0 is dark, 1 light."""
    hue: Tensor
    """[h w] 0 is amber, 1 blue."""
    relief: Tensor
    """[h w] how thick the paint is, in frame heights."""


def paint(number: int, *, seed: int = 0, height: int = 480, width: int = 640) -> Tensor:
    """One work, uint8 [3 H W]: the same bytes whatever was painted before.

    The same number is the same work at every size of one shape, as far as pixels can show it.

    Args:
        number: of the work, 0 or more; a series has no end.
        seed: of the series.
        height: in pixels.
        width: in pixels.
    """
    with one_thread():
        dice = Dice(stream("amber", seed, number))
        x = (torch.arange(width) + 0.5) / height
        y = (torch.arange(height) + 0.5) / height
        x, y = torch.meshgrid(x, y, indexing="xy")  # [h w] each
        # The hand trembles, slowly and quickly: no line is quite straight.
        slow, quick = dice.between(0.004, 0.02), dice.between(0.0005, 0.0015)
        x, y = (axis + slow * dice.field(3, x) + quick * dice.field(24, x) for axis in (x, y))

        light = dice.between(0, 2 * math.pi)
        canvas = Canvas(_ground(x, y, dice), torch.zeros_like(x), torch.zeros_like(x))
        for element in draw_elements(width / height, dice):
            _add(canvas, element, x, y, light)
        return _developed(canvas, light, dice)


def write(
    root: Path, *, count: int = 128, seed: int = 0, height: int = 480, width: int = 640
) -> None:
    """Paint the first `count` works of a series as 001.png and so on into a folder.

    Args:
        root: an existing folder.
        count: how many; at most 999, or their names would no longer be in order.
        seed, height, width: as in `paint`.

    Raises:
        ValueError: another count.
    """
    if not 1 <= count <= 999:
        raise ValueError(f"amber: expected 1 to 999 works, got count={count}; paint another series")
    for number in range(count):
        work = paint(number, seed=seed, height=height, width=width)
        write_image(work, root / f"{number + 1:03}.png")


def identity(*, count: int, seed: int, height: int, width: int) -> str:
    """The name of a painted set: another one for any other setting, size or way of painting."""
    return f"amber-{height}x{width}-seed{seed}-{digest([count, RENDERER_VERSION])}"


def materialise(
    folder: Path, *, count: int = 128, seed: int = 0, height: int = 480, width: int = 640
) -> Path:
    """The root of a set below `folder`, painted by `write` unless it is there already.

    A set appears whole or not at all, and whoever asks while another process paints it waits.
    """
    settings = {"count": count, "seed": seed, "height": height, "width": width}
    return build_once(folder / identity(**settings), lambda draft: write(draft, **settings))


def _ground(x: Tensor, y: Tensor, dice: Dice) -> Tensor:
    """Tone of the ground [h w]: lights and shadows from behind, and thin veils of paint."""
    wide = x.shape[1] / x.shape[0]
    tone = dice.between(0.42, 0.74) + 0.09 * dice.field(3, x)
    for _ in range(3):
        away = (x - dice.between(0, wide)).square() + (y - dice.between(0, 1)).square()
        fall = (away / dice.between(0.3, 0.8) ** 2).square()
        tone += dice.between(-0.3, 0.4) / (1 + fall)
    flow = dice.field(3, x)
    for _ in range(round(dice.between(2.5, 6.5))):
        angle = dice.between(0, 2 * math.pi)
        past = (x - dice.between(0, wide)) * math.cos(angle)
        past += (y - dice.between(0, 1)) * math.sin(angle) + flow * dice.between(0.03, 0.15)
        veil = (past / dice.between(0.003, 0.017)).clamp_(0, 1)
        veil *= torch.exp(past.clamp_(min=0) / -dice.between(0.1, 0.5))
        tone += dice.between(-0.14, 0.14) * veil
    return 0.47 + 0.45 * torch.tanh(2 * tone - 1.04)  # neither black nor bare canvas


def _add(canvas: Canvas, element: Element, x: Tensor, y: Tensor, light: float) -> None:
    """Paint an element onto the canvas, in place, as far as its window goes."""
    height, size = len(x), element.size
    reach = REACH * size + 0.08  # places tremble
    rows = slice(*(max(int((element.y + side) * height), 0) for side in (-reach, reach)))
    columns = slice(*(max(int((element.x + side) * height), 0) for side in (-reach, reach)))
    x, y = x[rows, columns] - element.x, y[rows, columns] - element.y
    if not x.numel():
        return
    cos, sin = math.cos(element.angle) / size, math.sin(element.angle) / size
    u, v = x * cos + y * sin, y * cos - x * sin
    outside = size * element.kind.shape(u, v, element.knobs)
    cover = (0.5 - outside * (height / 1.4)).clamp_(0, 1)
    seen = Canvas(*(layer[rows, columns] for layer in canvas))
    if element.resin:
        lit = (x * math.cos(light) + y * math.sin(light)) / size
        _pour(seen, element, outside, cover, lit)
    else:
        _brush(seen, element, u, v, cover)


def _pour(seen: Canvas, element: Element, outside: Tensor, cover: Tensor, lit: Tensor) -> None:
    """A drop of resin: darkens what is under it, glows by itself, more where it is `lit`."""
    thick = min(0.45 * element.size, 0.16)
    depth = (outside / -thick).clamp(0, 1)
    dome = (depth * (2 - depth)).sqrt_()
    rim = torch.exp(-(outside / (0.004 + 0.012 * element.size)).square())
    through = seen.tone - (0.05 + 0.22 * element.worn) * (0.4 + 0.6 * dome)
    own = 0.26 + 0.42 * element.tone + 0.26 * lit + 0.12 * dome
    tone = torch.lerp(through, own, (0.25 + 0.4 * element.dense) * (0.6 + 0.4 * dome))
    tone += 0.15 * (lit * dome).clamp(min=0) - 0.1 * rim
    seen.tone.lerp_(tone, cover)
    tint = 0.75 + 0.2 * element.dense if element.blue else 0.6 + 0.35 * element.dense
    seen.hue.lerp_(torch.full_like(cover, element.blue), tint * cover)
    seen.relief.add_(0.25 * thick * dome * cover)


def _brush(seen: Canvas, element: Element, u: Tensor, v: Tensor, cover: Tensor) -> None:
    """A stroke or a patch of pigment: hides what is under it, but for the marks of the brush."""
    bristles = F.interpolate(element.bristles, 2048, mode="linear", align_corners=True)[0, 0]
    streak = bristles[((1.2 * v + 0.01 * u + 0.5) % 1 * 2047).long()]
    tone = 0.08 + 0.84 * element.tone + (0.2 * element.dense - 0.1) * u + 0.014 * streak
    alpha = (0.85 + 0.13 * element.worn) * cover
    if element.kind.shape is band:  # a brush that runs dry
        wet = (0.35 + 1.6 * element.worn) * (0.8 + 0.45 * u - u.abs())
        alpha *= (0.9 + wet + 0.6 * streak).clamp_(0, 1)
    seen.tone.lerp_(tone, alpha)
    seen.hue.lerp_(torch.full_like(cover, element.blue), alpha)
    seen.relief.lerp_(0.4 * seen.relief + 0.0004 * streak + 0.002, alpha)


def _developed(canvas: Canvas, light: float, dice: Dice) -> Tensor:
    """The colours of a canvas under a lamp from one side, uint8 [3 h w]."""
    tone, hue, relief = canvas
    slope = torch.zeros_like(relief)  # towards the lamp
    slope[1:-1] -= (relief[2:] - relief[:-2]) * (math.sin(light) * len(relief) / 2)
    slope[:, 1:-1] -= (relief[:, 2:] - relief[:, :-2]) * (math.cos(light) * len(relief) / 2)
    gloss = 0.1 * slope.clamp(-1, 1) + 0.35 * (slope - 0.35).clamp_(0, 0.5)
    tone = tone + gloss + 0.008 * dice.field(240, tone) + 0.009 * dice.field(60, tone)

    palette = torch.tensor([list(bytes.fromhex(row)) for row in PALETTE]).float()
    palette = rearrange(palette, "hue (tone c) -> 1 c hue tone", c=3)
    colours = F.interpolate(palette, (128, 512), mode="bilinear", align_corners=True)
    colours = rearrange(colours.round().to(torch.uint8), "1 c hue tone -> c (hue tone)")
    row = (hue.square() * (3 - 2 * hue)).clamp_(0, 1)  # rather one or the other than between
    where = (127 * row).round() * 512 + (511 * tone.clamp(0, 1)).round()
    return colours[:, where.long()]
