"""Which runs can be compared, as they learned from the same data, and what to call them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ssn3d import data
from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Split
from ssn3d.paper import numbers as paper
from ssn3d.runs import Run

DATA = (
    *("source", "split", "height", "width", "data_seed", "train_people", "test_people"),
    *("longest_tracklet", "jitter", "label_noise"),
)
"""Settings that tell data sets of one name apart."""


def by_data(runs: Sequence[Run[Any]]) -> dict[str, dict[str, Run[RunConfig]]]:
    """Runs under their titles, under the title of the data that they learned from.

    A title says what most others have otherwise, so that no two are alike.

    Raises:
        ValueError: there are no runs, or one knows no parts.
    """
    _check(runs)
    groups = defaultdict(list)
    for run in runs:
        groups[run.made["data"], run.config.split].append(run)
    firsts = [group[0] for group in groups.values()]
    heads = [paper.TITLES.get(run.config.dataset, run.config.dataset) for run in firsts]
    return {
        title: dict(zip(_run_titles(group), group, strict=True))
        for title, group in zip(_titles(heads, firsts, DATA), groups.values(), strict=True)
    }


def split_of(run: Run[RunConfig]) -> Split:
    """The data of a run, unless pictures have changed since it learned from them."""
    now, then = data.identity_of(run.config), run.made["data"]
    if now != then:
        raise ValueError(
            f"run {run.id} learned from the data {then}, but those of its settings are {now} now; "
            "train it again with runs.load_or_train"
        )
    return data.split_of(run.config)


def _run_titles(runs: Sequence[Run[RunConfig]]) -> list[str]:
    heads = [f"{run.config.strategy}, seed {run.config.seed}" for run in runs]
    said = {"strategy", "seed"}
    return _titles(heads, runs, [f.name for f in fields(RunConfig) if f.name not in said])


def _titles(
    heads: Sequence[str], runs: Sequence[Run[RunConfig]], settings: Sequence[str]
) -> list[str]:
    """Heads, each with the settings that most of the runs have otherwise; no two alike."""
    usual = {
        name: Counter(getattr(run.config, name) for run in runs).most_common(1)[0][0]
        for name in settings
    }
    titles = []
    for head, run in zip(heads, runs, strict=True):
        own = {name: getattr(run.config, name) for name in settings}
        unusual = [f"{name}={own[name]}" for name in settings if own[name] != usual[name]]
        titles.append(", ".join([head, *unusual]))
    counts = Counter(titles)
    return [
        f"{title} ({run.id})" if counts[title] > 1 else title
        for title, run in zip(titles, runs, strict=True)
    ]


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
