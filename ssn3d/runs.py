"""Find a run in the store or make it; many runs side by side.

Two askers for one run train it once: the second waits for the first and finds its result.
"""

import logging
import os
import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from typing import Any, TypeVar

import torch
from filelock import FileLock
from tqdm.auto import tqdm

from . import parallel, store
from .data import data_folder
from .datasets.identity import source_digest
from .descent import OnStep
from .recipes import kind_of, recipe_of
from .settings import Settings
from .store import Run, store_folder

__all__ = ["Run", "describe", "find", "identify", "load_or_train", "prepare", "sweep"]

Config = TypeVar("Config", bound=Settings)

log = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.Lock()
"""Seeds, threads and folders belong to a process: workers with several threads must take turns."""
WORTH_PROCESSES = 200
"""Steps of training below which starting processes takes longer than the work itself."""


def identify(config: Settings) -> str:
    """The name of a run in the store, another for any other setting, data or code of it."""
    recipe = recipe_of(config)
    return config.run_id(recipe.identity_of(config), _code(recipe.modules(config)))


def find(config: Config) -> Run[Config] | None:
    """A finished run, or None."""
    return _intact(identify(config))


def load_or_train(
    config: Config, *, device: torch.device | str = "cpu", on_step: OnStep | None = None
) -> Run[Config]:
    """The run of a configuration, from the store if it is there.  Logs HIT or MISS, and why.

    Args:
        config: the run.
        device: where to compute if it must be trained.
        on_step: see `descent.descend`.
    """
    name = identify(config)
    run = _intact(name)
    if parallel.agreed(run is not None):
        log.info("HIT %s %s", name, describe(config))
        return _surely(run, name)
    store_folder().mkdir(parents=True, exist_ok=True)
    with _alone(name):
        run = _intact(name, log.debug)
        if parallel.agreed(run is not None):
            log.info("HIT %s %s (made by another process just now)", name, describe(config))
            return _surely(run, name)
        why = _why_missing(config)
        log.info("MISS %s %s: %s", name, describe(config), why)
        _make(config, name, why, device, on_step)
        parallel.agreed(True)  # that it is written
    return _surely(_intact(name), name)


def sweep(
    configs: Iterable[Config], *, client: Any = None, device: torch.device | str = "cpu"
) -> list[Run[Config]]:
    """Many runs; those that the store lacks are trained side by side.

    Results travel through the store, so a worker that dies costs one training and no result.

    Args:
        configs: the runs; equal ones are trained once.
        client: a dask.distributed Client whose workers see the same data folder and store.  None
            takes the cluster at the address $SSN3D_CLUSTER, or else starts a process for each core
            of this machine, unless the work is not worth it.
        device: where each run computes.  On a cluster, a run on "cuda" takes a worker's resource
            "GPU" (dask worker --resources GPU=1).

    Returns:
        The runs, in the order of `configs`.
    """
    configs = list(configs)
    missing = list({identify(config): config for config in configs if not find(config)}.values())
    log.info("%d of %d runs are in the store", len(configs) - len(missing), len(configs))
    # the accelerator of this machine is not shared
    tasks = len(missing) if torch.device(device).type == "cpu" else 1
    # in notebooks, bars do not read $TQDM_DISABLE by themselves
    silent = not missing or bool(os.environ.get("TQDM_DISABLE"))
    with (
        tqdm(total=len(missing), desc="training", unit="run", disable=silent) as bar,
        _workers(client, missing, tasks) as workers,
    ):
        if workers is None:
            for config in missing:
                load_or_train(config, device=device)
                bar.update()
        else:
            _data_sets(workers, missing)  # first, so that no worker waits while another renders
            for _ in _on(workers, load_or_train, missing, device=device):
                bar.update()
    return [load_or_train(config, device=device) for config in configs]


def prepare(configs: Iterable[Settings], *, client: Any = None) -> None:
    """Make the rendered data sets that runs need and the data folder lacks, side by side.

    Args:
        configs: the runs.
        client: see `sweep`.
    """
    missing = [config for config in configs if not recipe_of(config).is_ready(config)]
    sets = {recipe_of(config).identity_of(config) for config in missing}
    with _workers(client, missing, len(sets)) as workers:
        _data_sets(workers, missing)


def describe(config: Settings) -> str:
    """A run in a few words, for people."""
    return recipe_of(config).describe(config)


