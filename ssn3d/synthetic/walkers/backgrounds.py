"""Backgrounds to walk in front of: a wall over a floor, with windows, doors, signs and tiles."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from .person import Colour

STRIP = (1.5, 4.0)
"""Height and width of a background in frame heights; people walk along it."""
TOP = -0.25
"""Where its upper edge lies, in frame heights below the top of the frame."""
DETAIL = 192
"""Pixels per frame height that backgrounds are made with, whatever the size of the frames."""

FLOORS: tuple[Colour, ...] = (
    (0.56, 0.55, 0.53),  # concrete
    (0.66, 0.63, 0.58),  # light tiles
    (0.40, 0.40, 0.42),  # asphalt
    (0.49, 0.48, 0.43),  # gravel
    (0.58, 0.51, 0.46),  # brick
)
WALLS: tuple[Colour, ...] = (
    (0.63, 0.62, 0.59),
    (0.50, 0.53, 0.56),
    (0.71, 0.68, 0.61),
    (0.45, 0.39, 0.36),
    (0.38, 0.44, 0.38),
)
GLASS: Colour = (0.26, 0.31, 0.36)


class _Dice:
    """Random numbers in the shapes a builder needs."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=self.generator).item()

    def paint(self, colours: tuple[Colour, ...], spread: float = 0.04) -> Tensor:
        """One of the colours, or close to it, [3 1 1]."""
        chosen = torch.tensor(colours[int(self.between(0, len(colours)))])
        return rearrange(
            chosen + spread * torch.randn(3, generator=self.generator), "c -> c 1 1"
        ).clamp(0, 1)

    def any_paint(self) -> Tensor:
        """Any colour, most of them dull, [3 1 1]."""
        grey = self.between(0.12, 0.85)
        hue = torch.rand(3, generator=self.generator)
        return rearrange(
            torch.lerp(torch.full((3,), grey), hue, self.between(0, 0.8)), "c -> c 1 1"
        )


def new_background(generator: torch.Generator, *, clutter: float) -> Tensor:
    """Build a random place, [1 3 H W] in 0..1 with `DETAIL` pixels a frame height.

    Args:
        clutter: 0 for a plain wall and floor, 1 for a crowded station.
    """
    dice = _Dice(generator)
    height, width = (round(DETAIL * side) for side in STRIP)
    y = rearrange(torch.arange(height) / DETAIL + TOP, "h -> h 1")
    horizon = dice.between(0.15, 0.6)
    wall, floor = dice.paint(WALLS), dice.paint(FLOORS)
    strip = torch.where(y < horizon, wall, floor).expand(3, height, width).clone()
    _furnish_wall(strip, horizon, clutter, dice)
    strip = strip * _floor_pattern(y, width, horizon, dice)
    strip = strip * (1 - 0.3 * torch.exp(-((y - horizon) / 0.015).square()))  # where both meet

    # Light and shade, stains and grain: from large and soft to small.
    for rows, amount in ((3, 0.05), (9, 0.03), (40, 0.018), (height // 2, 0.018)):
        columns = round(rows * STRIP[1] / STRIP[0])
        field = torch.randn(1, 1, rows, columns, generator=generator)
        field = F.interpolate(field, (height, width), mode="bilinear", align_corners=False)[0]
        strip = strip + amount * (0.7 + 0.8 * clutter) * field
    return rearrange(strip.clamp(0, 1), "c h w -> 1 c h w")


def _furnish_wall(strip: Tensor, horizon: float, clutter: float, dice: _Dice) -> None:
    """Windows, doors, signs, things along the wall and pillars, in place."""

    def cover(left: float, top: float, wide: float, bottom: float, paint: Tensor) -> None:
        rows = slice(*(max(round((edge - TOP) * DETAIL), 0) for edge in (top, bottom)))
        columns = slice(*(max(round(edge * DETAIL), 0) for edge in (left, left + wide)))
        strip[:, rows, columns] = torch.lerp(strip[:, rows, columns], paint, 0.35 + 0.6 * clutter)

    pitch = dice.between(0.16, 0.5)
    top, bottom = dice.between(TOP, horizon - 0.3), horizon - dice.between(0.08, 0.2)
    if dice.between(0, 1) < 0.7:
        glass, wide = dice.paint((GLASS,)), pitch * dice.between(0.45, 0.85)
        for k in range(int(STRIP[1] / pitch) + 1):
            cover(k * pitch, top, wide, bottom, glass)
    for _ in range(3 + round(7 * clutter)):  # doors, benches, bushes, people's heads far away
        wide, tall = dice.between(0.05, 0.28), dice.between(0.08, 0.45)
        left = dice.between(-0.1, STRIP[1])
        cover(left, horizon - tall, wide, horizon + dice.between(0, 0.02), dice.any_paint())
    for _ in range(2 + round(9 * clutter)):  # signs, lamps, posters
        left, top = dice.between(-0.1, STRIP[1]), dice.between(TOP, horizon - 0.1)
        wide, tall = dice.between(0.04, 0.3), dice.between(0.03, 0.16)
        cover(left, top, wide, top + tall, dice.any_paint())
    for _ in range(1 + round(4 * clutter)):  # pillars
        left, wide = dice.between(0, STRIP[1]), dice.between(0.03, 0.09)
        grey = dice.between(0.2, 0.8)
        cover(left, TOP, wide, horizon + dice.between(0, 0.1), dice.paint(((grey,) * 3,)))  # type: ignore[arg-type]


def _floor_pattern(y: Tensor, width: int, horizon: float, dice: _Dice) -> Tensor:
    """Brightness of the floor: tiles, in rows that come closer together far away, [h w]."""
    x = rearrange(torch.arange(width) / DETAIL, "w -> 1 w")
    below = (y - horizon).clamp(min=0)
    rows = (dice.between(12, 26) * (below + 0.02).sqrt()) % 1 < 0.13
    columns = ((x - dice.between(0, 1)) * dice.between(2, 6)) % 1 < 0.05
    lines = (rows | columns) & (y > horizon)
    return (1 - dice.between(0.02, 0.2) * lines.float()) * (0.94 + 0.14 * below)
