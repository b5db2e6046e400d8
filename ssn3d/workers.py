"""Work side by side: on this machine's cores, or on a dask cluster that may lose any of its parts.

What workers make must outlive them (here: in a store), since only the news that it is made travels
back.  So whatever dies, what was not heard of is asked for again, and is found if it was made.
"""

import logging
import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item", bound=Sequence[Any])

log = logging.getLogger(__name__)

# Freed memory is kept: every step needs as much again.  dask's own choice, to hand it back at
# once, takes twice as long; glibc's, a fifth longer a step in one trial.
ENVIRONMENT = {
    "OMP_NUM_THREADS": 1,
    "MALLOC_TRIM_THRESHOLD_": 2**32,
    "MALLOC_MMAP_THRESHOLD_": 2**32,
}
"""Of the processes that work."""
PATIENCE = 300
"""Seconds to wait for a cluster that has no workers, or is gone; $SSN3D_PATIENCE overrides it."""
AT_FIRST = 10
"""Seconds to wait for a scheduler that was never heard of, or for a GPU where others work."""
RETRIES = 2
"""How often a piece of work is begun again after what may be a machine's fault."""
LOOK = 5
"""Seconds without news after which to see whether anybody is still at work."""
PROPAGATION = 3
"""Seconds that a file may need to appear on other machines."""


class Unmanned(RuntimeError):
    """Nobody is there to work."""


def at_hand(client: Any, tasks: int) -> AbstractContextManager[Any]:
    """Whoever can work: the client's cluster, or that at $SSN3D_CLUSTER, or this machine's cores.

    Gives a client or an address, for `each`; or None where there is one core, or one task, so that
    this process does as well.
    """
    from dask.system import CPU_COUNT

    there = client or os.environ.get("SSN3D_CLUSTER")
    if there or min(tasks, CPU_COUNT) < 2:
        return nullcontext(there or None)
    return this_machine(tasks)


@contextmanager
def this_machine(most: int | None = None) -> Iterator[Any]:
    """A process for each core, but no more than `most`."""
    import dask
    from dask.system import CPU_COUNT
    from distributed import Client, LocalCluster

    settings = {
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        "distributed.worker.profile.enabled": False,  # 200 kB more with each run
    }
    with (
        dask.config.set(settings),
        _silence("distributed"),  # of workers that are told to stop, some complain
        ExitStack() as stack,
    ):
        with deaf():
            cluster = LocalCluster(
                n_workers=min(CPU_COUNT, most or CPU_COUNT),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # any free port: the usual one may be taken
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
        stack.enter_context(cluster)
        local = stack.enter_context(Client(cluster))
        local.wait_for_workers(1)  # or the client may not know of any yet
        yield local


@contextmanager
def deaf() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, which a terminal sends to all.

    They would each complain of it; it is for this process, which hears it afterwards, to end them.
    """
    resource_tracker.ensure_running()  # which would let this thread hear again when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # handed down
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _silence(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


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

    address, wait = _address_of(client), float(AT_FIRST)
    security = getattr(client, "security", None)
    left = dict(enumerate(work))
    crew = None if isinstance(client, str) else client
    with ExitStack() as stack:
        mark = _mark(shared)
        while left:
            try:
                if crew is None:
                    crew = stack.enter_context(connected(address, wait, security=security))
                    log.info("working on the cluster %s, see %s", address, crew.dashboard_link)
                for number in _round(crew, function, left, mark, words, gpu):
                    yield left.pop(number)
            except (CancelledError, CommClosedError, ClosedClientError):
                crew, wait = None, patience()
                log.warning("lost the scheduler %s; waiting up to %.0f s for it", address, wait)
            except Unmanned as error:
                some = ", ".join(words(each) for each in islice(left.values(), 3))
                raise Unmanned(
                    f"{error}.  Of {len(work)}, {len(work) - len(left)} are done and kept, "
                    f"{len(left)} are missing ({some}{', ...' if len(left) > 3 else ''}); asking "
                    "again goes on"
                ) from None


@contextmanager
def connected(address: str, seconds: float, **options: Any) -> Iterator[Any]:
    """A client of the scheduler at an address, which may take a while to answer.

    Raises:
        Unmanned: it does not.
    """
    from distributed import Client

    try:  # which asks again and again
        client = Client(address, timeout=seconds, set_as_default=False, **options)
    except (OSError, ValueError) as error:
        raise Unmanned(
            f"expected a dask scheduler at {address!r}, got no answer in {seconds:.0f} s "
            f"({error}); start one, and give the address that it shows, such as "
            "tcp://10.0.0.1:8786"
        ) from None
    with client:
        yield client


def patience() -> float:
    """Seconds to wait for a cluster to come (back)."""
    text = os.environ.get("SSN3D_PATIENCE", str(PATIENCE))
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"SSN3D_PATIENCE: expected seconds, such as 3600, got {text!r}") from None


def _address_of(client: Any) -> str:
    if isinstance(client, str):
        return client
    if client.scheduler is None:
        raise Unmanned(
            "expected a connected dask client, got a closed one; make another, or give the "
            "address of the scheduler"
        )
    return client.scheduler.address


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

    _await_workers(client, gpu)
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
            _await_workers(client, gpu)


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


def _await_workers(client: Any, gpu: bool) -> None:
    """Return as soon as somebody can work.

    Raises:
        Unmanned: nobody came in time.
    """
    from distributed.comm import CommClosedError

    start, told, there = time.monotonic(), False, False
    while True:
        if client.status not in ("running", "connecting"):
            raise CommClosedError("the scheduler is gone")
        known = client.scheduler_info(n_workers=-1)
        if "workers" not in known:  # closed meanwhile
            raise CommClosedError("the scheduler is gone")
        crew = known["workers"].values()
        if any(not gpu or worker["resources"].get("GPU", 0) >= 1 for worker in crew):
            return
        if bool(crew) != there:
            start, there = time.monotonic(), bool(crew)
        wait = AT_FIRST if crew else patience()
        slots = " --no-nanny --resources GPU=1" if gpu else ""
        got = f"{len(crew)} without" if crew else "none"
        lack = (
            f"expected workers{' with a GPU slot, for work on cuda' if gpu else ''}, got {got}; "
            f"start some: dask worker {client.scheduler.address} --nthreads 1{slots}"
        )
        if time.monotonic() > start + wait:
            raise Unmanned(f"{lack}; waited {wait:.0f} s")
        if not told:
            log.warning("%s.  Waiting up to %.0f s", lack, wait)
        told = True
        time.sleep(0.5)


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
