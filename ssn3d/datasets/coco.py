"""Read and write the key points of images in COCO's JSON, which labelling tools understand.

COCO counts in pixels from the upper left corner of the image: x = 0 is its left edge and x = width
its right edge, so a share of the frame times the width is x, and the middle of the first pixel is
at 0.5. A tool that calls that middle 0 is off by half a pixel, which nothing here corrects.
"""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from pathlib import Path, PurePosixPath
from reprlib import repr as shortened
from typing import Any, NamedTuple
from unicodedata import normalize

import torch
from torch import Tensor

from ssn3d.atomic import write_file

from .images import upright_size

log = logging.getLogger(__name__)

LARGEST = 1e6
"""Pixels; a number beyond it is damage."""
SLACK = 0.02
"""A label may lie outside by this share of the image, a click that slipped: it is moved inside."""


class Labels(NamedTuple):
    """The key points of the images that have some, one person an image."""

    parts: list[str]
    points: dict[str, Tensor]
    """File name -> [n 2] (x, y) as shares of the frame, NaN where not labelled or not visible."""
    sizes: dict[str, tuple[float, float]] | None = None
    """File name -> (height, width) of the picture in pixels; only if read from a file."""


class Content(NamedTuple):
    """A checked document, and what counts in it. All dicts are the document's own."""

    document: dict[str, Any]
    category: dict[str, Any]
    """The one that has key points."""
    images: dict[str, dict[str, Any]]
    """File name, with forward slashes and without "./" -> its image."""
    annotations: dict[str, dict[str, Any]]
    """File name -> the annotation of its person; "keypoints" may be missing, None or empty."""
    visible: int
    """The v of visible points: 2, or 1 in a file that marks every labelled point so."""


def read(path: Path) -> Labels:
    """Read a file of key points.

    One category must have key points; annotations of others, such as boxes, are skipped, as are
    crowds and those without key points. A point with v = 1 is hidden, which counts as not visible;
    but if a file has no point with v = 2, the tool that wrote it marks every labelled point by 1.

    Returns:
        The labels, under names with forward slashes; images without an annotation have no entry.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no file of key points; says where.
    """
    content = read_content(path)
    if content.visible == 1:
        log.warning("%s: every labelled point has v = 1; they are read as visible", path)
    parts = content.category["keypoints"]
    points, sizes = {}, {}
    for name, annotation in content.annotations.items():
        if annotation.get("keypoints"):
            image = content.images[name]
            size = torch.tensor((image["width"], image["height"]))
            found = torch.tensor(annotation["keypoints"], dtype=torch.float64).reshape(-1, 3)
            shares = (found[:, :2] / size).clamp(0, 1).float()
            points[name] = shares.where(found[:, 2:] == content.visible, torch.nan)
            sizes[name] = image["height"], image["width"]
    return Labels(parts, points, sizes)


def check_upright(labels: Labels, folder: Path, source: Path) -> None:
    """Refuse labels of pictures that a tool has shown as they lie in their files.

    Cameras store pictures sideways and say in EXIF data how to turn them, which `read_image` does.

    Args:
        labels: as read from a file.
        folder: where the pictures are; those that are not there do not count.
        source: the file, for the error.

    Raises:
        ValueError: a picture is higher than wide and its labels' the other way round; names it.
    """
    for name, (height, width) in (labels.sizes or {}).items():
        if not (folder / name).is_file():
            continue
        high, wide = upright_size(folder / name)
        if (height - width) * (high - wide) < 0:
            raise ValueError(
                f"{source}: {name!r}: expected labels of {wide} x {high} pixels, as the "
                f"picture is shown, got {width:g} x {height:g}; let the labelling tool turn "
                "pictures as their EXIF data say, or write them anew upright and label these"
            )


def read_content(path: Path) -> Content:
    """Read a file of key points as it is, for whoever changes it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as in `read`.
    """
    try:
        document = json.loads(path.read_bytes())  # UTF-8, UTF-16 or UTF-32, with a mark or without
    except (RecursionError, ValueError) as error:
        raise ValueError(
            f"{path}: expected JSON, got something else or a part of it ({error}); export the "
            "labels again, or save the file in UTF-8"
        ) from None
    try:
        return _content(document)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def file_name(name: str) -> str:
    """A name as in `Labels`: with forward slashes, without "./"."""
    return PurePosixPath(name.replace("\\", "/")).as_posix()


