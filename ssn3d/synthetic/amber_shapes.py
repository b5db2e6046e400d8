"""The vocabulary of the amber paintings: shapes as signed distances, and how each is used.

A shape is a function of places (u, v), measured in sizes of the shape from its middle, and of
`KNOBS` numbers in 0..1 that make it slender or plump, bent or straight.  It gives the distance to
its edge in the same unit, negative inside, and is nowhere farther than `REACH` from its middle.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

KNOBS = 12
"""How many numbers make a shape what it is."""
REACH = 1.35
"""How far from its middle a shape may be, in its own size."""

Shape = Callable[[Tensor, Tensor, Sequence[float]], Tensor]


class Dice:
    """Random numbers in the forms a painter needs."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def between(self, low: float, high: float) -> float:
        """A number in a range, all equally likely."""
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def field(self, hills: int, like: Tensor) -> Tensor:
        """Noise [h w] of about unit size with so many hills from top to bottom."""
        noise = torch.randn(1, 1, hills + 1, hills * 4 // 3 + 1, generator=self.generator)
        mode = "bicubic" if hills < 20 else "bilinear"
        return F.interpolate(noise, like.shape, mode=mode, align_corners=True)[0, 0]


class Kind(NamedTuple):
    """A kind of element: how often it comes, how large it is, and what it is painted with."""

    shape: Shape
    number: tuple[int, int]
    """How many of it a work has, at least and at most."""
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
    """0..1, as are the two that follow."""
    dense: float
    worn: float
    knobs: list[float]
    bristles: Tensor
    """Noise across the stroke of a brush."""


def blob(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """Four balls that flow into each other (metaballs); the distance is rough but near the edge."""
    pull = torch.zeros_like(u)
    for k in range(4):
        angle = math.pi / 2 * (k + _between(-0.3, 0.3, knobs[k]))
        away, radius = _between(0.2, 0.75, knobs[4 + k]), _between(0.22, 0.4, knobs[8 + k])
        from_u, from_v = u - away * math.cos(angle), v - away * math.sin(angle)
        pull += radius**2 / (from_u.square() + from_v.square()).clamp_(min=1e-6)
    return 0.36 * (pull.rsqrt_() - 1)


def pebble(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """An ellipse, round to twice as long as wide; the distance is exact to first order."""
    wide = _between(0.5, 1.0, knobs[0])
    ring = torch.hypot(u, v / wide).clamp_(min=1e-6)
    return ring * (ring - 1) / torch.hypot(u, v / wide**2).clamp_(min=1e-6)


def finger(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """A protuberance: broad at its root, bent, thin in the neck and round at the tip."""
    root, tip = _between(0.3, 0.45, knobs[0]), _between(0.12, 0.3, knobs[1])
    neck, bend = _between(0.0, 0.4, knobs[2]), _between(-0.5, 0.5, knobs[3])
    start, end = root - 1, 1 - tip
    along = ((u - start) / (end - start)).clamp_(0, 1)
    radius = root + along * (tip - root) - neck * (root + tip) * along * (1 - along)
    return torch.hypot(u - start - (end - start) * along, v - bend * along.square()) - radius


def band(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """A stripe: one stroke of a broad brush, a little bent and broader at one end."""
    half, bend = _between(0.05, 0.16, knobs[0]), _between(-0.12, 0.12, knobs[1])
    swelling = half * (1 + _between(-0.35, 0.35, knobs[2]) * u)
    return torch.maximum((v - bend * (1 - u.square())).abs_() - swelling, u.abs() - 1)


def diamond(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """A rhombus with slightly round corners."""
    wide, corner = _between(0.5, 1.0, knobs[0]), _between(0.01, 0.06, knobs[1])
    u, v = (torch.hypot(axis, u.new_tensor(corner)) for axis in (u, v))
    return (u + v / wide - 1) / math.hypot(1, 1 / wide)


def block(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """A rectangle with round corners; the distance is exact."""
    corner, wide = _between(0.03, 0.2, knobs[0]), _between(0.35, 0.85, knobs[1])
    from_u, from_v = u.abs() - (0.85 - corner), v.abs() - (wide - corner)
    inside = torch.maximum(from_u, from_v).clamp_(max=0)
    return inside + torch.hypot(from_u.clamp_(min=0), from_v.clamp_(min=0)) - corner


def bubbles(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """Four balls of unlike sizes, strung along a line; the distance is exact outside."""
    nearest = torch.full_like(u, math.inf)
    for k in range(4):
        radius = _between(0.05, 0.28, knobs[4 + k] ** 2)
        ball = torch.hypot(u - (0.5 * k - 0.75), v - _between(-0.6, 0.6, knobs[k])) - radius
        nearest = torch.minimum(nearest, ball)
    return nearest


def thread(u: Tensor, v: Tensor, knobs: Sequence[float]) -> Tensor:
    """A thin arc, thinner towards its ends."""
    radius = _between(1.1, 2.5, knobs[0])
    half = _between(0.012, 0.04, knobs[1]) * (1 - u.square()).clamp_(min=0)
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
"""All that a work is made of, apart from its ground."""


def draw_elements(wide: float, dice: Dice) -> list[Element]:
    """What is painted onto the ground, in this order: the larger rather before the smaller.

    Args:
        wide: width of the work in frame heights.
        dice: of the work.
    """
    elements = []
    for kind in KINDS:
        low, high = kind.number
        for _ in range(round(dice.between(low - 0.5, high + 0.5))):
            elements.append(
                Element(
                    kind=kind,
                    size=kind.size[0] + (kind.size[1] - kind.size[0]) * dice.between(0, 1) ** 1.5,
                    x=dice.between(-0.05, wide + 0.05),
                    y=dice.between(-0.05, 1.05),
                    angle=dice.between(0, 2 * math.pi),
                    resin=dice.between(0, 1) < kind.resin,
                    blue=dice.between(0, 1) < kind.blue,
                    tone=dice.between(0, 1),
                    dense=dice.between(0, 1),
                    worn=dice.between(0, 1),
                    knobs=torch.rand(KNOBS, generator=dice.generator).tolist(),
                    bristles=torch.randn(1, 1, 160, generator=dice.generator),
                )
            )
    return sorted(elements, key=lambda element: -element.size * dice.between(0.4, 1.6))


def _between(low: float, high: float, knob: float) -> float:
    return low + (high - low) * knob
