"""Pedestrian 128 rendered: people from the walkers' machinery, and their six key points (Figure 4).

`walkers` draws them; the key points are found in the scene that it draws.
"""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ssn3d.datasets import keypoints
from ssn3d.datasets.tracklets import load_frames
from ssn3d.rng import stream

from .walkers.keypoints import to_shares, visible_points
from .walkers.render import PROFILES, Walk, place_camera, render_tracklet
from .walkers.scene import Scene, new_scene

# Not in the paper: which knee and foot is 1, and which hand is meant. Knee 1 and foot 1 are the
# ones farther left in the picture, 2 those farther right, each pair for itself; the hand is the one
# farther left of those that can be seen.
PARTS = ("head", "hand", "knee 1", "knee 2", "foot 1", "foot 2")

PROFILE = replace(PROFILES["mars"], name="pedestrians", frame_rate=5.0)
"""Six cameras and a detector's boxes, as in MARS; six frames of a track show a gait cycle."""


class Film(NamedTuple):
    """What is rendered of some people, in order of their numbers."""

    frames: Tensor
    """uint8 [k t 3 h w]"""
    points: Tensor
    """[k t n 2], see `key_points`."""
    cameras: list[int]


def film(people: int, *, length: int, seed: int, height: int, width: int) -> Film:
    """Render `length` frames of each of so many people; more people leave the others alone.

    A walk is staged as a whole, so another length shows other pictures.
    """
    numbers = range(1, PROFILE.cameras + 1)
    places = {k: place_camera(PROFILE, k, seed=seed, height=height) for k in numbers}
    shown, found, cameras = [], [], []
    for person in range(1, people + 1):
        walk = Walk("train", person, person, numbers[(person - 1) % len(numbers)], 0, length)
        place = places[walk.camera]
        drawn = render_tracklet(PROFILE, walk, place, seed=seed, height=height, width=width)
        shown.append(load_frames(drawn, range(len(drawn))))
        found.append(key_points(new_scene(PROFILE, walk, place, seed=seed)))
        cameras.append(walk.camera)
    return Film(torch.stack(shown), torch.stack(found), cameras)


def key_points(scene: Scene) -> Tensor:
    """Where the parts of a staged person are, in the order of `PARTS`.

    Returns:
        [t n 2] as shares of the frame, NaN where the part is hidden or outside.
    """
    nine = {part: n for n, part in enumerate(keypoints.PARTS)}
    hands, knees, feet = (
        [nine[f"left {part}"], nine[f"right {part}"]] for part in ("elbow", "knee", "foot")
    )
    # A hand belongs to the same arm as the elbow, so in its place the same limbs may hide it.
    points = scene.points.clone()
    points[:, hands] = torch.stack([_hand(scene, side) for side in ("left", "right")], dim=1)
    seen = rearrange(visible_points(points, scene.capsules), "t n -> t n 1")
    shares = to_shares(points).where(seen, torch.nan)

    def from_left(pair: list[int], places: Tensor) -> Tensor:
        return torch.take_along_dim(shares[:, pair], places[:, pair, :1].argsort(dim=1), dim=1)

    hand = from_left(hands, points.where(seen, torch.inf))[:, :1]
    head = shares[:, [nine["head"]]]
    return torch.cat((head, hand, from_left(knees, points), from_left(feet, points)), dim=1)


def _hand(scene: Scene, side: str) -> Tensor:
    """The middle of a hand, [t 2] in frame heights: the capsule after upper arm and forearm."""
    ends = scene.capsules.ends[scene.capsules.groups.index(f"{side} arm") + 2]
    return reduce(ends, "k t xy -> t xy", "mean")


def worth_labelling(filmed: Film, *, seed: int) -> list[int]:
    """Indices of all people, those first whose first frame is best to label.

    These are the ones with most visible parts, at random, and in turn from every camera.
    """
    missing = filmed.points[:, 0].isnan().any(dim=-1).sum(dim=-1).tolist()
    shuffled = torch.randperm(
        len(missing), generator=stream(PROFILE.name, seed, "labelled")
    ).tolist()
    before: Counter[tuple[int, int]] = Counter()
    turns = {}
    for i in shuffled:
        turns[i] = before[missing[i], filmed.cameras[i]]
        before[missing[i], filmed.cameras[i]] += 1
    return sorted(shuffled, key=lambda i: (missing[i], turns[i]))
