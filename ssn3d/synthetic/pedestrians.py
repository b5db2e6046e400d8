"""Pedestrian 128: boxes of single pedestrians, some of them labelled with key points (Figure 4).

The paper's 128 boxes of 60 x 120 pixels are "collected from the Internet" and not published.
`write` renders 128 people instead, drawn like the walkers. `read` reads them, or any other folder
of pictures with a labels.json.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from torch import Tensor

from ssn3d.datasets import coco, keypoints
from ssn3d.datasets.images import read_folder, write_image
from ssn3d.datasets.tracklets import load_frames
from ssn3d.rng import stream

from .walkers.keypoints import to_shares, visible_points
from .walkers.protocol import PROFILES, Walk
from .walkers.render import place_camera, render_tracklet
from .walkers.scene import Scene, new_scene

RENDERER_VERSION = 1
"""Raise it when `write` writes other files although `walkers` renders the same."""
LABELS, TRUTH, TRACKS = "labels.json", "truth.json", "tracks"

# Not in the paper: which knee and foot is 1, and which hand is meant. Knee 1 and foot 1 are the
# ones farther left in the picture, 2 those farther right, in each pair separately. The hand is the
# visible one, or the one farther left if both are visible.
PARTS = ("head", "hand", "knee 1", "knee 2", "foot 1", "foot 2")

PROFILE = replace(PROFILES["mars"], name="pedestrians", frame_rate=5.0)
"""Six cameras and a detector's boxes, as in MARS; six frames show about one gait cycle."""


class Pedestrians(NamedTuple):
    """Pictures of one pedestrian each; points are NaN where not labelled or not visible."""

    frames: Tensor
    """uint8 [k 3 H W]"""
    names: list[str]
    labels: Tensor
    """[k n 2] (x, y) as shares of the frame; a picture whose points are all NaN is unlabelled."""
    truth: Tensor | None
    """[k n 2] key points of all pictures, for evaluation only."""
    tracks: Tensor | None
    """uint8 [p t 3 H W] later frames of some people, for evaluation only."""
    tracks_truth: Tensor | None
    """[p t n 2] key points of the tracks."""
    parts: list[str]
    """[n] names of the parts."""


class Rendered(NamedTuple):
    """Rendered people, in order of their numbers."""

    frames: Tensor
    """uint8 [k t 3 h w]"""
    points: Tensor
    """[k t n 2] as shares of the frame, see `key_points`."""
    cameras: list[int]
    """[k] which camera shows each."""


def read(root: Path, *, height: int = 120, width: int = 60) -> Pedestrians:
    """Read a folder of pictures with key points, written by `write` or a user's own.

    Args:
        root: folder with images and labels.json, the key points of some of them in COCO's format,
            with parts of any names. Three things may be missing: truth.json with the key points of
            all images, tracks/ with a folder of frames for each person, and tracks/truth.json.
            File names in these lists are relative to the folder of the list.
        height: every picture is resized to it, in pixels.
        width: the same.

    Raises:
        FileNotFoundError: no such folder, or no labels.json in it.
        ValueError: a list or a picture is damaged, or they do not fit each other.
    """
    if not (root / LABELS).is_file():
        raise FileNotFoundError(
            f"expected pictures and their key points in {root}, but there is no {root / LABELS}; "
            "label at least one picture and export it as COCO Keypoints to this file"
        )
    labels = coco.read(root / LABELS)
    frames, files = read_folder(root, height=height, width=width)
    tracked = torch.tensor([name.startswith(f"{TRACKS}/") for name in files])
    later = [name for name in files if name.startswith(f"{TRACKS}/")]
    names = [name for name in files if not name.startswith(f"{TRACKS}/")]
    points = _rows(labels, names, root / LABELS)
    coco.check_upright(labels, root, root / LABELS)
    if not points.isfinite().any():
        raise ValueError(
            f"{root / LABELS}: expected a labelled picture at least, got none with a visible key "
            "point; label one"
        )

    walks = Counter(name.rpartition("/")[0] for name in later)
    nested = any(str(parent) in walks for walk in walks for parent in PurePosixPath(walk).parents)
    if len(set(walks.values())) > 1 or nested:
        raise ValueError(
            f"{root / TRACKS}: expected folders of the same number of frames, none in another, got "
            f"{dict(walks)}; move or remove some"
        )

    def by_walk(values: Tensor) -> Tensor:
        return rearrange(values, "(p t) ... -> p t ...", p=len(walks))

    below = [name.removeprefix(f"{TRACKS}/") for name in later]
    truth = _truth(root / TRACKS / TRUTH, below, labels.parts) if later else None
    return Pedestrians(
        frames=frames[~tracked],
        names=names,
        labels=points,
        truth=_truth(root / TRUTH, names, labels.parts),
        tracks=by_walk(frames[tracked]) if later else None,
        tracks_truth=None if truth is None else by_walk(truth),
        parts=labels.parts,
    )


def lists(root: Path) -> list[Path]:
    """The lists of key points that `read` reads in a folder; all but the first may be missing."""
    return [root / LABELS, root / TRUTH, root / TRACKS / TRUTH]


