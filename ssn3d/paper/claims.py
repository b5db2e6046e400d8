"""Which of the paper's claims hold in our runs: effects, their intervals, and a verdict on each."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, NamedTuple

from ssn3d.evaluation.intervals import interval

from . import claim_list as paper_claims
from .claim_list import Claim, Contrast, Side
from .claim_measures import Run, Values

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
MISSING = "not yet measured"
REPLICATES = ("seed", "split")
"""Settings that pairs of one comparison may differ in."""


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


def judge(runs: Iterable[Run]) -> list[Finding]:
    """Judge every claim by the runs that bear on it; others are passed over.

    Returns:
        For each claim, in the paper's order, a finding for each data set or case.

    Raises:
        ValueError: runs of several settings could each decide a claim, or two runs that are to be
            compared did not answer the same queries; says which.
    """
    found = list({run.id: run for run in runs}.values())
    numbers = {r.config.parts for r in found if getattr(r.config, "study", None) == "random_maps"}
    claims = paper_claims.claims(sorted(numbers)) if numbers else paper_claims.claims()
    return [
        _finding(claim, place, pairs(contrast, found))
        for claim in claims
        for place, contrast in claim.contrasts.items()
    ]


def pairs(contrast: Contrast, runs: Sequence[Run]) -> list[tuple[Run, ...]]:
    """The runs of both sides, paired: all that differ in exactly what tells the sides apart.

    Args:
        contrast: the sides; with one side, its runs come alone.
        runs: any.

    Returns:
        Pairs by seed and split, the high side first; if there is a `before`, followed by the pair
        of the same seed and split that has its settings.

    Raises:
        ValueError: pairs differ in more than seed and split, so that it is not clear which count.
    """
    if contrast.before is not None:
        return _followed_by_before(contrast, runs)
    sides = _sides(contrast)
    found: dict[tuple[Any, ...], list[list[Run]]] = {}
    for place, side in enumerate(sides):
        for run in runs:
            settings = asdict(run.config)
            if _meets(settings, side):
                rest = tuple(item for item in settings.items() if item[0] not in _apart(contrast))
                found.setdefault(rest, [[] for _ in sides])[place].append(run)
    complete = {rest: both for rest, both in found.items() if all(both)}
    _expect_one_setting(contrast, complete)
    ordered = sorted(complete, key=lambda rest: [dict(rest).get(name, 0) for name in REPLICATES])
    matched = [tuple(run for [run] in complete[rest]) for rest in ordered]
    return [pair for pair in matched if len({run.id for run in pair}) == len(pair)]


def _followed_by_before(contrast: Contrast, runs: Sequence[Run]) -> list[tuple[Run, ...]]:
    high, low, besides, before = contrast
    assert before is not None
    assert low is not None
    then = Contrast({**high, **before}, {**low, **before}, besides)
    earlier = {_replicate(pair): pair for pair in pairs(then, runs)}
    return [
        pair + earlier[_replicate(pair)]
        for pair in pairs(contrast._replace(before=None), runs)
        if _replicate(pair) in earlier
    ]


def _replicate(pair: Sequence[Run]) -> tuple[Any, ...]:
    return tuple(getattr(pair[0].config, name, 0) for name in REPLICATES)


def overall(verdicts: Sequence[str]) -> str:
    """The verdict on a claim, given those on its data sets."""
    if all(verdict == verdicts[0] for verdict in verdicts):
        return verdicts[0]
    return FAILS if FAILS in verdicts else UNDECIDED


def records(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as flat records, for results.json and data frames."""
    return [
        {
            "claim": finding.claim.id,
            "title": finding.claim.title,
            "where": finding.claim.where,
            "place": finding.place,
            "unit": finding.claim.unit,
            "bound": finding.claim.below,
            "paper": finding.claim.paper.get(finding.place, math.nan),
            "effect": finding.effect,
            "low": finding.low,
            "high": finding.high,
            "seeds": finding.seeds,
            "values": finding.values,
            "runs": finding.runs,
            "verdict": finding.verdict,
            "overall": verdict_on(group),
        }
        for _, group in by_claim(findings)
        for finding in group
    ]


