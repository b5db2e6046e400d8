"""The main job: run the notebooks headlessly, keep their results, and say how each one went."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import papermill

from . import results, store
from .config import nearest
from .data import project_folder
from .runs import describe
from .store import store_folder
from .workers import deaf, this_machine

ON_REQUEST = ("08_misalignment", "09_explore_and_annotate", "10_your_data")
"""Notebooks that answer what the paper does not ask; the first trains as long as all others."""


class Outcome(NamedTuple):
    """How one notebook went."""

    notebook: str
    seconds: float
    used: frozenset[str]
    """Runs that its results are from."""
    trained: frozenset[str]
    """Those among them that the store lacked; of several notebooks, the first has them."""
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
    """Execute notebooks side by side, the last of them when all others are done; see `run`.

    They train on the same workers, so that no core waits while a notebook draws, and what several
    of them lack is trained once.  An accelerator is not shared: there, one after the other.
    """
    *most, last = chosen
    work = partial(run, figures=figures, parameters=parameters, failed=_failed())
    elsewhere = bool(os.environ.get("SSN3D_CLUSTER"))
    alone = not elsewhere and not str(parameters.get("device", "cpu")).startswith("cpu")
    at_once = 1 if alone else os.cpu_count()
    told: frozenset[str] = frozenset()
    with ExitStack() as stack:
        stack.enter_context(_news(say, _stored()))
        if not (len(most) < 2 or elsewhere or alone):
            stack.enter_context(_own_workers())
        pool = ProcessPoolExecutor(at_once, get_context("spawn"), _end_with_parent)
        stack.enter_context(pool)
        with deaf():
            beside = pool.map(work, most)
        for outcome in chain(beside, map(work, [last])):
            say(f"{outcome.notebook}: {outcome.error or 'ok'}")
            yield outcome._replace(trained=outcome.trained - told)
            told |= outcome.trained


def run(
    notebook: Path,
    figures: Path,
    parameters: Mapping[str, Any],
    failed: Path | None = None,
) -> Outcome:
    """Execute a notebook; what it shows goes to `figures`, its executed copy to figures/executed.

    Args:
        notebook: the stripped source.
        figures: folder of results.
        parameters: those among them that the notebook has are passed on.
        failed: folder for the copy, with the error, of a notebook that fails; else build/failed.
    """
    before, started = _stored(), time.perf_counter()
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
            failed = failed or _failed()
            failed.mkdir(parents=True, exist_ok=True)
            if draft.exists():
                shutil.copy(draft, failed)
    made = {} if error else _made_by(figures, notebook.stem)
    used = frozenset(run for entry in made.values() for run in entry["runs"])
    seconds = time.perf_counter() - started
    return Outcome(notebook.stem, seconds, used, used - before, tuple(made), error)


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
def _own_workers() -> Iterator[None]:
    """This machine's cores, as a cluster for all notebooks."""
    with this_machine() as client:
        # should this process be killed, its scheduler will not come back
        wanted = {"SSN3D_CLUSTER": client.scheduler.address, "SSN3D_PATIENCE": "60"}
        with _environment(wanted):
            yield


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
    with _environment(wanted):
        yield


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
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


def _end_with_parent() -> None:
    """Where the main job ends, by Ctrl-C or a kill, so does this process, with its kernel."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see `deaf`
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _failed() -> Path:
    return project_folder() / "build" / "failed"


def _in_words(failure: Exception) -> str:
    if isinstance(failure, papermill.PapermillExecutionError):
        return f"cell {failure.exec_count}: {failure.ename}: {failure.evalue}"
    return f"{type(failure).__name__}: {failure}"


def _stored() -> set[str]:
    return {folder.name for folder in store_folder().glob("[!.]*/")}


def _made_by(figures: Path, notebook: str) -> dict[str, Any]:
    """Entries of the manifest that a notebook's results have."""
    entries = results.read(figures).items()
    return {name: entry for name, entry in entries if entry["notebook"] == notebook}
