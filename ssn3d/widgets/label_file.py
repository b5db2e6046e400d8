"""A file of key points in COCO's format, changed one point at a time."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssn3d.atomic import write_file
from ssn3d.datasets import coco

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2
"""COCO's visibility v of a key point."""


class Mark(NamedTuple):
    """The label of one part in one picture."""

    x: float
    """Share of the picture's width; 0 unless the part is `VISIBLE`."""
    y: float
    """Share of its height; 0 unless the part is `VISIBLE`."""
    v: int
    """`UNLABELLED`, `HIDDEN` or `VISIBLE`."""


class LabelFile:
    """Key points in COCO's format; the file is read before each change and replaced after it.

    So two people can take turns on one file, and what other tools wrote stays: boxes, other
    pictures, their own fields.

    COCO marks a part as hidden only where its place is known. The names of parts that are not
    visible are therefore kept in a field of our own, "not_visible", which other tools ignore.
    """

    def __init__(self, path: Path, parts: Sequence[str]) -> None:
        """Open a file of labels, or create it if it does not exist.

        Args:
            path: of the file.
            parts: names of its key points, in order.

        Raises:
            OSError: the file cannot be written.
            ValueError: it is damaged, or has other parts.
        """
        self.path, self.parts = path, list(parts)
        if not path.exists():
            self._save(None)
        elif not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise PermissionError(self._unwritable("it is write-protected"))
        self._read()

    def marks(self) -> dict[str, list[Mark]]:
        """Marks of every part, under the name of each picture that has an annotation."""
        content = self._read()
        return {
            name: [
                self._mark(n, annotation, content.images[name], content.visible)
                for n in range(len(self.parts))
            ]
            for name, annotation in content.annotations.items()
        }

    def put(self, name: str, size: tuple[int, int], part: int, mark: Mark) -> None:
        """Replace the mark of one part.

        Args:
            name: of the picture: its path below the folder of pictures.
            size: its height and width in pixels, used if the picture is not in the file yet.
            part: number of the part, from 0.
            mark: the new mark.

        Raises:
            OSError: the file cannot be written; it stays as it was.
            ValueError: it is damaged, or has other parts by now.
        """
        content = self._read()
        height, width = size
        name = coco.file_name(name)
        image = content.images.get(name) or _added(
            content.document["images"], {"file_name": name, "width": width, "height": height}
        )
        annotation = content.annotations.get(name) or _added(
            content.document["annotations"],
            {
                "image_id": image["id"],
                "category_id": content.category["id"],
                "bbox": [0, 0, width, height],
                "area": width * height,
                "iscrowd": 0,
            },
        )
        x, y = round(mark.x * image["width"], 4), round(mark.y * image["height"], 4)
        points = annotation["keypoints"] = annotation.get("keypoints") or [0] * 3 * len(self.parts)
        seen = mark.v == VISIBLE
        points[3 * part : 3 * part + 3] = [x, y, content.visible] if seen else [0, 0, 0]
        annotation["num_keypoints"] = sum(v > 0 for v in points[2::3])
        hidden = {*annotation.get("not_visible", ())} - {self.parts[part]}
        hidden |= {self.parts[part]} if mark.v == HIDDEN else set()
        annotation["not_visible"] = [each for each in self.parts if each in hidden]
        self._save(content.document)

    def _mark(
        self, part: int, annotation: dict[str, Any], image: dict[str, Any], visible: int
    ) -> Mark:
        points = annotation.get("keypoints") or [0] * 3 * len(self.parts)
        x, y, v = points[3 * part : 3 * part + 3]
        if v == visible:
            x, y = x / image["width"], y / image["height"]  # perhaps outside, by coco.SLACK
            return Mark(min(max(x, 0), 1), min(max(y, 0), 1), VISIBLE)
        hidden = v == HIDDEN or self.parts[part] in annotation.get("not_visible", ())
        return Mark(0, 0, HIDDEN if hidden else UNLABELLED)

    def _read(self) -> coco.Content:
        """The checked content of the file."""
        content = coco.read_content(self.path)
        if (found := content.category["keypoints"]) != self.parts:
            raise ValueError(
                f"{self.path}: expected key points called {self.parts}, got {found}; give these as "
                "the parts, or another file"
            )
        return content

    def _save(self, document: dict[str, Any] | None) -> None:
        """Write a document, or a file without labels for None."""
        try:
            if document is None:
                coco.write(coco.Labels(self.parts, {}), self.path, {})
            else:
                write_file(self.path, (json.dumps(document) + "\n").encode())
        except OSError as error:
            raise type(error)(self._unwritable(error.strerror)) from None

    def _unwritable(self, why: str | None) -> str:
        return f"labels cannot be written to {self.path} ({why}); free it, or give another file"


def _added(entries: list[dict[str, Any]], fields: dict[str, Any]) -> dict[str, Any]:
    """Add an entry with these fields and a new id."""
    number = 1 + max((int(e["id"]) for e in entries if str(e.get("id")).isdecimal()), default=0)
    entries.append({"id": number, **fields})
    return entries[-1]
