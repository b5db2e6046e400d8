import shutil
from itertools import chain
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ssn3d import data
from ssn3d.datasets import frame_cache, ilids_vid
from ssn3d.datasets.clips import resized
from ssn3d.datasets.frame_cache import packed
from ssn3d.datasets.tracklets import Split, load_frames

SIZE = (32, 16)


@pytest.fixture(scope="module")
def root(tiny_config, tmp_path_factory) -> Path:
    """The tiny set, copied."""
    copy = tmp_path_factory.mktemp("packing") / "set"
    shutil.copytree(data.root_of(tiny_config), copy)
    return copy


def pixels(split: Split, size: tuple[int, int]) -> list[Tensor]:
    return [
        resized(load_frames(tracklet, range(len(tracklet))), size)
        for part in split
        for tracklet in part
    ]


@pytest.mark.parametrize("size", [SIZE, (24, 20)], ids=["as they are", "resized"])
def test_packed_frames_are_the_frames(root, tmp_path, size):
    split = ilids_vid.read(root, 0)
    for _ in range(2):  # written, then found
        again = packed(split, size, tmp_path / "set.frames")
        for one, other in zip(pixels(again, size), pixels(split, size), strict=True):
            assert torch.equal(one, other)
        for mine, theirs in zip(chain(*again), chain(*split), strict=True):
            assert (mine.person, mine.camera) == (theirs.person, theirs.camera)
            assert mine.points is theirs.points


def test_nothing_is_decoded_again(root, tmp_path, monkeypatch):
    split = ilids_vid.read(root, 0)
    first = packed(split, SIZE, tmp_path / "set.frames")
    monkeypatch.setattr(frame_cache, "resized_frames", lambda *_: pytest.fail("decoded again"))
    assert packed(split, SIZE, tmp_path / "set.frames").train == first.train


def test_one_file_serves_every_division_of_a_set(root, tmp_path):
    one, other = (ilids_vid.read(root, number) for number in (0, 1))
    assert {t.person for t in one.train} != {t.person for t in other.train}
    packed(one, SIZE, tmp_path / "set.frames")
    again = packed(other, SIZE, tmp_path / "set.frames")
    for mine, theirs in zip(pixels(again, SIZE), pixels(other, SIZE), strict=True):
        assert torch.equal(mine, theirs)


def test_queries_in_the_gallery_stay_the_same_objects(root, tmp_path):
    split = ilids_vid.read(root, 0)
    both = split._replace(gallery=[*split.gallery, *split.query])
    again = packed(both, SIZE, tmp_path / "set.frames")
    assert {id(tracklet) for tracklet in again.query} < {id(t) for t in again.gallery}


def test_a_set_too_large_is_left_as_files(root, tmp_path, monkeypatch):
    monkeypatch.setattr(frame_cache, "LARGEST", 1000)
    split = ilids_vid.read(root, 0)
    assert packed(split, SIZE, tmp_path / "set.frames") is split
    assert not list(tmp_path.iterdir())


def test_a_file_cut_short_is_written_anew(root, tmp_path):
    split, file = ilids_vid.read(root, 0), tmp_path / "set.frames"
    whole = pixels(packed(split, SIZE, file), SIZE)
    file.write_bytes(file.read_bytes()[:-1])
    for mine, theirs in zip(pixels(packed(split, SIZE, file), SIZE), whole, strict=True):
        assert torch.equal(mine, theirs)


def test_a_full_disk_costs_the_file_and_nothing_else(root, tmp_path, monkeypatch, caplog):
    split, file = ilids_vid.read(root, 0), tmp_path / "set.frames"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    again = packed(split, SIZE, file)
    assert "No space left on device); frames stay in memory" in caplog.text
    for mine, theirs in zip(pixels(again, SIZE), pixels(split, SIZE), strict=True):
        assert torch.equal(mine, theirs)
    assert [path.name for path in tmp_path.iterdir()] in ([], ["set.frames.lock"])


def test_a_frame_that_cannot_be_read_is_named(root, tmp_path):
    copy = tmp_path / "broken"
    shutil.copytree(root, copy)
    split = ilids_vid.read(copy, 0)
    split.query[0].frames[3].write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"person\d+_\d+\.png is not a readable image"):
        packed(split, SIZE, tmp_path / "set.frames")
