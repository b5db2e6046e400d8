"""Label the parts of people by clicks on pictures; training reads the labels (COCO JSON)."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import anywidget
from einops import rearrange
from PIL import Image
from torch import Tensor
from traitlets import Bytes, Int, List, Unicode

from ssn3d.datasets.images import read_folder, read_image
from ssn3d.plots.style import PART_COLOURS
from ssn3d.synthetic.pedestrians import LABELS

from .label_file import HIDDEN, UNLABELLED, VISIBLE, LabelFile, Mark

LARGEST = 1200
"""Longer side, in pixels, of the pictures sent to the page; larger ones are made smaller."""


class Change(NamedTuple):
    """What `undo` needs to know."""

    picture: int
    part: int
    before: Mark


class Annotator(anywidget.AnyWidget):
    """Shows one picture at a time to click points on; each change is saved at once.

    Mouse: click to set a point, drag to move it. Keys: digits choose the part, arrows change the
    picture, shift with arrows moves the point, x marks the part as not visible, u takes the last
    change back. `put`, `hide`, `undo` and `go` do the same from Python. A picture counts as
    labelled when each of its parts has a point or is marked as not visible.
    """

    _esm = Path(__file__).with_name("keypoints.js")
    parts = List(Unicode()).tag(sync=True)
    colours = List(Unicode()).tag(sync=True)
    count = Int().tag(sync=True)
    index = Int().tag(sync=True)
    name = Unicode().tag(sync=True)
    picture = Bytes().tag(sync=True)
    marks: List[list[float]] = List().tag(sync=True)
    labelled = Int().tag(sync=True)
    problem = Unicode().tag(sync=True)
    answered = Int().tag(sync=True)  # how many messages of the page were handled

    def __init__(
        self,
        folder: Path,
        parts: Sequence[str],
        file: Path | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> None:
        """Open a folder at the first picture that is not labelled.

        Args:
            folder: holds pictures, or folders of pictures.
            parts: names of the parts.
            file: the label file, created if it is missing; None: labels.json in the folder.
            names: the pictures to label, as paths below `folder`; None: all.

        Raises:
            OSError: there is no such folder, or the label file cannot be written.
            ValueError: there is no picture, a picture or the label file is damaged, or the file has
                other parts.
        """
        found = read_folder(folder, height=1, width=1).names  # a damaged picture raises
        if unknown := sorted({*(names or ())} - {*found}):
            raise ValueError(
                f"names: expected pictures in {folder}, got {unknown[0]!r}, which is not there; "
                "give paths below the folder, with forward slashes"
            )
        self._folder, self._names = folder, list(names or found)
        self._file = LabelFile(file or folder / LABELS, parts)
        self._changes: list[Change] = []
        self._size = (0, 0)
        self._lock = RLock()
        colours = PART_COLOURS.as_hex()
        super().__init__(
            parts=list(parts),
            colours=[colours[n % len(colours)] for n in range(len(parts))],
            count=len(self._names),
        )
        marks = self._file.marks()
        done = [name in marks and _complete(marks[name]) for name in self._names]
        self.go(done.index(False) if False in done else 0)
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return f"Annotator({len(self.parts)} parts, {self.labelled} of {self.count} labelled)"

    def put(self, part: int, x: float, y: float) -> None:
        """Set the point of a part in the current picture.

        Args:
            part: number of the part, from 0.
            x: share of the picture's width.
            y: share of its height.

        Raises:
            OSError: the label file cannot be written; then nothing has changed.
            ValueError: there is no such part or point, or the file is damaged by now.
        """
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(
                f"expected a place within 0..1, got ({x}, {y}); a part outside is not visible"
            )
        self._change(part, Mark(x, y, VISIBLE))

    def hide(self, part: int) -> None:
        """Mark a part of the current picture as not visible.

        Args:
            part: number of the part, from 0.

        Raises:
            OSError: as for `put`.
            ValueError: as for `put`.
        """
        self._change(part, Mark(0, 0, HIDDEN))

    def undo(self) -> None:
        """Take the last change back and show its picture; do nothing if there is no change.

        Raises:
            OSError: as for `put`.
            ValueError: the label file is damaged by now.
        """
        if self._changes:
            index, part, before = self._changes[-1]
            self.go(index)
            self._file.put(self.name, self._size, part, before)
            self._changes.pop()
            self._show(self._file.marks())
            self.send({"part": part})  # the page chooses it, ready for another click

    def go(self, index: int) -> None:
        """Show another picture.

        Args:
            index: number of the picture, from 0; an index out of range shows the first or last.

        Raises:
            OSError: the picture or the label file is missing.
            ValueError: one of them is damaged by now.
        """
        index = min(max(index, 0), self.count - 1)
        frame, marks = read_image(self._folder / self._names[index]), self._file.marks()
        self._size = frame.shape[1], frame.shape[2]
        with self.hold_sync():  # picture and points reach the page together
            self.index, self.name, self.picture = index, self._names[index], _png(frame)
            self._show(marks)

    def _change(self, part: int, mark: Mark) -> None:
        if not 0 <= part < len(self.parts):
            raise ValueError(f"part: expected 0 to {len(self.parts) - 1}, got {part}")
        x, y, v = self.marks[part]
        self._file.put(self.name, self._size, part, mark)
        self._changes.append(Change(self.index, part, Mark(x, y, int(v))))
        self._show(self._file.marks())

    def _show(self, marks: dict[str, list[Mark]]) -> None:
        """Send the page what the label file holds."""
        none = [Mark(0, 0, UNLABELLED)] * len(self.parts)
        each = [marks.get(name, none) for name in self._names]
        with self.hold_sync():
            self.marks = [list(mark) for mark in each[self.index]]
            self.labelled = sum(map(_complete, each))
            self.problem = ""

    def _on_message(self, _: Any, message: dict[str, Any], __: Any) -> None:
        """Do what the page asks for; an error is shown in the page."""
        with self._lock:  # JupyterLab may deliver each message in a thread of its own
            self.problem = ""
            try:
                match message:
                    case {"do": "go", "step": step}:
                        self.go(self.index + step)
                    case {"do": "undo"}:
                        self.undo()
                    case {"index": index} if index != self.index:
                        pass  # a click on the picture before: the message came too late
                    case {"do": "put", "part": part, "x": x, "y": y}:
                        self.put(part, x, y)
                    case {"do": "hide", "part": part}:
                        self.hide(part)
            except (OSError, ValueError) as error:
                self.problem = str(error)
            self.answered += 1  # last: now the page may show what it was sent


def _complete(marks: Sequence[Mark]) -> bool:
    """Whether every part is labelled."""
    return all(mark.v != UNLABELLED for mark in marks)


def _png(frame: Tensor) -> bytes:
    """Encode a picture uint8 [3 H W] as PNG, at most `LARGEST` pixels wide or high."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").numpy())
    picture.thumbnail((LARGEST, LARGEST))
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
