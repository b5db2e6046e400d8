"""Check whether a copy of a data set is complete: the work of `ssn3d check-data`.

The readers stop at the first problem. This module also reports what was found where, how the counts
compare with the published ones, and whether frames can be opened.
"""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from . import dukemtmc, folder, ilids_vid, mars
from .images import describe_skipped, read_image
from .keypoints import PARTS, POINTS_FILE
from .layout import FrameFiles, check_links, skipped_files
from .tracklets import Split, Tracklet, summarise

MARS_LISTS = "train_name.txt test_name.txt tracks_train_info.mat tracks_test_info.mat query_IDX.mat"
READERS = {"mars": mars, "ilids_vid": ilids_vid, "dukemtmc": dukemtmc, "folder": folder}
EXPECTED = {
    "mars": ("bbox_train", "bbox_test", *(f"info/{file}" for file in MARS_LISTS.split())),
    "ilids_vid": ("sequences/cam1", "sequences/cam2"),
    "dukemtmc": dukemtmc.PARTS,
    "folder": (),
}
PLACES = {
    "mars": ("", "MARS"),
    "ilids_vid": ("i-LIDS-VID", "", "i-LIDS-VID/i-LIDS-VID"),
    "dukemtmc": ("", "DukeMTMC-VideoReID"),
    "folder": ("",),
}
"""Folders below the root where a set may lie, the usual one first."""
PUBLISHED = {  # fields of `Summary`; unasked: people whom no query asks for
    "mars train": {"people": 625, "tracklets": 8298, "frames": 509_914, "median": 36},
    "mars query": {"people": 626, "tracklets": 1980},
    "mars gallery": {"tracklets": 12_180, "frames": 681_089, "distractors": 3248, "junk": 870},
    "mars in all": {"cameras": 6, "shortest": 2, "longest": 920},
    "ilids_vid train": {"people": 150, "tracklets": 300},
    "ilids_vid query": {"people": 150, "tracklets": 150},
    "ilids_vid gallery": {"people": 150, "tracklets": 150},
    "ilids_vid in all": {"people": 300, "tracklets": 600, "cameras": 2},
    "dukemtmc train": {"people": 702, "tracklets": 2196, "frames": 369_656, "longest": 7507},
    "dukemtmc query": {"people": 702, "tracklets": 702, "frames": 111_848},
    "dukemtmc gallery": {"people": 1110, "unasked": 408, "tracklets": 2636, "frames": 445_764},
    "dukemtmc in all": {"cameras": 8, "shortest": 1, "longest": 9324},
}


class Line(NamedTuple):
    """One thing found; only "fatal" makes the data set unusable."""

    level: Literal["ok", "warning", "fatal"]
    text: str


def check(name: str, root: Path, *, sample: int = 64) -> Iterator[Line]:
    """Check a copy of a data set.

    Args:
        name: mars, ilids_vid, dukemtmc or folder.
        root: as for the reader of that set.
        sample: how many frames to open, evenly spaced, beside the first of each list.

    Yields:
        One line for each thing found, as soon as it is found; the last is the verdict.
    """
    if name not in READERS:
        raise ValueError(f"data set: expected one of {', '.join(READERS)}, got {name!r}")
    problems = []
    for line in _findings(name, root, sample):
        yield line
        if line.level == "fatal":
            problems.append(line.text)
    yield Line("fatal", f"not ready: {problems[0]}") if problems else Line("ok", "ready")


def _findings(name: str, root: Path, sample: int) -> Iterator[Line]:
    yield from _places(name, root)
    try:
        check_links(root)
        split = mars.read(root, junk=True) if name == "mars" else READERS[name].read(root)
    except (OSError, ValueError) as error:
        yield Line("fatal", str(error))
        return
    tracklets = list({id(tracklet): tracklet for part in split for tracklet in part}.values())
    yield Line("ok", f"layout: frames are files like {split.train[0].frames[0]}")
    yield from _skipped(tracklets)
    yield from _counts(name, split, tracklets)
    yield from _matches(split)
    yield from _points(tracklets)
    yield from _images(split, tracklets, sample)


def _places(name: str, root: Path) -> Iterator[Line]:
    places = [root / place for place in PLACES[name]]
    home = max(places, key=lambda place: sum((place / e).exists() for e in EXPECTED[name]))
    yield from (_place(expected, [home / expected]) for expected in EXPECTED[name])
    if home != places[0]:
        yield Line("ok", f"layout: a variant, the set lies in {home}")
    if name == "ilids_vid":
        around = [root.parent if home == root else root, root, *places]
        yield _place(
            "train and test people", [p / file for file in ilids_vid.SPLIT_FILES for p in around]
        )
    if name == "folder":
        listed = root / folder.SPLIT_FILE
        rule = "read" if listed.exists() else "none, so every second person is to test with"
        yield Line("ok", f"{listed}: {rule}")
    if name == "mars":
        for part in ("train", "test"):
            yield from _name_list(home / f"bbox_{part}", home / "info" / f"{part}_name.txt")


def _place(expected: str, paths: Sequence[Path]) -> Line:
    for path in paths:
        if path.exists():
            return Line("ok", f"{expected}: found at {path}")
    return Line("warning", f"{expected}: missing, expected at {paths[0]}")


