"""Pedestrian 128: boxes of single pedestrians, a few labelled with key points (Figure 4).

The paper's 128 boxes of 60 x 120 pixels are "collected from the Internet" and not published.
`write` renders 128 people in their place; `read` opens them, and any other folder of pictures with
a labels.json.
"""

from collections import Counter
from dataclasses import asdict
from inspect import signature
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ssn3d.atomic import build_once
from ssn3d.datasets import coco
from ssn3d.datasets.identity import digest
from ssn3d.datasets.images import read_folder, write_image

from .pedestrian_film import PARTS, PROFILE, film, worth_labelling
from .walkers import render as walkers

RENDERER_VERSION = 1
"""Raise it when `write` renders other pictures or points; `walkers` has a version of its own."""
LABELS, TRUTH, TRACKS = "labels.json", "truth.json", "tracks"


class Pedestrians(NamedTuple):
    """Pictures of one pedestrian each; points are NaN where not labelled or not visible."""

    frames: Tensor
    """uint8 [k 3 H W]"""
    names: list[str]
    labels: Tensor
    """[k n 2] (x, y) as shares of the frame; a picture whose points are all NaN is unlabelled."""
    truth: Tensor | None
    """[k n 2] of all pictures, to measure with."""
    tracks: Tensor | None
    """uint8 [p t 3 H W] of some people walking on, to measure with and not to train on."""
    tracks_truth: Tensor | None
    """[p t n 2]"""
    parts: list[str]


def read(root: Path, *, height: int = 120, width: int = 60) -> Pedestrians:
    """Read a folder of pictures with key points, written by `write` or a user's own.

    Args:
        root: folder with images and, in COCO's format, labels.json of some of them with parts of
            any names. truth.json of all of them, tracks/ with a folder of frames for each person,
            and tracks/truth.json may be missing. File names count from the folder of the list.
        height: every picture is resized to it.
        width: likewise.

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

    The labelled ones are chosen at random, in turn from every camera, among those of whom most
    parts are visible: all six, unless there are too few. The tracks are of the first others.

    Args:
        root: folder to write to, without a labels.json in it.
        people: how many pictures.
        labelled: how many of them labels.json has the points of; truth.json has them of all.
        tracked: how many people are shown for `frames` frames more, a fifth of a second apart.
        frames: of each track. The walk is staged as a whole, so other lengths show other pictures.
        seed: the same seed gives the same people, places and pictures; more people leave the
            others as they are.
        height: of the pictures in pixels.
        width: in pixels; people are shown half as wide as high whatever it is.

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

    filmed = film(people, length=1 + frames, seed=seed, height=height, width=width)
    shown, found, _ = filmed
    chosen = worth_labelling(filmed, seed=seed)[:labelled]
    others = sorted(set(range(people)) - set(chosen))[:tracked]

    names = [f"{person:03}.png" for person in range(1, people + 1)]
    _save(root, names, shown[:, 0], found[:, 0])
    if others:
        later = [f"{i + 1:03}/{t:02}.png" for i in others for t in range(1, frames + 1)]
        together = (rearrange(x[others, 1:], "p t ... -> (p t) ...") for x in (shown, found))
        _save(root / TRACKS, later, *together)
    few = coco.Labels(list(PARTS), {names[i]: found[i, 0] for i in sorted(chosen)})
    coco.write(few, root / LABELS, dict.fromkeys(names, (height, width)))


def identity(**settings: int) -> str:
    """The name of a rendered set: another one for any other setting, seed, size or renderer.

    Args:
        settings: those of `write`, by name.
    """
    call = signature(write).bind(Path(), **settings)
    call.apply_defaults()
    del call.arguments["root"]
    versions = [RENDERER_VERSION, walkers.RENDERER_VERSION]
    height, width, seed = (call.arguments.pop(name) for name in ("height", "width", "seed"))
    drawn = digest([asdict(PROFILE), dict(call.arguments), versions])
    return f"pedestrians-{height}x{width}-seed{seed}-{drawn}"


def materialise(folder: Path, **settings: int) -> Path:
    """The root of a rendered set below `folder`, written by `write` unless it is there already.

    A set appears whole or not at all, and whoever asks while another process renders it waits.

    Args:
        folder: where rendered sets are kept.
        settings: those of `write`, by name.
    """
    return build_once(folder / identity(**settings), lambda draft: write(draft, **settings))


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
    unknown = sorted(labels.points.keys() - set(names))
    if unknown:
        raise ValueError(
            f"{source}: expected labels of pictures in its folder, got some of {unknown[0]!r}, "
            "which is not there; restore it, or write its path from the folder into file_name"
        )
    rows = torch.full((len(names), len(labels.parts), 2), torch.nan)
    for i, name in enumerate(names):
        if name in labels.points:
            rows[i] = labels.points[name]
    return rows


def _truth(path: Path, names: list[str], parts: list[str]) -> Tensor | None:
    """The same, of a list that may be missing."""
    if not path.exists():
        return None
    labels = coco.read(path)
    if labels.parts != parts:
        raise ValueError(
            f"{path}: expected the parts of {LABELS}, {parts}, got {labels.parts}; use the same"
        )
    return _rows(labels, names, path)
