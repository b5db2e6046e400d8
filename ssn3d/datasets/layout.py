"""What the official layouts share: finding a set, its frames and points, and writing them."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Protocol, overload

import torch
from torch import Tensor

from . import keypoints
from .images import ENDINGS, is_image, is_of_system, is_skipped, read_image, write_image
from .tracklets import Split, Tracklet

ENDING = f"(?i:{'|'.join(map(re.escape, ENDINGS))})"
"""Pattern of the ending of a frame's file: a set may have been converted to another format."""


@dataclass(frozen=True, slots=True)
class FrameFiles(Sequence[Path]):
    """Image files of one folder. Paths are made on request, as MARS would need 1.2 million."""

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "FrameFiles": ...
    def __getitem__(self, index: int | slice) -> "Path | FrameFiles":
        if isinstance(index, slice):
            return FrameFiles(self.folder, self.names[index])
        return self.folder / self.names[index]


class FrameName(Protocol):
    """What every layout says in the name of a frame's file."""

    @property
    def person(self) -> int: ...  # noqa: D102
    @property
    def camera(self) -> int: ...  # noqa: D102
    @property
    def frame(self) -> int: ...  # noqa: D102


def locate(places: Sequence[Path], holding: Sequence[str], tree: str) -> Path:
    """The first of some folders that holds a data set.

    Args:
        places: where to look.
        holding: the names of the folders that must be there.
        tree: the layout, as a text for the error.

    Raises:
        FileNotFoundError: there is none; says what is missing in every place.
    """
    looked = []
    for place in places:
        missing = [name for name in holding if not (place / name).is_dir()]
        if not missing:
            return place
        looked.append(f"  {place} (no {', '.join(missing)})")
    raise FileNotFoundError(
        "data set not found; looked in\n" + "\n".join(looked) + f"\nexpected\n{tree}\n"
        "unpack the data set there, or write a rendered one with the write of its module in "
        "ssn3d.datasets"
    )


def list_folders(parent: Path, pattern: re.Pattern[str]) -> list[str]:
    """The names of the folders in `parent`, sorted.

    Raises:
        ValueError: a name does not fit `pattern`, and is not that of a system's own folder; or a
            link leads nowhere or in a circle.
    """
    with os.scandir(parent) as entries:
        names = sorted(e.name for e in entries if not is_of_system(e.name) and _is_folder(e))
    for name in names:
        if not pattern.fullmatch(name):
            raise ValueError(
                f"folder {parent / name}: expected a name like {pattern.pattern}; "
                "rename it, or move it out of the data set"
            )
    return names


def list_images(folder: Path) -> list[str]:
    """The names of the images in `folder`, in no order; only links cost a stat each.

    Raises:
        ValueError: an image is a link that leads nowhere or in a circle.
    """
    with os.scandir(folder) as entries:
        return [
            e.name
            for e in entries
            if is_image(e.name) and not is_of_system(e.name)
            if e.is_file(follow_symlinks=False) or not _is_folder(e)  # the first needs no call
        ]


def skipped_files(folders: Iterable[Path]) -> list[Path]:
    """The files in `folders` that are not read as images, but those of systems and of ssn3d."""
    skipped = []
    for folder in folders:
        with os.scandir(folder) as entries:
            skipped += [folder / e.name for e in entries if is_skipped(e.name) and e.is_file()]
    return sorted(skipped)


