"""The attention explorer: where trained networks see the parts, frame by frame, side by side.

Two lines in a notebook, with finished runs such as `runs.sweep` returns:

    from ssn3d.widgets.explorer import Explorer
    Explorer(runs)
"""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from math import isfinite
from threading import RLock
from typing import Any

import ipywidgets as W

from ssn3d.datasets.tracklets import DISTRACTOR, JUNK, Tracklet
from ssn3d.runs import Run

from .choices import by_data, split_of
from .drawing import DENSITY, Shown
from .looks import Look, distance, look_at, part_names
from .overlay import WIDTH, picture

NOBODY = {DISTRACTOR: "distractors", JUNK: "junk"}
CONTROL, WORD = "315px", "72px"
"""Widths of a control, and of the word before it."""


class Explorer(W.VBox):
    """Choose data, runs, a tracklet, a frame and parts; see the parts move.

    Both runs see the same pictures: those offered together learned from the same data set. Nothing
    is trained. What cannot be shown, such as a damaged frame, is said below the controls.
    """

    def __init__(self, runs: Sequence[Run[Any]]):
        """Offer runs and show the first.

        Args:
            runs: finished ones that know parts, of one data set or several.

        Raises:
            ValueError: there are none, or one knows no parts.
        """
        self._runs = {run.id: run for run in runs}
        self._sets = by_data(list(self._runs.values()))
        self._model = lru_cache(maxsize=4)(lambda name: self._runs[name].model())
        self._look = lru_cache(maxsize=32)(self._look_at)
        self._tracklet: Tracklet | None = None
        self._lock, self._settling = RLock(), False

        wide = {"layout": W.Layout(width=CONTROL), "style": {"description_width": WORD}}
        self.dataset = W.Dropdown(description="data", options=list(self._sets), **wide)
        self.run = W.Dropdown(description="run", **wide)
        self.other = W.Dropdown(description="compare", **wide)
        self.side = W.Dropdown(description="people of", **wide)
        self.person = W.Dropdown(description="person", **wide)
        self.tracklet = W.Dropdown(description="tracklet", **wide)
        self.parts = W.SelectMultiple(description="parts", rows=5, **wide)
        self.frame = W.IntSlider(description="frame", min=1, max=1, **wide)
        self.play = W.Play(description="play the frames", min=1, max=1, interval=200)
        self.opacity = W.FloatSlider(
            description="opacity", value=0.8, min=0, max=1, step=0.05, **wide
        )
        self.truth = W.Checkbox(description="true points, where known", indent=False)
        self.message, self.caption = W.HTML(), W.HTML()
        self.image = W.Image(width=WIDTH // DENSITY, layout=W.Layout(max_width="100%"))
        W.jslink((self.play, "value"), (self.frame, "value"))

        self._controls = (
            *(self.dataset, self.run, self.other, self.side, self.person, self.tracklet),
            *(self.parts, self.frame, self.opacity, self.truth),
        )
        moving = W.VBox([W.HBox([self.frame, self.play]), W.HBox([self.opacity, self.truth])])
        rows = (self._controls[:3], self._controls[3:6], (self.parts, moving))
        wrapped = W.Layout(flex_flow="row wrap")
        super().__init__(
            [*(W.HBox(row, layout=wrapped) for row in rows), self.message, self.image, self.caption]
        )
        for control in self._controls:
            control.observe(self._update, names="value")
        self._update()

    def _update(self, change: Any = None) -> None:
        """Let the controls below the one that changed follow, and draw."""
        with self._lock:  # JupyterLab tells of each control in a thread of its own
            if self._settling:  # a control that follows another one
                return
            self._settling = True
            try:
                self._settle()
                self._draw()
                self.message.value, self.image.layout.display = "", ""
            except (OSError, ValueError) as error:
                self.message.value = f'<p role="alert">Cannot be shown: {escape(str(error))}</p>'
                self.image.layout.display, self.caption.value = "none", ""
            finally:
                self._settling = False

    def _settle(self) -> None:
        """Offer in each control what goes with those before it; keep what was chosen if it can be.

        Raises:
            OSError: the data set is not there.
            ValueError: it is damaged, or not the one that the run learned from.
        """
        runs = self._sets[self.dataset.value]
        _offer(self.run, [(title, run.id) for title, run in runs.items()])
        rest = [(title, run.id) for title, run in runs.items() if run.id != self.run.value]
        _offer(self.other, [("none", ""), *rest])
        split = split_of(self._runs[self.run.value])
        _offer(
            self.side,
            [(side, side) for side in ("query", "gallery", "train") if getattr(split, side)],
        )
        tracklets = getattr(split, self.side.value)
        people = sorted({t.person for t in tracklets}, key=lambda p: (p in NOBODY, p))
        _offer(self.person, [(NOBODY.get(person, str(person)), person) for person in people])
        theirs = [(i, t) for i, t in enumerate(tracklets) if t.person == self.person.value]
        theirs.sort(key=lambda pair: pair[1].camera)
        titles = [f"{k}: camera {t.camera}, {len(t)} frames" for k, (_, t) in enumerate(theirs, 1)]
        _offer(self.tracklet, list(zip(titles, (i for i, _ in theirs), strict=True)))
        if (chosen := tracklets[self.tracklet.value]) is not self._tracklet:
            self._tracklet = chosen
            for control in (self.frame, self.play):
                control.value, control.max = 1, len(chosen)
        names = max((part_names(run.config) for run in self._chosen().values()), key=len)
        if names != tuple(label for label, _ in self.parts.options):
            kept = tuple(part for part in self.parts.value if part < len(names))
            self.parts.options = [(name, part) for part, name in enumerate(names)]
            self.parts.value = kept or tuple(range(len(names)))

    def _draw(self) -> None:
        frame = self.frame.value - 1
        looks = {
            title: self._look(
                run.id, self.side.value, self.tracklet.value, frame // run.config.test_frames
            )
            for title, run in self._chosen().items()
        }
        shown = Shown(frame, self.parts.value, self.opacity.value, self.truth.value)
        self.image.value = picture(looks, shown)
        self.caption.value = escape(_caption(looks, shown))

    def _look_at(self, name: str, side: str, number: int, clip: int) -> Look:
        run = self._runs[name]
        tracklet = getattr(split_of(run), side)[number]
        return look_at(run.config, self._model(name), tracklet, clip * run.config.test_frames)

    def _chosen(self) -> dict[str, Run[Any]]:
        """The runs to look through, under their titles."""
        runs = self._sets[self.dataset.value]
        return {
            title: run
            for name in (self.run.value, self.other.value)
            for title, run in runs.items()
            if run.id == name
        }


def _offer(control: W.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Change the options of a control if they are others, and keep its value where it is one."""
    if tuple(options) != tuple(control.options):
        value = control.value
        values = [each for _, each in options]
        control.options = options
        control.value = value if value in values else values[0]


def _caption(looks: dict[str, Look], shown: Shown) -> str:
    """How far the chosen parts are from their true points, where these are known."""
    apart = {
        title: distance(look, shown.frame, [p for p in shown.parts if p < len(look.names)])
        for title, look in looks.items()
    }
    return " ".join(
        f"{title}: {mean:.0%} of the frame's height from the true points, on average."
        for title, mean in apart.items()
        if isfinite(mean)
    )
