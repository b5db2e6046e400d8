"""Amber Abstract: abstract paintings in one style, made by a program ("Amber Abstract", Figure 6).

The paper's 128 paintings are not published. These are new ones, "inspired by the shapes and colors
of amber": a luminous ground, and on it resin and brush strokes in the oranges and blues of Figure
6. Each work draws its shapes, their places, sizes, angles, colours and order at random. Nothing is
meant to recur in another work, so there is no right answer to what two works share.

Places and sizes are measured in frame heights: x to the right, y down, 0 at the upper left. A shape
is a function of places (u, v), measured in sizes of the shape from its middle, and of `PARAMETERS`
numbers in 0..1 that make it slender or plump, bent or straight. It gives the distance to its edge
in the same unit, negative inside, and no point of it is farther than `REACH` from its middle.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ssn3d.datasets.images import write_image
from ssn3d.rng import between, one_thread, stream, uniform

RENDERER_VERSION = 1
"""Raise it when `paint` paints other pictures."""
PALETTE = (
    "260a08 781a05 c24208 ed750d f7b033 fcd67a fff5d1",  # amber, as light comes through it
    "14141a 382b29 575445 788061 a3a67a d1cfa3 f7f2db",  # the sea, where amber and blue meet
    "080f33 0d1f5e 143d94 3373c2 6eadde b0dbf0 ebf7fa",  # blue amber
)
"""All colours of the series: rows from amber to blue, columns from dark to light."""
PARAMETERS = 12
"""How many numbers decide the form of a shape."""
REACH = 1.35
"""How far a shape may extend from its middle, in its own size."""

Shape = Callable[[Tensor, Tensor, Sequence[float]], Tensor]


class Kind(NamedTuple):
    """A kind of element: how frequent it is, how large, and what it is painted with."""

    shape: Shape
    number: tuple[int, int]
    """Fewest and most elements of this kind in a work."""
    size: tuple[float, float]
    """In frame heights, from its middle to its far end."""
    resin: float
    """How likely it is translucent resin; else it is opaque pigment."""
    blue: float
    """How likely it is blue; else it is amber."""


class Element(NamedTuple):
    """A shape in its place, and how it is painted."""

    kind: Kind
    size: float
    x: float
    y: float
    angle: float
    resin: bool
    blue: bool
    tone: float
    """0..1, like the next two."""
    dense: float
    worn: float
    parameters: list[float]
    bristles: Tensor
    """[1 1 160] noise across the stroke of a brush."""


class Canvas(NamedTuple):
    """A work in progress. It holds places in the palette, so every colour is one of the palette."""

    tone: Tensor
    """[h w] 0 is dark, 1 light."""
    hue: Tensor
    """[h w] 0 is amber, 1 blue."""
    relief: Tensor
    """[h w] how thick the paint is, in frame heights."""


def paint(number: int, *, seed: int = 0, height: int = 480, width: int = 640) -> Tensor:
    """Paint one work; the result does not depend on what was painted before.

    A number is the same work at every size with the same aspect ratio, as far as pixels can show.

    Args:
        number: of the work, 0 or more; a series has no end.
        seed: of the series.
        height: in pixels.
        width: in pixels.

    Returns:
        uint8 [3 H W].
    """
    with one_thread():
        rng = stream("amber", seed, number)
        x = (torch.arange(width) + 0.5) / height
        y = (torch.arange(height) + 0.5) / height
        x, y = torch.meshgrid(x, y, indexing="xy")  # [h w] each
        # The hand trembles, slowly and quickly, so no line is quite straight.
        slow, quick = uniform(0.004, 0.02, rng), uniform(0.0005, 0.0015, rng)
        x, y = (axis + slow * _noise(3, x, rng) + quick * _noise(24, x, rng) for axis in (x, y))

        light = uniform(0, 2 * math.pi, rng)
        canvas = Canvas(_ground(x, y, rng), torch.zeros_like(x), torch.zeros_like(x))
        for element in draw_elements(width / height, rng):
            _add(canvas, element, x, y, light)
        return _developed(canvas, light, rng)


def write(
    root: Path, *, count: int = 128, seed: int = 0, height: int = 480, width: int = 640
) -> None:
    """Paint the first `count` works of a series as 001.png and so on into a folder.

    Args:
        root: an existing folder.
        count: how many; at most 999, because the names have three digits.
        seed: of the series.
        height: in pixels.
        width: in pixels.

    Raises:
        ValueError: another count.
    """
    if not 1 <= count <= 999:
        raise ValueError(f"amber: expected 1 to 999 works, got count={count}; paint another series")
    for number in range(count):
        work = paint(number, seed=seed, height=height, width=width)
        write_image(work, root / f"{number + 1:03}.png")


def draw_elements(wide: float, rng: torch.Generator) -> list[Element]:
    """Draw what is painted onto the ground, in this order: large elements mostly before small ones.

    Args:
        wide: width of the work in frame heights.
        rng: of the work.
    """
    elements = []
    for kind in KINDS:
        low, high = kind.number
        for _ in range(round(uniform(low - 0.5, high + 0.5, rng))):
            elements.append(
                Element(
                    kind=kind,
                    size=kind.size[0] + (kind.size[1] - kind.size[0]) * uniform(0, 1, rng) ** 1.5,
                    x=uniform(-0.05, wide + 0.05, rng),
                    y=uniform(-0.05, 1.05, rng),
                    angle=uniform(0, 2 * math.pi, rng),
                    resin=uniform(0, 1, rng) < kind.resin,
                    blue=uniform(0, 1, rng) < kind.blue,
                    tone=uniform(0, 1, rng),
                    dense=uniform(0, 1, rng),
                    worn=uniform(0, 1, rng),
                    parameters=torch.rand(PARAMETERS, generator=rng).tolist(),
                    bristles=torch.randn(1, 1, 160, generator=rng),
                )
            )
    return sorted(elements, key=lambda element: -element.size * uniform(0.4, 1.6, rng))


def _ground(x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
    """Tone of the ground [h w]: light and shade from behind, and thin veils of paint."""
    wide = x.shape[1] / x.shape[0]
    tone = uniform(0.42, 0.74, rng) + 0.09 * _noise(3, x, rng)
    for _ in range(3):
        away = (x - uniform(0, wide, rng)).square() + (y - uniform(0, 1, rng)).square()
        fall = (away / uniform(0.3, 0.8, rng) ** 2).square()
        tone += uniform(-0.3, 0.4, rng) / (1 + fall)
    flow = _noise(3, x, rng)
    for _ in range(round(uniform(2.5, 6.5, rng))):
        angle = uniform(0, 2 * math.pi, rng)
        past = (x - uniform(0, wide, rng)) * math.cos(angle)
        past += (y - uniform(0, 1, rng)) * math.sin(angle) + flow * uniform(0.03, 0.15, rng)
        veil = (past / uniform(0.003, 0.017, rng)).clamp_(0, 1)
        veil *= torch.exp(past.clamp_(min=0) / -uniform(0.1, 0.5, rng))
        tone += uniform(-0.14, 0.14, rng) * veil
    return 0.47 + 0.45 * torch.tanh(2 * tone - 1.04)  # neither black nor bare canvas


def _add(canvas: Canvas, element: Element, x: Tensor, y: Tensor, light: float) -> None:
    """Paint an element onto the canvas, in place, within the rectangle that it can reach."""
    height, size = len(x), element.size
    reach = REACH * size + 0.08  # places tremble
    rows = slice(*(max(int((element.y + side) * height), 0) for side in (-reach, reach)))
    columns = slice(*(max(int((element.x + side) * height), 0) for side in (-reach, reach)))
    x, y = x[rows, columns] - element.x, y[rows, columns] - element.y
    if not x.numel():
        return
    cos, sin = math.cos(element.angle) / size, math.sin(element.angle) / size
    u, v = x * cos + y * sin, y * cos - x * sin
    outside = size * element.kind.shape(u, v, element.parameters)
    cover = (0.5 - outside * (height / 1.4)).clamp_(0, 1)
    seen = Canvas(*(layer[rows, columns] for layer in canvas))
    if element.resin:
        lit = (x * math.cos(light) + y * math.sin(light)) / size
        _pour(seen, element, outside, cover, lit)
    else:
        _brush(seen, element, u, v, cover)


def _pour(seen: Canvas, element: Element, outside: Tensor, cover: Tensor, lit: Tensor) -> None:
    """A drop of resin: it darkens what is under it and glows, more where it is `lit`."""
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
    """A stroke or a patch of pigment: it hides what is under it, except for marks of the brush."""
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


def _developed(canvas: Canvas, light: float, rng: torch.Generator) -> Tensor:
    """The colours of a canvas under a lamp from one side, uint8 [3 h w]."""
    tone, hue, relief = canvas
    slope = torch.zeros_like(relief)  # towards the lamp
    slope[1:-1] -= (relief[2:] - relief[:-2]) * (math.sin(light) * len(relief) / 2)
    slope[:, 1:-1] -= (relief[:, 2:] - relief[:, :-2]) * (math.cos(light) * len(relief) / 2)
    gloss = 0.1 * slope.clamp(-1, 1) + 0.35 * (slope - 0.35).clamp_(0, 0.5)
    tone = tone + gloss + 0.008 * _noise(240, tone, rng) + 0.009 * _noise(60, tone, rng)

    palette = torch.tensor([list(bytes.fromhex(row)) for row in PALETTE]).float()
    palette = rearrange(palette, "hue (tone c) -> 1 c hue tone", c=3)
    colours = F.interpolate(palette, (128, 512), mode="bilinear", align_corners=True)
    colours = rearrange(colours.round().to(torch.uint8), "1 c hue tone -> c (hue tone)")
    row = (hue.square() * (3 - 2 * hue)).clamp_(0, 1)  # mostly one or the other
    where = (127 * row).round() * 512 + (511 * tone.clamp(0, 1)).round()
    return colours[:, where.long()]


def _noise(hills: int, like: Tensor, rng: torch.Generator) -> Tensor:
    """Smooth noise [h w] of about unit size, with `hills` hills from top to bottom."""
    noise = torch.randn(1, 1, hills + 1, hills * 4 // 3 + 1, generator=rng)
    mode = "bicubic" if hills < 20 else "bilinear"
    return F.interpolate(noise, like.shape, mode=mode, align_corners=True)[0, 0]


def blob(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """Four balls that flow into each other (metaballs); the distance is rough but near the edge."""
    pull = torch.zeros_like(u)
    for k in range(4):
        angle = math.pi / 2 * (k + between(-0.3, 0.3, parameters[k]))
        away, radius = between(0.2, 0.75, parameters[4 + k]), between(0.22, 0.4, parameters[8 + k])
        from_u, from_v = u - away * math.cos(angle), v - away * math.sin(angle)
        pull += radius**2 / (from_u.square() + from_v.square()).clamp_(min=1e-6)
    return 0.36 * (pull.rsqrt_() - 1)


def pebble(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """An ellipse, round to twice as long as wide; the distance is exact to first order."""
    wide = between(0.5, 1.0, parameters[0])
    ring = torch.hypot(u, v / wide).clamp_(min=1e-6)
    return ring * (ring - 1) / torch.hypot(u, v / wide**2).clamp_(min=1e-6)


def finger(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """A protuberance: broad at its root, bent, thin in the neck and round at the tip."""
    root, tip = between(0.3, 0.45, parameters[0]), between(0.12, 0.3, parameters[1])
    neck, bend = between(0.0, 0.4, parameters[2]), between(-0.5, 0.5, parameters[3])
    start, end = root - 1, 1 - tip
    along = ((u - start) / (end - start)).clamp_(0, 1)
    radius = root + along * (tip - root) - neck * (root + tip) * along * (1 - along)
    return torch.hypot(u - start - (end - start) * along, v - bend * along.square()) - radius


def band(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """A stripe: one stroke of a broad brush, a little bent and broader at one end."""
    half, bend = between(0.05, 0.16, parameters[0]), between(-0.12, 0.12, parameters[1])
    swelling = half * (1 + between(-0.35, 0.35, parameters[2]) * u)
    return torch.maximum((v - bend * (1 - u.square())).abs_() - swelling, u.abs() - 1)


def diamond(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """A rhombus with slightly round corners."""
    wide, corner = between(0.5, 1.0, parameters[0]), between(0.01, 0.06, parameters[1])
    u, v = (torch.hypot(axis, u.new_tensor(corner)) for axis in (u, v))
    return (u + v / wide - 1) / math.hypot(1, 1 / wide)


def block(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """A rectangle with round corners; the distance is exact."""
    corner, wide = between(0.03, 0.2, parameters[0]), between(0.35, 0.85, parameters[1])
    from_u, from_v = u.abs() - (0.85 - corner), v.abs() - (wide - corner)
    inside = torch.maximum(from_u, from_v).clamp_(max=0)
    return inside + torch.hypot(from_u.clamp_(min=0), from_v.clamp_(min=0)) - corner


def bubbles(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """Four balls of different sizes along a line; the distance is exact outside."""
    nearest = torch.full_like(u, math.inf)
    for k in range(4):
        radius = between(0.05, 0.28, parameters[4 + k] ** 2)
        ball = torch.hypot(u - (0.5 * k - 0.75), v - between(-0.6, 0.6, parameters[k])) - radius
        nearest = torch.minimum(nearest, ball)
    return nearest


def thread(u: Tensor, v: Tensor, parameters: Sequence[float]) -> Tensor:
    """A thin arc, thinner towards its ends."""
    radius = between(1.1, 2.5, parameters[0])
    half = between(0.012, 0.04, parameters[1]) * (1 - u.square()).clamp_(min=0)
    line = (torch.hypot(u, v - radius) - radius).abs_() - half
    return torch.maximum(line, torch.maximum(u.abs(), v) - 1)  # not the other side of the circle


KINDS = (
    Kind(blob, number=(1, 3), size=(0.20, 0.60), resin=0.95, blue=0.15),
    Kind(pebble, number=(1, 4), size=(0.06, 0.36), resin=0.9, blue=0.15),
    Kind(finger, number=(1, 3), size=(0.12, 0.42), resin=0.7, blue=0.35),
    Kind(band, number=(1, 4), size=(0.25, 0.95), resin=0.2, blue=0.3),
    Kind(diamond, number=(1, 4), size=(0.05, 0.26), resin=0.45, blue=0.15),
    Kind(block, number=(1, 4), size=(0.02, 0.09), resin=0.1, blue=0.5),
    Kind(bubbles, number=(1, 3), size=(0.06, 0.20), resin=1.0, blue=0.2),
    Kind(thread, number=(0, 3), size=(0.15, 0.60), resin=0.0, blue=0.2),
)
"""All kinds of elements that are painted onto the ground."""
