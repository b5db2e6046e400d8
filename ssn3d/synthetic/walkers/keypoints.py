"""The nine body points of a person: true places, visibility, and what a pose estimator finds."""

import torch
from einops import rearrange, repeat
from torch import Tensor

from ssn3d.datasets.keypoints import MIRRORED, PARTS, Points

from .painting import FRAME_WIDTH, Capsules, Pose, project, reach, to_frame

OWN_GROUPS: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "body": ("trunk",),
    "crotch": ("trunk", "left leg", "right leg", "skirt"),
    **{
        f"{side} {joint}": (f"{side} {limb}", *clothes)
        for side in ("left", "right")
        for joint, limb, clothes in (
            ("elbow", "arm", ()),
            ("knee", "leg", ("skirt",)),
            ("foot", "leg", ()),
        )
    },
}
"""Groups of limbs that belong to a part and therefore do not hide it."""

# Not in the paper: how often OpenPose errs. These rates are an assumption. They follow what is
# common on crops of about 128 x 64 pixels, in which limbs are some six pixels thick: limb ends are
# off by a few hundredths of the body, left and right are swapped in one frame of twelve, most
# hidden joints are guessed, and in one frame of twelve no person, or another one, is found.
SPREAD = (0.012, 0.016, 0.018, 0.024, 0.024, 0.024, 0.024, 0.028, 0.028)
"""Standard deviation per part, in frame heights."""
HIDDEN_SPREAD = 2.5
"""Factor of the spread for hidden points, which are guessed."""
SWAPPED_BODY, SWAPPED_PAIR = 0.08, 0.04
MISSED, MISSED_HIDDEN = 0.05, 0.35
LOST_FRAME, WRONG_PLACE = 0.05, 0.03


def true_points(joints: dict[str, Tensor], pose: Pose, shift: Tensor, scale: Tensor) -> Tensor:
    """Where the body points are drawn, in the order of `PARTS`.

    Args:
        joints: what `person.skeleton` returns.
        pose: where the body stands.
        shift: [t 2] of the box in frame heights, see `painting.through_box`.
        scale: [t] of the box, 1 where it fits the person.

    Returns:
        [t n 2] (x, y) in frame heights, also outside the frame.
    """
    middle = {"body": (joints["neck"] + joints["hips"]) / 2, "crotch": joints["hips"]}
    seen, _ = project(torch.stack([{**joints, **middle}[part] for part in PARTS]), pose)
    return rearrange(to_frame(seen, shift, scale), "n t xy -> t n xy")


def visible_points(points: Tensor, scene: Capsules) -> Tensor:
    """Whether points are visible: inside the frame, with nothing of another part in front of them.

    Args:
        points: [t n 2] in frame heights, in the order of `PARTS`.
        scene: everything painted, in the coordinates of the frames.

    Returns:
        [t n] bool.
    """
    x, y = points.unbind(dim=-1)
    near = reach(
        rearrange(scene.ends, "p k t xy -> k xy p t 1"),
        rearrange(scene.radii, "p k t -> k p t 1"),
        rearrange(scene.stretch, "p t -> p t 1"),
        x,
        y,
    )
    covers = (near.outside < 0) & rearrange(scene.opacities == 1, "p -> p 1 1")  # [p t n]
    heights = torch.where(covers, rearrange(scene.depths, "p -> p 1 1"), -torch.inf)
    hidden = torch.zeros_like(x, dtype=torch.bool)
    for n, part in enumerate(PARTS):
        own = torch.tensor([group in OWN_GROUPS[part] for group in scene.groups])
        if not own.all():
            hidden[:, n] = heights[~own, :, n].amax(dim=0) > heights[own, :, n].amax(dim=0)
    return _inside(points) & ~hidden


def to_shares(points: Tensor) -> Tensor:
    """Points [t n 2] in frame heights as shares of the frame, NaN outside it."""
    shares = torch.stack((points[..., 0] / FRAME_WIDTH + 0.5, points[..., 1]), dim=-1)
    return shares.masked_fill(rearrange(~_inside(points), "t n -> t n 1"), torch.nan)


def estimate(points: Tensor, visible: Tensor, label_noise: float, rng: torch.Generator) -> Points:
    """The true points, and the points that a pose estimator would find.

    Args:
        points: [t n 2] in frame heights, also outside the frame.
        visible: [t n] bool.
        label_noise: 0 for perfect, 1 for the rates above, 2 for twice as many and as large errors.
        rng: draws the errors; with the same numbers, less noise makes a part of these errors.
    """
    frames, parts = visible.shape
    shake = torch.randn(frames, parts, 2, generator=rng)
    place = torch.rand(frames, 3, generator=rng)
    chance = torch.rand(frames, parts + 8, generator=rng)
    miss, (body, pair, lost, wrong) = chance[:, :parts], (
        chance[:, parts : parts + 1], chance[:, parts + 1 : parts + 4], chance[:, parts + 4],
        chance[:, parts + 5],
    )  # fmt: skip

    spread = label_noise * points.new_tensor(SPREAD) * torch.where(visible, 1.0, HIDDEN_SPREAD)
    found = points + rearrange(spread, "t n -> t n 1") * shake

    # All pairs of left and right can be swapped at once, and each pair by itself.
    swap_pair = (pair < SWAPPED_PAIR * label_noise) ^ (body < SWAPPED_BODY * label_noise)
    swap = torch.cat(
        (torch.zeros(frames, 3, dtype=torch.bool), repeat(swap_pair, "t k -> t (k 2)")), dim=1
    )
    found = torch.where(rearrange(swap, "t n -> t n 1"), found[:, list(MIRRORED)], found)

    # Another person, or a thing taken for one: the same pose, smaller, somewhere else.
    elsewhere = rearrange(place[:, :2] - 0.5, "t k -> t 1 k") * points.new_tensor((0.4, 0.5))
    centre = points.new_tensor((0.0, 0.5))
    smaller = rearrange(0.4 + 0.4 * place[:, 2], "t -> t 1 1")
    other = (found - centre) * smaller + centre + elsewhere
    found = torch.where(rearrange(wrong < WRONG_PLACE * label_noise, "t -> t 1 1"), other, found)

    rate = torch.where(visible, MISSED, MISSED_HIDDEN) * label_noise
    gone = (miss < rate) | rearrange(lost < LOST_FRAME * label_noise, "t -> t 1")
    # An estimator finds no point outside the frame.
    gone |= ~_inside(points)
    found = torch.stack(
        (found[..., 0].clamp(-FRAME_WIDTH / 2, FRAME_WIDTH / 2), found[..., 1].clamp(0, 1)), -1
    )
    return Points(
        estimated=to_shares(found).masked_fill(rearrange(gone, "t n -> t n 1"), torch.nan),
        truth=to_shares(points),
        visible=visible,
    )


def _inside(points: Tensor) -> Tensor:
    x, y = points.unbind(dim=-1)
    return (x.abs() <= FRAME_WIDTH / 2) & (y >= 0) & (y <= 1)
