"""Which of the paper's claims hold in our runs: effects, their intervals, and a verdict on each."""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ssn3d.config import Scale
from ssn3d.config.reid import Source
from ssn3d.evaluation.intervals import interval
from ssn3d.runs import Run

from . import claim_list
from .claim_list import Claim, Contrast
from .claim_measures import Values

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
MISSING = "not yet measured"


class Finding(NamedTuple):
    """What was measured of a claim on one data set."""

    claim: Claim
    place: str
    """The data set, or the case."""
    effect: float
    """Mean over seeds, NaN as the next two where there are no runs."""
    low: float
    """Of the 95 % interval, NaN as `high` for fewer than three seeds."""
    high: float
    seeds: list[int]
    values: list[float]
    """The effect in each of the seeds."""
    runs: list[str]
    """Names of all runs behind it."""
    verdict: str


def judge(
    runs: Iterable[Run[Any]],
    scale: Scale,
    *,
    seeds: int,
    source: Source = "rendered",
    numbers: Sequence[int] = (3, 9, 16),
) -> list[Finding]:
    """Judge every claim on the runs that it names.

    Args:
        runs: those that there are; a claim is not yet measured if one that it names is missing.
        scale: see `claim_list.claims`, as for the next two.
        seeds: how many, counted from 0.
        source: "rendered" or "real".
        numbers: of parts N.

    Returns:
        For each claim, in the paper's order, a finding for each data set or case.

    Raises:
        ValueError: two runs that are to be compared did not answer the same queries; says which.
    """
    found = {run.config: run for run in runs}
    return [
        _finding(claim, place, matched(contrast, found, seeds))
        for claim in claim_list.claims(scale, source=source, numbers=numbers)
        for place, contrast in claim.contrasts.items()
    ]


def matched(contrast: Contrast, found: dict[Any, Run[Any]], seeds: int) -> list[list[Run[Any]]]:
    """The runs that a contrast names, those of one seed together, one for each of its sides.

    Args:
        contrast: says which.
        found: the runs that there are, by their configurations.
        seeds: how many, counted from 0.

    Returns:
        A list for each seed; none at all if a single run is missing, or on two sides.
    """
    named = contrast.configs(seeds)
    if any(len({*configs} & found.keys()) < len(configs) for configs in named):
        return []
    return [[found[config] for config in configs] for configs in named]


def overall(findings: Sequence[Finding]) -> str:
    """The verdict on a claim, of which these are all findings."""
    verdicts = [one.verdict for one in findings]
    if all(verdict == verdicts[0] for verdict in verdicts):
        return verdicts[0]
    return FAILS if FAILS in verdicts else UNDECIDED


def records(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as flat records, for results.json and data frames."""
    return [
        {
            "claim": claim.id,
            "title": claim.title,
            "where": claim.where,
            "place": finding.place,
            "unit": claim.unit,
            "bound": claim.below,
            "paper": claim.paper.get(finding.place, math.nan),
            **{name: getattr(finding, name) for name in Finding._fields[2:]},
            "overall": overall(group),
        }
        for claim, group in by_claim(findings)
        for finding in group
    ]


def by_claim(findings: Iterable[Finding]) -> list[tuple[Claim, list[Finding]]]:
    """Findings of one claim together."""
    groups = groupby(findings, key=lambda finding: finding.claim.id)
    return [(group[0].claim, group) for group in (list(some) for _, some in groups)]


def _finding(claim: Claim, place: str, found: Sequence[Sequence[Run[Any]]]) -> Finding:
    measured = [[claim.measure(run) for run in runs] for runs in found]
    if not found or not all(side.values for sides in measured for side in sides):
        return Finding(claim, place, math.nan, math.nan, math.nan, [], [], [], MISSING)
    effects = [_difference(sides, runs) for sides, runs in zip(measured, found, strict=True)]
    effect, low, high = interval([one.values for one in effects], [one.units for one in effects])
    values = [sum(one.values) / len(one.values) for one in effects]
    if claim.below is not None:
        kept = {value < claim.below for value in values}
        verdict = UNDECIDED if len(kept) > 1 else HOLDS if kept == {True} else FAILS
    else:
        verdict = HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED  # NaN: undecided
    seeds = [runs[0].config.seed for runs in found]
    names = [run.id for runs in found for run in runs]
    return Finding(claim, place, effect, low, high, seeds, values, names, verdict)


def _difference(sides: Sequence[Values], runs: Sequence[Run[Any]]) -> Values:
    """The first side less the second; of four sides, the first lead less the second lead."""
    if len(sides) == 1:
        return sides[0]
    if len(sides) == 4:
        sides = [_difference(sides[:2], runs[:2]), _difference(sides[2:], runs[2:])]
    high, low = sides
    if list(high.units) != list(low.units):
        raise ValueError(
            f"runs {' and '.join(run.id for run in runs)} were expected to be tested on the same "
            f"people, got {len(high.units)} and {len(low.units)} of other names or order; make "
            "both again on one data set"
        )
    return Values([a - b for a, b in zip(high.values, low.values, strict=True)], high.units)


def asked(contrast: Contrast) -> str:
    """The runs that a claim is judged on, in words."""
    [(high, *others)] = contrast.configs(seeds=1)
    names = list(dict.fromkeys(name for side in contrast.sides for name in side))

    def against(low: Any, between: str) -> str:
        both = ((name, getattr(high, name), getattr(low, name)) for name in names)
        return ", ".join(f"{name} {ours}{between}{its}" for name, ours, its in both if ours != its)

    if not others:
        shown = ["study", *names] if hasattr(high, "study") else names
        return ", ".join(f"{name} {getattr(high, name)}" for name in shown)
    told = [against(others[0], " against ")]
    if len(others) == 3:  # the same two at another setting
        told.append(against(others[1], " less the same with "))
    return f"{', '.join(told)}, all other settings equal"