def check_links(root: Path) -> None:
    """Look at every link in a folder and in all folders below it, also where no reader looks.

    Raises:
        ValueError: a link leads nowhere or in a circle.
    """
    folders = [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            folders += [e.path for e in entries if not is_of_system(e.name) and _is_folder(e)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; a ValueError if it is neither that nor a file."""
    try:
        folder = entry.is_dir()
        ends = folder or entry.is_file() or Path(entry.path).exists()
    except OSError:  # a link to itself
        folder = ends = False
    if ends and not folder and not entry.is_file():
        raise ValueError(
            f"{entry.path}: expected a file or folder, got a pipe, socket or device, which cannot "
            "be read as a file; remove it"
        )
    if not ends:
        raise ValueError(
            f"link {entry.path}: expected it to lead to a file or folder, but it leads nowhere or "
            "to itself; restore what it led to, or remove the link"
        )
    if folder and entry.is_symlink():
        target, place = Path(entry.path).resolve(), Path(entry.path).absolute()
        above = {
            outer
            for inner in place.parents
            for outer in (inner.resolve(), *inner.resolve().parents)
        }
        if target in above:
            raise ValueError(
                f"link {entry.path}: expected a folder elsewhere, but it leads back to {target}, "
                "which holds it, so that it goes in a circle; remove the link"
            )
    return folder


def tracklet_of(
    folder: Path,
    names: Iterable[str],
    parse: Callable[[str], FrameName],
    person: int,
    camera: int | None = None,
) -> Tracklet:
    """The tracklet whose frames are the files `names` of `folder`, ordered by frame number.

    Args:
        folder: where the files are.
        names: file names in any order.
        parse: reads a file name; its ValueError is passed on with the folder added.
        person: the number that every file name must have.
        camera: the same; None: that of the first file.

    Returns:
        The tracklet, without points.

    Raises:
        ValueError: there is no file, two are of one frame, or one has another person or camera in
            its name.
    """
    try:
        parsed = sorted(((parse(name), name) for name in names), key=lambda pair: pair[0].frame)
    except ValueError as error:
        raise ValueError(f"{error} (in {folder})") from None
    if not parsed:
        raise ValueError(f"{folder}: expected frames of a tracklet, got none; restore its images")
    for (one, text), (other, twin) in pairwise(parsed):
        if one == other and text != twin:
            raise ValueError(
                f"{folder}: expected one file for each frame, got {text} and {twin}; remove one"
            )
    camera = parsed[0][0].camera if camera is None else camera
    for name, text in parsed:
        if (name.person, name.camera) != (person, camera):
            raise ValueError(
                f"{folder / text}: expected a frame of person {person} at camera {camera}, got "
                f"person {name.person} at camera {name.camera}; move the file where it belongs"
            )
    return Tracklet(FrameFiles(folder, tuple(text for _, text in parsed)), person, camera)


def attach_points(tracklets: Sequence[Tracklet], root: Path) -> list[Tracklet]:
    """The same tracklets, with their body points from `root`/points.npz.

    Args:
        tracklets: every tracklet of the data set, read from files below `root`.
        root: folder of the data set.

    Returns:
        In the same order; points are None where the file has none.

    Raises:
        ValueError: the points belong to other frames than those read, so they were changed since.
    """
    known = keypoints.load(root)
    key_of = {_without_ending(key): key for key in known}
    attached = []
    for tracklet in tracklets:
        key = key_of.get(_key(tracklet, root)) if known else None
        attached.append(tracklet if key is None else replace(tracklet, points=known.pop(key, None)))
    remedy = f"restore the frames, or delete {keypoints.POINTS_FILE}"
    for tracklet in attached:
        if tracklet.points is not None and len(tracklet.points.truth) != len(tracklet):
            raise ValueError(
                f"tracklet of {tracklet.frames[0]}: expected {len(tracklet.points.truth)} frames "
                f"for its body points, got {len(tracklet)}; {remedy}"
            )
    if known:
        raise ValueError(
            f"{root / keypoints.POINTS_FILE}: expected a tracklet that begins with "
            f"{min(known)}, got none; {remedy}"
        )
    return attached


def _key(tracklet: Tracklet, root: Path) -> str:
    assert isinstance(tracklet.frames, FrameFiles)
    return _without_ending(tracklet.frames[0].relative_to(root).as_posix())


def _without_ending(name: str) -> str:
    """The points of a frame stay its own when it is converted to another format."""
    return re.sub(f"{ENDING}$", "", name)


def check_not_empty(split: Split, source: str) -> Split:
    """The same split, or a ValueError that names the list without tracklets."""
    for name, tracklets in split._asdict().items():
        if not tracklets:
            raise ValueError(
                f"{source}: expected tracklets in train, query and gallery, got an empty {name}; "
                "the data set is incomplete"
            )
    return split


class Planned(NamedTuple):
    """A tracklet and where it is to be written."""

    tracklet: Tracklet
    folder: str
    """Relative to the root, with forward slashes."""
    names: list[str]
    """One file name for each frame."""


def check_writable(split: Split, root: Path, parts: Sequence[str]) -> None:
    """Raise before anything is written if `split` is no data set or `root` holds one already.

    Args:
        split: what is to be written.
        root: where.
        parts: the names below `root` that would be overwritten.
    """
    check_not_empty(split, "write")
    for part in (*parts, keypoints.POINTS_FILE):
        if (root / part).exists():
            raise FileExistsError(f"{root / part} exists already; write to an empty folder")
    for tracklet in (*split.train, *split.query, *split.gallery):
        who = f"tracklet of person {tracklet.person} at camera {tracklet.camera}"
        frames = tracklet.frames
        if not len(frames):
            raise ValueError(f"{who}: expected at least one frame, got none; leave it out")
        if isinstance(frames, Tensor) and (
            frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3
        ):
            raise ValueError(
                f"{who}: expected frames as uint8 [t 3 H W], got {frames.dtype} "
                f"{list(frames.shape)}; convert them"
            )
        if tracklet.points is not None and len(tracklet.points.truth) != len(tracklet):
            raise ValueError(
                f"{who}: expected body points for {len(tracklet)} frames, got them for "
                f"{len(tracklet.points.truth)}; give as many points as frames"
            )


def write_tracklets(plan: Sequence[Planned], root: Path) -> None:
    """Write the frames of every tracklet, and the body points of those that have them.

    A file whose suffix fits is copied byte for byte; other frames are encoded by the suffix.
    """
    points = {}
    for tracklet, folder, names in plan:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for frame, name in zip(tracklet.frames, names, strict=True):
            _write_frame(frame, root / folder / name)
        if tracklet.points is not None:
            points[f"{folder}/{names[0]}"] = tracklet.points
    if points:
        keypoints.save(points, root)


def _write_frame(frame: Path | Tensor, path: Path) -> None:
    if isinstance(frame, Path):
        if frame.suffix.lower() == path.suffix.lower():
            shutil.copyfile(frame, path)
            return
        frame = read_image(frame)
    write_image(frame, path)
