"""Who works: a process for each core of this machine, or whoever a dask scheduler has."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from multiprocessing import resource_tracker
from typing import Any

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

_ONE_AT_A_TIME = threading.Lock()
"""What `detached` hides belongs to the whole process."""


class Unmanned(RuntimeError):
    """Nobody is there to work."""


def at_hand(client: Any, tasks: int) -> AbstractContextManager[Any]:
    """Whoever can work: the client's cluster, or that at $SSN3D_CLUSTER, or this machine's cores.

    Gives a client or an address, for `dispatch.each`; or None where there is one core, or one task,
    so that this process does as well.
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
        with detached():
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
def detached() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, nor do they import the script that runs.

    A terminal sends Ctrl-C to all, and they would each complain of it; it is for this process,
    which hears it afterwards, to end them.  And Python has new processes import the script; where
    it lacks an `if __name__ == "__main__"`, they would begin its work from the start.
    """
    resource_tracker.ensure_running()  # which would let this thread hear again when it starts
    main = vars(sys.modules["__main__"])
    with _ONE_AT_A_TIME:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # handed down
        known: dict[str, Any] = {
            name: main.pop(name) for name in ("__file__", "__spec__") if name in main
        }
        main["__spec__"] = None  # as where there is no script
        try:
            yield
        finally:
            del main["__spec__"]
            main.update(known)
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


def address_of(client: Any) -> str:
    """Of a client's scheduler; an address is its own.

    Raises:
        Unmanned: the client is closed.
    """
    if isinstance(client, str):
        return client
    if client.scheduler is None:
        raise Unmanned(
            "expected a connected dask client, got a closed one; make another, or give the "
            "address of the scheduler"
        )
    return client.scheduler.address


def await_workers(client: Any, gpu: bool) -> None:
    """Return as soon as somebody can work, or with `gpu`, has a GPU slot.

    Raises:
        Unmanned: nobody came in time.
        CommClosedError: the scheduler is gone.
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
