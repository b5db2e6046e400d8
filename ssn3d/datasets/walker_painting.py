"""Soft capsules: limbs projected into the scene, put in order of depth, and painted far to near.

Scene and frame are measured in frame heights: x to the right with 0 in the middle, y down with 0 at
the top. A frame is half as wide as high whatever its pixels, so it looks alike at every resolution.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .walker_bodies import Colour
from .walker_limbs import Limb

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
    """[t]"""
    depth: float = 0.0
    """Added to the painting order: bodies nearer to the camera have more."""


class Capsule(NamedTuple):
    """A limb as the camera sees it."""

    start: Tensor
    """[t 2] (x, y) in frame heights."""
    end: Tensor
    """[t 2]"""
    radii: Tensor
    """[t 2] at the start and at the end, in frame heights."""
    stretch: Tensor
    """[t] how much wider than high its round is."""
    colour: Colour
    stripes: Colour | None
    opacity: float
    group: str
    depth: float


def project(points: Tensor, pose: Pose) -> tuple[Tensor, Tensor]:
    """Body points as the camera sees them, from far away (orthographic).

    Args:
        points: [... t 3] (forward, left, up) as a share of stature.

    Returns:
        [... t 2] (x, y) in frame heights, and [... t] how near to the camera, as a share of stature.
    """
    forward, left, up = points.unbind(dim=-1)
    right = forward * pose.yaw.sin() + left * pose.yaw.cos()
    near = forward * pose.yaw.cos() - left * pose.yaw.sin()
    tilt = torch.tensor(pose.tilt)
    seen_up = up * tilt.cos() - near * tilt.sin()
    return torch.stack((pose.x + pose.size * right, pose.y - pose.size * seen_up), dim=-1), near


def capsules(limbs: Sequence[Limb], pose: Pose) -> list[Capsule]:
    """Project the limbs of one body."""
    ends = torch.stack([torch.stack((limb.start, limb.end)) for limb in limbs])  # [p 2 t 3]
    seen, near = project(ends, pose)
    # One order for all frames: limbs change places too rarely within a tracklet to be worth a sort
    # in every frame.
    depths = near.mean(dim=(1, 2)).tolist()
    return [
        Capsule(
            start=start,
            end=end,
            radii=pose.size * start.new_tensor(limb.radii).expand(len(start), 2),
            stretch=torch.hypot(limb.wide * pose.yaw.cos(), pose.yaw.sin()),
            colour=limb.colour,
            stripes=limb.stripes,
            opacity=limb.opacity,
            group=limb.group,
            depth=pose.depth + depth + limb.lift,
        )
        for limb, (start, end), depth in zip(limbs, seen, depths, strict=True)
    ]


def through_box(capsule: Capsule, shift: Tensor, scale: Tensor) -> Capsule:
    """The capsule as it lies in a misplaced box.

    Args:
        shift: [t 2] of the centre of the box, in frame heights.
        scale: [t] size of the box, 1 where it fits.
    """
    return capsule._replace(
        start=to_frame(capsule.start, shift, scale),
        end=to_frame(capsule.end, shift, scale),
        radii=capsule.radii / rearrange(scale, "t -> t 1"),
    )


def to_frame(points: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Scene points [t 2] in the coordinates of a box with the given shift [t 2] and scale [t]."""
    centre = points.new_tensor((0.0, 0.5))
    return (points - centre - shift) / rearrange(scale, "t -> t 1") + centre


class Reach(NamedTuple):
    """How places relate to a capsule; every field is [t *places]."""

    outside: Tensor
    """Distance to its edge in frame heights, negative inside."""
    along: Tensor
    """0 at the start, 1 at the end."""
    sideways: Tensor
    """From -1 at its left edge to 1 at its right edge."""


