"""What goes wrong outside of ssn3d costs a result or time, never a number: the short forms.

tests/torture/faults.py and kill.py do the same many times, at random.
"""

import ctypes
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as some

from ssn3d import cli, data, runs
from ssn3d.datasets.frame_cache import packed
from ssn3d.datasets.images import read_image, write_image
from ssn3d.datasets.tracklets import load_frames
from ssn3d.reproduce import run_notebooks
from ssn3d.runs.store import read
from ssn3d.training import checkpoint
from tests.stored import RESULTS, bits_of


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# ------------------------------------------------------------------------------------- a full disk


@contextmanager
def room(limit: int) -> Iterator[None]:
    """A disk on which no file can become longer than `limit` bytes."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_frame_without_room_is_an_error(tmp_path, ending, share):
    frame = (torch.arange(3 * 64 * 32) * 7 % 256).to(torch.uint8).reshape(3, 64, 32)
    whole, cut = tmp_path / f"whole.{ending}", tmp_path / f"cut.{ending}"
    write_image(frame, whole)
    with room(int(share * whole.stat().st_size)), pytest.raises(OSError, match="File too large"):
        write_image(frame, cut)
    write_image(frame, cut)
    assert torch.equal(read_image(cut), read_image(whole))


@pytest.mark.parametrize("short", [1, 4000, 10**9])
def test_pixels_without_room_stay_in_memory(tiny_config, tiny_split, tmp_path, caplog, short):
    layout = data.import_module(f"ssn3d.datasets.{tiny_config.dataset}")
    split = layout.read(data.root_of(tiny_config), 0)
    size = (tiny_config.height, tiny_config.width)
    packed(split, size, tmp_path / "whole")
    with room(max(0, (tmp_path / "whole").stat().st_size - short)):
        kept = packed(split, size, tmp_path / "cut")
    assert "frames stay in memory" in caplog.text
    assert not (tmp_path / "cut").exists()
    for one, other in zip(kept.query, split.query, strict=True):
        frames = load_frames(other, range(len(other)))
        assert torch.equal(torch.as_tensor(one.frames), frames)


@pytest.mark.parametrize("dataset", ["ilids_vid", "mars", "dukemtmc"])
def test_a_data_set_without_room_is_rendered_when_there_is(
    tiny_config, tmp_path, monkeypatch, dataset
):
    config = replace(tiny_config, dataset=dataset)
    whole = data.root_of(config)
    sizes: dict[str, int] = {}  # the largest file of each kind
    for path in whole.rglob("*.*"):
        sizes[path.suffix] = max(sizes.get(path.suffix, 0), path.stat().st_size)
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    for size in sizes.values():
        with room(size - 1), pytest.raises(OSError, match="File too large"):
            data.root_of(config)
        assert not data.is_ready(config)
    assert files(data.root_of(config)) == files(whole)


def test_a_run_without_room_is_made_when_there_is(tiny_config, store, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    whole = runs.load_or_train(tiny_config)
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "another"))
    for name in (*RESULTS, "made.json", "README.md"):
        with room((whole.folder / name).stat().st_size - 1):
            with pytest.raises(OSError, match="File too large"):
                runs.load_or_train(tiny_config)
        assert runs.find(tiny_config) is None
    assert bits_of(runs.load_or_train(tiny_config)) == bits_of(whole)


# ----------------------------------------------------------------------------------- damaged files


@pytest.fixture(scope="module")
def finished(tiny_config, tmp_path_factory) -> runs.Run:
    """A run that may be damaged, if it is mended afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSN3D_RUNS", str(tmp_path_factory.mktemp("runs")))
        return runs.load_or_train(tiny_config)


@given(some.sampled_from([*RESULTS, "README.md"]), some.floats(0, 1), some.data())
def test_a_damaged_run_is_read_as_it_was_or_not_at_all(finished, name, where, more):
    file = finished.folder / name
    whole = file.read_bytes()
    at = int(where * (len(whole) - 1))
    changed = bytearray(whole)
    kind = more.draw(some.sampled_from(["cut", "a bit", "never written"]))
    if kind == "cut":
        del changed[at:]
    elif kind == "a bit":
        changed[at] ^= 1 << more.draw(some.integers(0, 7))
    else:
        changed[at:] = bytes(len(whole) - at)
    file.write_bytes(changed)
    try:
        found = read(finished.folder)
        assert found == finished
        assert found and found.model()
        assert name == "README.md" or changed.split() == whole.split()
    except ValueError as error:
        assert "damaged" in str(error)
    finally:
        file.write_bytes(whole)


