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
MANY_RUNS = ("04_state_of_the_art", "08_misalignment")
"""Notebooks that one seed is enough for: what depends on several is tested elsewhere."""
EXECUTED = sorted((ROOT / "figures" / "executed").glob("*.ipynb"))

pytestmark = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def environment(tmp_path: Path, own_folders: Path) -> dict[str, str]:
    """An empty run store, results apart, rendered sets shared, no start-up files."""
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    return os.environ | {
        "SSN3D_DATA": str(own_folders),
        "SSN3D_RUNS": str(tmp_path / "runs"),
        "SSN3D_FIGURES": str(tmp_path / "figures"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TQDM_DISABLE": "1",
    }


def run(*arguments: object, folder: Path = ROOT, environment: dict[str, str]) -> str:
    """Run a module of this Python and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ChildProcessError(done.stdout + done.stderr)
    return done.stdout + done.stderr


def papermill(notebook: Path, output: Path, *options: str) -> tuple[object, ...]:
    return ("papermill", notebook, output, "--no-progress-bar", *options)


def test_sources_are_committed_without_outputs(notebook):
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    assert content.metadata.kernelspec.name == "python3"
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
    assert [cell.id for cell in cells if "parameters" in cell.metadata.get("tags", [])] == [
        "parameters"
    ]


def test_code_cells_stay_short_and_define_nothing_long(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    assert len(cells) <= 30
    for cell in cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 14, cell.id
            assert "class " not in cell.source
            assert "def " not in cell.source


def test_it_runs_at_smoke_scale_and_again_from_nothing_with_the_same_outputs(
    notebook, environment, tmp_path
):
    output = tmp_path / notebook.name
    few = ("-p", "seeds", "1") if notebook.stem in MANY_RUNS else ()
    small = papermill(notebook, output, "-p", "scale", "smoke", *few)
    run(*small, folder=notebook.parent, environment=environment)
    cells = nbformat.read(output, as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code" and cell.source)
    again = {"SSN3D_RUNS": str(tmp_path / "other runs"), "SSN3D_FIGURES": str(tmp_path / "others")}
    run(
        "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", output,
        environment=environment | again,
    )  # fmt: skip
    trains = any(call in cell.source for cell in cells for call in ("sweep(", "load_or_train("))
    assert trains == bool(list((tmp_path / "other runs").glob("*/metrics.json")))


def test_the_source_runs_under_nbval(notebook, environment):
    if notebook.stem != "01_learning_strategies":
        pytest.skip("one shows that it works; each runs as it is in the test above")
    run(
        "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", notebook,
        environment=environment | {"SSN3D_SCALE": "smoke"},
    )  # fmt: skip


def test_its_parameters_are_checked_before_any_work(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    before, found, _ = code.partition("check_parameters(")
    assert found
    assert not any(work in before for work in ("sweep(", "prepare(", "load_or_train(", "split_of("))


def test_an_unknown_parameter_stops_it_before_any_work(notebook, environment, tmp_path):
    if notebook.stem != "01_learning_strategies":
        pytest.skip("all check their parameters with the same function; see the test above")
    wrong = papermill(notebook, tmp_path / "out.ipynb", "-p", "lamda", "1")
    with pytest.raises(ChildProcessError, match="no parameter 'lamda'"):
        run(*wrong, environment=environment)
    assert not (tmp_path / "runs").exists()


def test_the_executed_copy_is_whole_and_belongs_to_this_source(notebook):
    copies = {path.name: path for path in EXECUTED}
    if notebook.name not in copies:
        pytest.skip("not executed yet")
    copy = copies[notebook.name]
    assert copy.stat().st_size < 2**20
    executed = nbformat.read(copy, as_version=4)
    assert "widgets" not in executed.metadata
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in ran] == list(range(1, len(ran) + 1))
    assert not any(output.output_type == "error" for cell in ran for output in cell.outputs)
    sources = [cell.source for cell in nbformat.read(notebook, as_version=4).cells]
    assert [cell.source for cell in executed.cells if cell.id != "injected-parameters"] == sources
    assert str(ROOT) not in json.dumps(executed)
