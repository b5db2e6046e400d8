"""One seed, one result, to the last bit, however and wherever a run is made on one machine.

Workers and kills: see test_sweep and tests/training/test_checkpoint.  nbval: see tests/notebooks.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest

from ssn3d.config import RunConfig
from ssn3d.runs import load_or_train
from tests.stored import RESULTS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def config(tiny_config: RunConfig) -> RunConfig:
    """As the notebooks' scales compute: in 16 bits, whose rounding shows any change of order."""
    return replace(tiny_config, precision="bfloat16")


@pytest.fixture(scope="module")
def expected(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the run as this process makes it."""
    folder = tmp_path_factory.mktemp("expected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSN3D_RUNS", str(folder))
        load_or_train(config)
    return contents(folder)


@pytest.fixture
def cells(config: RunConfig) -> list[str]:
    """Three cells that make the run."""
    return [
        "from ssn3d.config import RunConfig\nfrom ssn3d.runs import load_or_train",
        f"config = RunConfig(**{asdict(config)!r})",
        "assert load_or_train(config).history",
    ]


@pytest.fixture
def notebook(cells: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "run.ipynb"
    content = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    )
    nbformat.write(content, path)
    return path


@pytest.fixture
def environment(store: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """For another process: an empty store, and all that tests below change, one at a time."""
    yield os.environ | {
        "PYTHONHASHSEED": "random",
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(tmp_path / "ipython"),  # no start-up files
    }
    assert len(list(store.glob("*/made.json"))) == 1  # it was made there, and nothing else


def contents(folder: Path) -> dict[str, bytes]:
    """The files of all runs in a store, by the run's name and theirs."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.glob("[!.]*/*")
        if file.name in RESULTS
    }


def python(*arguments: object, environment: dict[str, str], folder: Path = ROOT) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_process_with_another_environment_gives_the_same_bits(
    cells, environment, store, expected, tmp_path
):
    """Another seed of hashes, number of threads, working directory, and naming of folders."""
    folder = tmp_path / "any where"
    folder.mkdir()
    own = {
        "PYTHONHASHSEED": "1",
        "OMP_NUM_THREADS": "2",
        "SSN3D_DATA": "../new data",  # rendered anew
        "SSN3D_RUNS": os.path.relpath(environment["SSN3D_RUNS"], folder),
    }
    python("-c", "\n".join(cells), environment=environment | own, folder=folder)
    assert contents(store) == expected


def test_a_kernel_of_papermill_gives_the_same_bits(
    notebook, environment, store, expected, tmp_path
):
    output = tmp_path / "out.ipynb"
    python("-m", "papermill", notebook, output, "--no-progress-bar", environment=environment)
    assert contents(store) == expected
