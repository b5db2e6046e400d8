"""Work shared out among workers, of whom any may die, and the scheduler too.

What they make must outlive them (here: in a store), since only the news that it is made travels
back.  So whatever dies, what was not heard of is asked for again, and is found if it was made.
"""

import logging
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from . import workers

Item = TypeVar("Item", bound=Sequence[Any])

log = logging.getLogger(__name__)

RETRIES = 2
"""How often a piece of work is begun again after what may be a machine's fault."""
LOOK = 5
"""Seconds without news after which to see whether anybody is still at work."""
PROPAGATION = 3
"""Seconds that a file may need to appear on other machines."""


def each(
    client: Any,
    function: Callable[..., Any],
    work: Sequence[Item],
    *,
    words: Callable[[Item], str],
    shared: Path,
    gpu: bool = False,
) -> Iterator[Item]:
    """Have a function called for each piece of work, and say of each when it is done.

    Workers may die, and the scheduler may be started anew at the same address; what is then in
    doubt is done again.  What several clients ask for at a time is done once.  Workers end,
    without an error, when they lose their scheduler: let something start them anew, as systemd
    does with Restart=always.

    Args:
        client: of the cluster, or the address of its scheduler.
        function: what to call; must be quick for what is already done.
        work: its arguments, each time.
        words: a piece of work, for people.
        shared: a folder that every worker must see.
        gpu: whether each takes a worker's resource "GPU".

    Raises:
        Unmanned: nobody can work, or the cluster was lost and did not come back in time.
        RuntimeError: a worker does not see the folder; all workers that began a piece died.
        Exception: what the function raised, with a note that says in which piece of work.
    """
    from distributed.client import ClosedClientError
    from distributed.comm import CommClosedError

    address, wait = workers.address_of(client), float(workers.AT_FIRST)
    security = getattr(client, "security", None)
    left = dict(enumerate(work))
    crew = None if isinstance(client, str) else client
    with ExitStack() as stack:
        mark = _mark(shared)
        while left:
            try:
                if crew is None:
                    crew = stack.enter_context(workers.connected(address, wait, security=security))
                    log.info("working on the cluster %s, see %s", address, crew.dashboard_link)
                for number in _round(crew, function, left, mark, words, gpu):
                    yield left.pop(number)
            except (CancelledError, CommClosedError, ClosedClientError):
                crew, wait = None, workers.patience()
                log.warning("lost the scheduler %s; waiting up to %.0f s for it", address, wait)
            except workers.Unmanned as error:
                some = ", ".join(words(each) for each in islice(left.values(), 3))
                raise workers.Unmanned(
                    f"{error}.  Of {len(work)}, {len(work) - len(left)} are done and kept, "
                    f"{len(left)} are missing ({some}{', ...' if len(left) > 3 else ''}); asking "
                    "again goes on"
                ) from None


def _round(
    client: Any,
    function: Callable[..., Any],
    left: Mapping[int, Item],
    mark: Path,
    words: Callable[[Item], str],
    gpu: bool,
) -> Iterator[int]:
    """Submit what is left, and say which of it is done."""
    from dask.base import tokenize

    faults: Counter[int] = Counter()

    def submit(number: int) -> Any:
        name = f"{tokenize(function, left[number], mark)}-{faults[number]}"
        slot = {"GPU": 1} if gpu else None
        return client.submit(_call, function, left[number], mark, key=name, resources=slot)

    workers.await_workers(client, gpu)
    tasks = {submit(number): number for number in left}
    try:
        while tasks:
            for task in _finished(client, tasks, gpu):
                number = tasks.pop(task)
                if task.cancelled():
                    raise CancelledError
                if task.status == "error":
                    faults[number] += 1
                    _raise_unless_worth_it(task, words(left[number]), faults[number])
                    tasks[submit(number)] = number
                else:
                    yield number
    finally:
        for task in tasks:  # or a traceback that is kept would keep them on the cluster
            task.release()


def _finished(client: Any, tasks: Mapping[Any, int], gpu: bool) -> Sequence[Any]:
    """Those that are done, at least one; sees meanwhile that somebody is at work."""
    from distributed import wait

    while True:
        try:
            with client.as_current():
                return list(wait(list(tasks), timeout=LOOK, return_when="FIRST_COMPLETED").done)
        except TimeoutError:
            workers.await_workers(client, gpu)


def _raise_unless_worth_it(task: Any, words: str, faults: int) -> None:
    from distributed import KilledWorker

    error, trace = task.exception(), task.traceback()
    task.release()  # or the same client, asked again, would give the same error
    # a worker that dies is counted against all that it had, even what it had not begun
    if isinstance(error, OSError | KilledWorker) and faults <= RETRIES:
        log.warning("%s: %r; trying again, %d of %d", words, error, faults, RETRIES)
        return
    if isinstance(error, KilledWorker):
        raise RuntimeError(
            f"{words}: workers that had it, at work or waiting, died "
            f"{faults * (error.allowed_failures + 1)} times, the last at "
            f"{error.last_worker.address}; see their logs: is it memory, or a limit of time?  What "
            "is finished is kept; asking again goes on"
        ) from None
    log.error("%s: %r", words, error)
    error.add_note(f"This happened in a worker, in {words}.")
    raise error.with_traceback(trace)


def _call(function: Callable[..., Any], item: Sequence[Any], mark: Path) -> None:
    """In a worker, which must see the mark."""
    until = time.monotonic() + PROPAGATION
    while not mark.exists():
        if time.monotonic() > until:
            raise RuntimeError(
                f"expected a worker that shares the folder {mark.parent}, got one on "
                f"{platform.node()} that does not see what is in it; mount it there under the same "
                "name, or choose a folder that all see"
            )
        time.sleep(0.1)
    function(*item)


def _mark(folder: Path) -> Path:
    """A file by which workers know a folder.  It stays, as others may wait for the same work."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / ".mark"
    mark.touch()
    return mark