def reach(capsule: Capsule, x: Tensor, y: Tensor) -> Reach:
    """Distance of places to a capsule.

    Args:
        x: [t ...] or broadcastable, in frame heights.
        y: the same; x and y broadcast against each other.
    """
    each = [-1] + [1] * (max(x.dim(), y.dim()) - 1)
    stretch = capsule.stretch.reshape(each)
    start_x, start_y = (c.reshape(each) for c in capsule.start.unbind(dim=-1))
    end_x, end_y = (c.reshape(each) for c in capsule.end.unbind(dim=-1))
    start_radius, end_radius = (c.reshape(each) for c in capsule.radii.unbind(dim=-1))

    # In coordinates divided by the stretch the round is a circle.
    from_x, from_y = (x - start_x) / stretch, y - start_y
    axis_x, axis_y = (end_x - start_x) / stretch, end_y - start_y
    length = (axis_x.square() + axis_y.square()).clamp(min=1e-9)
    along = (from_x * (axis_x / length) + from_y * (axis_y / length)).clamp_(0, 1)
    off_x, off_y = from_x - along * axis_x, from_y - along * axis_y
    radius = start_radius + along * (end_radius - start_radius)
    return Reach(torch.hypot(off_x, off_y) - radius, along, off_x / radius)


def paint(
    canvas: Tensor, scene: Sequence[Capsule], *, softness: float, sun: float
) -> None:  # fmt: skip
    """Paint capsules onto the frames, far to near, in place.

    Args:
        canvas: [t 3 h w] in 0..1.
        scene: in any order, in the coordinates of the frames.
        softness: width of an edge in frame heights; the edge is never narrower than a pixel.
        sun: light from the right is positive, from the left negative, in -1..1.
    """
    height, width = canvas.shape[-2:]
    y = (torch.arange(height, device=canvas.device) + 0.5) / height
    x = ((torch.arange(width, device=canvas.device) + 0.5) / width - 0.5) * FRAME_WIDTH
    edge = max(softness, 1 / height)
    for capsule in sorted(scene, key=lambda capsule: capsule.depth):
        rows, columns = _window(capsule, edge, height, width)
        if not (rows.stop > rows.start and columns.stop > columns.start):
            continue
        near = reach(
            _moved(capsule, canvas.device),
            rearrange(x[columns], "w -> 1 1 w"),
            rearrange(y[rows], "h -> 1 h 1"),
        )
        cover = (0.5 - near.outside / edge).clamp_(0, 1) * capsule.opacity  # [t h w]
        # A limb is round: it turns away from the light at its sides.
        side = near.sideways.clamp(-1, 1)
        shade = 1.04 + (0.16 * sun) * side - 0.2 * side.square()
        stripes = None
        if capsule.stripes is not None:
            stripes = (0.5 + 2.0 * (near.along * 15.7).sin()).clamp(0, 1)
        for channel, layer in enumerate(canvas.unbind(dim=1)):
            paintwork = shade * capsule.colour[channel]
            if capsule.stripes is not None and stripes is not None:
                other = capsule.stripes[channel] - capsule.colour[channel]
                paintwork = paintwork + shade * stripes * other
            layer[:, rows, columns].lerp_(paintwork, cover)


def _moved(capsule: Capsule, device: torch.device) -> Capsule:
    start, end, radii, stretch = (
        field.to(device) for field in (capsule.start, capsule.end, capsule.radii, capsule.stretch)
    )
    return capsule._replace(start=start, end=end, radii=radii, stretch=stretch)


def _window(capsule: Capsule, edge: float, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns that a capsule may touch in any frame."""
    radius = capsule.radii.amax(dim=-1) + edge
    reach_x = radius * capsule.stretch.clamp(min=1)
    ends = torch.stack((capsule.start, capsule.end))  # [2 t 2]
    bounds = torch.stack(
        (
            (ends[..., 1] - radius).amin() * height,
            (ends[..., 1] + radius).amax() * height,
            ((ends[..., 0] - reach_x).amin() / FRAME_WIDTH + 0.5) * width,
            ((ends[..., 0] + reach_x).amax() / FRAME_WIDTH + 0.5) * width,
        )
    )
    top, bottom, left, right = bounds.floor().int().tolist()
    return (
        slice(max(top, 0), min(bottom + 1, height)),
        slice(max(left, 0), min(right + 1, width)),
    )
