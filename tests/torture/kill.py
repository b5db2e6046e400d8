"""Kill -9 at random moments of a run, again and again, then let it end: nothing may differ.

Prints a line of the table in tests/README.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch

RUN = """
import sys, torch
torch.set_num_threads(1)
from ssn3d import progress, runs
from ssn3d.config import RunConfig
progress.EVERY, progress.SHARE = 0.0, 1e9  # after every step, to be killed while it is saved
runs.load_or_train(RunConfig.preset("smoke", "ilids_vid", epochs=60, steps_per_epoch=1))
"""
RESULTS = ("config.json", "history.json", "metrics.json", "weights.safetensors")


class Outcome(NamedTuple):
    """What came of killing."""

    tries: int
    wrong: int
    """Runs that ended with other results than an undisturbed one."""
    lost: int
    """Runs that did not end."""


def start(runs: Path) -> subprocess.Popen[bytes]:
    """A process that makes the run, in a store of its own."""
    environment = os.environ | {"SSN3D_RUNS": str(runs), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", RUN], env=environment, stderr=subprocess.DEVNULL)


def results(runs: Path) -> dict[str, bytes] | None:
    """The files of the one finished run, or None."""
    found = [folder for folder in runs.glob("[!.]*/") if (folder / "made.json").exists()]
    return {name: (found[0] / name).read_bytes() for name in RESULTS} if len(found) == 1 else None


def torture(tries: int, kills: int, folder: Path) -> Outcome:
    """So many runs, each killed so many times."""
    alone = folder / "alone"
    begin = time.monotonic()
    start(alone).wait()
    usual, expected = time.monotonic() - begin, results(alone)
    assert expected is not None, "the undisturbed run failed"
    dice = torch.Generator().manual_seed(0)
    wrong = lost = 0
    for number in range(tries):
        runs = folder / str(number)
        for _ in range(kills):
            process = start(runs)
            # imports and reading take the first half; the rest is training, testing, writing
            time.sleep(usual * float(0.4 + 0.6 * torch.rand((), generator=dice)))
            process.kill()
            process.wait()
        start(runs).wait()
        found = results(runs)
        lost += found is None
        wrong += found is not None and found != expected
        leftovers = [path.name for path in runs.iterdir() if path.suffix != ".lock"]
        wrong += found is not None and len(leftovers) != 1
    return Outcome(tries * kills, wrong, lost)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = torture(arguments.runs, arguments.kills, Path(folder))
    print(json.dumps({"kill -9": outcome._asdict()}))
    sys.exit(bool(outcome.wrong or outcome.lost))


if __name__ == "__main__":
    main()
