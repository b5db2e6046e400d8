"""One run: its name, and how it is found in the store or trained.

If two processes ask for one run, it is trained once: the second waits, and finds the result.
"""

import logging
import platform
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from filelock import FileLock

from ssn3d import data
from ssn3d.config import Settings
from ssn3d.config.backbone import TIMM
from ssn3d.datasets.identity import digest
from ssn3d.training.loop import OnStep

from . import store
from .experiments import experiment_of, kind_of
from .store import Run, store_folder

Config = TypeVar("Config", bound=Settings)

log = logging.getLogger(__name__)


def identify(config: Settings) -> str:
    """The name of a run in the store, such as reid-mars-ssn3d-semi-supervised-seed0-1a2b3c4d.

    The digits stand for the settings that differ from their defaults, the identity of the data, the
    version of the results of this kind of run, and the run that it starts from.
    """
    experiment = experiment_of(config)
    parts = [config.changed(), data.identity_of(config), experiment.results_version]
    start = experiment.starts_from(config)
    digits = digest([*parts, identify(start)] if start else parts)
    return f"{kind_of(config)}-{experiment.words(config)}-{digits}"


def find(config: Config) -> Run[Config] | None:
    """The finished run of a configuration, or None if the store lacks it."""
    return _intact(identify(config), config)


def load_or_train(
    config: Config, *, device: torch.device | str = "cpu", on_step: OnStep | None = None
) -> Run[Config]:
    """Find the run of a configuration in the store, or train it.  Logs HIT or MISS.

    A run from the store is taken as it is; a warning says, once, if other versions of the software
    or another processor made it.

    Args:
        config: the run.
        device: where to compute if it must be trained.
        on_step: see `loop.run`.

    Returns:
        The finished run.

    Raises:
        OSError: nothing can be written to the store, which lacks the run.
        ValueError: the settings or the data make the run impossible.
    """
    name = identify(config)
    run = _intact(name, config)
    if run is not None:
        log.info("HIT %s", name)
        _warn_of_origin(run, device)
        return run
    store.check_writable()
    with FileLock(store_folder() / f"{name}.lock"):  # no other process makes it meanwhile
        run = _intact(name, config, log.debug)
        if run is not None:
            log.info("HIT %s (made by another process just now)", name)
            return run
        log.info("MISS %s", name)
        _make(config, name, device, on_step)
    run = _intact(name, config)
    if run is None:
        raise RuntimeError(f"the run {name} was made but is gone from {store_folder()}")
    return run


def _make(config: Settings, name: str, device: torch.device | str, on_step: OnStep | None) -> None:
    experiment = experiment_of(config)
    with torch.random.fork_rng(devices=[]):
        experiment.build(config).to(device)  # a network that cannot be built fails before long work
    checkpoint = store_folder() / f"{name}.checkpoint"
    taken = 0

    def count(step: int, steps: int, terms: dict[str, float]) -> None:
        nonlocal taken
        taken += 1
        if on_step:
            on_step(step, steps, terms)

    try:
        first = experiment.starts_from(config)
        start = load_or_train(first, device=device, on_step=on_step) if first else None
        network = start.model() if start else None
        result = experiment.make(config, device, checkpoint, count, network)
    except KeyboardInterrupt:
        log.warning("interrupted; asked for again, %s resumes where it was last saved", name)
        raise
    made = {
        "kind": kind_of(config),
        "data": data.identity_of(config),
        "starts_from": start.id if start else None,
        "results_version": experiment.results_version,
        "commit": _commit(),
        "device": device_name(device),
        "seconds": result.seconds,
        # steps that earlier, interrupted processes took; their time is not in the seconds
        "resumed_after": len(result.history.get("total", [])) - taken,
        "versions": _versions(config),
    }
    store.write(store_folder() / name, config, result.network, result.history, result.metrics, made)
    checkpoint.unlink(missing_ok=True)


def _intact(
    name: str, config: Settings, tell: Callable[..., None] = log.warning
) -> Run[Any] | None:
    """The run of this name in the store; None, and a message, if it is damaged or another one."""
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
    """Warn, once for each difference, that other software or hardware made a run."""
    here = {**_versions(run.config), "device": device_name(device)}
    there = {**run.made["versions"], "device": run.made["device"]}
    others = [
        f"{name} {there[name]}, here {now}"
        for name, now in here.items()
        if name in there and there[name] != now  # older runs do not tell timm's
    ]
    if others:
        _warn_once("; ".join(others))


@cache
def _warn_once(difference: str) -> None:
    log.warning(
        "runs in the store were made elsewhere (%s); made here, their numbers may differ a little. "
        "To have all of them from this machine, set SSN3D_RUNS to an empty folder",
        difference,
    )


def _versions(config: Settings) -> dict[str, str]:
    """Versions of the packages that decide the numbers of a run, as far as they are installed."""
    packages = ["ssn3d", "torch", "torchvision"]
    if getattr(config, "backbone", "").startswith(TIMM):
        packages.append("timm")
    return {package: _version(package) for package in packages}


@cache
def _version(package: str) -> str:
    return version(package)


@cache
def _commit() -> str | None:
    """The commit of this checkout, with "-dirty" if files were changed; None without a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=data.project_folder(), capture_output=True, text=True)
    except OSError:  # no git here
        return None
    return told.stdout.strip() or None


def device_name(device: torch.device | str) -> str:
    """Name of a device, as in the record of a run, such as "AMD EPYC (AVX512), one thread"."""
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
