"""Every reader against files that were changed at random: a result, or an error that says why.

Prints a line of the table in tests/README.md, and of each finding the bytes that made it.
"""

import argparse
import json
import logging
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pipe, get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from ssn3d.config import RunConfig
from ssn3d.data import profile_of
from ssn3d.datasets import coco, contents, dukemtmc, folder, ilids_vid, mars
from ssn3d.datasets.frame_cache import packed
from ssn3d.datasets.images import read_image
from ssn3d.datasets.openpose import read_openpose
from ssn3d.datasets.tracklets import Split
from ssn3d.runs import load_or_train, store
from ssn3d.synthetic.walkers.render import render
from ssn3d.training.checkpoint import Checkpoint
from ssn3d.widgets.label_file import LabelFile

EXPECTED = (ValueError, FileNotFoundError)
"""What a reader may raise; each says what was expected, what came, and what to do."""
SECONDS, BYTES = 20, 6 * 2**30
"""Longer is a hang, and more is unbounded memory."""
WORDS = [
    *(b"null", b"{}", b"[]", b"true", b'"../../../etc/passwd"', b'"\\u0000"', b"NaN", b"-1", b"0"),
    *(b"1e400", b"9" * 25, b"-9223372036854775809", b"0.5", b",", b"\n", b"\r\n", b"\x00", b"\xff"),
]


class Target(NamedTuple):
    """A file, and what reads it."""

    name: str
    file: Path
    read: Callable[[], object]


def targets(root: Path) -> Iterator[Target]:
    """A small valid example of everything that ssn3d reads, of runs too."""
    yield from set_targets(root)
    yield from file_targets(root)
    yield from run_targets()


def set_targets(root: Path) -> Iterator[Target]:
    """The lists of every layout."""
    sets = {}
    for name, layout in (("mars", mars), ("ilids_vid", ilids_vid), ("dukemtmc", dukemtmc)):
        sets[name] = root / name
        small = RunConfig.preset("smoke", name)  # type: ignore[arg-type]
        split = render(profile_of(small), seed=0, height=16, width=8)
        sets[name].mkdir()
        layout.write(split, sets[name])
        if name == "dukemtmc":
            folder.write(Split(split.train, split.query, split.gallery[1:]), root / "folder")
    info = sets["mars"] / "info"
    for file in sorted(info.iterdir()):
        yield Target(f"MARS {file.name}", file, lambda: mars.read(sets["mars"]))
    for file in sorted(sets["ilids_vid"].rglob("*.mat")):
        yield Target("iLIDS-VID splits", file, lambda: ilids_vid.read(sets["ilids_vid"], 0))
    listed = root / "listed"
    shutil.copytree(sets["ilids_vid"], listed, ignore=shutil.ignore_patterns("*.mat"))
    people = sorted(path.name for path in (listed / "i-LIDS-VID/sequences/cam1").iterdir())
    halves = {"train": people[::2], "test": people[1::2]}
    (listed / "splits.json").write_text(json.dumps([halves]))
    yield Target("splits.json", listed / "splits.json", lambda: ilids_vid.read(listed, 0))
    points = sets["dukemtmc"] / "points.npz"
    yield Target("points.npz", points, lambda: dukemtmc.read(sets["dukemtmc"]))
    table = root / "folder" / "split.csv"
    yield Target("folder split.csv", table, lambda: folder.read(root / "folder"))
    first = folder.read(root / "folder").train[0]
    split = Split([replace(first, frames=first.frames[:2])], [], [])
    frames = root / "folder.frames"
    packed(split, (8, 4), frames)
    yield Target("packed frames", frames, lambda: packed(split, (8, 4), frames))


