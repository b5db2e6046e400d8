"""One notebook, executed headlessly: its results, its executed copy, and how it went."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import papermill

from ssn3d.runs import store

from . import results


class Outcome(NamedTuple):
    """How one notebook went."""

    notebook: str
    seconds: float
    used: frozenset[str]
    """Runs that its results are from."""
    trained: frozenset[str]
    """Those among them that the store lacked."""
    artefacts: tuple[str, ...]
    """Tables and figures it made."""
    error: str | None

    @property
    def hits(self) -> int:
        """Runs that were in the store."""
        return len(self.used - self.trained)

    @property
    def misses(self) -> int:
        """Runs that had to be trained."""
        return len(self.trained)


def run(
    notebook: Path,
    figures: Path,
    parameters: Mapping[str, Any],
    failed: Path,
) -> Outcome:
    """Execute a notebook; what it shows goes to `figures`, its executed copy to figures/executed.

    Args:
        notebook: the stripped source.
        figures: folder of results.
        parameters: those among them that the notebook has are passed on.
        failed: folder for the copy, with the error, of a notebook that fails.
    """
    before, started = store.names(), time.perf_counter()
    known = papermill.inspect_notebook(notebook)
    executed = figures / "executed" / notebook.name
    executed.parent.mkdir(parents=True, exist_ok=True)
    whole = executed.with_name(f".{notebook.name}.draft")
    error = None
    with (
        tempfile.TemporaryDirectory() as scratch,
        _kernel_environment(figures, Path(scratch)),
    ):
        draft = Path(scratch) / notebook.name
        try:
            papermill.execute_notebook(
                notebook,
                draft,
                {name: value for name, value in parameters.items() if name in known},
                cwd=notebook.parent,
                progress_bar=False,
                store_widget_state=False,
            )
            nbformat.write(_portable(nbformat.read(draft, as_version=4)), whole)
            whole.replace(executed)
        except Exception as failure:  # whatever it is, the other notebooks go on
            error = _in_words(failure)
            failed.mkdir(parents=True, exist_ok=True)
            if draft.exists():
                shutil.copy(draft, failed)
    made = {} if error else _made_by(figures, notebook.stem)
    used = frozenset(run for entry in made.values() for run in entry["runs"])
    seconds = time.perf_counter() - started
    return Outcome(notebook.stem, seconds, used, used - before, tuple(made), error)


def _portable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without times, random ids and versions, so that equal results make equal files.

    Raises:
        RuntimeError: a cell was not run, as happens when a notebook stops itself.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        for stamp in ("papermill", "execution"):
            cell.metadata.pop(stamp, None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        if cell.cell_type == "code" and cell.source and cell.execution_count is None:
            raise RuntimeError(f"cell {cell.id!r} was not run")
    return notebook


@contextmanager
def _kernel_environment(figures: Path, scratch: Path) -> Iterator[None]:
    """What the kernel inherits: where results go, no progress bars, no start-up files."""
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    wanted = {
        "SSN3D_FIGURES": str(figures),
        "TQDM_DISABLE": "1",
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    with environment(wanted):
        yield


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Variables that kernels and processes inherit meanwhile."""
    kept = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _in_words(failure: Exception) -> str:
    if isinstance(failure, papermill.PapermillExecutionError):
        return f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}"
    return f"{type(failure).__name__}: {failure}"


def _made_by(figures: Path, notebook: str) -> dict[str, Any]:
    """Entries of the manifest that a notebook's results have."""
    entries = results.read(figures).items()
    return {name: entry for name, entry in entries if entry["notebook"] == notebook}
