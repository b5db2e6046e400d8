"""Click the points of a part list on pictures, into the key-point JSON that training reads."""

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

from ssn3d.datasets.images import read_folder, read_picture
from ssn3d.plots.style import PART_COLOURS
from ssn3d.synthetic.pedestrians import LABELS

from .label_file import HIDDEN, NOT_YET, SEEN, LabelFile, Mark

LARGEST = 1200
"""Pixels of the longer side of what a page is sent; the points are shares of any size."""


class Change(NamedTuple):
    """What `undo` takes back."""

    place: int
    part: int
    before: Mark


class Annotator(anywidget.AnyWidget):
    """Pictures to click points on, one after the other; each change is in the file at once.

    Click a point or drag it. Digits choose the part, arrows change the picture, with shift they
    move the point, x says that the part is not visible, u takes the last change back. `put`,
    `hide`, `undo` and `go` do the same from Python. A picture counts as labelled when each of its
    parts has a point or is said not to be visible.
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
            folder: with pictures, or folders of them.
            parts: what the points are called.
            file: where labels are kept, None for labels.json in the folder; begun if it is missing.
            names: the pictures to label, as paths below `folder`; None for all.

        Raises:
            OSError: there is no such folder, or the file cannot be written.
            ValueError: no picture, a damaged one, or a file that is damaged or has other parts.
        """
        found = read_folder(folder, height=1, width=1).names  # opens all: none is damaged
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
        known = self._file.marks()
        done = [name in known and _whole(known[name]) for name in self._names]
        self.go(done.index(False) if False in done else 0)
        self.on_msg(self._obey)

    def __repr__(self) -> str:
        return f"Annotator({len(self.parts)} parts, {self.labelled} of {self.count} labelled)"

    def put(self, part: int, x: float, y: float) -> None:
        """A part of the picture shown is at x, y, shares of its width and height.

        Raises:
            OSError: the file cannot be written; then nothing has changed.
            ValueError: there is no such part or place, or the file is damaged by now.
        """
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ValueError(
                f"expected a place within 0..1, got ({x}, {y}); a part outside is not visible"
            )
        self._change(part, Mark(x, y, SEEN))

    def hide(self, part: int) -> None:
        """A part of the picture shown is not visible.  Raises as `put` does."""
        self._change(part, Mark(0, 0, HIDDEN))

    def undo(self) -> None:
        """Take the last change back and show its picture; nothing if there is none."""
        if self._changes:
            place, part, before = self._changes[-1]
            self.go(place)
            self._file.put(self.name, self._size, part, before)
            self._changes.pop()
            self._show(self._file.marks())
            self.send({"part": part})  # to be chosen, and perhaps clicked anew

    def go(self, index: int) -> None:
        """Show a picture, counted from 0; the first or last instead of one beyond."""
        index = min(max(index, 0), self.count - 1)
        frame, known = read_picture(self._folder / self._names[index]), self._file.marks()
        self._size = frame.shape[1], frame.shape[2]
        with self.hold_sync():  # so that no page shows the points of one picture on another
            self.index, self.name, self.picture = index, self._names[index], _png(frame)
            self._show(known)

    def _change(self, part: int, mark: Mark) -> None:
        if not 0 <= part < len(self.parts):
            raise ValueError(f"part: expected 0 to {len(self.parts) - 1}, got {part}")
        x, y, v = self.marks[part]
        self._file.put(self.name, self._size, part, mark)
        self._changes.append(Change(self.index, part, Mark(x, y, int(v))))
        self._show(self._file.marks())

    def _show(self, known: dict[str, list[Mark]]) -> None:
        """Show what the file says."""
        nothing = [Mark(0, 0, NOT_YET)] * len(self.parts)
        each = [known.get(name, nothing) for name in self._names]
        with self.hold_sync():
            self.marks = [list(mark) for mark in each[self.index]]
            self.labelled = sum(map(_whole, each))
            self.problem = ""

    def _obey(self, _: Any, wish: dict[str, Any], __: Any) -> None:
        """Do what a page asks for; what goes wrong is shown there, as nobody could catch it."""
        with self._lock:  # JupyterLab may tell of each wish in a thread of its own
            self.problem = ""  # first, as a page hears of changes only, and forgets its own then
            try:
                match wish:
                    case {"do": "go", "step": step}:
                        self.go(self.index + step)
                    case {"do": "undo"}:
                        self.undo()
                    case {"index": index} if index != self.index:
                        pass  # a click on a picture that was gone when it arrived
                    case {"do": "put", "part": part, "x": x, "y": y}:
                        self.put(part, x, y)
                    case {"do": "hide", "part": part}:
                        self.hide(part)
            except (OSError, ValueError) as error:
                self.problem = str(error)


def _whole(marks: Sequence[Mark]) -> bool:
    return all(mark.v != NOT_YET for mark in marks)


def _png(frame: Tensor) -> bytes:
    """A picture uint8 [3 H W] as a file that a browser shows."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").numpy())
    picture.thumbnail((LARGEST, LARGEST))
    content = BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()