def by_claim(findings: Iterable[Finding]) -> list[tuple[Claim, list[Finding]]]:
    """Findings of one claim together."""
    groups = groupby(findings, key=lambda finding: finding.claim.id)
    return [(group[0].claim, group) for group in (list(some) for _, some in groups)]


def verdict_on(group: Sequence[Finding]) -> str:
    """The verdict on a claim, of which these are all findings."""
    return overall([one.verdict for one in group])


def _finding(claim: Claim, place: str, found: Sequence[tuple[Run, ...]]) -> Finding:
    found = [pair for pair in found if all(claim.measure(run).values for run in pair)]
    if not found:
        return Finding(claim, place, math.nan, math.nan, math.nan, [], [], [], MISSING)
    measured = [_difference([claim.measure(run) for run in pair], pair) for pair in found]
    effect, low, high = interval([each.values for each in measured], [m.units for m in measured])
    values = [sum(each.values) / len(each.values) for each in measured]
    if claim.below is not None:
        kept = {value < claim.below for value in values}
        verdict = UNDECIDED if len(kept) > 1 else HOLDS if kept == {True} else FAILS
    else:
        verdict = HOLDS if low > 0 else FAILS if high < 0 else UNDECIDED  # NaN: undecided
    return Finding(
        claim,
        place,
        effect,
        low,
        high,
        [pair[0].config.seed for pair in found],
        values,
        [run.id for pair in found for run in pair],
        verdict,
    )


def _difference(sides: Sequence[Values], runs: Sequence[Run]) -> Values:
    if len(sides) == 1:
        return sides[0]
    if len(sides) == 4:  # how much greater a difference is than another
        sides = [_difference(sides[:2], runs[:2]), _difference(sides[2:], runs[2:])]
    high, low = sides
    if list(high.units) != list(low.units):
        raise ValueError(
            f"runs {' and '.join(run.id for run in runs)} were expected to be tested on the same "
            f"people, got {len(high.units)} and {len(low.units)} of other names or order; make "
            "both again on one data set"
        )
    return Values([a - b for a, b in zip(high.values, low.values, strict=True)], high.units)


def _sides(contrast: Contrast) -> list[Side]:
    return [contrast.high] if contrast.low is None else [contrast.high, contrast.low]


def _apart(contrast: Contrast) -> set[str]:
    """Names of the settings that the runs of a pair may differ in."""
    first, *others = _sides(contrast)
    named = {name for side in others for name in first if side.get(name) != first[name]}
    return named | set(contrast.besides)


def _meets(settings: Mapping[str, Any], side: Side) -> bool:
    def fits(name: str, wanted: Any) -> bool:
        has = settings.get(name)
        return has in wanted if isinstance(wanted, range) else has == wanted

    return all(name in settings and fits(name, wanted) for name, wanted in side.items())


def _expect_one_setting(
    contrast: Contrast, complete: Mapping[tuple[Any, ...], Sequence[Sequence[Run]]]
) -> None:
    settings = [dict(rest) for rest in complete]
    several = sorted(
        name
        for name in (settings[0] if settings else {})
        if name not in REPLICATES and len({one[name] for one in settings}) > 1
    )
    if several:
        raise ValueError(
            f"{asked(contrast)}: expected runs that differ in seed and split only, got some that "
            f"differ in {', '.join(several)}; judge the runs of one setting at a time"
        )
    for both in complete.values():
        for side in both:
            if len(side) > 1:
                raise ValueError(
                    f"{asked(contrast)}: expected one run a side and seed, got "
                    f"{' and '.join(run.id for run in side)}; leave out those that do not count"
                )


def asked(contrast: Contrast) -> str:
    """On which runs a claim is judged, in words."""

    def word(value: Any) -> str:
        return f"{value.start} or more" if isinstance(value, range) else str(value)

    high, low, besides, before = contrast
    if low is None:
        return ", ".join(f"{name} {word(high[name])}" for name in high if high[name] is not None)
    sides = ", ".join(
        f"{name} {word(high[name])} against {word(low[name])}"
        for name in high
        if name in low and low[name] != high[name]
    )
    where = [
        f"{name} {high[name]} less the same with {value}" for name, value in (before or {}).items()
    ]
    sides = ", ".join([sides, *where])
    return f"{sides}, alike in all else" + (" that concerns both" if besides else "")
