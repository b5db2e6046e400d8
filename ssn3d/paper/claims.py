"""Which of the paper's claims hold in our runs: effects, their intervals, and a verdict on each."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ssn3d.config import Scale
from ssn3d.config.reid import Source
from ssn3d.evaluation.intervals import Interval, Sample, pooled_interval
from ssn3d.runs import Run

from . import claim_list
from . import claim_measures as measures
from .claim_list import Claim, Contrast
from .claim_measures import Values

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
MISSING = "not yet measured"
VERDICTS = (HOLDS, FAILS, UNDECIDED, MISSING)
POOLED = "all sets"
"""The place of a mean over data sets."""
UNKNOWN = Interval(math.nan, math.nan, math.nan)


class Finding(NamedTuple):
    """What was measured of a claim on one data set, or on all of them."""

    claim: Claim
    place: str
    """The data set, the case, or `POOLED`."""
    pooled: bool
    """Whether this is the mean over places, or the whole of which they are steps."""
    effect: float
    """Mean over seeds, NaN as the next two where there are no runs."""
    low: float
    """Of the 95 % interval, NaN as `high` for fewer than three seeds."""
    high: float
    seeds: list[int]
    """None for a mean over data sets, whose seeds have nothing to do with each other."""
    values: list[float]
    """The effect in each of the seeds."""
    runs: list[str]
    """Names of all runs behind it."""
    verdict: str
    """The side of zero, or of the bound, that this alone is on; on the claim, see `overall`."""
    top1: float
    """Of claims about mAP, the same effect in top-1; NaN, as the next two, of others."""
    top1_low: float
    top1_high: float


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
        seeds: the fewest, counted from 0; the next ones count too where a claim has all runs.
        source: "rendered" or "real".
        numbers: of parts N.

    Returns:
        For each claim, in the paper's order: a finding for all places together, if its verdict is
        on that, then a finding for each data set or case.

    Raises:
        ValueError: two runs that are to be compared did not answer the same queries; says which.
    """
    found = {run.config: run for run in runs}
    return [
        finding
        for claim in claim_list.claims(scale, source=source, numbers=numbers)
        for finding in _findings(claim, found, seeds)
    ]


def matched(contrast: Contrast, found: dict[Any, Run[Any]], seeds: int) -> list[list[Run[Any]]]:
    """The runs that a contrast names, those of one seed together, one for each of its sides.

    Args:
        contrast: says which.
        found: the runs that there are, by their configurations.
        seeds: the fewest, counted from 0; the next ones come too, up to the first that lacks a run.

    Returns:
        A list for each seed; none at all if a single run of the fewest is missing, or on two sides.
    """

    def there(configs: Sequence[Any]) -> bool:
        return len({*configs} & found.keys()) == len(configs)

    named = contrast.configs(seeds)
    if not all(map(there, named)):
        return []
    while there(contrast.configs(len(named) + 1)[-1]):
        named = contrast.configs(len(named) + 1)
    return [[found[config] for config in configs] for configs in named]


def overall(findings: Sequence[Finding]) -> str:
    """The verdict on a claim, of which these are all findings.

    A claim does not hold if a single finding is against it.  Else it holds if the pooled one is for
    it, or all are where none is pooled, and nothing is missing.
    """
    verdicts = {one.verdict for one in findings}
    if verdicts == {MISSING}:
        return MISSING
    if FAILS in verdicts:
        return FAILS
    decisive = {one.verdict for one in findings if one.pooled} or verdicts
    return HOLDS if decisive == {HOLDS} and MISSING not in verdicts else UNDECIDED


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
            "widest": claim.widest,
            "paper": claim.paper.get(finding.place, math.nan),
            "paper_top1": claim.paper_top1.get(finding.place, math.nan),
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


def _findings(claim: Claim, found: dict[Any, Run[Any]], seeds: int) -> list[Finding]:
    of_places = {
        place: matched(contrast, found, seeds) for place, contrast in claim.contrasts.items()
    }
    together = [
        _finding(claim, place, [matched(contrast, found, seeds)], pooled=True)
        for place, contrast in claim.whole.items()
    ]
    if claim.pooled and claim.below is None and len(of_places) > 1 and not together:
        together = [_finding(claim, POOLED, list(of_places.values()), pooled=True)]
    return together + [_finding(claim, place, [runs]) for place, runs in of_places.items()]


def _finding(
    claim: Claim, place: str, sets: Sequence[Sequence[Sequence[Run[Any]]]], *, pooled: bool = False
) -> Finding:
    """What the runs of one or several data sets say.

    Args:
        claim: the claim.
        place: name of it all.
        sets: for each data set and seed, the runs of all sides.
        pooled: see `Finding`.
    """
    samples = [_sample(claim.measure, seeds) for seeds in sets]
    if not all(sample.values and all(sample.values) for sample in samples):
        return Finding(claim, place, pooled, *UNKNOWN, [], [], [], MISSING, *UNKNOWN)
    effect = pooled_interval(samples)
    top1 = UNKNOWN
    if claim.measure is measures.mean_ap:
        top1 = pooled_interval([_sample(measures.top1, seeds) for seeds in sets])
    numbers, values = [], []
    if len(sets) == 1:
        numbers = [runs[0].config.seed for runs in sets[0]]
        values = [sum(some) / len(some) for some in samples[0].values]
    names = [run.id for seeds in sets for runs in seeds for run in runs]
    verdict = decide(effect) if claim.below is None else _kept(values, claim.below)
    return Finding(claim, place, pooled, *effect, numbers, values, names, verdict, *top1)


def decide(effect: Interval) -> str:
    """The verdict on an effect that is claimed to be above 0; undecided without an interval."""
    return HOLDS if effect.low > 0 else FAILS if effect.high < 0 else UNDECIDED


def _kept(values: Sequence[float], bound: float) -> str:
    kept = {value < bound for value in values}
    return UNDECIDED if len(kept) > 1 else HOLDS if kept == {True} else FAILS


def _sample(measure: Callable[[Run[Any]], Values], found: Sequence[Sequence[Run[Any]]]) -> Sample:
    """What the sides of each seed differ by."""
    effects = [_difference([measure(run) for run in runs], runs) for runs in found]
    return Sample([one.values for one in effects], [one.units for one in effects])


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
        both = ((name, _setting(high, name), _setting(low, name)) for name in names)
        return ", ".join(f"{name} {ours}{between}{its}" for name, ours, its in both if ours != its)

    if not others:
        shown = ["study", *names] if hasattr(high, "study") else names
        return ", ".join(f"{name} {getattr(high, name)}" for name in shown)
    told = [against(others[0], " against ")]
    if len(others) == 3:  # the same two at another setting
        told.append(against(others[1], " less the same with "))
    return f"{', '.join(told)}, all other settings equal"


def _setting(config: Any, name: str) -> Any:
    value = getattr(config, name)
    words = {"jitter": "as usual", "labelled_frames": "all"}
    return words.get(name, "none") if value is None else value
