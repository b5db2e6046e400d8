"""A data set of your own on disk: a folder for each person, camera and tracklet, with any names."""

import csv
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from .images import ENDINGS, describe_skipped, is_image
from .layout import (
    FrameFiles,
    Planned,
    attach_points,
    check_writable,
    list_folders,
    list_images,
    locate,
    skipped_files,
    write_tracklets,
)
from .text import read_text
from .tracklets import JUNK, Split, Tracklet

ROLES = ("train", "test", "query", "gallery", "query-only", "ignore")
SPLIT_FILE = "split.csv"
TREE = f"""\
  ROOT/
    anna/entrance/1/0001.jpg ...    (person, camera, tracklet, frames: any names; {ENDINGS[0]},
    {SPLIT_FILE}                        {", ".join(ENDINGS[1:])})
                                    ({SPLIT_FILE} is optional: person,camera,tracklet,role)"""

log = logging.getLogger(__name__)


class Place(NamedTuple):
    """The folder of a tracklet below the root; in a row of split.csv, the last may be empty."""

    person: str
    camera: str
    tracklet: str


def read(root: Path) -> Split:
    """Read a data set of your own, without opening an image.

    People and cameras are numbered from 1 in the order of their names, 2 before 10; frames are in
    that order too. Names that begin with ".", "__" or "@" are left by systems and do not count;
    other files beside the frames that are no images are passed over with a warning.

    In split.csv a tracklet has the role of its own row, else of its camera's (no tracklet given),
    else of its person's: train; test, where the first such tracklet of a person at a camera is a
    query and all are in the gallery; query, in the gallery too; gallery; query-only, outside the
    gallery as in iLIDS-VID; ignore. Without the file, every second person by name, or the only one,
    is for testing. People whom one camera saw are all for training: as a match must come from
    another camera, in testing they could only be wrong answers.

    Args:
        root: folder of the people's folders; links in it are followed.

    Returns:
        Tracklets by person, camera and tracklet folder; a query is the same object in the gallery.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: folders or split.csv are not as they should be, or leave nobody to be found.
    """
    locate((root.parent,), (root.name,), TREE)
    found = dict(_find(root))
    if skipped := skipped_files(files.folder for files in found.values()):
        log.warning("%s: %s", root, describe_skipped(skipped))
    listed = root / SPLIT_FILE
    parts = _parts(_read_roles(listed, found) if listed.is_file() else _divide(found), root)
    people, cameras = (_numbers({place[level] for place in found}) for level in (0, 1))
    tracklets = [Tracklet(files, people[p], cameras[c]) for (p, c, _), files in found.items()]
    by_place = dict(zip(found, attach_points(tracklets, root), strict=True))
    return Split(*([by_place[place] for place in part] for part in parts))


def write(split: Split, root: Path) -> None:
    """Write a split so that `read` gives it back, by person and camera, which it counts from 1.

    Image files are copied as they are, frames in memory encoded as PNG; junk is left out.

    Args:
        split: a query that is not in the gallery as the same object is written as query-only.
        root: folder to write to, with nothing in it.

    Raises:
        ValueError: a list is empty, or it is no split that `read` could give.
        FileExistsError: there is something in `root` already.
    """
    split = split._replace(gallery=[t for t in split.gallery if t.person != JUNK])
    check_writable(split, root, [path.name for path in root.glob("*")])
    asked, held = ({id(tracklet) for tracklet in part} for part in (split.query, split.gallery))
    listed = [(t, "train") for t in split.train]
    listed += [(t, "query" if id(t) in asked else "gallery") for t in split.gallery]
    listed += [(t, "query-only") for t in split.query if id(t) not in held]
    listed.sort(key=lambda pair: (pair[0].person, pair[0].camera))
    plan, roles = [], {}
    for number, (t, role) in enumerate(listed, start=1):
        place = Place(f"person{t.person:04}", f"camera{t.camera}", f"tracklet{number:04}")
        names = [f"{i:06}{_ending(frame)}" for i, frame in enumerate(t.frames, start=1)]
        plan.append(Planned(t, "/".join(place), names))
        roles[place] = role
    _parts(roles, root)
    root.mkdir(parents=True, exist_ok=True)
    rows = [(*Place._fields, "role"), *((*place, role) for place, role in roles.items())]
    # First, as it tells `read` of tracklets that are missing if writing is cut short.
    (root / SPLIT_FILE).write_text("".join(",".join(row) + "\n" for row in rows))
    write_tracklets(plan, root)


def _find(root: Path) -> Iterator[tuple[Place, FrameFiles]]:
    for person in _names(root, "folders of people"):
        for camera in _names(root / person, "folders of cameras"):
            for tracklet in _names(root / person / camera, "folders of tracklets"):
                folder = root / person / camera / tracklet
                yield Place(person, camera, tracklet), FrameFiles(folder, _names(folder, "images"))