def _make(
    config: Settings,
    name: str,
    why: str,
    device: torch.device | str,
    on_step: OnStep | None,
) -> None:
    recipe = recipe_of(config)
    with torch.random.fork_rng():
        recipe.build(config).to(device)  # what keeps it from being built shows before long work
    progress = store_folder() / f"{name}.progress"
    try:
        network, history, metrics, seconds = recipe.make(config, device, progress, on_step)
    except KeyboardInterrupt:
        log.warning("interrupted; asked for again, %s goes on where it was last saved", name)
        raise
    if parallel.place() > 0:
        return
    made = {
        "kind": kind_of(config),
        "why": why,
        "data": recipe.identity_of(config),
        "code": _code(recipe.modules(config)),
        "device": _device_name(device),
        "seconds": seconds,
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in ("ssn3d", "torch", "torchvision")},
    }
    store.write(store_folder() / name, config, network, history, metrics, made)
    progress.unlink(missing_ok=True)


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Nobody else makes the run meanwhile, but the processes that train it together."""
    with ExitStack() as stack:
        if parallel.place() == 0:
            stack.enter_context(FileLock(store_folder() / f"{name}.lock"))
        yield


def _surely(run: Run[Any] | None, name: str) -> Run[Any]:
    if run is None:
        raise RuntimeError(f"the run {name} was made but is gone from {store_folder()}")
    return run


def _intact(name: str, tell: Callable[..., None] = log.warning) -> Run[Any] | None:
    try:
        return store.read(store_folder() / name)
    except ValueError as error:
        tell("%s; it counts as missing and will be made again", error)
        return None


def _why_missing(config: Settings) -> str:
    """What the nearest run of its kind in the store has different."""
    recipe, wanted = recipe_of(config), asdict(config)
    nearest: set[str] | None = None
    for folder in store_folder().glob("[!.]*/"):
        run = _intact(folder.name, log.debug)
        if run is None or not isinstance(run.config, recipe.config):
            continue
        settings = asdict(run.config)
        others = {field for field in wanted if settings[field] != wanted[field]}
        if not others:
            now = {"data": recipe.identity_of(config), "code": _code(recipe.modules(config))}
            others = {thing for thing, value in now.items() if run.made[thing] != value}
        if nearest is None or len(others) < len(nearest):
            nearest = others
    if nearest is None:
        return "the store holds no other run"
    return f"the nearest run differs in {', '.join(sorted(nearest))}"


def _data_sets(workers: Any, configs: Sequence[Settings]) -> None:
    sets = list({recipe_of(config).identity_of(config): config for config in configs}.values())
    for _ in map(_prepared, sets) if workers is None else _on(workers, _prepared, sets):
        pass


def _prepared(config: Settings) -> object:
    return recipe_of(config).prepare(config)


def _on(
    client: Any, function: Callable[..., Any], configs: Sequence[Settings], **options: Any
) -> Iterator[str]:
    """What a function returns for each configuration, as workers get done with them."""
    from distributed import as_completed

    folders = {"SSN3D_DATA": str(data_folder()), "SSN3D_RUNS": str(store_folder())}
    folders |= {name: os.environ[name] for name in ["SSN3D_FOLDER"] if name in os.environ}
    slot = {"GPU": 1} if torch.device(options.get("device", "cpu")).type == "cuda" else None
    tasks = [
        client.submit(_remote, function, config, folders, pure=False, resources=slot, **options)
        for config in configs
    ]
    for task in as_completed(tasks):
        yield task.result()


def _remote(
    function: Callable[..., Any], config: Settings, folders: dict[str, str], **options: Any
) -> str:
    """Call a function in a worker that uses the caller's folders; only a name travels back."""
    with _ONE_AT_A_TIME:
        os.environ.update(folders)
        result = function(config, **options)
    return result.id if isinstance(result, Run) else str(result)


@contextmanager
def _workers(client: Any, configs: Sequence[Settings], tasks: int) -> Iterator[Any]:
    """The given client or cluster, this machine's cores, or None where this process is as fast."""
    if client is None and configs and (address := os.environ.get("SSN3D_CLUSTER")):
        from distributed import Client

        with Client(address) as cluster:
            log.info("working on the cluster %s, see %s", address, cluster.dashboard_link)
            yield cluster
        return
    steps = sum(recipe_of(config).steps(config) for config in configs)
    if client is not None or tasks < 2 or steps < WORTH_PROCESSES:
        yield client
        return
    import dask
    from dask.system import CPU_COUNT

    if CPU_COUNT < 2:
        yield None
        return
    from distributed import Client, LocalCluster

    # Freed memory is kept: every step needs as much again.  dask's own choice, to hand it back at
    # once, takes twice as long; glibc's, a fifth longer a step in one trial.
    keep = 2**32
    environment = {
        "OMP_NUM_THREADS": 1,
        "MALLOC_TRIM_THRESHOLD_": keep,
        "MALLOC_MMAP_THRESHOLD_": keep,
    }
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment}),
        LocalCluster(
            n_workers=min(CPU_COUNT, tasks),
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",  # any free port: the usual one may be taken
            memory_limit=None,
            silence_logs=logging.CRITICAL,  # of workers that are told to stop, some complain
        ) as cluster,
        Client(cluster) as local,
    ):
        yield local


@cache
def _code(modules: tuple[str, ...]) -> str:
    """Digest of the sources that compute a run."""
    # the fields of a configuration count one by one, the presets do not
    return source_digest(
        modules, but=["ssn3d.config", "ssn3d.study_config", "ssn3d.settings", "ssn3d.recipes"]
    )


def _device_name(device: torch.device | str) -> str:
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, one thread"
