"""Who a walker is: clothes, build and gait, and the limbs they make in every frame.

Lengths are shares of the person's stature. A point is (forward, left, up) as the person sees it,
with the ground below the hips as origin; nothing here knows of cameras or pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Colour = tuple[float, float, float]

# Small palettes with many dark colours, as in a real street: most people share most colours with
# many others, so that one part alone tells few people apart.
HAIR: dict[str, Colour] = {
    "black": (0.09, 0.08, 0.08),
    "brown": (0.28, 0.17, 0.10),
    "blond": (0.70, 0.55, 0.30),
    "grey": (0.58, 0.58, 0.58),
}
SKIN: dict[str, Colour] = {
    "fair": (0.90, 0.72, 0.62),
    "tan": (0.76, 0.56, 0.43),
    "dark": (0.45, 0.30, 0.22),
}
CLOTH: dict[str, Colour] = {
    "black": (0.10, 0.10, 0.12),
    "white": (0.88, 0.88, 0.86),
    "grey": (0.50, 0.51, 0.53),
    "navy": (0.13, 0.17, 0.34),
    "red": (0.70, 0.13, 0.14),
    "green": (0.16, 0.42, 0.25),
    "sky": (0.38, 0.60, 0.82),
    "yellow": (0.86, 0.72, 0.25),
    "jeans": (0.26, 0.36, 0.54),
    "beige": (0.70, 0.61, 0.47),
    "brown": (0.36, 0.24, 0.16),
}
SHIRTS = ("black", "black", "white", "white", "grey", "navy", "red", "green", "sky", "yellow")
BOTTOMS = ("black", "black", "jeans", "jeans", "grey", "beige", "navy")
SHOES = ("black", "black", "white", "brown", "red")
BAG_COLOURS = ("black", "red", "beige", "navy")

THIGH, SHIN, ANKLE, TOE = 0.245, 0.245, 0.038, 0.017
UPPER_ARM, FOREARM = 0.165, 0.145
HIP_TO_SHOULDER, HIP_TO_NECK, HIP_TO_HEAD = 0.272, 0.322, 0.408


@dataclass(frozen=True)
class Person:
    """What stays the same of a person from camera to camera."""

    hair: str
    long_hair: bool
    skin: str
    shirt: str
    second_shirt: str
    """The other tone; equal to `shirt` where there is one."""
    pattern: str
    """plain, halves (upper and lower) or stripes."""
    long_sleeves: bool
    legwear: str
    """trousers, shorts or skirt."""
    bottom: str
    shoes: str
    bag: str
    """none, backpack, shoulder bag or hand bag."""
    bag_colour: str
    bag_side: int
    """1 at the left, -1 at the right."""
    stature: float
    """Metres."""
    build: float
    """Width of body and limbs, 1 for the average."""
    stride: float
    """Largest angle of the thigh from the vertical, in radians."""
    arm_swing: float
    """Largest angle of the upper arm from the vertical, in radians."""
    cadence: float
    """Gait cycles (two steps) a second."""
    bounce: float
    """How far the upper body bobs at every step, as a share of stature."""


def new_person(generator: torch.Generator) -> Person:
    """Dress a random person."""
    uniform = torch.rand(20, generator=generator).tolist()

    def pick(options: tuple[str, ...] | dict[str, Colour]) -> str:
        return list(options)[int(uniform.pop() * len(options))]

    def between(low: float, high: float) -> float:
        return low + (high - low) * uniform.pop()

    shirt = pick(SHIRTS)
    second = pick(SHIRTS)
    pattern = pick(("plain",) * 5 + ("halves", "halves", "stripes"))
    if second == shirt or pattern == "plain":
        pattern, second = "plain", shirt
    return Person(
        hair=pick(("black", "black", "brown", "brown", "blond", "grey")),
        long_hair=uniform.pop() < 0.4,
        skin=pick(("fair", "fair", "tan", "dark")),
        shirt=shirt,
        second_shirt=second,
        pattern=pattern,
        long_sleeves=uniform.pop() < 0.6,
        legwear=pick(("trousers",) * 7 + ("shorts", "shorts", "skirt")),
        bottom=pick(BOTTOMS),
        shoes=pick(SHOES),
        bag=pick(("none",) * 5 + ("backpack",) * 2 + ("shoulder bag",) * 2 + ("hand bag",)),
        bag_colour=pick(BAG_COLOURS),
        bag_side=1 if uniform.pop() < 0.5 else -1,
        stature=between(1.55, 1.92),
        build=between(0.86, 1.2),
        stride=between(0.33, 0.47),
        arm_swing=between(0.18, 0.48),
        cadence=between(0.85, 1.05),
        bounce=between(0.002, 0.009),
    )


def stride_length(person: Person) -> float:
    """How far a person gets in one gait cycle, as a share of stature."""
    return 4 * (THIGH + SHIN) * math.sin(person.stride)


def skeleton(person: Person, phase: Tensor) -> dict[str, Tensor]:
    """Where the joints are.

    Args:
        phase: [t] in radians; 2 pi is a gait cycle, the left leg swings forward around 0.

    Returns:
        [t 3] (forward, left, up) of head, neck, hips and, for both sides, hip, knee, foot (the
        ankle), toe, shoulder, elbow and hand. The lower foot stands on the ground.
    """

    def point(forward: Tensor | float, left: float, up: Tensor | float) -> Tensor:
        columns = (torch.as_tensor(c, dtype=phase.dtype, device=phase.device)
                   for c in (forward, left, up))  # fmt: skip
        return torch.stack([c.expand(phase.shape) for c in columns], dim=-1)

    def hanging(angle: Tensor, length: float, left: float = 0.0) -> Tensor:
        return point(length * angle.sin(), left, -length * angle.cos())

    joints: dict[str, Tensor] = {}
    for side, sign in (("left", 1), ("right", -1)):
        swing = phase if sign > 0 else phase + math.pi
        # The knee bends while the leg swings forward, most just before it passes the other leg.
        bend = 0.12 + 1.9 * person.stride * (swing + 0.5).cos().clamp(min=0) ** 2
        thigh = person.stride * swing.sin() + 0.08
        shin = thigh - bend
        joints[f"{side} hip"] = point(0.0, sign * 0.052 * person.build, 0.0)
        joints[f"{side} knee"] = joints[f"{side} hip"] + hanging(thigh, THIGH)
        joints[f"{side} foot"] = joints[f"{side} knee"] + hanging(shin, SHIN)
        # The heel leaves the ground behind the body, and lands before the toe in front of it.
        sole = 0.55 * (shin + 0.05)
        toe = point(0.098 * sole.cos(), 0.0, 0.098 * sole.sin() - (ANKLE - TOE))
        joints[f"{side} toe"] = joints[f"{side} foot"] + toe

        upper = 0.04 - person.arm_swing * swing.sin()
        lower = upper + 0.2 + 0.55 * (upper + 0.2).clamp(min=0)
        shoulder = point(0.0, sign * (0.045 + 0.055 * person.build), HIP_TO_SHOULDER)
        joints[f"{side} shoulder"] = shoulder + point(0.0, 0.0, person.bounce * (2 * phase).cos())
        joints[f"{side} elbow"] = joints[f"{side} shoulder"] + hanging(
            upper, UPPER_ARM, sign * 0.022
        )
        joints[f"{side} hand"] = joints[f"{side} elbow"] + hanging(lower, FOREARM, -sign * 0.006)

    bob = person.bounce * (2 * phase).cos()
    joints["hips"] = point(0.0, 0.0, 0.0)
    joints["neck"] = point(0.008, 0.0, HIP_TO_NECK + bob)
    joints["head"] = point(0.014, 0.0, HIP_TO_HEAD + bob)

    soles = [
        joints[f"{side} {joint}"][:, 2] - above
        for side in ("left", "right")
        for joint, above in (("foot", ANKLE), ("toe", TOE))
    ]
    ground = torch.stack(soles).amin(dim=0)
    lift = torch.stack((torch.zeros_like(ground), torch.zeros_like(ground), -ground), dim=-1)
    return {name: joint + lift for name, joint in joints.items()}
