"""The verdicts on the paper's claims as Markdown: a page, and the table of a notebook."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ssn3d.evaluation.intervals import Interval

from . import claim_measures as measures
from .claim_list import Claim
from .claims import VERDICTS, Finding, asked, by_claim, decide, overall
from .tables import markdown_rows

NOTE = (
    "An effect is the mean over seeds; in brackets, a 95 % interval for other seeds and other "
    "people (or pictures), by a bootstrap over both, widened for few seeds and paired where runs "
    "share a seed. Claims about re-identification are judged on mAP, and top-1 stands beside it. "
    "*All sets* is the mean over data sets, each with its own seeds and people; the sets are "
    "fixed. Of straying, the step from the lowest level to the highest decides. A claim **holds** "
    "if this interval is above 0 and none of a single set is below, **does not hold** if it, or "
    "that of any set, is below 0, and is **undecided** else or with fewer than three seeds. Claims "
    "with a bound hold if every seed keeps it; those on several backbones or kinds of random data "
    "must hold on each. Each interval stands for itself: of twenty, one may miss by chance."
)


def markdown(findings: Iterable[Finding], *, caption: str) -> str:
    """The page of all claims: a table of verdicts, then what is behind each.

    Args:
        findings: from `judge`.
        caption: says on which data, at which scale and with how many seeds.
    """
    groups = by_claim(findings)
    head = ("claim", "verdict", "here: effect [95 % interval]", "paper", "where")
    rows = [
        (
            f"[{claim.title}](#{claim.id})",
            f"**{overall(group)}**",
            _effects(group),
            "<br>".join(f"{one.place} {_paper(one)}" for one in group if _paper(one) != "–") or "–",
            claim.where,
        )
        for claim, group in groups
    ]
    sections = [_section(claim, group) for claim, group in groups]
    verdicts = Counter(overall(group) for _, group in groups)
    counts = ", ".join(f"{verdict} {verdicts[verdict]}" for verdict in VERDICTS)
    counted = f"Verdicts on {len(groups)} claims: {counts}."
    page = ["# The paper's claims", counted, caption, NOTE, markdown_rows(head, rows), *sections]
    return "\n\n".join(page) + "\n"


def verdicts(findings: Iterable[Finding]) -> str:
    """The table of a notebook: each claim that was measured, its verdict and the effects."""
    rows = [
        (claim.title, f"**{overall(group)}**", claim.unit, _effects(group))
        for claim, group in by_claim(findings)
        if any(one.runs for one in group)
    ]
    return markdown_rows(("claim", "verdict", "unit", "effect [95 % interval]"), rows)


def text(finding: Finding) -> str:
    """An effect with its interval, such as "+3.3 [-4.0, +10.1]"."""
    return _shown(finding.effect, finding.low, finding.high, finding.claim.form)


def _shown(effect: float, low: float, high: float, form: str) -> str:
    if math.isnan(effect):
        return "–"
    if math.isnan(low):
        return f"{effect:{form}} [no interval]"
    return f"{effect:{form}} [{low:{form}}, {high:{form}}]"


def _top1(finding: Finding) -> str:
    return _shown(finding.top1, finding.top1_low, finding.top1_high, finding.claim.form)


def _section(claim: Claim, group: Sequence[Finding]) -> str:
    scores = claim.measure is measures.mean_ap
    beside = [("top-1", _top1)] if scores else []
    columns: list[tuple[str, Callable[[Finding], str]]] = [
        ("", lambda one: one.place),
        ("paper", _paper),
        (f"here, {claim.unit} [95 % interval]", text),
        *beside,
        ("each seed", lambda one: ", ".join(f"{x:{claim.form}}" for x in one.values) or "–"),
        ("seeds", lambda one: ", ".join(map(str, one.seeds)) or "–"),
        ("verdict", lambda one: one.verdict),
    ]
    rows = [[cell(one) for _, cell in columns] for one in group]
    chosen = "; ".join(dict.fromkeys(asked(contrast) for contrast in claim.contrasts.values()))
    name = claim.notebook
    linked = name
    if any(one.runs for one in group):
        linked = f"[{name}](../notebooks/{name}.ipynb); figure: [{claim.figure}]({claim.figure})"
    return "\n\n".join(
        [
            f'<a id="{claim.id}"></a>\n\n## {claim.title}',
            f"*{claim.where}.* {claim.test} Runs: {chosen}.",
            markdown_rows([title for title, _ in columns], rows),
            *_remarks(claim, group),
            f"What speaks against this verdict: {claim.caveat}",
            f"Notebook: {linked}",
        ]
    )


def _remarks(claim: Claim, group: Sequence[Finding]) -> list[str]:
    """What the numbers themselves say about how sure the verdict is."""
    first = group[0]  # the pooled one, if there is one
    remarks = []
    if claim.widest is not None and not math.isnan(first.low):
        half = (first.high - first.low) / 2
        remarks.append(
            f"Half of the interval of {first.place}: {half:.1f} {claim.unit} "
            f"(wanted: at most {claim.widest:g})."
        )
    in_top1 = decide(Interval(first.top1, first.top1_low, first.top1_high))
    if not math.isnan(first.top1_low) and in_top1 != first.verdict:
        remarks.append(f"By top-1, {first.place}: {in_top1}.")
    return [" ".join(remarks)] if remarks else []


def _effects(group: Sequence[Finding]) -> str:
    """All effects; top-1 of the first alone, which is the pooled one if there is one."""
    effects = [f"{one.place} {text(one)}" for one in group if one.runs]
    if effects and group[0].runs and not math.isnan(group[0].top1):
        effects[0] += f", top-1 {_top1(group[0])}"
    return "<br>".join(effects) or "–"


def _paper(finding: Finding) -> str:
    claim, place = finding.claim, finding.place
    shown = [f"{claim.paper[place]:{claim.form}}"] if place in claim.paper else []
    if place in claim.paper_top1:
        shown.append(f"top-1 {claim.paper_top1[place]:{claim.form}}")
    return ", ".join(shown) or "–"
