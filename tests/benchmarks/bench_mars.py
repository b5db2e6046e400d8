"""MARS at its full size: the official lists, tiny frames, one training step, the whole evaluation.

Needs SSN3D_MARS_INFO, the folder of the official .mat files.  The lists of names are left out, so
that they are made anew from the folders.
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
from ssn3d.evaluation.reid import evaluate, summary
from ssn3d.training.reid import fit
from tests.benchmarks.harness import seconds, start

IMAGES = 64
"""Different images; the frames of a tracklet are links to one of them."""
Result = TypeVar("Result")


def lay_out(rows: list[Row], boxes: Path, images: list[Path]) -> None:
    """Link an image for every line of a list, under the name that MARS gives it."""
    numbers: Counter[int] = Counter()
    for place, row in enumerate(rows):
        numbers[row.person] += 1
        for frame in range(1, row.stop - row.start + 1):
            name = format_name(Name(row.person, row.camera, numbers[row.person], frame))
            folder = boxes / name[:4]
            if frame == 1:
                folder.mkdir(parents=True, exist_ok=True)
            os.link(images[place % IMAGES], folder / name)


def timed(what: str, work: Callable[[], Result]) -> Result:
    """The result of `work`; prints how long it took, and the peak memory so far."""
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
        random = torch.Generator().manual_seed(0)
        images = [Path(name, f"{image}.jpg") for image in range(IMAGES)]
        for image in images:
            write_image(torch.randint(256, (3, 32, 16), dtype=torch.uint8, generator=random), image)
        info = read_info(root / "info")
        timed("laid out", lambda: lay_out(info.train, root / "bbox_train", images))
        timed("laid out", lambda: lay_out(info.test, root / "bbox_test", images))
        os.environ["SSN3D_DATA"] = name
        full_size = {"train_people": None, "test_people": None, "longest_tracklet": None}
        config = RunConfig.preset(
            "smoke", "mars", source="real", strategy="unsupervised", epochs=1, **full_size
        )
        split = timed("read", lambda: data.split_of(config))
        print([(len(part), sum(map(len, part))) for part in split], "tracklets and frames")
        model, _ = timed("one step", lambda: fit(config, split.train))
        result = timed("evaluated", lambda: evaluate(config, model, split))
        print(f"{len(result.queries)} queries count, {result.skipped} have no match")
        print({name: round(value, 4) for name, value in summary(result).items()})


if __name__ == "__main__":
    main()
