"""The attention explorer: where trained networks find the parts, frame by frame.

Two lines in a notebook show it, with finished runs as `runs.sweep` returns them:

    from ssn3d.widgets.explorer import Explorer
    Explorer(runs)
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from html import escape
from math import isfinite
from threading import RLock
from typing import Any

import ipywidgets as W

from ssn3d import data
from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import DISTRACTOR, JUNK, Split, Tracklet
from ssn3d.paper.numbers import TITLES
from ssn3d.runs import Run

from .clip_parts import ClipParts, mean_distance, part_names, parts_in_clip
from .explorer_view import DENSITY, WIDTH, Selection, picture

NOBODY = {DISTRACTOR: "distractors", JUNK: "junk"}
CONTROL, LABEL = "315px", "72px"
"""Widths of a control and of the label in it."""
DATA_SETTINGS = (
    *("source", "split", "height", "width", "data_seed", "train_people", "test_people"),
    *("longest_tracklet", "jitter", "label_noise"),
)
"""Settings in which two data sets of the same name can differ."""


class Explorer(W.VBox):
    """Choose a data set, one or two runs, a tracklet, a frame and parts; see the parts move.

    Two runs can be compared if they were trained on the same data set. The explorer trains nothing.
    An error, such as a damaged frame, is shown below the controls.
    """

    def __init__(self, runs: Sequence[Run[Any]]):
        """Offer runs, and show the first.

        Args:
            runs: finished runs of SSN3D, on one data set or several.

        Raises:
            ValueError: there are no runs, or one is not of SSN3D.
        """
        _check(runs)
        self._runs = {run.id: run for run in runs}
        self._sets = _by_data(list(self._runs.values()))
        self._model = lru_cache(maxsize=4)(lambda name: self._runs[name].model())
        self._clip = lru_cache(maxsize=32)(self._parts_in_clip)
        self._tracklet: Tracklet | None = None
        self._lock, self._updating = RLock(), False

        wide = {"layout": W.Layout(width=CONTROL), "style": {"description_width": LABEL}}
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
        """Adapt the other controls to the one that changed, and draw."""
        with self._lock:  # JupyterLab may report each control in a thread of its own
            if self._updating:  # this control was changed by `_adapt_controls`
                return
            self._updating = True
            try:
                self._adapt_controls()
                self._draw()
                self.message.value, self.image.layout.display = "", ""
            except (OSError, ValueError) as error:
                self.message.value = f'<p role="alert">Cannot be shown: {escape(str(error))}</p>'
                self.image.layout.display, self.caption.value = "none", ""
            finally:
                self._updating = False

    def _adapt_controls(self) -> None:
        """Offer in each control what fits the controls before it; keep each choice that still fits.

        Raises:
            OSError: the data set is missing.
            ValueError: it is damaged, or has changed since the run was trained.
        """
        runs = self._sets[self.dataset.value]
        _offer(self.run, [(title, run.id) for title, run in runs.items()])
        rest = [(title, run.id) for title, run in runs.items() if run.id != self.run.value]
        _offer(self.other, [("none", ""), *rest])
        split = _split_of(self._runs[self.run.value])
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
        clips = {
            title: self._clip(
                run.id, self.side.value, self.tracklet.value, frame // run.config.test_frames
            )
            for title, run in self._chosen().items()
        }
        selection = Selection(frame, self.parts.value, self.opacity.value, self.truth.value)
        self.image.value = picture(clips, selection)
        self.caption.value = escape(_caption(clips, selection))

    def _parts_in_clip(self, name: str, side: str, number: int, clip: int) -> ClipParts:
        run = self._runs[name]
        tracklet = getattr(_split_of(run), side)[number]
        return parts_in_clip(run.config, self._model(name), tracklet, clip * run.config.test_frames)

    def _chosen(self) -> dict[str, Run[Any]]:
        """The one or two chosen runs, under their titles."""
        runs = self._sets[self.dataset.value]
        return {
            title: run
            for name in (self.run.value, self.other.value)
            for title, run in runs.items()
            if run.id == name
        }


def _offer(control: W.Dropdown, options: list[tuple[str, Any]]) -> None:
    """Replace the options of a control if they differ; keep its value if it is still an option."""
    if tuple(options) != tuple(control.options):
        value = control.value
        values = [each for _, each in options]
        control.options = options
        control.value = value if value in values else values[0]


def _caption(clips: dict[str, ClipParts], selection: Selection) -> str:
    """Mean distance of the chosen parts from their true points, for each run where it is known."""
    apart = {
        title: mean_distance(
            clip, selection.frame, [part for part in selection.parts if part < len(clip.names)]
        )
        for title, clip in clips.items()
    }
    return " ".join(
        f"{title}: {mean:.0%} of the frame's height from the true points, on average."
        for title, mean in apart.items()
        if isfinite(mean)
    )


def _check(runs: Sequence[Run[Any]]) -> None:
    if not runs:
        raise ValueError("Explorer: expected finished runs, got none; runs.sweep(...) makes them")
    for run in runs:
        if not isinstance(run.config, RunConfig) or run.config.aggregator != "ssn3d":
            kind = getattr(run.config, "aggregator", type(run.config).__name__)
            raise ValueError(
                f'Explorer: expected runs with aggregator="ssn3d", which know parts, got {run.id} '
                f"({kind}); leave it out"
            )


def _by_data(runs: Sequence[Run[RunConfig]]) -> dict[str, dict[str, Run[RunConfig]]]:
    """Group runs by the data that they were trained on: {title of the data: {title: run}}.

    A title names the settings in which a run or data set differs from most of the others.
    """
    groups = defaultdict(list)
    for run in runs:
        groups[run.made["data"], run.config.split].append(run)
    firsts = [group[0] for group in groups.values()]
    names = [TITLES.get(run.config.dataset, run.config.dataset) for run in firsts]
    titles = _titles(names, firsts, DATA_SETTINGS)
    return {
        title: dict(zip(_run_titles(group), group, strict=True))
        for title, group in zip(titles, groups.values(), strict=True)
    }


def _split_of(run: Run[RunConfig]) -> Split:
    """The data that a run was trained on.

    Raises:
        OSError: it is missing.
        ValueError: it is damaged, or has changed since.
    """
    now, then = data.identity_of(run.config), run.made["data"]
    if now != then:
        raise ValueError(
            f"run {run.id} learned from the data {then}, but those of its settings are {now} now; "
            "train it again with runs.load_or_train"
        )
    return data.split_of(run.config)


def _run_titles(runs: Sequence[Run[RunConfig]]) -> list[str]:
    names = [f"{run.config.strategy}, seed {run.config.seed}" for run in runs]
    named = {"strategy", "seed"}
    return _titles(names, runs, [f.name for f in fields(RunConfig) if f.name not in named])


def _titles(
    names: Sequence[str], runs: Sequence[Run[RunConfig]], settings: Sequence[str]
) -> list[str]:
    """A different title for each run.

    Args:
        names: how each title starts.
        runs: the runs.
        settings: names of the settings that a title adds where most runs have another value; runs
            that are still the same get their ids.
    """
    usual = {
        name: Counter(getattr(run.config, name) for run in runs).most_common(1)[0][0]
        for name in settings
    }
    titles = []
    for start, run in zip(names, runs, strict=True):
        own = {name: getattr(run.config, name) for name in settings}
        unusual = [f"{name}={own[name]}" for name in settings if own[name] != usual[name]]
        titles.append(", ".join([start, *unusual]))
    counts = Counter(titles)
    return [
        f"{title} ({run.id})" if counts[title] > 1 else title
        for title, run in zip(titles, runs, strict=True)
    ]
