"""Read and write the key points of images in COCO's JSON, which labelling tools understand.

COCO counts in pixels from the upper left corner of the image: x = 0 is its left edge and x = width
its right edge, so a share of the frame times the width is x, and the middle of the first pixel is
at 0.5. A tool that calls that middle 0 is off by half a pixel, which nothing here corrects.
"""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ssn3d.atomic import write_file

LARGEST = 1e6
"""Pixels; a number beyond it is damage."""
SLACK = 0.02
"""A label may lie outside by this share of the image, a click that slipped: it is moved inside."""


class Labels(NamedTuple):
    """The key points of the images that have some, one person an image."""

    parts: list[str]
    points: dict[str, Tensor]
    """File name -> [n 2] (x, y) as shares of the frame, NaN where not labelled or not visible."""


def read(path: Path) -> Labels:
    """Read a file of key points.

    One category must have key points; annotations of others, such as boxes, are skipped.

    Returns:
        The labels; images without an annotation have no entry.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no file of key points; says where.
    """
    try:
        return _labels(json.loads(path.read_bytes()))
    except (RecursionError, ValueError) as error:
        raise ValueError(
            f"{path}: {error}; export the labels again in the format COCO Keypoints"
        ) from None


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


def _labels(document: Any) -> Labels:
    skeletons = {}
    for entry in _field(document, "categories", list, "the document"):
        key = _field(entry, "id", int | str, "a category")
        if entry.get("keypoints"):
            skeletons[key] = _names(_field(entry, "keypoints", list, f"category {key!r}"))
    if len(skeletons) != 1:
        raise ValueError(f"categories: expected one with key points, got {len(skeletons)}")
    [(category, parts)] = skeletons.items()

    images: dict[int | str, tuple[str, list[float]]] = {}
    names = set()
    for entry in _field(document, "images", list, "the document"):
        key = _field(entry, "id", int | str, "an image")
        name = _field(entry, "file_name", str, f"image {key!r}")
        size = [_number(entry.get(side), f"{side} of {name!r}") for side in ("width", "height")]
        _check_size(size, name)
        if key in images or name in names:
            raise ValueError(f"image {name!r}: expected an id and a name of its own, got one twice")
        images[key] = name, size
        names.add(name)

    points: dict[str, Tensor] = {}
    for entry in _field(document, "annotations", list, "the document"):
        if _field(entry, "category_id", int | str, "an annotation") != category:
            continue
        key = _field(entry, "image_id", int | str, "an annotation")
        if key not in images:
            raise ValueError(f"an annotation: expected the id of an image, got image_id {key!r}")
        name, size = images[key]
        if name in points:
            raise ValueError(f"image {name!r}: expected one annotation, got a second one")
        values = _field(entry, "keypoints", list, f"annotation of {name!r}")
        points[name] = _shares(values, size, parts, name)
    return Labels(parts, points)


def _shares(values: list[Any], size: list[float], parts: list[str], name: str) -> Tensor:
    """One annotation's x, y, v, ... as points [n 2]."""
    if len(values) != 3 * len(parts):
        raise ValueError(
            f"annotation of {name!r}: expected x, y, v of {len(parts)} key points, "
            f"{3 * len(parts)} numbers, got {len(values)}"
        )
    points = torch.full((len(parts), 2), torch.nan)
    for n, part in enumerate(parts):
        where = f"{part} of {name!r}"
        x, y, v = (_number(value, where) for value in values[3 * n : 3 * n + 3])
        if v not in (0, 1, 2):  # not labelled, labelled but hidden, visible
            raise ValueError(f"{where}: expected v to be 0, 1 or 2, got {v:g}")
        if v == 2:
            place = torch.tensor((x / size[0], y / size[1]))
            if not ((place >= -SLACK) & (place <= 1 + SLACK)).all():
                raise ValueError(
                    f"{where}: expected x within 0..{size[0]:g} and y within 0..{size[1]:g}, "
                    f"got ({x:g}, {y:g})"
                )
            points[n] = place.clamp(0, 1)
    return points


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
        raise ValueError(f"expected names of key points, each once, got {shortened(parts)}")
    return parts


def _check_size(size: Sequence[float], name: str) -> None:
    if not all(1 <= side <= LARGEST for side in size):
        width, height = size
        raise ValueError(
            f"{name!r}: expected a width and a height of 1 to {LARGEST:g} pixels, got "
            f"{width} x {height}"
        )


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= LARGEST:
        raise ValueError(
            f"{where}: expected a number of at most {LARGEST:g}, got {shortened(value)}"
        )
    return float(value)


def _field(entry: Any, key: str, kind: Any, where: str) -> Any:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object in braces, got {shortened(entry)}")
    value = entry.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        wanted = getattr(kind, "__name__", str(kind))
        raise ValueError(f"{where}: expected {key!r} as {wanted}, got {shortened(value)}")
    return value
