"""A key-point JSON that is changed one point at a time; all else in it stays as it is."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ssn3d.datasets import coco

NOT_YET, HIDDEN, SEEN = 0, 1, 2
"""What is known of a part in a picture, by COCO's numbers."""


class Mark(NamedTuple):
    """A part in a picture: as shares of its width and height if `SEEN`, else 0, and COCO's v."""

    x: float
    y: float
    v: int


class LabelFile:
    """Key points in COCO's format, read before each change and written whole after it.

    So two can work on one file in turn, and entries of other tools are kept: boxes, other
    pictures, fields of their own. A part that cannot be seen is entered in "not_visible", a field
    that other tools pass over, as COCO has a number for hidden parts only if their place is known.
    """

    def __init__(self, path: Path, parts: Sequence[str]) -> None:
        """Open a file of labels, or begin one.

        Raises:
            OSError: it cannot be written.
            ValueError: it is damaged, or has other parts.
        """
        self.path, self.parts = path, list(parts)
        if not path.exists():
            self._save(None)
        elif not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise PermissionError(self._unwritable("it is write-protected"))
        self._read()

    def marks(self) -> dict[str, list[Mark]]:
        """The marks of every part, of the pictures that have some."""
        document, category = self._read()
        images = {image["id"]: image for image in document["images"]}
        return {
            images[annotation["image_id"]]["file_name"]: [
                self._mark(n, annotation, images[annotation["image_id"]])
                for n in range(len(self.parts))
            ]
            for annotation in document["annotations"]
            if annotation["category_id"] == category
        }

    def put(self, name: str, size: tuple[int, int], part: int, mark: Mark) -> None:
        """Enter the mark of one part.

        Args:
            name: of the picture, its path from the folder of the labels.
            size: its height and width in pixels, for a picture that the file does not know yet.
            part: counted from 0.
            mark: what is entered instead of what was there.
        """
        document, category = self._read()
        height, width = size
        image = _entry(document["images"], {"file_name": name}, {"width": width, "height": height})
        annotation = _entry(
            document["annotations"],
            {"image_id": image["id"], "category_id": category},
            {
                "keypoints": [0] * 3 * len(self.parts),
                "bbox": [0, 0, width, height],
                "area": width * height,
                "iscrowd": 0,
            },
        )
        x, y = round(mark.x * image["width"], 4), round(mark.y * image["height"], 4)
        points = annotation["keypoints"]
        points[3 * part : 3 * part + 3] = [x, y, 2] if mark.v == SEEN else [0, 0, 0]
        annotation["num_keypoints"] = sum(v > 0 for v in points[2::3])
        hidden = {*annotation.get("not_visible", ())} - {self.parts[part]}
        hidden |= {self.parts[part]} if mark.v == HIDDEN else set()
        annotation["not_visible"] = [each for each in self.parts if each in hidden]
        self._save(document)

    def _mark(self, part: int, annotation: dict[str, Any], image: dict[str, Any]) -> Mark:
        x, y, v = annotation["keypoints"][3 * part : 3 * part + 3]
        if v == SEEN:
            x, y = x / image["width"], y / image["height"]
            return Mark(min(max(x, 0), 1), min(max(y, 0), 1), SEEN)  # coco.SLACK lets some outside
        unseen = v == HIDDEN or self.parts[part] in annotation.get("not_visible", ())
        return Mark(0, 0, HIDDEN if unseen else NOT_YET)

    def _read(self) -> tuple[dict[str, Any], int | str]:
        """The document, found to be whole, and the id of the category with the parts."""
        found = coco.read(self.path).parts
        if found != self.parts:
            raise ValueError(
                f"{self.path}: expected key points called {self.parts}, got {found}; give these as "
                "the parts, or another file"
            )
        document = json.loads(self.path.read_bytes())
        [category] = [entry["id"] for entry in document["categories"] if entry.get("keypoints")]
        return document, category

    def _save(self, document: dict[str, Any] | None) -> None:
        """Write a document, or one without labels; the file changes as a whole or not at all."""
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.draft")
        try:
            if document is None:
                coco.write(coco.Labels(self.parts, {}), draft, {})
            else:
                draft.write_text(json.dumps(document) + "\n", encoding="utf-8")
            draft.replace(self.path)
        except OSError as error:
            raise type(error)(self._unwritable(error.strerror)) from None
        finally:
            draft.unlink(missing_ok=True)

    def _unwritable(self, why: str | None) -> str:
        return f"labels cannot be written to {self.path} ({why}); free it, or give another file"


def _entry(
    entries: list[dict[str, Any]], known: dict[str, Any], new: dict[str, Any]
) -> dict[str, Any]:
    """The entry with these fields, added if there is none, with a number of its own."""
    for entry in entries:
        if all(entry.get(key) == value for key, value in known.items()):
            return entry
    number = 1 + max((e["id"] for e in entries if isinstance(e.get("id"), int)), default=0)
    entries.append({"id": number, **known, **new})
    return entries[-1]
