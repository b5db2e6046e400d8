"""Many runs at once, on dask: one process for each core of this machine, or any dask cluster."""

import logging
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, TypeVar

import torch
from tqdm.auto import tqdm

from ssn3d import data
from ssn3d.config import Settings

from . import store
from .experiments import experiment_of
from .single import find, identify, load_or_train
from .store import Run, store_folder

Config = TypeVar("Config", bound=Settings)

log = logging.getLogger(__name__)

WORTH_PROCESSES = 200
"""Steps of training below which starting processes takes longer than the training itself."""
WAIT = 20
"""Seconds to wait for an answer of the scheduler, and for its first worker."""
RETRIES = 2
"""How often dask repeats a training that failed."""
NEWS = "ssn3d"
"""Topic of dask's events: the names of runs that are asked for, and each run that was trained."""
ENVIRONMENT = {
    "OMP_NUM_THREADS": 1,
    # Freed memory is kept, as every step needs as much again.  With dask's own setting, which
    # returns it at once, a step takes twice as long; with glibc's, a fifth longer in one trial.
    "MALLOC_TRIM_THRESHOLD_": 2**32,
    "MALLOC_MMAP_THRESHOLD_": 2**32,
}
"""Environment variables of local worker processes."""

_ONE_AT_A_TIME = threading.Lock()
"""Seeds and folders belong to a process, so the threads of one worker take turns."""


def sweep(
    configs: Iterable[Config], *, client: Any = None, device: torch.device | str = "cpu"
) -> list[Run[Config]]:
    """Find many runs in the store, and train those that it lacks at the same time.

    Results travel through the store.  If a worker dies, dask repeats its training elsewhere, and
    the training resumes from its checkpoint.

    A script that calls this needs the guard `if __name__ == "__main__":`, because Python imports
    the script again in each worker process.  Workers do not see what a script or notebook changes
    in ssn3d or torch at run time, other than by `configs`.

    Args:
        configs: the runs; equal ones are trained once.
        client: a dask.distributed Client, or the address of a scheduler, whose workers see the same
            data folder and store.  None takes the address $SSN3D_CLUSTER; without it, a process is
            started for each core of this machine, unless the work is too small for that.
        device: where each run computes.  On a cluster, a run on "cuda" takes a worker's resource
            "GPU" (dask worker ADDRESS --nthreads 1 --no-nanny --resources GPU=1).

    Returns:
        The runs, in the order of `configs`.

    Raises:
        RuntimeError: no scheduler answers, there are no workers, or a worker has another ssn3d.
        Exception: what made a run impossible, with a note that names the run.
    """
    configs = list(configs)
    missing = _missing(configs)
    log.info("%d of %d runs are in the store", len(configs) - len(missing), len(configs))
    if missing:
        store.check_writable()
    starts = _starts(missing)
    others: list[Settings] = [config for config in missing if config not in starts]
    everything = [*starts, *others]
    # the accelerator of this machine is not shared
    tasks = max(len(starts), len(others)) if torch.device(device).type == "cpu" else 1
    # in notebooks, tqdm does not read $TQDM_DISABLE by itself
    silent = not everything or bool(os.environ.get("TQDM_DISABLE"))
    with (
        tqdm(total=len(everything), desc="training", unit="run", disable=silent) as bar,
        _workers(client, everything, tasks) as found,
    ):
        if found:
            found.log_event(NEWS, {"asked": [identify(config) for config in everything]})
        # data, then what others start from: no worker waits while another one makes it
        _render(found, everything)
        here = partial(load_or_train, device=device)
        for some in filter(None, (starts, others)):
            for _ in _each(found, _train, some, device) if found else map(here, some):
                bar.update()
    return [load_or_train(config, device=device) for config in configs]


def prepare(configs: Iterable[Settings], *, client: Any = None) -> None:
    """Render the data sets that runs need and the data folder lacks, at the same time.

    So it does for the runs that they start from, if the store lacks both.

    Args:
        configs: the runs.
        client: see `sweep`.

    Raises:
        RuntimeError: see `sweep`.
    """
    configs = list(configs)
    missing = [c for c in (*configs, *_starts(_missing(configs))) if not data.is_ready(c)]
    sets = {data.identity_of(config) for config in missing}
    with _workers(client, missing, len(sets)) as found:
        _render(found, missing)


def _missing(configs: Iterable[Config]) -> list[Config]:
    """The runs that the store lacks, each once."""
    return list({identify(config): config for config in configs if not find(config)}.values())


def _starts(configs: Iterable[Settings]) -> list[Settings]:
    """The runs that others start from and that the store lacks, each once."""
    starts = (experiment_of(config).starts_from(config) for config in configs)
    return _missing(start for start in starts if start)


