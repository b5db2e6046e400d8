import asyncio

import nbformat
import pytest
from click.testing import CliRunner

from ssn3d.cli import main
from ssn3d.reproduce import run_notebooks
from ssn3d.reproduce.run_notebooks import Outcome, choose, report, run, run_all


def notebook(path, *cells):
    """A notebook with a parameters cell and some more."""
    content = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in ('scale: str = "demo"', *cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    )
    content.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(content, path)
    return path


@pytest.fixture
def project(monkeypatch, tmp_path):
    """A project of three notebooks, the second of which fails."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    notebook(folder / "01_good.ipynb", "print(scale)")
    notebook(folder / "02_bad.ipynb", "1 / 0", "print('never')")
    notebook(folder / "03_also_good.ipynb", "import os; print(sorted(os.environ)[0] != '')")
    monkeypatch.setattr(run_notebooks, "project_folder", lambda: tmp_path)
    return tmp_path


def test_a_failed_notebook_is_named_and_the_others_run(project, store):
    figures = project / "figures"
    done = CliRunner().invoke(main, ["figures", "--scale", "smoke", "--out", str(figures)])
    assert done.exit_code == 1
    assert "Error: failed, see build/failed: 02_bad" in done.output
    assert (project / "build" / "failed" / "02_bad.ipynb").exists()
    assert "FAILED: cell 3: ZeroDivisionError: division by zero" in done.output
    executed = {path.name for path in (figures / "executed").iterdir()}
    assert executed == {"01_good.ipynb", "03_also_good.ipynb"}
    good = nbformat.read(figures / "executed" / "01_good.ipynb", as_version=4)
    assert good.cells[-1].outputs[0].text == "smoke\n"


SWEEP = """
from pathlib import Path
from ssn3d import RunConfig, runs
from ssn3d.reproduce import results
from ssn3d.reproduce.notebook import figures_folder
wanted = [
    RunConfig.preset(scale, "ilids_vid", epochs=1, seed=seed) for seed in range({seeds})
]
made = runs.sweep(wanted)
about = dict(notebook="{name}", scale=scale, runs=made, numbers=[], files=[])
results.record(figures_folder(), "{name}", **about)
"""


def test_side_by_side_they_train_once_what_several_lack(project, store):
    for name, seeds in (("04_two", 2), ("05_three", 3)):
        notebook(project / "notebooks" / f"{name}.ipynb", SWEEP.format(name=name, seeds=seeds))
    told: list[str] = []
    chosen = choose(["04", "05", "01"])
    outcomes = run_all(chosen, project / "a", {"scale": "smoke"}, told.append)
    assert [(one.hits, one.misses) for one in outcomes] == [(0, 2), (2, 1), (0, 0)]
    assert [one.error for one in outcomes] == [None] * 3
    trained = [line for line in told if line.startswith("  MISS")]
    assert len(trained) == 4  # and the backbone that all three start from
    assert trained[-1].endswith("4 of 4 trainings, about 0 minutes for the others")
    others = [line for line in told if line not in trained]
    assert sorted(others[:2]) == ["04_two: ok", "05_three: ok"]
    assert others[2:] == ["01_good: ok"]
    again = run_all(chosen, project / "b", {"scale": "smoke"})
    assert [(one.hits, one.misses) for one in again] == [(2, 0), (3, 0), (0, 0)]
    for one in ("01_good", "04_two", "05_three"):
        copies = [project / x / "executed" / f"{one}.ipynb" for x in ("a", "b")]
        assert len({copy.read_bytes() for copy in copies}) == 1


def test_notebooks_go_by_name_or_number(project):
    assert [path.stem for path in choose(["03", "01_good"])] == [
        "03_also_good",
        "01_good",
    ]
    assert len(choose([])) == 3


def test_some_notebooks_must_be_asked_for(project, monkeypatch):
    monkeypatch.setattr(run_notebooks, "ON_REQUEST", ("03_also_good",))
    assert "03_also_good" not in [path.stem for path in choose([])]
    assert [path.stem for path in choose(["03"])] == ["03_also_good"]


def test_those_that_must_be_asked_for_are_there():
    assert set(run_notebooks.ON_REQUEST) <= {path.stem for path in run_notebooks.notebooks()}


def test_an_unknown_notebook_is_an_error_with_the_nearest(project):
    done = CliRunner().invoke(main, ["figures", "01_god"])
    assert done.exit_code == 1
    assert "no notebook '01_god'; did you mean '01_good'?" in done.output


def test_a_notebook_that_stops_itself_has_not_run(project, store):
    source = notebook(project / "notebooks" / "04_quits.ipynb", "raise SystemExit(0)", "print(1)")
    outcome = asyncio.run(run(source, project / "figures", {}, project / "failed"))
    assert outcome.error is not None
    assert not (project / "figures" / "executed" / source.name).exists()


def test_the_report_has_a_line_for_each_notebook():
    outcomes = [
        Outcome("01_good", 12.3, frozenset("abcdefg"), frozenset("ab"), ("table1",), None),
        Outcome("02_bad", 0.4, frozenset(), frozenset(), (), "cell 2: ValueError: no"),
    ]
    lines = report(outcomes).splitlines()
    assert lines[1].split() == ["01_good", "table1", "12", "5", "2", "ok"]
    assert lines[2].endswith("FAILED: cell 2: ValueError: no")
