"""One tracklet in motion: how the person walks, where the box lies, and who or what is nearby."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ssn3d.rng import stream

from .camera import Camera, new_obstacle
from .keypoints import true_points
from .painting import Capsules, Pose, capsules, through_box, together
from .person import Limb, Person, body_limbs, new_person, skeleton, stride_length
from .protocol import Profile, Walk

MEMORY = 0.92
"""Share of the box's drift that is left after a frame; after twelve frames it is about a third."""
JUNK_JITTER = 0.5
"""Jitter of the boxes of junk, see `Profile.jitter`."""


class Scene(NamedTuple):
    """Everything in front of the background, as it lies in the box of the detector."""

    capsules: Capsules
    points: Tensor
    """[t n 2] body points of the person in frame heights, also outside the frame; see
    `true_points`."""
    scroll: Tensor
    """[t] how far along the background the person is, in frame heights."""
    shift: Tensor
    """[t 2] of the box in frame heights."""
    scale: Tensor
    """[t] of the box."""
    light: float
    """Brightness of this tracklet as a factor of that of its camera."""


def new_scene(profile: Profile, walk: Walk, camera: Camera, *, seed: int) -> Scene:
    """Place a person, other people and things in the scene of one tracklet.

    Each purpose has a random generator of its own: another jitter of the boxes changes neither the
    people nor the place.

    Args:
        profile: of the data set.
        walk: the tracklet.
        camera: that sees it.
        seed: of the data set.
    """
    key = (walk.appearance, walk.camera, walk.number)
    person = new_person(stream(profile.name, seed, "person", walk.appearance))
    time = torch.arange(walk.length) / profile.frame_rate

    rng = stream(profile.name, seed, "walk", *key)
    start, back, light, place = torch.rand(4, generator=rng).tolist()
    aside, turn = torch.randn(2, generator=rng).tolist()
    # Seven in ten people walk the usual path one way, three the other; few walk quite straight.
    direction = camera.heading + (math.pi if back < 0.3 else 0) + 0.4 * aside
    # Boxes are fitted to people, so they show little of how tall people are.
    size = 0.86 * (person.stature / 1.73) ** 0.4
    pose = Pose(
        yaw=direction + 0.1 * turn * time.clamp(max=4),
        tilt=camera.tilt,
        size=size,
        x=torch.zeros(walk.length),
        y=torch.full((walk.length,), 0.5 + 0.5 * size),
    )
    joints = skeleton(person, 2 * math.pi * (start + person.cadence * time))
    # As fast as the feet go, so that they do not slide over the ground.
    step = stride_length(person) * size * person.cadence / profile.frame_rate
    scroll = 4 * place + (step * pose.yaw.sin()).cumsum(dim=0)

    jitter = JUNK_JITTER if walk.badly_framed else profile.jitter
    shift, scale = _box(jitter, walk.length, stream(profile.name, seed, "box", *key))
    nearby = _others(profile, pose, scroll, time, stream(profile.name, seed, "others", *key))
    return Scene(
        capsules=through_box(together([_drawn(person, joints, pose), *nearby]), shift, scale),
        points=true_points(joints, pose, shift, scale),
        scroll=scroll,
        shift=shift,
        scale=scale,
        light=0.88 + 0.24 * light,
    )


def _box(jitter: float, length: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shift [t 2] in frame heights and scale [t] of the detector's box."""
    shake = torch.randn(length, 3, generator=rng)
    drift = torch.randn(length, 3, generator=rng)
    # The drift is an autoregressive process with unit variance from the first frame on.
    for i in range(1, length):
        drift[i] = MEMORY * drift[i - 1] + math.sqrt(1 - MEMORY**2) * drift[i]
    error = (jitter / 2) * ((shake + drift) / math.sqrt(2)).clamp(-2.5, 2.5)
    return error[:, :2] * error.new_tensor((0.5, 1.0)), error[:, 2].exp()


def _drawn(
    person: Person, joints: dict[str, Tensor], pose: Pose, *, group: str | None = None
) -> Capsules:
    """A person and the shadow at their feet."""
    on_ground = joints["hips"].new_tensor((1, 1, 0))
    shadow = Limb(
        joints["left foot"] * on_ground, joints["right foot"] * on_ground, (0.034, 0.034),
        (0.05, 0.05, 0.06), "shadow", lift=-0.9, wide=1.6, opacity=0.38,
    )  # fmt: skip
    return capsules([shadow, *body_limbs(person, joints)], pose, group=group)


def _others(
    profile: Profile, pose: Pose, scroll: Tensor, time: Tensor, rng: torch.Generator
) -> list[Capsules]:
    """Other people behind the person and in front, and what hides a part of the person."""
    behind, farther, before, obstacle = torch.rand(4, generator=rng).tolist()
    found: list[Capsules] = []
    # The chances grow with clutter; at 1, every fourth tracklet has somebody in front.
    if behind < 0.6 * profile.clutter:
        found.append(_passer_by(pose, scroll, time, -2.0, rng))
    if farther < 0.3 * profile.clutter:
        found.append(_passer_by(pose, scroll, time, -4.0, rng))
    if before < 0.25 * profile.clutter:
        found.append(_passer_by(pose, scroll, time, 2.0, rng))
    if obstacle < 0.45 * profile.clutter:
        found.append(new_obstacle(rng, scroll))
    return found


def _passer_by(
    pose: Pose, scroll: Tensor, time: Tensor, depth: float, rng: torch.Generator
) -> Capsules:
    """Another person who crosses the path, in front of the first one if `depth` is positive."""
    other = new_person(rng)
    start, moment, near, along, offset = torch.rand(5, generator=rng).tolist()
    in_front = depth > 0
    size = pose.size * (1.02 + 0.12 * near if in_front else 0.72 + 0.22 * near)
    yaw = torch.full_like(time, math.pi / 2 * (1 if along < 0.5 else -1) + 0.5 * (near - 0.5))
    speed = stride_length(other) * size * other.cadence
    path = speed * yaw.sin() * time - scroll
    there = Pose(
        yaw=yaw,
        tilt=pose.tilt,
        size=size,
        x=path - path[int(moment * len(path))] + 0.3 * (offset - 0.5),
        # To a camera that looks down, a person farther away stands higher in the picture.
        y=pose.y + (0.02 + 0.05 * near if in_front else -0.25 * pose.tilt - 0.05 * (1 - near)),
        depth=depth,
    )
    joints = skeleton(other, 2 * math.pi * (start + other.cadence * time))
    return _drawn(other, joints, there, group="somebody else")
