"""A walking person: clothes, build and gait, the joints in every frame, and the limbs around them.

Lengths are shares of the person's stature. A point is (forward, left, up) as the person sees it,
with the ground below the hips as origin; nothing here depends on cameras or pixels.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ssn3d.rng import between

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
    """How far the upper body moves up and down at every step, as a share of stature."""


def new_person(rng: torch.Generator) -> Person:
    """Draw a random person."""
    shares = torch.rand(20, generator=rng).tolist()

    def pick(options: tuple[str, ...]) -> str:
        return options[int(shares.pop() * len(options))]

    shirt = pick(SHIRTS)
    second = pick(SHIRTS)
    pattern = pick(("plain",) * 5 + ("halves", "halves", "stripes"))
    if second == shirt or pattern == "plain":
        pattern, second = "plain", shirt
    return Person(
        hair=pick(("black", "black", "brown", "brown", "blond", "grey")),
        long_hair=shares.pop() < 0.4,
        skin=pick(("fair", "fair", "tan", "dark")),
        shirt=shirt,
        second_shirt=second,
        pattern=pattern,
        long_sleeves=shares.pop() < 0.6,
        legwear=pick(("trousers",) * 7 + ("shorts", "shorts", "skirt")),
        bottom=pick(BOTTOMS),
        shoes=pick(SHOES),
        bag=pick(("none",) * 5 + ("backpack",) * 2 + ("shoulder bag",) * 2 + ("hand bag",)),
        bag_colour=pick(BAG_COLOURS),
        bag_side=1 if shares.pop() < 0.5 else -1,
        stature=between(1.55, 1.92, shares.pop()),
        build=between(0.86, 1.2, shares.pop()),
        stride=between(0.33, 0.47, shares.pop()),
        arm_swing=between(0.18, 0.48, shares.pop()),
        cadence=between(0.85, 1.05, shares.pop()),
        bounce=between(0.002, 0.009, shares.pop()),
    )


def stride_length(person: Person) -> float:
    """How far a person walks in one gait cycle, as a share of stature."""
    return 4 * (THIGH + SHIN) * math.sin(person.stride)


def skeleton(person: Person, phase: Tensor) -> dict[str, Tensor]:
    """Where the joints are.

    Args:
        person: whose build and gait are used.
        phase: [t] in radians; 2 pi is a gait cycle, the left leg swings forward around 0.

    Returns:
        [t 3] (forward, left, up) of head, neck, hips and, for both sides, hip, knee, foot (the
        ankle), toe, shoulder, elbow and hand. The lower foot stands on the ground.
    """

    def point(forward: Tensor | float, left: float, up: Tensor | float) -> Tensor:
        columns = (torch.as_tensor(c, dtype=phase.dtype) for c in (forward, left, up))
        return torch.stack([c.expand(phase.shape) for c in columns], dim=-1)

    def hanging(angle: Tensor, length: float, left: float = 0.0) -> Tensor:
        return point(length * angle.sin(), left, -length * angle.cos())

    joints: dict[str, Tensor] = {}
    bob = person.bounce * (2 * phase).cos()
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
        joints[f"{side} shoulder"] = shoulder + point(0.0, 0.0, bob)
        joints[f"{side} elbow"] = joints[f"{side} shoulder"] + hanging(
            upper, UPPER_ARM, sign * 0.022
        )
        joints[f"{side} hand"] = joints[f"{side} elbow"] + hanging(lower, FOREARM, -sign * 0.006)

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


@dataclass(frozen=True, eq=False)
class Limb:
    """A tapered capsule between two points of a moving body, one of those it is drawn with."""

    start: Tensor
    """[t 3] (forward, left, up) as a share of stature."""
    end: Tensor
    """[t 3]"""
    radii: tuple[float, float]
    """At the start and at the end."""
    colour: Colour
    group: str
    """The body part this belongs to: hides points of other groups only."""
    lift: float = 0.0
    """Brings it nearer to the viewer in the painting order, for clothes worn over others."""
    wide: float = 1.0
    """How much wider than deep: seen from above, the trunk is an ellipse."""
    stripes: Colour | None = None
    opacity: float = 1.0


def body_limbs(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    """The limbs of a dressed person, in no particular order.

    Args:
        person: whose clothes and build are used.
        joints: what `skeleton` returns.
    """
    return [
        *_head(person, joints),
        *_trunk(person, joints),
        *(limb for side in ("left", "right") for limb in _leg(person, joints, side)),
        *(limb for side in ("left", "right") for limb in _arm(person, joints, side)),
        *_bag(person, joints),
    ]


def _beside(joint: Tensor, forward: float = 0.0, left: float = 0.0, up: float = 0.0) -> Tensor:
    return joint + joint.new_tensor((forward, left, up))


def _darker(colour: Colour, by: float) -> Colour:
    red, green, blue = colour
    return (by * red, by * green, by * blue)


def _head(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    head, neck = joints["head"], joints["neck"]
    hair, skin = HAIR[person.hair], SKIN[person.skin]
    skull = Limb(
        _beside(head, -0.006, 0, 0.012), _beside(head, -0.006, 0, -0.01), (0.053, 0.048), hair,
        "head", lift=0.14,
    )  # fmt: skip
    # The face lies in front of the skull, so it shows from the front, half from the side, and not
    # from behind, where the skull is nearer to the viewer.
    face = Limb(
        _beside(head, 0.017, 0, -0.006), _beside(head, 0.018, 0, -0.032), (0.044, 0.035), skin,
        "head", lift=0.15,
    )  # fmt: skip
    nose = Limb(
        _beside(head, 0.056, 0, -0.010), _beside(head, 0.060, 0, -0.022), (0.009, 0.011),
        _darker(skin, 0.88), "head", lift=0.12,
    )  # fmt: skip
    eyes = [
        Limb(_beside(head, 0.047, 0.016 * sign, 0), _beside(head, 0.047, 0.020 * sign, 0),
             (0.006, 0.006), HAIR["black"], "head", lift=0.145)
        for sign in (1, -1)
    ]  # fmt: skip
    throat = Limb(
        _beside(neck, 0, 0, -0.01), _beside(head, 0, 0, -0.03), (0.029, 0.027), _darker(skin, 0.85),
        "head", lift=0.1,
    )  # fmt: skip
    limbs = [skull, face, nose, *eyes, throat]
    if person.long_hair:
        nape = _beside(neck, -0.042, 0, -0.035)
        limbs.append(
            Limb(_beside(head, -0.022), nape, (0.047, 0.034), hair, "head", lift=0.13, wide=1.25)
        )
    return limbs


def _trunk(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    hips, neck, build = joints["hips"], joints["neck"], person.build
    waist, chest = torch.lerp(hips, neck, 0.52), torch.lerp(hips, neck, 0.77)
    shirt, second = CLOTH[person.shirt], CLOTH[person.second_shirt]
    low_tone = second if person.pattern == "halves" else shirt
    stripes = second if person.pattern == "stripes" else None
    depth = 0.06 * build
    return [
        Limb(_beside(hips, up=0.06), _beside(hips, up=0.012), (depth, depth), CLOTH[person.bottom],
             "trunk", lift=0.07, wide=1.5),
        Limb(waist, _beside(hips, up=0.05), (depth, 1.0 * depth), low_tone, "trunk", lift=0.08,
             wide=1.48),
        Limb(chest, waist, (1.05 * depth, depth), shirt, "trunk", lift=0.085, wide=1.62,
             stripes=stripes),
        # Slopes from the neck to the shoulders.
        Limb(_beside(neck, up=0.004), _beside(chest, up=0.01), (0.033, 0.06), shirt, "trunk",
             lift=0.085, wide=1.6),
    ]  # fmt: skip


def _leg(person: Person, joints: dict[str, Tensor], side: str) -> list[Limb]:
    hip, knee, foot, toe = (joints[f"{side} {name}"] for name in ("hip", "knee", "foot", "toe"))
    cloth, skin, shoes = CLOTH[person.bottom], SKIN[person.skin], CLOTH[person.shoes]
    group, build = f"{side} leg", person.build
    bare = person.legwear != "trousers"
    thick, thin = (0.040, 0.025) if bare else (0.045, 0.032)
    limbs = [
        Limb(hip, knee, (0.06 * build, thick * build), skin if bare else cloth, group),
        Limb(knee, foot, (thick * build, thin * build), skin if bare else cloth, group, lift=0.001),
        Limb(_beside(foot, -0.012, 0, -0.012), toe, (0.026, 0.018), shoes, group, lift=-0.002),
    ]
    if person.legwear == "shorts":
        limbs.append(
            Limb(hip, torch.lerp(hip, knee, 0.82), (0.064 * build, 0.058 * build), cloth, group,
                 lift=0.003)
        )  # fmt: skip
    if person.legwear == "skirt" and side == "left":
        knees = torch.lerp(knee, joints["right knee"], 0.5)
        hem = torch.lerp(joints["hips"], knees, 0.72)
        limbs.append(
            Limb(joints["hips"], hem, (0.066 * build, 0.084 * build), cloth, "skirt", lift=0.075,
                 wide=1.25)
        )  # fmt: skip
    return limbs


def _arm(person: Person, joints: dict[str, Tensor], side: str) -> list[Limb]:
    shoulder, elbow, hand = (joints[f"{side} {name}"] for name in ("shoulder", "elbow", "hand"))
    shirt, skin, build = CLOTH[person.shirt], SKIN[person.skin], person.build
    # Sleeves a little darker than the trunk, as folds and shade make them: arms stay visible on it.
    sleeve = _darker(shirt, 0.86)
    wrist = torch.lerp(elbow, hand, 0.88)
    return [
        Limb(shoulder, elbow, (0.037 * build, 0.031 * build),
             sleeve if person.long_sleeves else skin, f"{side} arm", lift=0.1),
        Limb(elbow, wrist, (0.031 * build, 0.023 * build),
             sleeve if person.long_sleeves else skin, f"{side} arm", lift=0.102),
        Limb(_beside(hand, up=0.004), _beside(hand, up=-0.016), (0.021, 0.018), skin,
             f"{side} arm", lift=0.101),
        *([] if person.long_sleeves else [
            Limb(shoulder, torch.lerp(shoulder, elbow, 0.6), (0.040 * build, 0.042 * build), sleeve,
                 f"{side} arm", lift=0.115)]),
    ]  # fmt: skip


def _bag(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    hips, neck, colour = joints["hips"], joints["neck"], CLOTH[person.bag_colour]
    side, build = person.bag_side, person.build
    if person.bag == "backpack":
        straps = [
            Limb(_beside(neck, 0.045, 0.06 * sign * build, -0.025),
                 _beside(neck, 0.068 * build, 0.066 * sign * build, -0.15), (0.011, 0.011), colour,
                 "trunk", lift=0.05)
            for sign in (1, -1)
        ]  # fmt: skip
        pack = Limb(
            _beside(neck, -0.095, 0, -0.075), _beside(neck, -0.105, 0, -0.2), (0.052, 0.066),
            colour, "trunk", lift=0.08, wide=1.3,
        )  # fmt: skip
        return [*straps, pack]
    if person.bag == "shoulder bag":
        pouch = _beside(hips, 0.0, 0.115 * side * build, 0.03)
        strap = [
            Limb(_beside(neck, forward, -0.055 * side, -0.03),
                 _beside(hips, forward, 0.1 * side * build, 0.06), (0.010, 0.010), colour, "trunk",
                 lift=0.05)
            for forward in (0.06 * build, -0.06 * build)
        ]  # fmt: skip
        return [
            *strap,
            Limb(_beside(pouch, -0.045), _beside(pouch, 0.045), (0.048, 0.048), colour, "bag",
                 lift=0.06),
        ]  # fmt: skip
    if person.bag == "hand bag":
        hand = joints["left hand" if side > 0 else "right hand"]
        bottom = _beside(hand, up=-0.09)
        return [
            Limb(_beside(hand, up=-0.01), bottom, (0.008, 0.008), colour, "bag", lift=0.098),
            Limb(_beside(bottom, -0.035), _beside(bottom, 0.035), (0.042, 0.042), colour, "bag",
                 lift=0.099),
        ]  # fmt: skip
    return []
