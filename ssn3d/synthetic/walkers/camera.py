"""Where people walk: a camera's colours, light and background, and the things in between."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

from .backgrounds import STRIP, TOP, new_background
from .painting import FRAME_WIDTH, Capsules


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

    gain = 1 + 0.06 * torch.randn(3, generator=generator).clamp(-1.6, 1.6)
    strip = new_background(generator, clutter=clutter)
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


def see(
    camera: Camera,
    scroll: Tensor,
    shift: Tensor,
    scale: Tensor,
    height: int,
    width: int,
    device: torch.device | str = "cpu",
) -> Tensor:
    """The background behind a moving box.

    Args:
        scroll: [t] how far along the strip the box is, in frame heights.
        shift: [t 2] of the box, see `walker_painting.through_box`.
        scale: [t] of the box.
        height: of the frames in pixels.
        width: of the frames in pixels.
        device: where the frames shall be.

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
        (
            repeat(across.to(device), "t w -> t h w", h=height),
            repeat(down.to(device), "t h -> t h w", w=width),
        ),
        dim=-1,
    )
    strip = camera.strip.to(device).expand(len(scroll), -1, -1, -1)
    return F.grid_sample(strip, grid, padding_mode="reflection", align_corners=False)


def new_obstacle(generator: torch.Generator, scroll: Tensor) -> Capsules:
    """A post or something low that the person walks past, nearer to the camera than the person.

    Args:
        generator: decides what it is and where.
        scroll: [t] as in `see`: what stands still moves against it.
    """
    kind, moment, offset, size, grey, level = torch.rand(6, generator=generator).tolist()
    x = scroll[int(moment * len(scroll))] - scroll + 0.36 * (offset - 0.5)
    if kind < 0.6:  # a post, as high as the frame and more
        radius = 0.018 + 0.035 * size
        ends = ((0.0, -0.6), (0.0, 1.6))
    else:  # a bench, a trolley, a hedge: hides the legs
        radius = 0.05 + 0.05 * size
        half, middle = 0.06 + 0.12 * size, 0.8 + 0.12 * level
        ends = ((-half, middle), (half, middle))
    tint = 0.12 + 0.6 * grey + 0.08 * torch.randn(3, generator=generator)
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


def expose(canvas: Tensor, camera: Camera, light: float, grain: torch.Generator) -> Tensor:
    """What the sensor makes of a scene.

    Args:
        canvas: [t 3 h w] in 0..1; changed in place.
        light: factor for the whole tracklet.
        grain: makes the noise, on the device of the canvas.

    Returns:
        uint8 [t 3 h w].
    """
    gain = rearrange(camera.gain.to(canvas.device) * (light * camera.contrast), "c -> c 1 1")
    canvas.mul_(gain).add_(0.5 * (1 - camera.contrast) + camera.brightness)
    noise = torch.randn(canvas.shape, generator=grain, device=canvas.device)
    canvas.add_(noise, alpha=camera.noise)
    return canvas.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
