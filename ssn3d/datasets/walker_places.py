"""Where people walk: a camera's colours, light and background, and what comes between it and a person."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from .walker_bodies import Colour
from .walker_painting import FRAME_WIDTH, Capsule

STRIP = (1.5, 4.0)
"""Height and width of a camera's background in frame heights; people walk along it."""
DETAIL = 192
"""Pixels per frame height that backgrounds are made with, whatever the size of the frames."""

FLOORS: tuple[Colour, ...] = (
    (0.55, 0.54, 0.52), (0.68, 0.63, 0.55), (0.38, 0.38, 0.40), (0.44, 0.47, 0.38), (0.60, 0.50, 0.42),
)  # fmt: skip
WALLS: tuple[Colour, ...] = (
    (0.62, 0.60, 0.56), (0.48, 0.52, 0.56), (0.72, 0.68, 0.58), (0.42, 0.36, 0.33), (0.36, 0.44, 0.36),
)  # fmt: skip


class Camera(NamedTuple):
    """One place and the camera that looks at it."""

    strip: Tensor
    """[1 3 H W] background, `STRIP` frame heights large, one pixel for one pixel of the frames."""
    gain: Tensor
    """[3] colour cast."""
    brightness: float
    contrast: float
    sun: float
    """Side the light comes from, see `walker_painting.paint`."""
    tilt: float
    """How far the camera looks down, in radians."""
    heading: float
    """Yaw in radians of the people on the usual path."""
    softness: float
    """Width of the sharpest edge the lens can draw, in frame heights."""
    noise: float
    """Standard deviation of the sensor noise, as a share of white."""


def new_camera(generator: torch.Generator, *, clutter: float, height: int) -> Camera:
    """Put up a random camera.

    Args:
        clutter: 0 for plain walls and floors, 1 for a crowded station.
        height: of the frames, in pixels.
    """
    uniform = torch.rand(10, generator=generator).tolist()

    def between(low: float, high: float) -> float:
        return low + (high - low) * uniform.pop()

    gain = 1 + 0.10 * torch.randn(3, generator=generator).clamp(-1.6, 1.6)
    strip = _background(generator, clutter)
    size = [round(STRIP[0] * height), round(STRIP[1] * height)]
    return Camera(
        strip=F.interpolate(strip, size, mode="bilinear", antialias=True, align_corners=False),
        gain=gain,
        brightness=between(-0.10, 0.08),
        contrast=between(0.78, 1.12),
        sun=between(-1, 1),
        tilt=between(0.08, 0.3),
        heading=between(-math.pi, math.pi),
        softness=between(0.004, 0.010),
        noise=between(0.012, 0.030),
    )