@pytest.mark.parametrize("word", ["data", "seconds", "thread", "torchvision", "sha256"])
def test_a_changed_word_in_the_record_is_damage(finished, word):
    file = finished.folder / "made.json"
    whole = file.read_text()
    file.write_text(whole.replace(word, word.swapcase(), 1))
    try:
        with pytest.raises(ValueError, match="holds a damaged run"):
            read(finished.folder)
    finally:
        file.write_text(whole)


# ------------------------------------------------------------------------------- read-only folders


@pytest.fixture
def without_privileges() -> Iterator[None]:
    """Permissions bind even root, whose privileges this thread lays down and takes up again."""
    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # capabilities, version 3; of this thread
    usual = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and the same, 32 on
    libc.capget(header, usual)
    fewer = (ctypes.c_uint32 * 6)(*usual)
    fewer[0] = fewer[3] = 0
    libc.capset(header, fewer)
    yield
    libc.capset(header, usual)


@pytest.fixture
def read_only(tiny_config, tmp_path, monkeypatch, without_privileges) -> Iterator[Path]:
    """A data folder with one finished run, in which no process can write."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SSN3D_DATA", str(folder))
    monkeypatch.delenv("SSN3D_RUNS")
    runs.load_or_train(tiny_config)
    data._read.cache_clear()
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.access(folder, os.W_OK, effective_ids=True):
        pytest.skip("permissions bind nobody here")
    yield folder
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_what_is_in_a_read_only_store_is_read(tiny_config, read_only, caplog):
    caplog.set_level(logging.INFO, logger="ssn3d.runs")
    assert runs.load_or_train(tiny_config).model()
    assert len(runs.sweep([tiny_config, tiny_config])) == 2
    assert data.split_of(tiny_config).query
    assert all(message.startswith(("HIT", "1 of 1", "2 of 2")) for message in caplog.messages)


def refuse(*_: object) -> None:
    pytest.fail("it trains")


@pytest.mark.parametrize("many", [False, True], ids=["one run", "a sweep"])
def test_what_a_read_only_store_lacks_is_refused_before_training(tiny_config, read_only, many):
    lacking = [replace(tiny_config, seed=seed) for seed in (1, 2)]
    with pytest.raises(OSError, match=rf"{read_only}/runs.*SSN3D_RUNS"):
        if many:
            runs.sweep(lacking)
        else:
            runs.load_or_train(lacking[0], on_step=refuse)


# ------------------------------------------------------------------------------- ended midway


WAITING = """
import os, time
from pathlib import Path
here = Path(os.environ["SSN3D_FIGURES"])
(here / "table.md").write_text("whole")
kernel = here.parent / "kernel"
if not kernel.exists():
    kernel.write_text(str(os.getpid()))
    time.sleep(600)
print("ran to its end")
"""
FIGURES = """
import signal, sys
from pathlib import Path
from ssn3d import cli
from ssn3d.reproduce import run_notebooks

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
project = Path(sys.argv.pop(1))
run_notebooks.project_folder = lambda: project
cli.main()
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_figures_ended_midway_are_made_when_asked_for_again(store, tmp_path, monkeypatch, by):
    (tmp_path / "notebooks").mkdir()
    cells = ['scale: str = "demo"', WAITING]
    source = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    )
    source.cells[0].metadata["tags"] = ["parameters"]
    names = ("01_waits", "02_waits", "03_waits")
    for name in names:
        nbformat.write(source, tmp_path / "notebooks" / f"{name}.ipynb")
    out, kernel = tmp_path / "out", tmp_path / "kernel"
    command = ["figures", "--scale", "smoke", "--out", str(out)]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(
            [sys.executable, "-c", FIGURES, str(tmp_path), *command],
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        ) as job,
    ):
        while job.poll() is None and not (kernel.exists() and kernel.read_text()):
            time.sleep(0.05)
        started = psutil.Process(job.pid).children(recursive=True)
        if by == signal.SIGINT:
            os.killpg(job.pid, by)  # as a terminal does, to all that it has started
        else:
            job.send_signal(by)
    assert kernel.exists(), "it ended by itself"
    _, left = psutil.wait_procs(started, timeout=20)
    assert not left, "kernels or workers work on for nobody"
    if by == signal.SIGINT:
        assert "Traceback" not in (tmp_path / "said").read_text()
    monkeypatch.setattr(run_notebooks, "project_folder", lambda: tmp_path)
    assert CliRunner().invoke(cli.main, command).exit_code == 0
    for name in names:
        executed = json.loads((out / "executed" / f"{name}.ipynb").read_bytes())
        assert executed["cells"][-1]["outputs"][0]["text"] == ["ran to its end\n"]