def write(
    root: Path,
    *,
    people: int = 128,
    labelled: int = 16,
    tracked: int = 32,
    frames: int = 6,
    seed: int = 0,
    height: int = 120,
    width: int = 60,
) -> None:
    """Render people and write a picture of each, with their key points.

    The labelled people are those with the most visible parts. Among equals they are chosen at
    random, in turn from every camera. The tracks show the first of the other people.

    Args:
        root: folder to write to, without a labels.json in it.
        people: how many pictures.
        labelled: how many of them labels.json has the points of; truth.json has them of all.
        tracked: how many people are shown for `frames` more frames, a fifth of a second apart.
        frames: of each track. Another number changes all pictures.
        seed: the same seed gives the same people, places and pictures; more people do not change
            the others.
        height: of the pictures in pixels.
        width: in pixels; the scene shown is half as wide as high whatever it is.

    Raises:
        ValueError: the numbers do not fit each other.
        FileExistsError: there are labels in `root` already.
    """
    if not (1 <= labelled <= people <= 999 and 0 <= tracked <= people - labelled):
        raise ValueError(
            "pedestrians: expected at most 999 people, at least one of them labelled and tracks of "
            f"unlabelled ones, got people={people}, labelled={labelled}, tracked={tracked}; at "
            "most people - labelled can be tracked"
        )
    if not 1 <= frames <= 99:
        raise ValueError(f"pedestrians: expected tracks of 1 to 99 frames, got {frames}")
    if (root / LABELS).exists():
        raise FileExistsError(f"{root / LABELS} exists already; write to an empty folder")

    rendered = render_people(people, length=1 + frames, seed=seed, height=height, width=width)
    shown, found, _ = rendered
    chosen = labelling_order(rendered, seed=seed)[:labelled]
    others = sorted(set(range(people)) - set(chosen))[:tracked]

    names = [f"{person:03}.png" for person in range(1, people + 1)]
    _save(root, names, shown[:, 0], found[:, 0])
    if others:
        later = [f"{i + 1:03}/{t:02}.png" for i in others for t in range(1, frames + 1)]
        together = (rearrange(x[others, 1:], "p t ... -> (p t) ...") for x in (shown, found))
        _save(root / TRACKS, later, *together)
    few = coco.Labels(list(PARTS), {names[i]: found[i, 0] for i in sorted(chosen)})
    coco.write(few, root / LABELS, dict.fromkeys(names, (height, width)))


def render_people(people: int, *, length: int, seed: int, height: int, width: int) -> Rendered:
    """Render some frames of each person.

    Args:
        people: how many; more people do not change the others.
        length: frames of each; another length changes all frames.
        seed: the same seed gives the same people, places and pictures.
        height: of the frames in pixels.
        width: in pixels.
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
    return Rendered(torch.stack(shown), torch.stack(found), cameras)


def key_points(scene: Scene) -> Tensor:
    """Where the parts of the person in a scene are, in the order of `PARTS`.

    Args:
        scene: t frames of one person.

    Returns:
        [t n 2] as shares of the frame, NaN where the part is hidden or outside.
    """
    nine = {part: n for n, part in enumerate(keypoints.PARTS)}
    hands, knees, feet = (
        [nine[f"left {part}"], nine[f"right {part}"]] for part in ("elbow", "knee", "foot")
    )
    # Put hands in the place of elbows: the same limbs may hide both, since they are of one arm.
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


def labelling_order(rendered: Rendered, *, seed: int) -> list[int]:
    """Indices of all people, those first whose first frame is best to label.

    These are the people with the most visible parts; among equals at random, in turn from every
    camera.

    Args:
        rendered: the people.
        seed: of the random order.
    """
    missing = rendered.points[:, 0].isnan().any(dim=-1).sum(dim=-1).tolist()
    shuffled = torch.randperm(
        len(missing), generator=stream(PROFILE.name, seed, "labelled")
    ).tolist()
    before: Counter[tuple[int, int]] = Counter()
    turns = {}
    for i in shuffled:
        turns[i] = before[missing[i], rendered.cameras[i]]
        before[missing[i], rendered.cameras[i]] += 1
    return sorted(shuffled, key=lambda i: (missing[i], turns[i]))


def _save(folder: Path, names: list[str], frames: Tensor, points: Tensor) -> None:
    """Write pictures and truth.json with their key points."""
    for name, frame in zip(names, frames, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(frame, folder / name)
    height, width = frames.shape[-2:]
    truth = coco.Labels(list(PARTS), dict(zip(names, points, strict=True)))
    coco.write(truth, folder / TRUTH, dict.fromkeys(names, (height, width)))


def _rows(labels: coco.Labels, names: list[str], source: Path) -> Tensor:
    """The points [k n 2] of pictures, NaN where `source` has none."""
    labels = coco.under_names(names, labels)
    if wrong := coco.names_missing_from(names, labels):
        raise ValueError(f"{source}: {wrong}")
    rows = torch.full((len(names), len(labels.parts), 2), torch.nan)
    for i, name in enumerate(names):
        if name in labels.points:
            rows[i] = labels.points[name]
    return rows


def _truth(path: Path, names: list[str], parts: list[str]) -> Tensor | None:
    """The points [k n 2] of a list that may be missing."""
    if not path.exists():
        return None
    labels = coco.read(path)
    if labels.parts != parts:
        raise ValueError(
            f"{path}: expected the parts of {LABELS}, {parts}, got {labels.parts}; use the same"
        )
    return _rows(labels, names, path)
