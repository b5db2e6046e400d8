"""Kill -9 at random moments of a run, again and again, then let it end: nothing may differ.

Prints a line of the table in tests/README.md.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import torch

from ssn3d.config import RunConfig
from tests.torture.faults import Outcome, Rng, apart, check_made, make, torture, undisturbed

CONFIG = RunConfig.preset("smoke", "ilids_vid", epochs=60, steps_per_epoch=1)
"""A run that is saved sixty times, so that most kills come while it is saved."""


def killed(tries: int, kills: int, folder: Path) -> Outcome:
    """Kill each of several runs several times; a try that takes too long is a hang."""
    whole, expected = undisturbed(folder, CONFIG)
    shutil.copytree(whole / "data", folder / "timed" / "data")
    begun = time.monotonic()
    apart(folder / "timed", make, CONFIG)
    usual = time.monotonic() - begun

    def kill(place: Path, rng: Rng) -> None:
        shutil.copytree(whole / "data", place / "data")
        for _ in range(kills):
            moment = usual * float(torch.rand((), generator=rng))
            apart(place, make, CONFIG, death=moment)
        check_made(place, CONFIG, expected)

    return torture(kill, tries, folder)._replace(tries=tries * kills)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--kills", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = killed(arguments.runs, arguments.kills, Path(folder))
    print(json.dumps({"kill -9": outcome._asdict()}))
    sys.exit(bool(outcome.wrong or outcome.lost or outcome.hangs))


if __name__ == "__main__":
    main()
