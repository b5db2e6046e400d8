"""Painting: limbs are projected into the frame as soft capsules, and painted from far to near.

Scene and frame are measured in frame heights: x to the right with 0 in the middle, y down with 0 at
the top. A frame is half as wide as high whatever its pixels, so all resolutions show the same.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor

from .person import Limb

FRAME_WIDTH = 0.5
"""Width of a frame in frame heights."""


class Pose(NamedTuple):
    """Where a body stands in the scene, and how it is turned to the camera."""

    yaw: Tensor
    """[t] in radians: 0 faces the camera, pi / 2 faces the right edge of the frame."""
    tilt: float
    """How far the camera looks down, in radians."""
    size: float
    """Stature in frame heights."""
    x: Tensor
    """[t] of the ground between the feet, in frame heights."""
    y: Tensor
    """[t] of the same point."""
    depth: float = 0.0
    """Added to the depths of all limbs; more is nearer to the camera."""


class Capsules(NamedTuple):
    """Limbs as the camera sees them, in no particular order; `p` counts them."""

    ends: Tensor
    """[p 2 t 2] (x, y) of start and end, in frame heights."""
    radii: Tensor
    """[p 2 t] at start and end, in frame heights."""
    stretch: Tensor
    """[p t] how much wider than high their cross-sections are."""
    depths: Tensor
    """[p] more is nearer to the camera."""
    opacities: Tensor
    """[p] 1 hides what is behind."""
    colours: Tensor
    """[p 2 3] main tone and the tone of the stripes, the same where there are none."""
    groups: list[str]
    """What each belongs to, see `person.Limb`."""


def project(points: Tensor, pose: Pose) -> tuple[Tensor, Tensor]:
    """Body points as a distant camera sees them (orthographic projection).

    Args:
        points: [... t 3] (forward, left, up) as a share of stature.
        pose: where the body stands, t frames of it.

    Returns:
        [... t 2] (x, y) in frame heights, and [... t] how near to the camera in statures.
    """
    forward, left, up = points.unbind(dim=-1)
    right = forward * pose.yaw.sin() + left * pose.yaw.cos()
    near = forward * pose.yaw.cos() - left * pose.yaw.sin()
    tilt = torch.tensor(pose.tilt)
    seen_up = up * tilt.cos() - near * tilt.sin()
    return torch.stack((pose.x + pose.size * right, pose.y - pose.size * seen_up), dim=-1), near


def capsules(limbs: Sequence[Limb], pose: Pose, *, group: str | None = None) -> Capsules:
    """Project the limbs of one body.

    Args:
        limbs: of the body.
        pose: where it stands.
        group: replaces the groups of its limbs, if given.
    """
    ends, near = project(torch.stack([torch.stack((limb.start, limb.end)) for limb in limbs]), pose)
    radii = repeat(ends.new_tensor([limb.radii for limb in limbs]), "p k -> p k t", t=len(pose.yaw))
    wide = rearrange(ends.new_tensor([limb.wide for limb in limbs]), "p -> p 1")
    lifts = ends.new_tensor([limb.lift for limb in limbs])
    return Capsules(
        ends=ends,
        radii=pose.size * radii,
        stretch=torch.hypot(wide * pose.yaw.cos(), pose.yaw.sin()),
        # One order for all frames: limbs pass each other too rarely to sort them in every frame.
        depths=pose.depth + reduce(near, "p k t -> p", "mean") + lifts,
        opacities=ends.new_tensor([limb.opacity for limb in limbs]),
        colours=ends.new_tensor([(limb.colour, limb.stripes or limb.colour) for limb in limbs]),
        groups=[group or limb.group for limb in limbs],
    )


def together(several: Sequence[Capsules]) -> Capsules:
    """Join several bodies and things to one scene."""
    *tensors, groups = zip(*several, strict=True)
    ends, radii, stretch, depths, opacities, colours = (torch.cat(parts) for parts in tensors)
    everyone = [group for part in groups for group in part]
    return Capsules(ends, radii, stretch, depths, opacities, colours, everyone)


def through_box(scene: Capsules, shift: Tensor, scale: Tensor) -> Capsules:
    """A scene in the coordinates of a misplaced box.

    Args:
        scene: in the coordinates of a box that fits.
        shift: [t 2] of the centre of the box, in frame heights.
        scale: [t] size of the box, 1 where it fits.
    """
    return scene._replace(ends=to_frame(scene.ends, shift, scale), radii=scene.radii / scale)


def to_frame(points: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Scene points [... t 2] in the coordinates of a box with this shift [t 2] and scale [t]."""
    centre = points.new_tensor((0.0, 0.5))
    return (points - centre - shift) / rearrange(scale, "t -> t 1") + centre