def under_names(known: Collection[str], labels: Labels) -> Labels:
    """The same labels under the names of files that are spelt so but for their code points.

    Unicode has two ways to write é, which look the same; macOS and its tools prefer the longer one.

    Args:
        known: names of the pictures that are there.
        labels: what a file has.
    """
    spelt = {normalize("NFC", name): name for name in known}

    def as_known(name: str) -> str:
        return name if name in known else spelt.get(normalize("NFC", name), name)

    points = {as_known(name): found for name, found in labels.points.items()}
    sizes = labels.sizes and {as_known(name): size for name, size in labels.sizes.items()}
    return labels._replace(points=points, sizes=sizes)


def names_missing_from(known: Collection[str], labels: Labels) -> str | None:
    """Which labelled names are not `known`, in words for a message; None if all are.

    Args:
        known: names of the pictures that are there.
        labels: what a file has.
    """
    missing = sorted(labels.points.keys() - set(known))
    if not missing:
        return None
    return (
        f"expected labels of the pictures that are there, such as {min(known, default='a.png')!r}; "
        f"{len(missing)} of the {len(labels.points)} labelled ones are not there, such as "
        f"{missing[0]!r}; restore them, or write into file_name the paths from the folder of the "
        "pictures, without what a tool put before them"
    )


def write(labels: Labels, path: Path, sizes: Mapping[str, tuple[int, int]]) -> None:
    """Write a file that `read` and labelling tools understand; it appears whole or not at all.

    Args:
        labels: the points; those that are NaN are written as not labelled.
        path: the file; what stands there is replaced.
        sizes: file name -> (height, width) in pixels of every image to list, labelled or not.

    Raises:
        ValueError: a point lies outside the frame, or the labels do not fit `parts` or `sizes`.
    """
    _names(labels.parts)
    unknown = sorted(labels.points.keys() - sizes.keys())
    if unknown:
        raise ValueError(
            f"labels of {unknown[0]!r}: expected the size of this image, got none; add it to sizes"
        )
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, (height, width)) in enumerate(sizes.items(), start=1):
        _check_size((width, height), name)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        if name in labels.points:
            points = labels.points[name]
            _check_points(points, len(labels.parts), name)
            keypoints: list[float] = []
            for x, y in points.tolist():
                known = isfinite(x) and isfinite(y)
                keypoints += (round(x * width, 4), round(y * height, 4), 2) if known else (0, 0, 0)
            annotations.append(
                {
                    "id": number,
                    "image_id": number,
                    "category_id": 1,
                    "keypoints": keypoints,
                    "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                    "bbox": [0, 0, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    category = {"id": 1, "name": "person", "keypoints": list(labels.parts), "skeleton": []}
    document = {"images": images, "annotations": annotations, "categories": [category]}
    write_file(path, (json.dumps(document, allow_nan=False) + "\n").encode())


def _content(document: Any) -> Content:
    if isinstance(document, list):
        raise ValueError(
            "expected an object with images, annotations and categories, got a list, as estimators "
            "write their results and Label Studio its own JSON; give the file in which a tool "
            'keeps its labels, or export them as "COCO Keypoints"'
        )
    category = _category(document)
    parts = category["keypoints"]
    images: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}  # id -> name
    for image in _field(document, "images", list, "the document"):
        key = _id(image, "id", "an image")
        name = file_name(_field(image, "file_name", str, f"image {key}"))
        _check_size([image.get(side) for side in ("width", "height")], name)
        if key in names or name in images:
            raise ValueError(
                f"image {name!r}: expected an id and a name of its own, got one twice; remove one "
                "of the two images, and its annotations; or if they lie in different folders, "
                "write these into file_name too"
            )
        names[key], images[name] = name, image

    annotations: dict[str, dict[str, Any]] = {}
    marks: set[int] = set()
    for annotation in _field(document, "annotations", list, "the document"):
        if _id(annotation, "category_id", "an annotation") != str(category["id"]):
            continue
        if annotation.get("iscrowd") in (1, "1"):
            continue
        key = _id(annotation, "image_id", "an annotation")
        if key not in names:
            raise ValueError(
                f"an annotation: expected the id of an image, got image_id {key}; add this image, "
                "or remove the annotation"
            )
        name = names[key]
        given = _marks(annotation, parts, name)
        before = annotations.get(name)
        if given and before and any((before.get("keypoints") or [])[2::3]):
            raise ValueError(
                f"image {name!r}: expected one annotation with key points, got a second one (ids "
                f"{before.get('id')!r} and {annotation.get('id')!r}); keep that of the person in "
                "the middle, or cut out the people one by one"
            )
        if given or not before:
            annotations[name] = annotation
        marks |= given
    content = Content(document, category, images, annotations, 1 if marks == {1} else 2)
    for name, annotation in annotations.items():
        _check_places(content, name, annotation.get("keypoints") or [])
    return content


def _category(document: Any) -> dict[str, Any]:
    """The category that has key points."""
    found = []
    for category in _field(document, "categories", list, "the document"):
        key = _id(category, "id", "a category")
        if category.get("keypoints"):
            _names(_field(category, "keypoints", list, f"category {key!r}"))
            found.append(category)
    if not found:
        raise ValueError(
            "categories: expected one with key points, got 0; draw the points as one skeleton or "
            'class with named key points, and export as "COCO Keypoints", not as boxes'
        )
    if len(found) > 1:
        called = ", ".join(str(category.get("name", category["id"])) for category in found)
        raise ValueError(
            f"categories: expected one with key points, got {len(found)}: {called}; keep one, and "
            'remove "keypoints" of the others'
        )
    return found[0]


def _marks(annotation: dict[str, Any], parts: list[str], name: str) -> set[int]:
    """Which v above 0 the checked x, y, v, ... of one annotation have; none if unlabelled."""
    if not annotation.get("keypoints"):
        return set()
    values = _field(annotation, "keypoints", list, f"annotation of {name!r}")
    if len(values) != 3 * len(parts):
        raise ValueError(
            f"annotation of {name!r}: expected x, y, v of {len(parts)} key points, "
            f"{3 * len(parts)} numbers in one list, got {len(values)}; give all key points of the "
            "category, 0, 0, 0 for those without a label"
        )
    for n, part in enumerate(parts):
        where = f"{part} of {name!r}"
        *_, v = [_number(value, where) for value in values[3 * n : 3 * n + 3]]
        if v not in (0, 1, 2):
            raise ValueError(
                f"{where}: expected v to be 0, 1 or 2, got {v:g}; write 0 for not labelled, 1 for "
                "hidden and 2 for visible, no confidence"
            )
    return {int(v) for v in values[2::3] if v}


def _check_places(content: Content, name: str, values: list[float]) -> None:
    """Refuse x, y, v, ... of an image that has visible points outside it."""
    width, height = (content.images[name][side] for side in ("width", "height"))
    triples = zip(values[::3], values[1::3], values[2::3], strict=True)
    for part, (x, y, v) in zip(content.category["keypoints"], triples, strict=False):
        inside = all(-SLACK <= share <= 1 + SLACK for share in (x / width, y / height))
        if v == content.visible and not inside:
            raise ValueError(
                f"{part} of {name!r}: expected x within 0..{width:g} and y within 0..{height:g}, "
                f"got ({x:g}, {y:g}); move it into the picture or give it v = 0, or correct the "
                "width and height of the image"
            )


def _check_points(points: Tensor, parts: int, name: str) -> None:
    if points.shape != (parts, 2):
        raise ValueError(
            f"labels of {name!r}: expected [{parts} 2], got {list(points.shape)}; "
            "give (x, y) for every part, NaN where it is not known"
        )
    if not (points.isnan() | ((points >= 0) & (points <= 1))).all():
        raise ValueError(
            f"labels of {name!r}: expected shares of the frame in 0..1, got {points.tolist()}; "
            "use NaN for what lies outside"
        )


def _names(parts: list[Any]) -> list[str]:
    strings = all(isinstance(part, str) and part for part in parts)
    if not (parts and strings and len(set(parts)) == len(parts)):
        raise ValueError(
            f"expected names of key points, each once, got {shortened(parts)}; rename them"
        )
    return parts


def _check_size(size: Sequence[Any], name: str) -> None:
    fine = all(type(side) in (int, float) and 1 <= side <= LARGEST for side in size)
    if not fine:
        width, height = size
        raise ValueError(
            f"{name!r}: expected a width and a height of 1 to {LARGEST:g} pixels, got "
            f"{shortened(width)} x {shortened(height)}; add the size of the picture as it is shown"
        )


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise ValueError(
            f"{where}: expected a number of at most {LARGEST:g}, got {shortened(value)}; write "
            "pixels and 0, 1 or 2, without quotation marks"
        )
    return float(value)


def _id(entry: Any, key: str, where: str) -> str:
    """An id; tools write numbers or strings, and some the one here and the other there."""
    return str(_field(entry, key, int | str, where))


def _field(entry: Any, key: str, kind: Any, where: str) -> Any:
    if not isinstance(entry, dict):
        raise ValueError(
            f"{where}: expected an object in braces, got {shortened(entry)}; "
            'export the labels as "COCO Keypoints"'
        )
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = getattr(kind, "__name__", str(kind))
        raise ValueError(
            f"{where}: expected {key!r} as {wanted}, got {shortened(value)}; add it, or export the "
            'labels as "COCO Keypoints"'
        )
    return value
