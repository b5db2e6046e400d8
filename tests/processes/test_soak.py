"""Thirty runs in one process, and what `torture/soak.py` takes for a leak."""

from dataclasses import replace

import psutil
import pytest

from ssn3d.runs import single as runs
from tests.torture.soak import Vitals, complaints, ends, grown, left_behind, vitals

STILL = Vitals(memory=500_000, files=10, threads=2, children=0)


def test_thirty_runs_leave_nothing_but_their_results(tiny_config, tiny_split, store):
    configs = [replace(tiny_config, seed=seed) for seed in range(30)]
    samples = []
    for config in configs:
        runs.load_or_train(config)
        samples.append(vitals(psutil.Process()))
    assert list(grown("this process", samples)) == []
    assert list(left_behind(filter(None, map(runs.find, configs)))) == []


def test_the_warm_up_does_not_count_and_a_single_peak_neither():
    assert ends([0, 0, 5, 5, 5, 90, 5, 5, 7, 7]) == (5, 7)
    assert ends([0, 1]) == (0, 1)


def changed(**fields) -> Vitals:
    return STILL._replace(**fields)


@pytest.mark.parametrize(
    ("later", "found"),
    [
        (lambda place: STILL, []),
        (lambda place: changed(memory=500_000 + place), []),
        (
            lambda place: changed(memory=500_000 + 180 * place),
            ["memory of it: 504950 kB, later 516470"],
        ),
        (
            lambda place: changed(memory=100_000_000 + 400 * place),
            ["memory of it: 40.0 kB more with each run"],
        ),
        (lambda place: changed(files=10 + 2 * (place > 50)), []),
        (lambda place: changed(files=10 + place // 10), ["files of it: 12, later 19"]),
        (lambda place: changed(threads=2 + (place > 50)), ["threads of it: 2, later 3"]),
        (lambda place: changed(children=place % 2), []),
    ],
    ids=[
        *("nothing", "little", "in the end", "steadily", "a connection"),
        *("descriptors", "threads", "back and forth"),
    ],
)
def test_growth_is_told_from_noise(later, found):
    samples = {"it": [later(place) for place in range(100)]}
    assert list(complaints(samples, 100, each=10)) == found


def test_a_process_that_was_replaced_is_told():
    samples = {"old": [STILL] * 3, "new": [STILL] * 2, "other": [STILL] * 5}
    assert list(complaints(samples, 5, each=10)) == [
        "old lived through 3 of 5 batches",
        "new lived through 2 of 5 batches",
    ]


def test_what_no_run_accounts_for_is_found(tiny_config, store):
    run = runs.load_or_train(tiny_config)
    assert list(left_behind([run])) == []
    (store / f"{run.id}.checkpoint").touch()
    (store / f".{run.id}.draft").mkdir()
    (store / f"{run.id}.lock").write_text("12345")
    assert sorted(left_behind([run])) == [
        f"in the store: .{run.id}.draft",
        f"in the store: {run.id}.checkpoint",
        f"not empty: {run.id}.lock",
    ]
