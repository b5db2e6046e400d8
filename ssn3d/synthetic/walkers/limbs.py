"""What a walker is drawn with: tapered capsules around the skeleton, one or more for each limb."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .person import CLOTH, HAIR, SKIN, Colour, Person


@dataclass(frozen=True, eq=False)
class Limb:
    """A capsule between two points of a moving body."""

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
    """How much wider than deep: the trunk is an ellipse seen from above."""
    stripes: Colour | None = None
    opacity: float = 1.0


def body_limbs(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    """The limbs of a dressed person, in no particular order.

    Args:
        joints: what `walker_bodies.skeleton` returns.
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


def _between(start: Tensor, end: Tensor, share: float) -> Tensor:
    return torch.lerp(start, end, share)


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
    waist, chest = _between(hips, neck, 0.52), _between(hips, neck, 0.77)
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
            Limb(hip, _between(hip, knee, 0.82), (0.064 * build, 0.058 * build), cloth, group,
                 lift=0.003)
        )  # fmt: skip
    if person.legwear == "skirt" and side == "left":
        knees = _between(knee, joints["right knee"], 0.5)
        hem = _between(joints["hips"], knees, 0.72)
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
    wrist = _between(elbow, hand, 0.88)
    return [
        Limb(shoulder, elbow, (0.037 * build, 0.031 * build),
             sleeve if person.long_sleeves else skin, f"{side} arm", lift=0.1),
        Limb(elbow, wrist, (0.031 * build, 0.023 * build),
             sleeve if person.long_sleeves else skin, f"{side} arm", lift=0.102),
        Limb(_beside(hand, up=0.004), _beside(hand, up=-0.016), (0.021, 0.018), skin,
             f"{side} arm", lift=0.101),
        *([] if person.long_sleeves else [
            Limb(shoulder, _between(shoulder, elbow, 0.6), (0.040 * build, 0.042 * build), sleeve,
                 f"{side} arm", lift=0.115)]),
    ]  # fmt: skip


def _bag(person: Person, joints: dict[str, Tensor]) -> list[Limb]:
    hips, neck, colour = joints["hips"], joints["neck"], CLOTH[person.bag_colour]
    side, build = person.bag_side, person.build
    name = "left" if side > 0 else "right"
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
        hand = joints[f"{name} hand"]
        bottom = _beside(hand, up=-0.09)
        return [
            Limb(_beside(hand, up=-0.01), bottom, (0.008, 0.008), colour, "bag", lift=0.098),
            Limb(_beside(bottom, -0.035), _beside(bottom, 0.035), (0.042, 0.042), colour, "bag",
                 lift=0.099),
        ]  # fmt: skip
    return []