def _background(generator: torch.Generator, clutter: float) -> Tensor:
    """A wall above a floor, with doors, signs, pillars, tiles and stains, [1 3 H W]."""
    height, width = (round(DETAIL * share) for share in STRIP)
    y = rearrange(torch.arange(height) / DETAIL - 0.25, "h -> h 1")
    x = rearrange(torch.arange(width) / DETAIL, "w -> 1 w")

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    def colour(options: tuple[Colour, ...]) -> Tensor:
        chosen = torch.tensor(options[int(uniform(0, len(options)))])
        return rearrange(chosen + 0.04 * torch.randn(3, generator=generator), "c -> c 1 1")

    horizon = uniform(0.12, 0.62)
    wall, floor = colour(WALLS), colour(FLOORS)
    strip = torch.where(y < horizon, wall, floor).expand(3, height, width).clone()

    def rectangle(
        left: float, top: float, right: float, bottom: float, paint: Tensor, share: float
    ) -> None:
        rows = slice(max(round((top + 0.25) * DETAIL), 0), max(round((bottom + 0.25) * DETAIL), 0))
        columns = slice(max(round(left * DETAIL), 0), max(round(right * DETAIL), 0))
        strip[:, rows, columns] = torch.lerp(strip[:, rows, columns], paint, share)

    strength = 0.25 + 0.6 * clutter
    for _ in range(6 + round(16 * clutter)):  # doors, windows, signs and what stands at the wall
        left, wide = uniform(-0.2, STRIP[1]), uniform(0.08, 0.5)
        top = uniform(-0.25, horizon - 0.05)
        bottom = horizon if uniform(0, 1) < 0.5 else top + uniform(0.05, 0.4)
        paint = rearrange(torch.rand(3, generator=generator) * 0.8 + 0.08, "c -> c 1 1")
        rectangle(left, top, left + wide, min(bottom, horizon), paint, strength * uniform(0.3, 1))
    for _ in range(2 + round(5 * clutter)):  # pillars
        left = uniform(0, STRIP[1])
        shade = uniform(0.15, 0.8) * torch.ones(3, 1, 1)
        rectangle(
            left, -0.25, left + uniform(0.04, 0.12), horizon + uniform(0, 0.12), shade, strength
        )

    # Rows of tiles come closer together towards the horizon.
    below = (y - horizon).clamp(min=0)
    joints = ((18 * (below + 0.02).sqrt() * uniform(0.7, 1.5)) % 1 < 0.12) & (y > horizon)
    slabs = (((x - uniform(0, 1)) * uniform(2, 5)) % 1 < 0.04) & (y > horizon)
    strip = strip * (1 - uniform(0.0, 0.16) * (joints | slabs).float())
    strip = strip * (
        1 - 0.25 * torch.exp(-((y - horizon) / 0.02).square())
    )  # the edge between both
    strip = strip * (0.92 + 0.16 * below)

    for rows, amount in (
        (3, 0.07),
        (9, 0.05),
        (36, 0.035),
        (height // 2, 0.03),
    ):  # light and stains
        columns = round(rows * STRIP[1] / STRIP[0])
        field = torch.randn(1, 1, rows, columns, generator=generator)
        field = F.interpolate(field, (height, width), mode="bicubic", align_corners=False)[0]
        strip = strip + amount * (0.6 + 0.8 * clutter) * field
    return rearrange(strip.clamp(0, 1), "c h w -> 1 c h w")


def see(
    camera: Camera, scroll: Tensor, shift: Tensor, scale: Tensor, height: int, width: int
) -> Tensor:
    """The background behind a moving box.

    Args:
        scroll: [t] how far along the strip the box is, in frame heights.
        shift: [t 2] of the box, see `walker_painting.through_box`.
        scale: [t]
        height, width: of the frames, in pixels.

    Returns:
        [t 3 h w] in 0..1.
    """
    device = scroll.device
    y = (torch.arange(height, device=device) + 0.5) / height - 0.5
    x = ((torch.arange(width, device=device) + 0.5) / width - 0.5) * FRAME_WIDTH
    each = rearrange(scale, "t -> t 1")
    down = y * each + shift[:, 1:] + 0.5  # [t h]
    across = x * each + shift[:, :1] + rearrange(scroll, "t -> t 1")  # [t w]
    grid = torch.stack(
        (
            repeat(across / STRIP[1] * 2 - 1, "t w -> t h w", h=height),
            repeat((down + 0.25) / STRIP[0] * 2 - 1, "t h -> t h w", w=width),
        ),
        dim=-1,
    )
    strip = camera.strip.to(device).expand(len(scroll), -1, -1, -1)
    return F.grid_sample(strip, grid, padding_mode="reflection", align_corners=False)


def new_obstacle(generator: torch.Generator, scroll: Tensor) -> Capsule:
    """A post or a barrier that the person walks past, nearer to the camera than the person.

    Args:
        scroll: [t] as in `see`: what stands still moves against it.
    """
    kind, moment, offset, thickness, tone, top = torch.rand(6, generator=generator).tolist()
    passed = scroll[int(moment * (len(scroll) - 1))]
    x = passed - scroll + 0.36 * (offset - 0.5)
    grey = 0.12 + 0.6 * tone
    tint = (0.08 * torch.randn(3, generator=generator)).tolist()
    colour = (grey + tint[0], grey + tint[1], grey + tint[2])
    if kind < 0.6:  # a post, of full height
        start, end = torch.stack((x, 0 * x - 0.4), -1), torch.stack((x, 0 * x + 1.4), -1)
        radius = 0.018 + 0.035 * thickness
    else:  # a bench, a trolley, a hedge: hides the legs
        level = 0 * x + 0.8 + 0.12 * top
        half = 0.06 + 0.12 * thickness
        start, end = torch.stack((x - half, level), -1), torch.stack((x + half, level), -1)
        radius = 0.05 + 0.05 * thickness
    radii = torch.full_like(start, radius)
    return Capsule(start, end, radii, torch.ones_like(x), colour, None, 1.0, "obstacle", 3.0)


def expose(canvas: Tensor, camera: Camera, light: float, noise: Tensor) -> Tensor:
    """What the sensor makes of a scene.

    Args:
        canvas: [t 3 h w] in 0..1; changed in place.
        light: factor for the whole tracklet.
        noise: [t 3 h w] standard normal.

    Returns:
        uint8 [t 3 h w].
    """
    gain = rearrange(camera.gain.to(canvas.device) * (light * camera.contrast), "c -> c 1 1")
    canvas.mul_(gain).add_(0.5 * (1 - camera.contrast) + camera.brightness)
    canvas.add_(noise, alpha=camera.noise)
    return canvas.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
