"""What is measured in a run to judge a claim, and whom each value is of."""

from collections.abc import Hashable, Mapping, Sequence
from math import log
from statistics import fmean
from typing import Any, NamedTuple, Protocol


class Run(Protocol):
    """What is asked of a run; see `store.Run`."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def config(self) -> Any: ...  # noqa: D102
    @property
    def history(self) -> Mapping[str, Sequence[float]]: ...  # noqa: D102
    @property
    def metrics(self) -> Mapping[str, Any]: ...  # noqa: D102


class Values(NamedTuple):
    """What was measured in a run."""

    values: Sequence[float]
    units: Sequence[Hashable]
    """Whom each value is of, such as a person; see `bootstrap.interval`."""


def top1(run: Run) -> Values:
    """100 for each query whose first answer is right, else 0; of people."""
    queries = run.metrics["queries"]
    return Values([100.0 * (rank == 1) for rank in queries["first_rank"]], queries["person"])


def early_triplet(run: Run) -> Values:
    """Mean triplet loss over the first quarter of the steps."""
    losses = run.history["triplet"]
    return _one(fmean(losses[: max(1, len(losses) // 4)]))


def stray_of_frames(run: Run) -> Values:
    """How much a body part strays from its point, from frame to frame of a clip.

    Nothing of runs on data whose body points are not known.
    """
    parts = run.metrics.get("parts")
    return _one(100 * parts["spread"]["frames"]) if parts else Values([], [])


def final_loss(run: Run) -> Values:
    """The SSN loss left at the end."""
    return _one(run.metrics["loss"])


def area(run: Run) -> Values:
    """Mean SSN loss over all steps, in percent of ln N, which guessing costs: small if fast.

    Unlike the step at which half of it is reached, it is known of runs that never get there.
    """
    return _one(100 * fmean(run.history["ssn"]) / log(run.config.parts))


def below_chance(run: Run) -> Values:
    """How far below ln N the SSN loss ever gets."""
    return _one(log(run.config.parts) - min(run.history["ssn"]))


def likeness(run: Run) -> Values:
    """Likeness of windows of one part less that of windows of different parts; of pictures."""
    return _numbered(run.metrics["similarity"]["pictures"])


def accuracy(run: Run) -> Values:
    """Percentage of the visible points that were found (PCK); of people."""
    return _numbered([100 * share for share in run.metrics["people"]["correct"]])


def above_prior(run: Run) -> Values:
    """`accuracy` less that of always guessing the mean labelled place; of people."""
    people = run.metrics["people"]
    pairs = zip(people["correct"], people["prior"], strict=True)
    return _numbered([100 * (correct - prior) for correct, prior in pairs])


def spread_of_people(run: Run) -> Values:
    """How much a part strays from its point, from person to person."""
    return _one(100 * run.metrics["spread"]["people"])


def spread_of_frames(run: Run) -> Values:
    """How much a part strays from its point, from frame to frame of a person."""
    return _one(100 * run.metrics["spread"]["frames"])


def _one(value: float) -> Values:
    return Values([value], [0])


def _numbered(values: Sequence[float]) -> Values:
    """Values of the same people or pictures in the same order in all runs."""
    return Values(values, range(len(values)))
