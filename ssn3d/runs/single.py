"""Find a run in the store or make it; many runs side by side.

Two askers for one run train it once: the second waits for the first and finds its result.
"""

import logging
import os
import platform
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock
from tqdm.auto import tqdm

from ssn3d import data
from ssn3d.config import Settings
from ssn3d.data import data_folder, project_folder
from ssn3d.datasets.identity import digest
from ssn3d.training.loop import OnStep

from . import dispatch, store, workers
from .experiments import experiment_of, kind_of
from .store import Run, store_folder

__all__ = [
    "Run",
    "device_name",
    "find",
    "identify",
    "load_or_train",
    "prepare",
    "sweep",
]

Config = TypeVar("Config", bound=Settings)

log = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.Lock()
"""Seeds, threads and folders belong to a process: workers with several threads must take turns."""
WORTH_PROCESSES = 200
"""Steps of training below which starting processes takes longer than the work itself."""


def identify(config: Settings) -> str:
    """The name of a run in the store, such as reid-mars-ssn3d-semi-supervised-seed0-1a2b3c4d.

    The digits stand for the settings that differ from their defaults, the identity of the data, and
    the version of the results of this kind of run.
    """
    experiment = experiment_of(config)
    digits = digest([config.changed(), data.identity_of(config), experiment.results_version])
    return f"{kind_of(config)}-{experiment.words(config)}-{digits}"


def find(config: Config) -> Run[Config] | None:
    """A finished run, or None."""
    return _intact(identify(config), config)


def load_or_train(
    config: Config, *, device: torch.device | str = "cpu", on_step: OnStep | None = None
) -> Run[Config]:
    """The run of a configuration, from the store if it is there.  Logs HIT or MISS.

    A run from the store is taken as it is; a warning says, once, if other versions of the software
    or another processor made it.

    Args:
        config: the run.
        device: where to compute if it must be trained.
        on_step: see `loop.run`.
    """
    name = identify(config)
    run = _intact(name, config)
    if run is not None:
        log.info("HIT %s", name)
        _warn_of_origin(run, device)
        return run
    store.check_writable()
    with FileLock(store_folder() / f"{name}.lock"):  # nobody else makes it meanwhile
        run = _intact(name, config, log.debug)
        if run is not None:
            log.info("HIT %s (made by another process just now)", name)
            return run
        log.info("MISS %s", name)
        _make(config, name, device, on_step)
    return _surely(_intact(name, config), name)


def sweep(
    configs: Iterable[Config], *, client: Any = None, device: torch.device | str = "cpu"
) -> list[Run[Config]]:
    """Many runs; those that the store lacks are trained side by side.

    Results travel through the store, so a worker that dies costs one training and no result.
    Workers know nothing of the script or notebook that asks: what it changes in ssn3d or torch,
    other than by `configs`, does not reach them.

    Args:
        configs: the runs; equal ones are trained once.
        client: a dask.distributed Client whose workers see the same data folder and store, or the
            address of its scheduler.  None takes the address $SSN3D_CLUSTER, or else starts a
            process for each core of this machine, unless the work is not worth it.
        device: where each run computes.  On a cluster, a run on "cuda" takes a worker's resource
            "GPU" (dask worker --no-nanny --resources GPU=1).

    Returns:
        The runs, in the order of `configs`.

    Raises:
        Exception: what made a run impossible; see `load_or_train`, and `dispatch.each`.
    """
    configs = list(configs)
    missing = list({identify(config): config for config in configs if not find(config)}.values())
    log.info("%d of %d runs are in the store", len(configs) - len(missing), len(configs))
    if missing:
        store.check_writable()
    # the accelerator of this machine is not shared
    tasks = len(missing) if torch.device(device).type == "cpu" else 1
    # in notebooks, bars do not read $TQDM_DISABLE by themselves
    silent = not missing or bool(os.environ.get("TQDM_DISABLE"))
    with (
        tqdm(total=len(missing), desc="training", unit="run", disable=silent) as bar,
        _workers(client, missing, tasks) as crew,
    ):
        if crew is None:
            for config in missing:
                load_or_train(config, device=device)
                bar.update()
        else:
            _data_sets(crew, missing)  # first, so that no worker waits while another renders
            for _ in _on(crew, load_or_train, missing, device=device):
                bar.update()
    return [load_or_train(config, device=device) for config in configs]


def prepare(configs: Iterable[Settings], *, client: Any = None) -> None:
    """Make the rendered data sets that runs need and the data folder lacks, side by side.

    Args:
        configs: the runs.
        client: see `sweep`.
    """
    missing = [config for config in configs if not data.is_ready(config)]
    sets = {data.identity_of(config) for config in missing}
    with _workers(client, missing, len(sets)) as crew:
        _data_sets(crew, missing)


