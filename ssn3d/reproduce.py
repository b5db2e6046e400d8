"""The main job: run the notebooks headlessly, keep their results, and say how each one went."""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import papermill

from . import results, store
from .config import nearest
from .data import project_folder
from .runs import describe
from .store import store_folder

ON_REQUEST = ("08_misalignment", "09_explore_and_annotate", "10_your_data")
"""Notebooks that answer what the paper does not ask; the first trains as long as all others."""


class Outcome(NamedTuple):
    """How one notebook went."""

    notebook: str
    seconds: float
    hits: int
    """Runs it used that were in the store."""
    misses: int
    """Runs it had to train."""
    artefacts: tuple[str, ...]
    """Tables and figures it made."""
    error: str | None


def notebooks() -> list[Path]:
    """The notebooks of the project, in reading order."""
    return sorted((project_folder() / "notebooks").glob("[0-9]*.ipynb"))


def choose(names: Sequence[str]) -> list[Path]:
    """Notebooks by their names or the numbers in front; all but `ON_REQUEST` if none is named.

    Raises:
        ValueError: a name that no notebook has.
    """
    known = {path.stem: path for path in notebooks()}
    short = {stem.partition("_")[0]: path for stem, path in known.items()}
    for name in names:
        if name not in known and name not in short:
            raise ValueError(
                f"no notebook {name!r}{nearest(name, known)}; there are {', '.join(known)}"
            )
    usual = [path for name, path in known.items() if name not in ON_REQUEST]
    return [known.get(name) or short[name] for name in names] or usual


def run_all(
    chosen: Sequence[Path],
    figures: Path,
    parameters: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Outcome]:
    """Execute notebooks in order, the last of them when all others are done; see `run`.

    Where nothing is left to train, as many at a time as there are cores: most of such a notebook's
    time is one process at work.
    """
    *most, last = chosen
    if most and _all_stored(most, figures):
        work = partial(run, figures=figures, parameters=parameters)
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for outcome in pool.map(work, most):
                say(f"{outcome.notebook}: {outcome.error or 'ok'}")
                yield outcome
        most = []
    for notebook in (*most, last):
        say(notebook.stem)
        yield run(notebook, figures, parameters, say)


def run(
    notebook: Path,
    figures: Path,
    parameters: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Execute a notebook; what it shows goes to `figures`, its executed copy to figures/executed.

    Args:
        notebook: the stripped source.
        figures: folder of results.
        parameters: those among them that the notebook has are passed on.
        say: told of each run as it is made.  Of a notebook that fails, the copy with the error
            is kept in build/failed.
    """
    before, started = _stored(), time.perf_counter()
    known = papermill.inspect_notebook(notebook)
    executed = figures / "executed" / notebook.name
    executed.parent.mkdir(parents=True, exist_ok=True)
    error = None
    with (
        tempfile.TemporaryDirectory() as scratch,
        _environment(figures, Path(scratch)),
        _news(say, before),
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
            nbformat.write(_portable(nbformat.read(draft, as_version=4)), executed)
        except Exception as failure:  # whatever it is, the other notebooks go on
            error = _in_words(failure)
            kept = project_folder() / "build" / "failed" / notebook.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            if draft.exists():
                shutil.copy(draft, kept)
    new = _stored() - before
    made = {} if error else _made_by(figures, notebook.stem)
    used = {run for entry in made.values() for run in entry["runs"]} or new
    seconds = time.perf_counter() - started
    return Outcome(notebook.stem, seconds, len(used - new), len(new), tuple(made), error)


def report(outcomes: Sequence[Outcome]) -> str:
    """A line for each notebook: what it made, how long, runs found and trained, how it went."""
    made = [", ".join(one.artefacts) or "–" for one in outcomes]
    width = max(map(len, [*made, "artefact"]))
    head = f"{'notebook':<24}{'artefact':<{width}}{'seconds':>9}{'HIT':>6}{'MISS':>6}  status"
    lines = [head] + [
        f"{one.notebook:<24}{names:<{width}}{one.seconds:>9.0f}"
        f"{one.hits:>6}{one.misses:>6}  " + ("ok" if one.error is None else f"FAILED: {one.error}")
        for one, names in zip(outcomes, made, strict=True)
    ]
    return "\n".join(lines)


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
def _environment(figures: Path, scratch: Path) -> Iterator[None]:
    """What the kernel inherits: where results go, no progress bars, no start-up files."""
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    wanted = {
        "SSN3D_FIGURES": str(figures),
        "TQDM_DISABLE": "1",
        "IPYTHONDIR": str(scratch / "ipython"),
    }
    kept = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _news(say: Callable[[str], None], known: set[str]) -> Iterator[None]:
    """Tell of runs as they appear in the store, which processes of the notebook's own make."""
    done = threading.Event()

    def watch() -> None:
        told = set(known)
        while not done.wait(2):
            for name in sorted(_stored() - told):
                run = store.read(store_folder() / name)
                if run:
                    seconds = sum(run.made["seconds"].values())
                    say(
                        f"  MISS {name} {describe(run.config)}: {run.made['why']} ({seconds:.0f} s)"
                    )
                told.add(name)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _in_words(failure: Exception) -> str:
    if isinstance(failure, papermill.PapermillExecutionError):
        return f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}"
    return f"{type(failure).__name__}: {failure}"


def _all_stored(chosen: Sequence[Path], figures: Path) -> bool:
    """Whether all that notebooks used last time is in the store; if they want more, they train."""
    used = [_made_by(figures, notebook.stem) for notebook in chosen]
    return all(used) and _stored().issuperset(
        name for made in used for entry in made.values() for name in entry["runs"]
    )


def _stored() -> set[str]:
    return {folder.name for folder in store_folder().glob("[!.]*/")}


def _made_by(figures: Path, notebook: str) -> dict[str, Any]:
    """Entries of the manifest that a notebook's results have."""
    entries = results.read(figures).items()
    return {name: entry for name, entry in entries if entry["notebook"] == notebook}
