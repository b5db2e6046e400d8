"""Cameras: the background people walk past, its colours and light, and what the sensor records."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from ssn3d.rng import between, uniform

from .painting import FRAME_WIDTH, Capsules
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


class Camera(NamedTuple):
    """One place and the camera that looks at it."""

    strip: Tensor
    """[1 3 H W] background, `STRIP` frame heights large, with as many pixels a frame height as the
    frames have."""
    gain: Tensor
    """[3] factors of red, green and blue."""
    brightness: float
    contrast: float
    sun: float
    """Side the light comes from, see `painting.paint`."""
    tilt: float
    """How far the camera looks down, in radians."""
    heading: float
    """Yaw in radians of the people on the usual path."""
    softness: float
    """Width of the sharpest edge the lens can draw, in frame heights."""
    noise: float
    """Standard deviation of the sensor noise, as a share of white."""


def new_camera(rng: torch.Generator, *, clutter: float, height: int) -> Camera:
    """Draw a random camera and the place it looks at.

    Args:
        rng: draws everything about it.
        clutter: 0 for plain walls and floors, 1 for a crowded station.
        height: of the frames, in pixels.
    """
    shares = torch.rand(10, generator=rng).tolist()
    gain = 1 + 0.06 * torch.randn(3, generator=rng).clamp(-1.6, 1.6)
    strip = new_background(rng, clutter=clutter)
    size = [round(STRIP[0] * height), round(STRIP[1] * height)]
    return Camera(
        strip=F.interpolate(strip, size, mode="bilinear", antialias=True, align_corners=False),
        gain=gain,
        brightness=between(-0.10, 0.08, shares.pop()),
        contrast=between(0.78, 1.12, shares.pop()),
        sun=between(-1, 1, shares.pop()),
        tilt=between(0.08, 0.3, shares.pop()),
        heading=between(-math.pi, math.pi, shares.pop()),
        softness=between(0.004, 0.010, shares.pop()),
        noise=between(0.012, 0.030, shares.pop()),
    )


def background_behind(
    camera: Camera, scroll: Tensor, shift: Tensor, scale: Tensor, height: int, width: int
) -> Tensor:
    """The background behind a moving box.

    Args:
        camera: whose background it is.
        scroll: [t] how far along the strip the box is, in frame heights.
        shift: [t 2] of the box in frame heights, see `painting.through_box`.
        scale: [t] of the box, 1 where it fits the person.
        height: of the frames in pixels.
        width: of the frames in pixels.

    Returns:
        [t 3 h w] in 0..1.
    """
    y = (torch.arange(height) + 0.5) / height - 0.5
    x = ((torch.arange(width) + 0.5) / width - 0.5) * FRAME_WIDTH
    each = rearrange(scale, "t -> t 1")
    down = y * each + shift[:, 1:] + 0.5  # [t h]
    across = x * each + shift[:, :1] + rearrange(scroll, "t -> t 1")  # [t w]
    down, across = (down - TOP) / STRIP[0] * 2 - 1, across / STRIP[1] * 2 - 1
    grid = torch.stack(
        (repeat(across, "t w -> t h w", h=height), repeat(down, "t h -> t h w", w=width)), dim=-1
    )
    strip = camera.strip.expand(len(scroll), -1, -1, -1)
    return F.grid_sample(strip, grid, padding_mode="reflection", align_corners=False)


def new_obstacle(rng: torch.Generator, scroll: Tensor) -> Capsules:
    """Draw a post or something low, which stands between the camera and the person.

    Args:
        rng: draws what it is and where.
        scroll: [t] as in `background_behind`: what stands still moves against it.
    """
    kind, moment, offset, size, grey, level = torch.rand(6, generator=rng).tolist()
    x = scroll[int(moment * len(scroll))] - scroll + 0.36 * (offset - 0.5)
    if kind < 0.6:  # a post, as high as the frame and more
        radius = 0.018 + 0.035 * size
        ends = ((0.0, -0.6), (0.0, 1.6))
    else:  # a bench, a trolley, a hedge: hides the legs
        radius = 0.05 + 0.05 * size
        half, middle = 0.06 + 0.12 * size, 0.8 + 0.12 * level
        ends = ((-half, middle), (half, middle))
    tint = 0.12 + 0.6 * grey + 0.08 * torch.randn(3, generator=rng)
    still = repeat(x.new_tensor(ends), "k xy -> 1 k t xy", t=len(x))
    return Capsules(
        ends=still + torch.stack((x, torch.zeros_like(x)), dim=-1),
        radii=torch.full((1, 2, len(x)), radius),
        stretch=torch.ones(1, len(x)),
        depths=torch.tensor([6.0]),
        opacities=torch.ones(1),
        colours=repeat(tint.clamp(0, 1), "c -> 1 k c", k=2),
        groups=["obstacle"],
    )


def expose(canvas: Tensor, camera: Camera, light: float, rng: torch.Generator) -> Tensor:
    """The frames that the sensor records.

    Args:
        canvas: [t 3 h w] in 0..1; changed in place.
        camera: whose colours, contrast and noise are used.
        light: brightness of the whole tracklet, a factor.
        rng: draws the sensor noise.

    Returns:
        uint8 [t 3 h w].
    """
    gain = rearrange(camera.gain * (light * camera.contrast), "c -> c 1 1")
    canvas.mul_(gain).add_(0.5 * (1 - camera.contrast) + camera.brightness)
    canvas.add_(torch.randn(canvas.shape, generator=rng), alpha=camera.noise)
    return canvas.mul_(255).round_().clamp_(0, 255).to(torch.uint8)


def new_background(rng: torch.Generator, *, clutter: float) -> Tensor:
    """Draw a background: a wall over a floor, with windows, doors, signs and tiles.

    Args:
        rng: draws everything about it.
        clutter: 0 for a plain wall and floor, 1 for a crowded station.

    Returns:
        [1 3 H W] in 0..1 with `DETAIL` pixels a frame height.
    """
    height, width = (round(DETAIL * side) for side in STRIP)
    y = rearrange(torch.arange(height) / DETAIL + TOP, "h -> h 1")
    horizon = uniform(0.15, 0.6, rng)
    wall, floor = _paint(WALLS, rng), _paint(FLOORS, rng)
    strip = torch.where(y < horizon, wall, floor).expand(3, height, width).clone()
    _furnish_wall(strip, horizon, clutter, rng)
    strip = strip * _floor_pattern(y, width, horizon, rng)
    strip = strip * (1 - 0.3 * torch.exp(-((y - horizon) / 0.015).square()))  # where both meet

    # Light and shade, stains and grain, from large and soft to small.
    for rows, amount in ((3, 0.05), (9, 0.03), (40, 0.018), (height // 2, 0.018)):
        columns = round(rows * STRIP[1] / STRIP[0])
        field = torch.randn(1, 1, rows, columns, generator=rng)
        field = F.interpolate(field, (height, width), mode="bilinear", align_corners=False)[0]
        strip = strip + amount * (0.7 + 0.8 * clutter) * field
    return rearrange(strip.clamp(0, 1), "c h w -> 1 c h w")


def _furnish_wall(strip: Tensor, horizon: float, clutter: float, rng: torch.Generator) -> None:
    """Windows, doors, signs, things along the wall and pillars, in place."""

    def cover(left: float, top: float, wide: float, bottom: float, paint: Tensor) -> None:
        rows = slice(*(max(round((edge - TOP) * DETAIL), 0) for edge in (top, bottom)))
        columns = slice(*(max(round(edge * DETAIL), 0) for edge in (left, left + wide)))
        strip[:, rows, columns] = torch.lerp(strip[:, rows, columns], paint, 0.35 + 0.6 * clutter)

    pitch = uniform(0.16, 0.5, rng)
    top, bottom = uniform(TOP, horizon - 0.3, rng), horizon - uniform(0.08, 0.2, rng)
    if uniform(0, 1, rng) < 0.7:
        glass, wide = _paint((GLASS,), rng), pitch * uniform(0.45, 0.85, rng)
        for k in range(int(STRIP[1] / pitch) + 1):
            cover(k * pitch, top, wide, bottom, glass)
    for _ in range(3 + round(7 * clutter)):  # doors, benches, bushes, people's heads far away
        wide, tall = uniform(0.05, 0.28, rng), uniform(0.08, 0.45, rng)
        left = uniform(-0.1, STRIP[1], rng)
        cover(left, horizon - tall, wide, horizon + uniform(0, 0.02, rng), _any_paint(rng))
    for _ in range(2 + round(9 * clutter)):  # signs, lamps, posters
        left, top = uniform(-0.1, STRIP[1], rng), uniform(TOP, horizon - 0.1, rng)
        wide, tall = uniform(0.04, 0.3, rng), uniform(0.03, 0.16, rng)
        cover(left, top, wide, top + tall, _any_paint(rng))
    for _ in range(1 + round(4 * clutter)):  # pillars
        left, wide = uniform(0, STRIP[1], rng), uniform(0.03, 0.09, rng)
        grey = uniform(0.2, 0.8, rng)
        cover(left, TOP, wide, horizon + uniform(0, 0.1, rng), _paint(((grey, grey, grey),), rng))


def _floor_pattern(y: Tensor, width: int, horizon: float, rng: torch.Generator) -> Tensor:
    """Brightness of the floor: tiles, in rows that come closer together far away, [h w]."""
    x = rearrange(torch.arange(width) / DETAIL, "w -> 1 w")
    below = (y - horizon).clamp(min=0)
    rows = (uniform(12, 26, rng) * (below + 0.02).sqrt()) % 1 < 0.13
    columns = ((x - uniform(0, 1, rng)) * uniform(2, 6, rng)) % 1 < 0.05
    lines = (rows | columns) & (y > horizon)
    return (1 - uniform(0.02, 0.2, rng) * lines.float()) * (0.94 + 0.14 * below)


def _paint(colours: tuple[Colour, ...], rng: torch.Generator) -> Tensor:
    """One of the colours, or one close to it, [3 1 1]."""
    chosen = torch.tensor(colours[int(uniform(0, len(colours), rng))])
    colour = chosen + 0.04 * torch.randn(3, generator=rng)
    return rearrange(colour, "c -> c 1 1").clamp(0, 1)


def _any_paint(rng: torch.Generator) -> Tensor:
    """Any colour, most of them dull, [3 1 1]."""
    grey = torch.full((3,), uniform(0.12, 0.85, rng))
    hue = torch.rand(3, generator=rng)
    return rearrange(torch.lerp(grey, hue, uniform(0, 0.8, rng)), "c -> c 1 1")