class Reach(NamedTuple):
    """Where places lie relative to capsules."""

    outside: Tensor
    """Distance to the edge in frame heights, negative inside."""
    along: Tensor
    """0 at the start, 1 at the end."""
    sideways: Tensor
    """From -1 at the left edge to 1 at the right edge."""


def reach(ends: Tensor, radii: Tensor, stretch: Tensor, x: Tensor, y: Tensor) -> Reach:
    """Where places lie relative to capsules; all arguments broadcast against each other.

    Args:
        ends: [2 2 ...] start and end, each (x, y), in frame heights.
        radii: [2 ...] at start and end, in frame heights.
        stretch: [...] how much wider than high the capsules' cross-sections are.
        x: [...] of the places, in frame heights.
        y: [...] the same.
    """
    (start_x, start_y), (end_x, end_y) = ends
    # In coordinates divided by the stretch the cross-sections are circles.
    from_x, from_y = (x - start_x) / stretch, y - start_y
    axis_x, axis_y = (end_x - start_x) / stretch, end_y - start_y
    length = (axis_x.square() + axis_y.square()).clamp(min=1e-9)
    along = (from_x * (axis_x / length) + from_y * (axis_y / length)).clamp_(0, 1)
    off_x, off_y = from_x - along * axis_x, from_y - along * axis_y
    radius = radii[0] + along * (radii[1] - radii[0])
    return Reach(torch.hypot(off_x, off_y) - radius, along, off_x / radius)


def paint(canvas: Tensor, scene: Capsules, *, softness: float, sun: float) -> None:
    """Paint capsules onto the frames, far to near, in place.

    Args:
        canvas: [t 3 h w] in 0..1.
        scene: in the coordinates of the frames.
        softness: width of an edge in frame heights; it is never narrower than a pixel.
        sun: where the light comes from, from -1 (left) to 1 (right).
    """
    height, width = canvas.shape[-2:]
    edge = max(softness, 1 / height)
    windows = _windows(scene, edge, height, width)
    y = rearrange((torch.arange(height) + 0.5) / height, "h -> h 1")
    x = ((torch.arange(width) + 0.5) / width - 0.5) * FRAME_WIDTH
    ends = rearrange(scene.ends, "p k t xy -> p k xy t 1 1")
    radii = rearrange(scene.radii, "p k t -> p k t 1 1")
    stretch = rearrange(scene.stretch, "p t -> p t 1 1")
    tones = rearrange(scene.colours, "p k c -> p k c 1 1")
    striped = (scene.colours[:, 0] != scene.colours[:, 1]).any(dim=-1).tolist()
    # A capsule thinner than an edge covers no pixel completely.
    thickness = 2 * reduce(scene.radii, "p k t -> p", "max")
    opacities = (scene.opacities * (thickness / edge).clamp(max=1)).tolist()

    for p in scene.depths.argsort().tolist():
        top, bottom, left, right = windows[p]
        if top >= bottom or left >= right:
            continue
        near = reach(ends[p], radii[p], stretch[p], x[left:right], y[top:bottom])  # [t h w] each
        cover = (0.5 - near.outside / edge).clamp_(0, 1) * opacities[p]
        # A limb is round: it turns away from the light at its sides.
        side = near.sideways.clamp_(-1, 1)
        shade = rearrange(1.04 + side * (0.16 * sun - 0.2 * side), "t h w -> t 1 h w")
        colour = tones[p, 0]
        if striped[p]:
            stripe = (0.5 + 2 * (5 * math.pi * near.along).sin()).clamp_(0, 1)
            colour = torch.lerp(colour, tones[p, 1], rearrange(stripe, "t h w -> t 1 h w"))
        painted = canvas[:, :, top:bottom, left:right]
        painted.lerp_(shade * colour, rearrange(cover, "t h w -> t 1 h w"))


def _windows(scene: Capsules, edge: float, height: int, width: int) -> list[list[int]]:
    """Rows and columns that each capsule may touch in any frame: top, bottom, left, right."""
    radius = scene.radii + edge
    across = radius * rearrange(scene.stretch, "p t -> p 1 t").clamp(min=1)
    x, y = scene.ends.unbind(dim=-1)
    x, across = (x / FRAME_WIDTH + 0.5) * width, across / FRAME_WIDTH * width
    bounds = [
        reduce((y - radius) * height, "p k t -> p", "min").floor().clamp(0, height),
        reduce((y + radius) * height, "p k t -> p", "max").ceil().clamp(0, height),
        reduce(x - across, "p k t -> p", "min").floor().clamp(0, width),
        reduce(x + across, "p k t -> p", "max").ceil().clamp(0, width),
    ]
    return torch.stack(bounds, dim=1).int().tolist()
