"""The simulation in `benchmarks/bench_scaling.py`: who works when, and a run's costs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssn3d.config import RunConfig
from ssn3d.evaluation import complexity
from tests.benchmarks.bench_scaling import (
    CLAIMS,
    STEPS,
    Task,
    cost,
    graph,
    made,
    paper_runs,
    schedule,
)


@pytest.mark.parametrize(
    ("seconds", "workers", "ends"),
    [
        ([3, 2, 2], 1, [3, 5, 7]),
        ([3, 2, 2], 2, [3, 2, 4]),
        ([2, 2, 3], 2, [2, 2, 5]),  # one that looks ahead would need 4
        ([3, 2, 2], 9, [3, 2, 2]),
        ([0, 1], 1, [0, 1]),
        ([], 2, []),
    ],
)
def test_a_free_worker_takes_the_first_task(seconds, workers, ends):
    tasks = [Task(str(place), long) for place, long in enumerate(seconds)]
    done = schedule(tasks, workers)
    assert [done[task.name] for task in tasks] == ends


def test_a_task_waits_for_what_it_needs_and_others_overtake_it():
    tasks = [
        Task("set", 2),
        Task("run", 1, ("set",)),
        Task("other", 4),
        Task("figure", 1, ("run",)),
    ]
    assert schedule(tasks, 2) == {"set": 2, "run": 3, "other": 4, "figure": 4}
    assert schedule(tasks, 1) == {"set": 2, "run": 3, "other": 7, "figure": 8}


@pytest.mark.parametrize("tasks", [[Task("a", 1, ("a",))], [Task("a", 1, ("b",))]])
def test_what_can_never_begin_is_an_error(tasks):
    with pytest.raises(ValueError, match="never ready: a"):
        schedule(tasks, 2)


@st.composite
def plans(draw) -> list[Task]:
    """Tasks that need some of those before them."""
    tasks: list[Task] = []
    for place in range(draw(st.integers(1, 12))):
        needs = draw(st.sets(st.sampled_from(tasks), max_size=3)) if tasks else ()
        long = draw(st.integers(0, 20))
        tasks.append(Task(str(place), long, tuple(sorted(need.name for need in needs))))
    return tasks


def chain(tasks: list[Task]) -> float:
    """The longest one, which no number of workers shortens."""
    done: dict[str, float] = {}
    for task in tasks:
        done[task.name] = task.seconds + max((done[need] for need in task.needs), default=0)
    return max(done.values())


@given(plans(), st.integers(1, 5))
def test_the_end_keeps_the_bounds_of_list_scheduling(tasks, workers):
    end, whole = max(schedule(tasks, workers).values()), sum(task.seconds for task in tasks)
    assert end >= max(chain(tasks), whole / workers)
    assert end <= whole / workers + (1 - 1 / workers) * chain(tasks) + 1e-9  # Graham 1969
    assert max(schedule(tasks, 1).values()) == whole
    assert max(schedule(tasks, len(tasks)).values()) == chain(tasks)


def test_a_notebook_waits_for_the_one_before_it_only_with_the_barrier():
    runs = {"one": [Task("set", 4), Task("a", 2, ("set",))], "two": [Task("b", 3)]}
    drawing = {"one": 5.0, "two": 1.0}
    done = schedule(graph(runs, drawing, 10, barrier=True), 2)
    assert (done["a"], done["draw one"]) == (16, 21)
    assert (done["b"], done["draw two"]) == (34, 35)
    assert max(done.values()) == 35 + CLAIMS[1]
    done = schedule(graph(runs, drawing, 10, barrier=False), 2)
    assert (done["a"], done["b"], done["draw one"], done["draw two"]) == (16, 13, 21, 14)
    assert max(done.values()) == 21 + CLAIMS[1]


def test_the_runs_of_the_manifest_are_made_once_each_with_the_median_of_its_seeds(tmp_path):
    def entry(notebook: str, **runs: dict) -> dict:
        return {"notebook": notebook, "settings": {"parts": 9}, "runs": runs}

    def run(seed: int, seconds: float, **settings) -> dict:
        made = {"seed": seed, "data": "mars-123", "seconds": {"train": seconds, "test": 1}}
        return made | settings

    one = {"a": run(0, 9), "b": run(1, 11), "c": run(2, 12)}
    two = {"a": one["a"], "d": run(0, 5, parts=8)}
    manifest = {
        "table1": entry("01_learning_strategies", **one),
        "table2": entry("02_weight_sharing", **two),
    }
    (tmp_path / "results.json").write_text(json.dumps(manifest))
    tasks, shares = made(tmp_path)
    assert [(task.name, task.seconds, task.needs) for task in tasks["01_learning_strategies"]] == [
        ("mars-123", 42, ()),
        *((name, 12, ("mars-123",)) for name in "abc"),
    ]
    assert tasks["02_weight_sharing"] == [Task("d", 6, ("mars-123",))]  # rendered before
    assert sorted(shares) == [10 / 12, 1, 1, 13 / 12]


def test_what_a_run_of_the_paper_costs(monkeypatch):
    def count(config: RunConfig) -> complexity.Cost:
        return complexity.Cost(0, 0, {"average": 100, "ssn3d": 130}[config.aggregator])

    monkeypatch.setattr(complexity, "count", count)
    steps = 150 * STEPS["mars"]
    without = RunConfig.preset("paper", "mars", strategy="unsupervised")
    assert cost(without) == (steps * 3 * 32 * 130, 657_709 / 4 * 130, 32 * 4)
    # two labelled frames with each clip of four go through the backbone
    labelled = RunConfig.preset("paper", "mars", strategy="semi-supervised")
    assert cost(labelled) == (steps * 3 * 32 * (130 + 50), 657_709 / 4 * 130, 32 * 6)


def test_the_paper_has_each_run_once():
    runs = [(name, config.dataset) for _, name, config in paper_runs(seeds=2)]
    assert runs.count(("SSN3D, semi-supervised", "mars")) == 2
    assert runs.count(("SSN3D, semi-supervised", "ilids_vid")) == 20
    assert runs.count(("AP3D", "dukemtmc")) == 2
