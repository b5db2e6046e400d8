"""The main job: execute the notebooks at the same time, on dask workers that they share."""

import asyncio
import atexit
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import nbformat
import papermill
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from ssn3d.atomic import write_file
from ssn3d.config.base import nearest
from ssn3d.data import project_folder
from ssn3d.runs import many, store

from . import results

ON_REQUEST = ("08_misalignment", "09_explore_and_annotate", "10_your_data")
"""Notebooks that answer what the paper does not ask; the first trains for an hour at demo scale."""


class Outcome(NamedTuple):
    """How one notebook went."""

    notebook: str
    seconds: float
    used: frozenset[str]
    """Runs that its results come from."""
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


class Loop(asyncio.SelectorEventLoop):
    """An event loop in which Ctrl-C cancels all notebooks; nbclient would stop one kernel only."""

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override]
        """Refuse, which nbclient accepts."""
        raise RuntimeError("Ctrl-C is for all notebooks")


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
) -> list[Outcome]:
    """Execute notebooks at the same time, and the last of them when all others are done.

    They train on the same workers, so that no core waits while a notebook draws, and a run that
    several of them lack is trained once, and counted for the first of them. On an accelerator,
    which is not shared, the notebooks run one after the other.

    Args:
        chosen: the notebooks.
        figures: see `run`.
        parameters: see `run`.
        say: is called with a line for each run that is trained, and for each notebook that ends.

    Returns:
        How each went, in the order of `chosen`.
    """
    accelerator = not str(parameters.get("device", "cpu")).startswith("cpu")
    with _shared_workers(accelerator, say) as cluster, asyncio.Runner(loop_factory=Loop) as runner:
        at_once = 1 if accelerator and not cluster else os.cpu_count() or 1
        outcomes = runner.run(_run_all(chosen, figures, parameters, say, cluster, at_once))
    told: set[str] = set()
    for place, outcome in enumerate(outcomes):
        outcomes[place] = outcome._replace(trained=outcome.trained - told)
        told |= outcome.trained
    return outcomes


async def _run_all(
    chosen: Sequence[Path],
    figures: Path,
    parameters: Mapping[str, Any],
    say: Callable[[str], None],
    cluster: Mapping[str, str],
    at_once: int,
) -> list[Outcome]:
    free = asyncio.Semaphore(at_once)

    async def one(notebook: Path) -> Outcome:
        async with free:
            failed = project_folder() / "build" / "failed"
            outcome = await run(notebook, figures, parameters, failed, cluster)
        say(f"{outcome.notebook}: {outcome.error or 'ok'}")
        return outcome

    *most, last = chosen
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(notebook)) for notebook in most]
    return [*(task.result() for task in tasks), await one(last)]


async def run(
    notebook: Path,
    figures: Path,
    parameters: Mapping[str, Any],
    failed: Path,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Execute a notebook; what it shows goes to `figures`, its executed copy to figures/executed.

    Args:
        notebook: the stripped source.
        figures: folder of results.
        parameters: those among them that the notebook has are passed on.
        failed: folder for the copy, with the error, of a notebook that fails.
        environment: more variables for its kernel.

    Returns:
        How it went; an error in the notebook is not raised.
    """
    before, started = store.names(), time.perf_counter()
    known = papermill.inspect_notebook(notebook)
    content = load_notebook_node(str(notebook))
    if injected := {name: value for name, value in parameters.items() if name in known}:
        content = parameterize_notebook(content, injected)
    executed = figures / "executed" / notebook.name
    executed.parent.mkdir(parents=True, exist_ok=True)
    error = None
    with tempfile.TemporaryDirectory() as scratch:
        client = NotebookClient(
            content,
            record_timing=False,
            store_widget_state=False,
            raise_on_iopub_timeout=True,
            shutdown_kernel="immediate",
        )
        try:
            await client.async_execute(
                cwd=str(notebook.parent),
                env={
                    **os.environ,
                    **_kernel_environment(figures, Path(scratch)),
                    **(environment or {}),
                },
            )
            write_file(executed, f"{nbformat.writes(_portable(content))}\n".encode())
        except Exception as failure:  # whatever it is, the other notebooks go on
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from None  # nbclient takes it for a dead kernel
            error = _in_words(failure, content)
            failed.mkdir(parents=True, exist_ok=True)
            nbformat.write(content, failed / notebook.name)
        finally:
            atexit.unregister(client._cleanup_kernel)  # nbclient does not, if a start is cancelled
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


@contextmanager
def _shared_workers(accelerator: bool, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """The environment variable by which kernels find the workers, which report what they train."""
    from dask.system import CPU_COUNT

    address = os.environ.get("SSN3D_CLUSTER")
    if accelerator and not address:
        yield {}
        return
    with many.connected(address) if address else many.local_workers(CPU_COUNT) as client:
        workers = max(1, len(client.scheduler_info()["workers"]))  # others may come later
        client.subscribe_topic(many.NEWS, _progress(say, workers))
        yield {"SSN3D_CLUSTER": client.scheduler.address}


def _progress(
    say: Callable[[str], None], workers: int
) -> Callable[[tuple[float, Mapping[str, Any]]], None]:
    """What tells of each run that workers train, and how long the others will take.

    The others are those that a notebook has asked for by then.
    """
    asked: set[str] = set()
    seconds: dict[str, float] = {}

    def tell(event: tuple[float, Mapping[str, Any]]) -> None:
        news = event[1]
        asked.update(news.get("asked", ()))
        if "made" not in news:
            return
        seconds[news["made"]] = news["seconds"]
        left = len(asked - seconds.keys()) * mean(seconds.values()) / workers / 60
        say(
            f"  MISS {news['made']} ({news['seconds']:.0f} s); {len(seconds)} of "
            f"{len(asked | seconds.keys())} trainings, about {left:.0f} minutes for the others"
        )

    return tell


def _kernel_environment(figures: Path, scratch: Path) -> dict[str, str]:
    """For a kernel: where results go, no progress bars, no start-up files of the user."""
    profile = scratch / "profile_default"
    profile.mkdir()
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    return {"SSN3D_FIGURES": str(figures), "TQDM_DISABLE": "1", "IPYTHONDIR": str(scratch)}


def _portable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without times, random ids and versions, so that equal results make equal files.

    Links to results lead there from figures/executed.

    Raises:
        RuntimeError: a cell was not run, as happens when a notebook stops itself.
    """
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.id = "injected-parameters"
        if cell.cell_type == "code" and cell.source and cell.execution_count is None:
            raise RuntimeError(f"cell {cell.id!r} was not run")
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../figures/", "](../")
    return notebook


def _in_words(failure: Exception, notebook: nbformat.NotebookNode) -> str:
    if isinstance(failure, CellExecutionError):
        ran = [cell.get("execution_count") or 0 for cell in notebook.cells]
        return f"cell {max(ran)}: {failure.ename}: {failure.evalue}"
    return f"{type(failure).__name__}: {failure}"


def _made_by(figures: Path, notebook: str) -> dict[str, Any]:
    """Entries of the manifest that a notebook's results have."""
    entries = results.read(figures).items()
    return {name: entry for name, entry in entries if entry["notebook"] == notebook}
