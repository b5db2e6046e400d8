"""MARS at its full size: the official lists, tiny frames, one training step, the whole evaluation.

Needs SSN3D_MARS_INFO, the folder of the official .mat files.  The lists of names, which are not
among them, are left out, so that they are made anew from the folders.
"""

import os
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from ssn3d import data
from ssn3d.config import RunConfig
from ssn3d.datasets.images import write_image
from ssn3d.datasets.mars import Name, Row, format_name, read_info
from ssn3d.evaluation import reid
from ssn3d.training import reid as train
from tests.benchmarks.harness import seconds, start

LOOKS = 64
"""Different pictures; frames of a tracklet are links to one."""
Result = TypeVar("Result")


def lay_out(rows: list[Row], boxes: Path, looks: list[Path]) -> None:
    """An image for every line of a list, by the names that MARS gives them."""
    numbers: Counter[int] = Counter()
    for place, row in enumerate(rows):
        numbers[row.person] += 1
        for frame in range(1, row.stop - row.start + 1):
            name = format_name(Name(row.person, row.camera, numbers[row.person], frame))
            folder = boxes / name[:4]
            if frame == 1:
                folder.mkdir(parents=True, exist_ok=True)
            os.link(looks[place % LOOKS], folder / name)


def told(what: str, work: Callable[[], Result]) -> Result:
    """Do it, and print how long it took and the most memory so far."""
    kept: list[Result] = []
    taken = seconds(lambda: kept.append(work()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {taken:.0f} s, at most {peak:.0f} MB", flush=True)
    return kept[0]


def main() -> None:
    given = os.environ.get("SSN3D_MARS_INFO")
    if not given:
        print("== MARS at its full size: left out, as SSN3D_MARS_INFO names no folder of its lists")
        return
    torch.set_num_threads(1)
    start("the official lists of MARS with frames of 32 x 16")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name, "MARS")
        shutil.copytree(given, root / "info")
        for file in root.glob("info/*.txt"):
            file.unlink()
        dice = torch.Generator().manual_seed(0)
        looks = [Path(name, f"{look}.jpg") for look in range(LOOKS)]
        for look in looks:
            write_image(torch.randint(256, (3, 32, 16), dtype=torch.uint8, generator=dice), look)
        info = read_info(root / "info")
        told("laid out", lambda: lay_out(info.train, root / "bbox_train", looks))
        told("laid out", lambda: lay_out(info.test, root / "bbox_test", looks))
        os.environ["SSN3D_DATA"] = name
        everybody = {"train_people": None, "test_people": None, "longest_tracklet": None}
        config = RunConfig.preset(
            "smoke", "mars", source="real", strategy="unsupervised", epochs=1, **everybody
        )
        split = told("read", lambda: data.split_of(config))
        print([(len(part), sum(map(len, part))) for part in split], "tracklets and frames")
        model, _ = told("one step", lambda: train.fit(config, split.train))
        result = told("evaluated", lambda: reid.evaluate(config, model, split))
        print(f"{len(result.queries)} queries count, {result.skipped} have no match")
        print({name: round(value, 4) for name, value in reid.summary(result).items()})


if __name__ == "__main__":
    main()