@contextmanager
def local_workers(count: int) -> Iterator[Any]:
    """A dask client of new processes on this machine, which end with the context.

    Args:
        count: how many processes, of one thread each.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
        "distributed.worker.profile.enabled": False,  # it keeps 200 kB more after each run
    }
    with dask.config.set(settings), _silenced("distributed"), ExitStack() as stack:
        # A terminal sends Ctrl-C to all processes.  Only this process shall receive it, and end
        # the workers, which inherit the blocked signal.
        resource_tracker.ensure_running()  # it unblocks SIGINT when it starts
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            cluster = LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # any free port
                memory_limit=None,
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(cluster)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        yield stack.enter_context(Client(cluster))


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A dask client of the cluster at a scheduler's address.

    Raises:
        RuntimeError: no scheduler answers there.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=WAIT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RuntimeError(
            f"expected a dask scheduler at {address!r}, got no answer in {WAIT} s ({error}); start "
            "one (dask scheduler), and give the address that it shows, such as tcp://10.0.0.1:8786"
        ) from None
    with client:
        yield client


@contextmanager
def _workers(client: Any, configs: Sequence[Settings], tasks: int) -> Iterator[Any]:
    """A client with workers for the tasks, or None if this process does them as fast."""
    from dask.system import CPU_COUNT

    client = client or os.environ.get("SSN3D_CLUSTER")
    count = min(tasks, CPU_COUNT)
    steps = sum(experiment_of(config).steps(config) for config in configs)
    if not configs or (not client and (count < 2 or steps < WORTH_PROCESSES)):
        yield None
    elif not client:
        with local_workers(count) as found:
            yield found
    elif isinstance(client, str):
        with connected(client) as found:
            yield found
    else:
        yield client


def _render(client: Any, configs: Sequence[Settings]) -> None:
    lacking = (config for config in configs if not data.is_ready(config))
    sets = list({data.identity_of(config): config for config in lacking}.values())
    for _ in _each(client, data.prepare, sets) if client else map(data.prepare, sets):
        pass


def _each(
    client: Any, function: Callable[..., Any], configs: Sequence[Settings], *device: Any
) -> Iterator[None]:
    """Call a function with each configuration, in workers; yield each time that a call ends."""
    from distributed import as_completed

    gpu = bool(device) and torch.device(device[0]).type == "cuda"
    _check_workers(client, gpu)
    folders = {"SSN3D_DATA": str(data.data_folder()), "SSN3D_RUNS": str(store_folder())}
    folders["SSN3D_FOLDER"] = os.environ.get("SSN3D_FOLDER", "")
    futures = {}
    for config in configs:
        name = identify(config)
        future = client.submit(
            _call,
            function,
            config,
            name,
            folders,
            *device,
            key=f"{function.__name__}-{name}-{store_folder()}",  # all that ask for a run share it
            retries=RETRIES,
            resources={"GPU": 1} if gpu else None,
        )
        futures[future] = name
    try:
        for future in as_completed(futures, loop=client.loop):
            try:
                future.result()
            except Exception as error:
                error.add_note(f"This happened in a worker, in {futures[future]}.")
                raise
            yield
    finally:
        for future in futures:
            future.release()


def _check_workers(client: Any, gpu: bool) -> None:
    """Wait until there is a worker, or with `gpu`, one that has a GPU.

    Raises:
        RuntimeError: there is none in time.
    """
    until = time.monotonic() + WAIT
    while True:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if any(not gpu or worker["resources"].get("GPU", 0) >= 1 for worker in workers):
            return
        if time.monotonic() > until:
            break
        time.sleep(0.2)
    with_gpu, options = (
        (' with the resource "GPU"', " --no-nanny --resources GPU=1") if gpu else ("", "")
    )
    got = f"{len(workers)} without" if workers else "none"
    raise RuntimeError(
        f"expected workers{with_gpu}, got {got} in {WAIT} s; start some (dask worker "
        f"{client.scheduler.address} --nthreads 1{options}), or if a queue starts them later, wait "
        "for them before (client.wait_for_workers(1))"
    )


def _call(
    function: Callable[..., Any], config: Settings, name: str, folders: dict[str, str], *device: Any
) -> None:
    """In a worker: call a function with the folders of the process that asks."""
    with _ONE_AT_A_TIME:
        os.environ.update(folders)
        if (own := identify(config)) != name:
            raise RuntimeError(
                f"expected a worker that makes the run {name}, got one on {platform.node()} that "
                f"would make {own}: its copy of ssn3d or of the data is another; install the same "
                "everywhere and start the workers again"
            )
        function(config, *device)


def _train(config: Settings, device: torch.device | str) -> None:
    """In a worker: find or make a run, and report it if it was made."""
    from distributed import get_worker

    known = find(config)
    run = load_or_train(config, device=device)
    if known is None:
        seconds = sum(run.made["seconds"].values())
        get_worker().log_event(NEWS, {"made": run.id, "seconds": seconds})
