"""The quantities that claims are judged by, each read from the results of one run."""

from collections.abc import Hashable, Sequence
from math import log
from statistics import fmean
from typing import Any, NamedTuple

from ssn3d.datasets.keypoints import PARTS
from ssn3d.runs import Run

PAIRED = slice(PARTS.index("left elbow"), None)
"""Parts that come in pairs, left and right."""


class Values(NamedTuple):
    """What was measured in a run."""

    values: Sequence[float]
    units: Sequence[Hashable]
    """The person or picture that each value belongs to; see `intervals.interval`."""


def mean_ap(run: Run[Any]) -> Values:
    """Average precision of each query, in percent. The unit is the query's person."""
    queries = run.metrics["queries"]
    return Values([100.0 * ap for ap in queries["ap"]], queries["person"])


def top1(run: Run[Any]) -> Values:
    """100 for each query whose first answer is right, else 0. The unit is the query's person."""
    queries = run.metrics["queries"]
    return Values([100.0 * (rank == 1) for rank in queries["first_rank"]], queries["person"])


def early_triplet(run: Run[Any]) -> Values:
    """Mean triplet loss over the first quarter of the steps."""
    losses = run.history["triplet"]
    return _one(fmean(losses[: max(1, len(losses) // 4)]))


def stray_of_frames(run: Run[Any]) -> Values:
    """How much a body part strays from its point, from frame to frame of a clip.

    Empty for runs on data whose body points are not known.
    """
    parts = run.metrics.get("parts")
    return _one(100 * parts["spread"]["frames"]) if parts else Values([], [])


def distinctness(run: Run[Any]) -> Values:
    """How little parts overlap, in percent: 100 if no two look at the same cells."""
    parts = run.metrics.get("parts")
    return _one(100 * parts["distinctness"]) if parts else Values([], [])


def found(run: Run[Any]) -> Values:
    """Percentage of the visible points that were found (PCK), the mean over parts."""
    parts = run.metrics.get("parts")
    return _one(100 * parts["pck"]) if parts else Values([], [])


def pairs_found(run: Run[Any]) -> Values:
    """Percentage of the visible elbows, knees and feet that were found, the mean over these six."""
    parts = run.metrics.get("parts")
    return _one(100 * fmean(parts["pck_parts"][PAIRED])) if parts else Values([], [])


def final_loss(run: Run[Any]) -> Values:
    """The SSN loss left at the end."""
    return _one(run.metrics["loss"])


def area(run: Run[Any]) -> Values:
    """Mean SSN loss over all steps, in percent of ln N, the loss of guessing: small if fast.

    Unlike the step at which half of ln N is reached, it is known for every run.
    """
    return _one(100 * fmean(run.history["ssn"]) / log(run.config.parts))


def below_chance(run: Run[Any]) -> Values:
    """How far below ln N the SSN loss ever gets."""
    return _one(log(run.config.parts) - min(run.history["ssn"]))


def similarity(run: Run[Any]) -> Values:
    """Similarity of windows of one part less that of different parts, for each picture."""
    return _numbered(run.metrics["similarity"]["pictures"])


def accuracy(run: Run[Any]) -> Values:
    """Percentage of the visible points that were found (PCK), for each person."""
    return _numbered([100 * share for share in run.metrics["people"]["correct"]])


def above_prior(run: Run[Any]) -> Values:
    """`accuracy` less that of always guessing the mean labelled place, for each person."""
    people = run.metrics["people"]
    pairs = zip(people["correct"], people["prior"], strict=True)
    return _numbered([100 * (correct - prior) for correct, prior in pairs])


def spread_of_people(run: Run[Any]) -> Values:
    """How much a part strays from its point, from person to person."""
    return _one(100 * run.metrics["spread"]["people"])


def spread_of_frames(run: Run[Any]) -> Values:
    """How much a part strays from its point, from frame to frame of a person."""
    return _one(100 * run.metrics["spread"]["frames"])


def _one(value: float) -> Values:
    return Values([value], [0])


def _numbered(values: Sequence[float]) -> Values:
    """Values of the same people or pictures in the same order in all runs."""
    return Values(values, range(len(values)))