def _names(folder: Path, what: str) -> tuple[str, ...]:
    """The names of the images in `folder`, or of the folders, in order; a ValueError if mixed."""
    folders, images = list_folders(folder, re.compile(".+", re.DOTALL)), list_images(folder)
    wanted, other = (images, folders) if what == "images" else (folders, images)
    if other or not wanted:
        got = min(other, default="none")
        if not other and (skipped := skipped_files([folder])):
            got = f"none, but {skipped[0].name}"
        remedy = "restore or move it"
        if what == "images" and folders:
            remedy += ", or give the folder below if ROOT is one too high"
        raise ValueError(f"{folder}: expected {what}, got {got}; {remedy}, as in\n{TREE}")
    return tuple(sorted(wanted, key=_natural))


def _natural(name: str) -> tuple[list[str | int], str]:
    pieces = re.split(r"(\d+)", normalize("NFC", name))
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], name


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(sorted(names, key=_natural), start=1)}


def _ending(frame: object) -> str:
    suffix = frame.suffix if isinstance(frame, Path) else ""
    return suffix if is_image(suffix) else ".png"


def _divide(places: Iterable[Place]) -> dict[Place, str]:
    seen = Counter(person for person, _ in dict.fromkeys(place[:2] for place in places))
    several = [person for person, cameras in seen.items() if cameras > 1]
    test = {*several[1::2]} or {*several}
    return {place: "test" if place.person in test else "train" for place in places}


def _read_roles(path: Path, places: Iterable[Place]) -> dict[Place, str]:
    """The role of each place; names in the file are compared, never used as paths."""
    below = defaultdict(list)
    for place in places:
        person, camera, tracklet = (normalize("NFC", name) for name in place)
        for row in ((person, "", ""), (person, camera, ""), (person, camera, tracklet)):
            below[Place(*row)].append(place)
    text = read_text(path, newline="")  # a name may hold a line end; csv knows those of rows
    try:
        given = _given(text, below)
        # In `below` a row comes before those that are more precise, which overwrite it.
        roles = {place: given[row] for row in below if row in given for place in below[row]}
        for place in places:
            if place not in roles:
                raise ValueError(f"expected a role for {'/'.join(place)!r} or its person, got none")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}; correct it, and save it with commas in UTF-8") from None
    return {place: roles[place] for place in places}


def _given(text: str, known: Container[Place]) -> dict[Place, str]:
    header = re.split(r"[\r\n]", text, maxsplit=1)[0]
    comma = max(",;\t", key=header.count)  # Excel writes the second in Europe, or the third
    table = csv.DictReader(StringIO(text, newline=""), strict=True, delimiter=comma)
    columns = table.fieldnames = [name.strip() for name in table.fieldnames or ()]
    if sorted({"person", "role", *columns} & {*Place._fields, "role"}) != sorted(columns):
        raise ValueError(f"expected columns person,role[,camera,tracklet], got {columns}")
    given: dict[Place, str] = {}
    for cells in table:
        line = f"line {table.line_num}: expected"
        if None in cells or None in cells.values():
            raise ValueError(f"{line} {len(columns)} values, got another number")
        if not any(map(str.strip, cells.values())):
            continue  # an emptied row of a spreadsheet
        role = cells["role"].strip()
        row = Place(*(normalize("NFC", cells.get(level, "")) for level in Place._fields))
        if row not in known:
            row = Place(*map(str.strip, row))
        name = "/".join(filter(None, row))
        if row not in known:
            raise ValueError(f"{line} the person (camera, tracklet) of a folder, got {name!r}")
        if row in given:
            raise ValueError(f"{line} one row for {name!r}, got a second one")
        if role not in ROLES:
            raise ValueError(f"{line} a role of {', '.join(ROLES)}, got {role!r}")
        given[row] = role
    return given


def _parts(roles: dict[Place, str], root: Path) -> tuple[list[Place], list[Place], list[Place]]:
    """The places of train, query and gallery; a ValueError if nothing can be learned or found."""
    first = {at[:2]: at for at in reversed(roles) if roles[at] == "test"}
    train = [at for at, role in roles.items() if role == "train"]
    query = [at for at, role in roles.items() if "query" in role or first.get(at[:2]) == at]
    gallery = [at for at, role in roles.items() if role in ("test", "query", "gallery")]
    learned = {at.person for at in train}
    both = sorted(learned & {at.person for at in (*query, *gallery)})
    if len({at.camera for at in roles}) < 2:
        wrong = "two cameras or more, as a match must come from another one, got one; add another"
    elif len(learned) < 2:
        wrong = f"two people or more to train with, got {len(learned)}; add people"
    elif both:
        wrong = f"each person to train or to test with, got {both[0]!r} for both; choose one"
    elif not any(q.person == g.person and q.camera != g.camera for q in query for g in gallery):
        wrong = "a query whose person another camera shows in the gallery, got none; add one"
    else:
        return train, query, gallery
    raise ValueError(f"{root}: expected {wrong}, or correct {SPLIT_FILE}")
