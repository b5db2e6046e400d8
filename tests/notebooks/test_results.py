"""What the main job keeps can be computed again from the store, and judged."""

import asyncio
from pathlib import Path

import pandas as pd
import pytest
import torch

from ssn3d.datasets import coco
from ssn3d.datasets.images import write_image
from ssn3d.paper import tables
from ssn3d.reproduce import results
from ssn3d.reproduce.run_notebooks import Outcome, choose, run


@pytest.fixture
def figures(store: Path, tmp_path: Path) -> Path:
    return tmp_path / "figures"


def make(name: str, figures: Path, **parameters: object) -> Outcome:
    [notebook] = choose([name])
    wanted = {"scale": "smoke", **parameters}
    outcome = asyncio.run(run(notebook, figures, wanted, figures / "failed"))
    assert outcome.error is None
    return outcome


def test_a_table_equals_what_the_store_says(executed, smoke, tmp_path, monkeypatch):
    executed("01_learning_strategies")
    figures = Path(smoke["SSN3D_FIGURES"])
    monkeypatch.setenv("SSN3D_RUNS", smoke["SSN3D_RUNS"])
    entry = results.read(figures)["table1"]
    found = {run.id: run for run in results.runs_behind(figures, "smoke")}
    runs = [found[name] for name in entry["runs"]]
    assert len(runs) == 3 * 3 * 2
    measured = [
        tables.Measured(
            run.config.strategy, run.config.dataset, run.config.seed, run.id, run.metrics
        )
        for run in runs
    ]
    again = tables.measurements(1, measured, ["top1", "mean_ap"])
    [_, sheet] = tables.save(again, "", tmp_path / "again")
    assert pd.read_csv(sheet).equals(pd.read_csv(figures / "table1.csv"))
    for line in tables.markdown(tables.compare(again)).splitlines():
        assert line in (figures / "table1.md").read_text()
    assert [one["mean"] for one in entry["numbers"]] == again["mean"].tolist()


def test_claims_are_judged_by_the_runs_there_are(executed, smoke):
    for name in ("06_random_data", "11_claims"):
        executed(name)
    figures = Path(smoke["SSN3D_FIGURES"])
    sheet = pd.read_csv(figures / "claims.csv").set_index("claim")
    assert set(sheet.verdict["random-ones"]) == {"holds"}
    assert set(sheet.seeds["random-normal-uniform"]) == {"0 1"}
    assert set(sheet.verdict["random-normal-uniform"]) == {"undecided"}  # two seeds, no interval
    assert set(sheet.verdict["misaligned-stripes"]) == {
        "not yet measured"
    }  # of which there is one seed
    ours = set(results.read(figures)["fig5"]["runs"])
    assert set(" ".join(sheet.runs["random-normal-uniform"]).split()) <= ours
    assert "N = 16" in (figures / "claims.md").read_text()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A user's own folder: twelve pictures of unlike sizes, four of them labelled."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    rng = torch.Generator().manual_seed(0)
    names = [f"holiday {number}.jpg" for number in range(12)]
    sizes = {name: (40 + 2 * place, 64) for place, name in enumerate(names)}
    for name, size in sizes.items():
        picture = torch.randint(0, 256, (3, *size), generator=rng)
        write_image(picture.byte(), folder / name)
    points = {name: torch.rand(2, 2, generator=rng) for name in names[:4]}
    coco.write(coco.Labels(["nose", "tail"], points), folder / "labels.json", sizes)
    return folder


def test_parts_are_found_in_ones_own_pictures(figures, pictures):
    outcome = make("07", figures, folder=str(pictures), seeds=1)
    assert outcome.misses == 2
    assert (figures / "fig6_amber_abstract.png").exists()
    assert "within" in (figures / "fig6_amber_abstract.md").read_text()


def test_ones_own_labels_teach_parts_and_nothing_is_said_that_needs_the_truth(figures, pictures):
    outcome = make("05", figures, folder=str(pictures), seeds=1)
    assert outcome.misses == 2 * 5  # backbones, and ways to train
    measures = pd.read_csv(figures / "fig4_pedestrian_128.csv").measure
    assert set(measures) == {"distinctness", "extent"}
    assert "nose" not in (figures / "fig4_pedestrian_128.md").read_text()  # no PCK a part
