"""The verdicts on the paper's claims as Markdown: a page, a table, and a line for each claim."""

import math
from collections.abc import Iterable, Sequence

from .claim_list import Claim
from .claims import Finding, asked, by_claim, overall
from .tables import markdown_rows

NOTE = (
    "An effect is the mean over seeds; in brackets, a 95 % interval for other seeds and other "
    "people (or pictures), by a bootstrap over both, stretched for few seeds and paired where runs "
    "share a seed. A claim **holds** if the interval is above 0, **does not hold** if it is below, "
    "and is **undecided** if it is not clear of 0 or there are fewer than three seeds; claims with "
    "a bound hold if every seed keeps it. One that is made on several data sets holds if it does "
    "on all, and does not if it fails on any. Each interval stands for itself: of twenty, one may "
    "miss by chance."
)


def markdown(findings: Iterable[Finding], *, caption: str) -> str:
    """The page of all claims: a table of verdicts, then what is behind each.

    Args:
        findings: from `judge`.
        caption: says on which data, at which scale and with how many seeds.
    """
    groups = by_claim(findings)
    head = ("claim", "where", "paper", "here: effect [95 % interval]", "verdict")
    rows = [
        (
            f"[{claim.title}](#{claim.id})",
            claim.where,
            "<br>".join(f"{one.place} {_paper(one)}" for one in group if one.place in claim.paper)
            or "–",
            _effects(group, "<br>"),
            f"**{overall(group)}**",
        )
        for claim, group in groups
    ]
    sections = [_section(claim, group) for claim, group in groups]
    page = ["# The paper's claims", caption, NOTE, markdown_rows(head, rows), *sections]
    return "\n\n".join(page) + "\n"


def short(findings: Iterable[Finding]) -> str:
    """The table of the README: verdicts, with links from the top of the project."""
    rows = []
    for claim, group in by_claim(findings):
        links = f"[notebook](notebooks/{claim.notebook}.ipynb), [figure](figures/{claim.figure})"
        rows.append(
            (
                f"{claim.title} ({claim.where})",
                f"**{overall(group)}**",
                _effects(group, "<br>"),
                links if any(one.runs for one in group) else "–",
            )
        )
    return markdown_rows(("claim", "verdict", "effect [95 % interval]", "see"), rows)


def lines(findings: Iterable[Finding]) -> str:
    """A line for each claim that was measured: its verdict and the effects behind it."""
    return "\n".join(
        f"* {claim.title}: **{overall(group)}** ({claim.unit}: {_effects(group, '; ')})"
        for claim, group in by_claim(findings)
        if any(one.runs for one in group)
    )


def text(finding: Finding) -> str:
    """An effect with its interval, such as "+3.3 [-4.0, +10.1]"."""
    if not finding.runs:
        return "–"
    form = finding.claim.form
    if math.isnan(finding.low):
        return f"{finding.effect:{form}} [no interval]"
    return f"{finding.effect:{form}} [{finding.low:{form}}, {finding.high:{form}}]"


def _section(claim: Claim, group: Sequence[Finding]) -> str:
    head = ("", "paper", f"here, {claim.unit} [95 % interval]", "each seed", "seeds", "verdict")
    rows = [
        (
            one.place,
            _paper(one),
            text(one),
            ", ".join(f"{value:{claim.form}}" for value in one.values) or "–",
            ", ".join(map(str, one.seeds)) or "–",
            one.verdict,
        )
        for one in group
    ]
    chosen = "; ".join(dict.fromkeys(asked(contrast) for contrast in claim.contrasts.values()))
    name = claim.notebook
    linked = f"[{name}](../notebooks/{name}.ipynb)" if any(one.runs for one in group) else name
    return "\n\n".join(
        [
            f'<a id="{claim.id}"></a>\n\n## {claim.title}',
            f"*{claim.where}.* {claim.test} Runs: {chosen}.",
            markdown_rows(head, rows),
            f"What speaks against this verdict: {claim.caveat}",
            f"Notebook: {linked}",
        ]
    )


def _effects(group: Iterable[Finding], between: str) -> str:
    return between.join(f"{one.place} {text(one)}" for one in group if one.runs) or "–"


def _paper(finding: Finding) -> str:
    printed = finding.claim.paper.get(finding.place, math.nan)
    return "–" if math.isnan(printed) else f"{printed:{finding.claim.form}}"
