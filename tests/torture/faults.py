"""Faults while runs are made and read: full disks, damaged files, killed processes.

Each must end with the bits of a run that nothing disturbed, or with an error that says why.  Prints
lines of the table in tests/README.md, and of each finding how it came about.
"""

import errno
import json
import logging
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from ssn3d import runs
from ssn3d.config import RunConfig
from ssn3d.runs.store import store_folder
from ssn3d.training import checkpoint
from tests.stored import RESULTS, bits_of

SECONDS = 60
"""Longer is a hang."""
SLOW = ("torch._dynamo", "scipy.io")
"""What a training imports late: here once, not in each process."""
SETS = ("ilids_vid", "mars", "dukemtmc")

Rng = torch.Generator
Fault = Callable[[Path, Rng], None]
"""One try, in a folder that is not there yet; raises if it ends badly."""


class Lost(AssertionError):
    """A run that did not come about, or that was finished and is gone."""


class Outcome(NamedTuple):
    """What came of a fault."""

    tries: int
    wrong: int
    """Other results than without it, or an error that says nothing."""
    lost: int
    hangs: int


def apart(
    place: Path, action: Callable[..., Any], *arguments: Any, death: float | None = None
) -> Any:
    """What an action returns, or the error that it raises, in a process of its own.

    Args:
        place: data sets and runs are kept there.
        action: a function of a module, as the process starts without what is here.
        arguments: of the action.
        death: seconds after which the process is killed.

    Returns:
        A ChildProcessError if the process was killed.

    Raises:
        TimeoutError: it took longer than `SECONDS`.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *SLOW])
    answer, told = context.Pipe(duplex=False)
    process = context.Process(target=_act, args=(told, place, action, arguments))
    process.start()
    told.close()
    try:
        if answer.poll(SECONDS if death is None else death):
            return answer.recv()
        if death is None:
            raise TimeoutError(f"{action.__name__} in {place} takes longer than {SECONDS} s")
    except EOFError:
        pass
    finally:
        process.kill()
        process.join()
    return ChildProcessError(f"{action.__name__} was killed")


def _act(told: Connection, place: Path, action: Callable[..., Any], arguments: Any) -> None:
    os.environ |= {"SSN3D_DATA": str(place / "data"), "SSN3D_RUNS": str(place / "runs")}
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.pop("SSN3D_CLUSTER", None)
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    checkpoint.EVERY, checkpoint.SHARE = 0.0, 1e9  # saved after every step
    try:
        told.send(action(*arguments))
    except Exception as error:
        told.send(error)


def below(count: float, rng: Rng) -> int:
    """A whole number from 0 to `count`, without it."""
    return int(torch.randint(max(int(count), 1), (), generator=rng))


def config_of(dataset: str = "ilids_vid", **changes: Any) -> RunConfig:
    """A run of a blink."""
    return RunConfig.preset("smoke", dataset, epochs=4, steps_per_epoch=1, **changes)  # type: ignore[arg-type]


def make(config: RunConfig, limit: int | None = None, death: int | None = None) -> dict[str, bytes]:
    """Find or train a run.

    Args:
        config: the run.
        limit: bytes of the longest file that the disk has room for.
        death: the step after which the process is killed, the first time it gets there.

    Returns:
        The contents of its files; under "trained", of anything, if it was trained just now.
    """
    trained = []
    died = store_folder().parent / "died"

    def on_step(step: int, *_: object) -> None:
        trained.append(step)
        if step == death and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    run = runs.load_or_train(config, on_step=on_step)
    return bits_of(run) | ({"trained": b"yes"} if trained else {})


@cache
def undisturbed(root: Path, config: RunConfig) -> tuple[Path, dict[str, bytes]]:
    """A folder below `root` with a run in it that nothing went wrong with, and its results."""
    folder = root / f"undisturbed {runs.identify(config)}"
    found = apart(folder, make, config)
    if isinstance(found, Exception):
        raise found
    return folder, _results(found)


def check_made(place: Path, config: RunConfig, expected: Mapping[str, bytes]) -> None:
    """Ask for a run, with all well again, and compare."""
    found = apart(place, make, config)
    if isinstance(found, Exception):
        raise Lost(f"with all well again: {found!r}") from found
    assert _results(found) == expected, "other results than undisturbed"
    left = {path for path in (place / "runs").iterdir() if path.suffix != ".lock"}
    litter = [path.name for path in left if not (path / "made.json").exists()]
    assert not litter, f"left behind: {litter}"


def _results(found: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: found[name] for name in RESULTS}


# ----------------------------------------------------------------------------------------- faults


def full_disk(place: Path, rng: Rng) -> None:
    """No file may grow beyond a limit: of frames, lists, pixels, checkpoints, results."""
    config = config_of(SETS[below(3, rng)])
    whole, expected = undisturbed(place.parent, config)
    done = below(3, rng)  # what is there already: nothing, the rendered set, its pixels too
    if done:
        shutil.copytree(whole / "data", place / "data")
    if done == 1:
        for file in (place / "data").rglob("*.frames"):
            file.unlink()
    there = {path.relative_to(place) for path in place.rglob("*")}
    sizes: dict[str, int] = {}  # the largest of each kind
    for path in whole.rglob("*.*"):
        if path.is_file() and path.relative_to(whole) not in there:
            sizes[path.suffix] = max(sizes.get(path.suffix, 0), path.stat().st_size)
    size = sizes[sorted(sizes)[below(len(sizes), rng)]]
    short = min(size, 1 + below(2 ** below(20, rng), rng))
    error = apart(place, make, config, size - short)
    if isinstance(error, Exception):
        assert isinstance(error, OSError) and error.errno == errno.EFBIG, repr(error)
    check_made(place, config, expected)


def damage(place: Path, rng: Rng) -> None:
    """A file of a finished run, or a checkpoint, is cut, changed, emptied or deleted."""
    config = config_of()
    whole, expected = undisturbed(place.parent, config)
    shutil.copytree(whole, place)
    if below(2, rng):
        shutil.rmtree(place / "runs")
        assert isinstance(apart(place, make, config, None, 1 + below(3, rng)), ChildProcessError)
    files = [path for path in (place / "runs").rglob("*.*") if path.is_file()]
    file = sorted(files)[below(len(files), rng)]
    content = bytearray(file.read_bytes())
    at = below(len(content), rng)
    kind = below(4, rng)
    if kind == 0:
        del content[at:]
    elif kind == 1 and content:
        content[at] ^= 1 << below(8, rng)
    elif kind == 2:  # blocks that were promised, never written
        content[at // 512 * 512 :] = bytes(len(content) - at // 512 * 512)
    file.write_bytes(content)
    if kind == 3:
        file.unlink()
    error = apart(place, open_network, config)
    if file.name == "weights.safetensors" and isinstance(error, ValueError):
        assert "delete the folder" in str(error), repr(error)
        shutil.rmtree(file.parent)
    elif isinstance(error, Exception):
        raise Lost(f"{file.name}, kind {kind}, at {at}: {error!r}") from error
    check_made(place, config, expected)


def open_network(config: RunConfig) -> None:
    """Find or train a run, and read its weights."""
    runs.load_or_train(config).model()


def many_askers(place: Path, rng: Rng, count: int = 8) -> None:
    """Several processes ask for one run at once; in half of the tries, the trainer is killed."""
    config = config_of()
    whole, expected = undisturbed(place.parent, config)
    shutil.copytree(whole / "data", place / "data")
    death = 1 + below(8, rng)  # there are four steps
    with ThreadPoolExecutor(count) as threads:
        found = list(threads.map(lambda _: apart(place, make, config, None, death), range(count)))
    dead = [one for one in found if isinstance(one, Exception)]
    assert len(dead) == (death <= 4), repr(dead)
    alive = [one for one in found if not isinstance(one, Exception)]
    assert all(_results(one) == expected for one in alive), "they got different results"
    assert sum("trained" in one for one in alive) == (death != 4), "it was not trained once"
    check_made(place, config, expected)


def killed_worker(place: Path, rng: Rng) -> None:
    """A process of a sweep on this machine is killed at a random moment."""
    wanted = [config_of(seed=seed) for seed in range(4)]
    check = [undisturbed(place.parent, config) for config in wanted]
    shutil.copytree(check[0][0] / "data", place / "data")
    found = apart(place, sweep_and_kill, wanted, 2 * float(torch.rand((), generator=rng)))
    if isinstance(found, Exception):
        raise Lost(repr(found)) from found
    assert found, "nobody was killed: too late"
    for config, (_, expected) in zip(wanted, check, strict=True):
        check_made(place, config, expected)


def sweep_and_kill(wanted: list[RunConfig], seconds: float) -> bool:
    """Make runs side by side, and kill a worker some seconds after the first began to train.

    Returns:
        Whether there was one to be killed.
    """
    import dask.system

    from ssn3d.runs import many

    many.WORTH_PROCESSES = 0
    dask.system.CPU_COUNT = 2
    killed = []

    def kill() -> None:
        while not any(store_folder().glob("*.lock")):  # which appear when training begins
            time.sleep(0.01)
        time.sleep(seconds)
        for worker in multiprocessing.active_children()[:1]:
            worker.kill()
            killed.append(worker)

    threading.Thread(target=kill, daemon=True).start()
    assert len(runs.sweep(wanted)) == len(wanted)
    return bool(killed)


def killed_figures(place: Path, rng: Rng) -> None:
    """`ssn3d figures`, which lacks half of its runs, is killed with its kernel, or alone."""
    alone = place.parent / "undisturbed figures"
    if not alone.exists():
        assert figures(alone).wait(3 * SECONDS) == 0, "the undisturbed figures failed"
    shutil.copytree(alone, place)
    shutil.rmtree(place / "out")
    for run in (place / "runs").glob("[!.]*/"):
        if below(2, rng):
            shutil.rmtree(run)
    process = figures(place)
    time.sleep(3 + 15 * float(torch.rand((), generator=rng)))
    if below(2, rng):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    check_nobody_works(place)
    for file in (place / "out").rglob("*.*"):
        if file.suffix in (".json", ".ipynb") and not file.name.startswith("."):
            json.loads(file.read_bytes())  # is whole
    if figures(place).wait(3 * SECONDS):
        raise Lost("the figures did not come about")
    assert shown(place) == shown(alone), "other tables or figures than undisturbed"


def figures(place: Path, notebook: str = "02") -> subprocess.Popen[bytes]:
    """The main job with one notebook, in a process group of its own."""
    folders = {"SSN3D_DATA": str(place / "data"), "SSN3D_RUNS": str(place / "runs")}
    start = "from ssn3d.cli import main; main()"
    options = ("--scale", "smoke", "--out", str(place / "out"))
    return subprocess.Popen(
        [sys.executable, "-c", start, "figures", notebook, *options],
        env=os.environ | folders | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def check_nobody_works(place: Path, patience: float = 20) -> None:
    """Kernels and workers end when they find that they were left alone."""
    for _ in range(int(10 * patience)):
        left = [one for one in psutil.process_iter() if str(place) in _folders_of(one)]
        if not left:
            return
        time.sleep(0.1)
    for one in left:
        one.kill()
    raise AssertionError(f"still running: {left}")


def _folders_of(process: psutil.Process) -> str:
    try:
        return process.environ().get("SSN3D_DATA", "")
    except psutil.Error:  # just ended, or another user's
        return ""


def shown(place: Path) -> dict[str, bytes]:
    """What figures show: all files but the seconds in the manifest, which must name them all."""
    out = place / "out"
    files = {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file()}
    manifest = json.loads(files.pop("results.json"))
    numbers = {name: [entry["numbers"], entry["sha256"]] for name, entry in manifest.items()}
    return files | {"numbers": json.dumps(numbers).encode()}


# ------------------------------------------------------------------------------------------- tries

FAULTS: dict[str, tuple[Fault, int]] = {
    "disk full, by a limit": (full_disk, 30),
    "a damaged file in the store": (damage, 20),
    "eight ask for one run": (many_askers, 3),
    "a worker killed": (killed_worker, 2),
    "figures killed": (killed_figures, 2),
}


def torture(fault: Fault, tries: int, folder: Path) -> Outcome:
    """Try a fault several times, each time in a folder of its own below `folder`."""
    rng = torch.Generator().manual_seed(0)
    wrong = lost = hangs = 0
    for number in range(tries):
        place = folder / f"{fault.__name__} {number}"
        try:
            fault(place, rng)
            shutil.rmtree(place)
        except Exception as error:
            hangs += isinstance(error, TimeoutError)
            lost += isinstance(error, Lost)
            wrong += not isinstance(error, TimeoutError | Lost)
            print(f"{place.name}:", file=sys.stderr)
            traceback.print_exc()
    return Outcome(tries, wrong, lost, hangs)


def main() -> None:
    outcomes = {}
    with tempfile.TemporaryDirectory() as name:
        for title, (fault, tries) in FAULTS.items():
            outcomes[title] = torture(fault, tries, Path(name))
            print(json.dumps({title: outcomes[title]._asdict()}), flush=True)
    sys.exit(any(one.wrong or one.lost or one.hangs for one in outcomes.values()))


if __name__ == "__main__":
    main()