def _name_list(boxes: Path, listed: Path) -> Iterator[Line]:
    """Which variant of MARS a list of names and its images are, and which frames are missing."""
    if (boxes / boxes.name).is_dir():
        boxes /= boxes.name
        yield Line("ok", f"layout: a variant, the images lie in {boxes}")
    if not listed.is_file():
        yield Line("warning", f"{listed} is missing; its names are taken from the folders")
        return
    try:
        names = mars.read_names(listed)
    except ValueError:
        return  # the reader says it
    ends = "CRLF" if b"\r\n" in listed.read_bytes() else "LF"
    yield Line("ok", f"layout: the lines of {listed.name} end in {ends}")
    present = {f"{image.parent.name}/{image.stem}" for image in boxes.glob("*/*")}
    missing = [n for n in names if f"{n[:4]}/{n.rpartition('.')[0]}" not in present]
    if missing:
        said = f"named in {listed} but not in the folders of {boxes}: {len(missing):,} frames"
        yield Line("warning", f"{said}, such as {', '.join(missing[:3])}")


def _counts(name: str, split: Split, tracklets: list[Tracklet]) -> Iterator[Line]:
    (in_all, *_) = summarise(Split(tracklets, [], []))
    unasked = {t.person for t in split.gallery if t.person > 0} - {t.person for t in split.query}
    for row in (*summarise(split), in_all._replace(part="in all")):
        counts = {**row._asdict(), "unasked": len(unasked) if row.part == "gallery" else 0}
        part = counts.pop("part")
        published = PUBLISHED.get(f"{name} {part}", {})
        text, known = (
            ", ".join(f"{field} {number:,}" for field, number in numbers.items() if number)
            for numbers in (counts, published)
        )
        same = published.items() <= counts.items()
        odd = f"differs from the published {known}: a subset or a rendered set?"
        said = f"{part}: {text}" + f"; {'as published' if same else odd}" * bool(published)
        yield Line("ok" if same else "warning", said)


def _matches(split: Split) -> Iterator[Line]:
    cameras = defaultdict(set)
    for tracklet in split.gallery:
        cameras[tracklet.person].add(tracklet.camera)
    alone = [query for query in split.query if not cameras[query.person] - {query.camera}]
    text = f"{len(alone):,} of {len(split.query):,} queries have no match at another camera"
    first = f", first that of {alone[0].frames[0]}" if alone else ""
    if len(alone) < len(split.query):
        yield Line("warning" if alone else "ok", text + first)
    else:
        remedy = "; expected one each; take queries and gallery from one copy of the data set"
        yield Line("fatal", text + first + remedy)


def _skipped(tracklets: list[Tracklet]) -> Iterator[Line]:
    files = [t.frames for t in tracklets if isinstance(t.frames, FrameFiles)]
    if skipped := skipped_files({frames.folder for frames in files}):
        yield Line("warning", describe_skipped(skipped))


def _points(tracklets: list[Tracklet]) -> Iterator[Line]:
    """Which tracklets have body points, where each part was found, and whether inside the frames.

    A pose estimator places few points outside; most lie there if the points are of other images,
    or of the same ones in another size.
    """
    points = [t.points.estimated for t in tracklets if t.points is not None]
    if not points:
        yield Line("ok", f"{POINTS_FILE}: none, as only some strategies need body points")
        return
    every = torch.cat(points)  # [t n 2]
    found = every.isfinite().all(-1)
    shares = zip(PARTS, found.float().mean(0).tolist(), strict=True)
    parts = ", ".join(f"{part} {share:.0%}" for part, share in shares)
    text = f"{POINTS_FILE}: {len(points):,} of {len(tracklets):,} tracklets have body points"
    yield Line("ok", f"{text}; found of each part: {parts}")
    outside = ((every < 0) | (every > 1)).any(-1)[found].float().mean().nan_to_num().item()
    said = f"{POINTS_FILE}: {outside:.0%} of the points lie outside their frames"
    if outside > 0.5:
        remedy = "expected few; label these images anew, with ssn3d label --overwrite"
        yield Line("fatal", f"{said}, {remedy}")
    else:
        yield Line("ok", said)


def _images(split: Split, tracklets: list[Tracklet], sample: int) -> Iterator[Line]:
    """Open the first frame of each list, and `sample` evenly spaced ones of all frames."""
    ends = list(accumulate(map(len, tracklets)))
    step = max(1.0, ends[-1] / max(sample, 1))
    chosen = [part[0].frames[0] for part in split]
    for k in range(min(sample, ends[-1])):
        owner = bisect(ends, position := int((k + 0.5) * step))
        chosen.append(tracklets[owner].frames[position - ends[owner]])
    sizes = Counter[str]()
    for path in dict.fromkeys(chosen):
        assert isinstance(path, Path)
        try:
            sizes["x".join(map(str, read_image(path).shape[1:]))] += 1
        except (OSError, ValueError) as error:
            length = path.stat().st_size if path.exists() else 0
            yield Line("fatal", f"{error} [{length:,} bytes]")
    seen = ", ".join(f"{size} ({number}x)" for size, number in sizes.most_common(3))
    text = f"{sizes.total()} of {len(set(chosen))} sampled frames can be opened"
    yield Line("ok", f"{text}; height x width in pixels: {seen}{' ...' * (len(sizes) > 3)}")