def file_targets(root: Path) -> Iterator[Target]:
    """Files that stand alone: key points, pictures, a training's progress."""
    labels = root / "labels.json"
    marks = {"a.png": torch.tensor([[0.5, 0.5], [0.1, 0.2]])}
    coco.write(coco.Labels(["head", "hand"], marks), labels, {"a.png": (20, 10)})
    yield Target("COCO key points", labels, lambda: coco.read(labels))
    clicked = root / "clicked.json"
    clicked.write_bytes(labels.read_bytes())
    yield Target("annotator's labels", clicked, lambda: _marks(clicked))
    for points in (25, 18):
        pose = root / f"pose{points}.json"
        person = {"pose_keypoints_2d": [3.0] * 3 * points}
        pose.write_text(json.dumps({"version": 1.3, "people": [person]}))
        yield Target(
            f"OpenPose {points} points", pose, lambda pose=pose: read_openpose(pose, (100, 50))
        )
    noise, exif = Image.effect_noise((16, 24), 50), Image.Exif()
    exif[0x0112] = 6  # orientation
    deep = Image.fromarray(np.asarray(noise).astype(np.uint16) * 256)
    pictures = {
        "jpg": noise.convert("RGB"),
        "webp": noise.convert("RGBA"),
        "png": deep,
        "tif": deep,
    }
    for kind, image in pictures.items():
        picture = root / f"a.{kind}"
        image.save(picture, exif=exif)
        yield Target(f"image {kind}", picture, lambda picture=picture: read_image(picture))
    kept = root / "set.digests"
    contents._save(kept, {bytes([i] * contents.BYTES): bytes(contents.BYTES) for i in range(3)})
    yield Target("digests of images", kept, lambda: contents.digests([[picture]], kept))
    network = nn.Linear(2, 1)
    progress = Checkpoint(root / "a.checkpoint", network, torch.optim.Adam(network.parameters()))
    progress.save({"total": [1.0]})
    yield Target("a training's progress", progress.file, progress.resume)


def run_targets() -> Iterator[Target]:
    """The files of a run in the store."""
    run = load_or_train(RunConfig.preset("smoke", "ilids_vid", epochs=1))
    for file in sorted(run.folder.iterdir()):
        if file.suffix in (".json", ".safetensors"):
            yield Target(f"run {file.name}", file, lambda: _opened(run.folder))


def _marks(file: Path) -> object:
    return LabelFile(file, ["head", "hand"]).marks()


def _opened(run: Path) -> object:
    opened = store.read(run)
    return opened and opened.model()


def mutated(content: bytes, rng: torch.Generator) -> bytes:
    """The content after one to four accidents."""

    def below(count: int) -> int:
        return int(torch.randint(max(count, 1), (), generator=rng))

    changed = bytearray(content)
    for _ in range(1 + below(4)):
        kind, at = below(6), below(len(changed))
        end = at + below(64)
        if kind == 0:
            changed[at : at + 1] = bytes([below(256)])
        elif kind == 1:
            del changed[at:end]
        elif kind == 2:
            changed[at:at] = changed[at:end]
        elif kind == 3:
            changed[at : at + below(8)] = WORDS[below(len(WORDS))]
        elif kind == 4 and below(4) == 0:
            del changed[at:]
        else:
            changed[at : at + 8] = bytes(below(256) for _ in range(8))
    return bytes(changed)


@contextmanager
def limited() -> Iterator[None]:
    """A hang becomes a TimeoutError."""

    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def attack(target: Target, tries: int, seed: int) -> list[str]:
    """Change a file many times; return a line for each unexpected error."""
    found: list[str] = []
    rng = torch.Generator().manual_seed(seed)
    content = target.file.read_bytes()
    target.read()  # as it is, it is read
    for _ in range(tries):
        bad = mutated(content, rng)
        target.file.write_bytes(bad)
        try:
            with limited():
                target.read()
        except EXPECTED:
            pass
        except BaseException as error:
            found.append(f"{target.name}: {error!r} from {bad[:200]!r}")
    target.file.write_bytes(content)
    return found


def survived(target: Target, tries: int, seed: int) -> list[str]:
    """The attack in a process of its own, which a reader may bring down."""
    content = target.file.read_bytes()
    findings, told = Pipe(duplex=False)
    attacked = get_context("fork").Process(
        target=lambda: told.send(attack(target, tries, seed)), daemon=True
    )
    attacked.start()
    told.close()
    try:
        return findings.recv()
    except EOFError:
        attacked.join()
        return [f"{target.name}: Python itself ended, with {attacked.exitcode}"]
    finally:
        target.file.write_bytes(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=100_000)
    tries = parser.parse_args().tries
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, torch.random.fork_rng():
        logging.disable(logging.CRITICAL)
        os.environ |= {"SSN3D_DATA": name, "SSN3D_RUNS": f"{name}/runs"}
        chosen = list(targets(Path(name)))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        each = -(-tries // len(chosen))
        found = [f for seed, one in enumerate(chosen) for f in survived(one, each, seed)]
    for finding in found[:20]:
        print(finding, file=sys.stderr)
    print(
        json.dumps(
            {"fuzzed readers": {"tries": each * len(chosen), "wrong": len(found), "lost": 0}}
        )
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
