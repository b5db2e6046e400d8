"""Notebooks are committed without outputs, run at smoke scale, and give the same outputs again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTED = sorted((ROOT / "figures" / "executed").glob("*.ipynb"))
LONG = ("prepare(", "sweep(", "load_or_train(")
"""Calls that render or train."""

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def run(*arguments: object, environment: dict[str, str], folder: Path = ROOT) -> None:
    """Run a module of this Python."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ChildProcessError(done.stdout + done.stderr)


def code_of(notebook: Path) -> list[nbformat.NotebookNode]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell for cell in cells if cell.cell_type == "code"]


@each_notebook
def test_sources_are_committed_without_outputs(notebook):
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    assert content.metadata.kernelspec.name == "python3"
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    assert [cell.id for cell in cells if "parameters" in cell.metadata.get("tags", [])] == [
        "parameters"
    ]


@each_notebook
def test_code_cells_stay_short_and_define_nothing_long(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert len(cells) <= 30
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 14, cell.id
            assert "class " not in cell.source
            assert "def " not in cell.source


@each_notebook
def test_parameters_are_checked_before_any_work(notebook):
    sources = [cell.source for cell in code_of(notebook)]
    [check] = [k for k, source in enumerate(sources) if "notebook.check_parameters(" in source]
    assert not any(call in source for source in sources[:check] for call in LONG)


@each_notebook
def test_it_runs_at_smoke_scale_and_again_with_the_same_outputs(notebook, executed, smoke):
    copy = executed(notebook.stem)
    assert all(cell.execution_count for cell in code_of(copy) if cell.source)
    run(
        "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", copy,
        environment=smoke,
    )  # fmt: skip


def test_a_source_runs_under_nbval(smoke):
    run(
        "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider",
        ROOT / "notebooks" / "06_random_data.ipynb", environment=smoke | {"SSN3D_SCALE": "smoke"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-p", "seed", "2"), "no parameter 'seed'; did you mean 'seeds'"),
        (("-p", "datasets", "mars mars"), "'datasets' has 'mars' twice"),
    ],
)
def test_a_wrong_parameter_stops_papermill_before_any_work(options, message, smoke, tmp_path):
    own = smoke | {"SSN3D_RUNS": str(tmp_path / "runs")}
    source = ROOT / "notebooks" / "01_learning_strategies.ipynb"
    arguments = (tmp_path / "out.ipynb", "--no-progress-bar", *options)
    with pytest.raises(ChildProcessError, match=message):
        run("papermill", source, *arguments, environment=own, folder=source.parent)
    assert not (tmp_path / "runs").exists()


def test_papermill_may_give_a_list_as_a_number_and_a_number_as_a_text(smoke, tmp_path):
    source = ROOT / "notebooks" / "06_random_data.ipynb"
    options = ("-p", "scale", "smoke", "-p", "numbers", "9", "-r", "seeds", "1")
    arguments = (tmp_path / "out.ipynb", "--no-progress-bar", *options)
    own = smoke | {"SSN3D_FIGURES": str(tmp_path / "figures")}
    run("papermill", source, *arguments, environment=own, folder=source.parent)


@each_notebook
def test_the_executed_copy_is_whole_and_belongs_to_this_source(notebook):
    copies = {path.name: path for path in EXECUTED}
    if notebook.name not in copies:
        pytest.skip("not executed yet")
    copy = copies[notebook.name]
    assert copy.stat().st_size < 1_000_000
    executed = nbformat.read(copy, as_version=4)
    assert "widgets" not in executed.metadata
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1))
    assert not any(output.output_type == "error" for cell in ran for output in cell.outputs)
    cells = nbformat.read(notebook, as_version=4).cells
    sources = [cell.source.replace("](../figures/", "](../") for cell in cells]
    assert [cell.source for cell in executed.cells if cell.id != "injected-parameters"] == sources
    assert str(ROOT) not in json.dumps(executed)
