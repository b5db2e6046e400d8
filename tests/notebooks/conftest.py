"""Every notebook, run once at smoke scale, in reading order and with one run store."""

from collections.abc import Callable
from pathlib import Path

import papermill
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
SEEDS = {"04_state_of_the_art": 1, "08_misalignment": 1}
"""How many, where the usual two would take long; what depends on several is tested elsewhere."""


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory, own_folders: Path) -> dict[str, str]:
    """The environment that the notebooks run in: a run store and results of their own."""
    folder = tmp_path_factory.mktemp("smoke")
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)  # no start-up files
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    return {
        "SSN3D_DATA": str(own_folders),
        "SSN3D_RUNS": str(folder / "runs"),
        "SSN3D_FIGURES": str(folder / "figures"),
        "IPYTHONDIR": str(folder / "ipython"),
        "TQDM_DISABLE": "1",
    }


@pytest.fixture(scope="session")
def executed(smoke: dict[str, str]) -> Callable[[str], Path]:
    """The executed copy of a notebook, by its name; whoever asks first runs it."""
    folder = Path(smoke["SSN3D_RUNS"]).parent

    def run(name: str) -> Path:
        copy = folder / f"{name}.ipynb"
        if not copy.exists():
            draft = folder / "draft.ipynb"
            known = papermill.inspect_notebook(NOTEBOOKS[name])
            wanted = {"scale": "smoke", "seeds": SEEDS.get(name, 2)}
            with pytest.MonkeyPatch.context() as patch:
                for variable, value in smoke.items():
                    patch.setenv(variable, value)
                papermill.execute_notebook(
                    NOTEBOOKS[name],
                    draft,
                    {key: value for key, value in wanted.items() if key in known},
                    cwd=NOTEBOOKS[name].parent,
                    progress_bar=False,
                )
            draft.rename(copy)
        return copy

    return run
