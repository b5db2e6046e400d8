"""The main job: all notebooks, headlessly, side by side, on workers that they share."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import chain
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from ssn3d.config.base import nearest
from ssn3d.data import project_folder
from ssn3d.runs import store
from ssn3d.runs.workers import detached, this_machine

from .execution import Outcome, environment, run

ON_REQUEST = ("08_misalignment", "09_explore_and_annotate", "10_your_data")
"""Notebooks that answer what the paper does not ask; the first trains as long as all others."""


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
    of them lack is trained once, and counted for the first of them.  An accelerator is not shared:
    there, one after the other.
    """
    *most, last = chosen
    work = partial(
        run, figures=figures, parameters=parameters, failed=project_folder() / "build" / "failed"
    )
    elsewhere = bool(os.environ.get("SSN3D_CLUSTER"))
    alone = not elsewhere and not str(parameters.get("device", "cpu")).startswith("cpu")
    at_once = 1 if alone else os.cpu_count()
    told: frozenset[str] = frozenset()
    with ExitStack() as stack:
        stack.enter_context(_news(say, store.names()))
        if not (len(most) < 2 or elsewhere or alone):
            stack.enter_context(_own_workers())
        pool = ProcessPoolExecutor(at_once, get_context("spawn"), _end_with_parent)
        stack.enter_context(pool)
        with detached():
            beside = pool.map(work, most)
        for outcome in chain(beside, map(work, [last])):
            say(f"{outcome.notebook}: {outcome.error or 'ok'}")
            yield outcome._replace(trained=outcome.trained - told)
            told |= outcome.trained


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
def _own_workers() -> Iterator[None]:
    """This machine's cores, as a cluster for all notebooks."""
    with this_machine() as client:
        # should this process be killed, its scheduler will not come back
        wanted = {"SSN3D_CLUSTER": client.scheduler.address, "SSN3D_PATIENCE": "60"}
        with environment(wanted):
            yield


@contextmanager
def _news(say: Callable[[str], None], known: set[str]) -> Iterator[None]:
    """Tell of runs as they appear in the store, which processes of the notebook's own make."""
    done = threading.Event()

    def watch() -> None:
        told = set(known)
        while not done.wait(2):
            for name in sorted(store.names() - told):
                try:
                    run = store.read(store.store_folder() / name)
                except ValueError:  # damaged: whoever asks for it makes it anew
                    continue
                if run:
                    seconds = sum(run.made["seconds"].values())
                    say(f"  MISS {name} ({seconds:.0f} s)")
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
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see `detached`
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