def _make(
    config: Settings,
    name: str,
    device: torch.device | str,
    on_step: OnStep | None,
) -> None:
    experiment = experiment_of(config)
    with torch.random.fork_rng(devices=[]):
        experiment.build(config).to(device)  # what keeps it from being built shows before long work
    checkpoint = store_folder() / f"{name}.checkpoint"
    taken = 0

    def count(step: int, steps: int, terms: dict[str, float]) -> None:
        nonlocal taken
        taken += 1
        if on_step:
            on_step(step, steps, terms)

    try:
        result = experiment.make(config, device, checkpoint, count)
    except KeyboardInterrupt:
        log.warning("interrupted; asked for again, %s goes on where it was last saved", name)
        raise
    made = {
        "kind": kind_of(config),
        "data": data.identity_of(config),
        "results_version": experiment.results_version,
        "commit": _commit(),
        "device": device_name(device),
        "seconds": result.seconds,
        # steps of interrupted trainings, whose time is not among the seconds
        "resumed_after": len(result.history.get("total", [])) - taken,
        "versions": _versions(),
    }
    store.write(store_folder() / name, config, result.network, result.history, result.metrics, made)
    checkpoint.unlink(missing_ok=True)


def _surely(run: Run[Any] | None, name: str) -> Run[Any]:
    if run is None:
        raise RuntimeError(f"the run {name} was made but is gone from {store_folder()}")
    return run


def _intact(
    name: str, config: Settings, tell: Callable[..., None] = log.warning
) -> Run[Any] | None:
    try:
        run = store.read(store_folder() / name)
        if run is None or run.config == config:
            return run
        theirs, ours = asdict(run.config), asdict(config)
        other = ", ".join(key for key in ours if theirs.get(key) != ours[key])
        error = ValueError(f"{run.folder} holds a run of other settings ({other or 'its kind'})")
    except ValueError as damage:
        error = damage
    tell("%s; it counts as missing and will be made again", error)
    return None


def _warn_of_origin(run: Run[Any], device: torch.device | str) -> None:
    """Say, once for each kind of difference, that a run was made by other software or hardware."""
    here = {**_versions(), "device": device_name(device)}
    there = {**run.made["versions"], "device": run.made["device"]}
    others = [
        f"{name} {there[name]}, here {now}" for name, now in here.items() if there[name] != now
    ]
    if others:
        _warn_once("; ".join(others), run.id)


@cache
def _warn_once(difference: str, first: str) -> None:
    log.warning(
        "%s was made elsewhere (%s), as others in the store may be; made here its numbers may "
        "differ a little.  To have them all from this machine, set SSN3D_RUNS to an empty folder",
        first,
        difference,
    )


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("ssn3d", "torch", "torchvision")}


@cache
def _commit() -> str | None:
    """Of the checkout that runs, with "-dirty" where files were changed; None outside of one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=project_folder(), capture_output=True, text=True)
    except OSError:  # no git here
        return None
    return told.stdout.strip() or None


def _data_sets(crew: Any, configs: Sequence[Settings]) -> None:
    lacking = (config for config in configs if not data.is_ready(config))
    sets = list({data.identity_of(config): config for config in lacking}.values())
    for _ in map(data.prepare, sets) if crew is None else _on(crew, data.prepare, sets):
        pass


def _on(
    client: Any, function: Callable[..., Any], configs: Sequence[Settings], **options: Any
) -> Iterator[object]:
    """Have a function called for each configuration; one more is done at each step."""
    folders = {"SSN3D_DATA": str(data_folder()), "SSN3D_RUNS": str(store_folder())}
    folders["SSN3D_FOLDER"] = os.environ.get("SSN3D_FOLDER", "")
    return dispatch.each(
        client,
        partial(_remote, function, **options),
        [(config, folders, identify(config)) for config in configs],
        words=lambda work: identify(work[0]),
        shared=store_folder(),
        gpu=torch.device(options.get("device", "cpu")).type == "cuda",
    )


def _remote(
    function: Callable[..., Any],
    config: Settings,
    folders: dict[str, str],
    name: str | None = None,
    **options: Any,
) -> None:
    """Call a function in a worker, with the caller's folders; it must know the run by this name."""
    with _ONE_AT_A_TIME:
        os.environ.update(folders)
        if name and (own := identify(config)) != name:
            raise RuntimeError(
                f"expected a worker that makes the run {name}, got one on {platform.node()} that "
                f"would make {own}: its copy of ssn3d, or of the data, is another; install the "
                "same everywhere and start the workers anew"
            )
        function(config, **options)


def _workers(client: Any, configs: Sequence[Settings], tasks: int) -> AbstractContextManager[Any]:
    """Who is at hand for so many tasks, or None where this process is as fast."""
    if not configs:
        return nullcontext()
    steps = sum(experiment_of(config).steps(config) for config in configs)
    return workers.at_hand(client, tasks if steps >= WORTH_PROCESSES else 1)


def device_name(device: torch.device | str) -> str:
    """What computes, as the record of a run says it, such as "AMD EPYC (AVX512), one thread"."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()} ({torch.backends.cpu.get_cpu_capability()}), one thread"


@cache
def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
