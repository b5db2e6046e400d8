import os
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssn3d.datasets import contents
from ssn3d.datasets.contents import digests

FEW = ["a", "b", "c"]
SHORT, WAIT = 20_000_000, 0.025
"""Nanoseconds and seconds; systems count time in steps of up to 10 milliseconds."""


@pytest.fixture
def images(tmp_path: Path, monkeypatch) -> list[Path]:
    """Two files, old enough to be trusted."""
    monkeypatch.setattr(contents, "UNSURE", SHORT)
    (tmp_path / "set").mkdir()
    paths = [tmp_path / "set" / name for name in ("1.jpg", "2.jpg")]
    for path in paths:
        path.write_bytes(path.name.encode())
    sleep(WAIT)
    return paths


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "generated" / "set.digests"


def slow_twin(paths: list[Path]) -> str:
    """What is hashed anew each time."""
    each = (blake2b(path.read_bytes(), digest_size=16).digest() for path in paths)
    return blake2b(b"".join(each), digest_size=16).hexdigest()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(FEW), st.binary(min_size=1, max_size=2)),
        st.tuples(st.just("keep time"), st.sampled_from(FEW), st.binary(min_size=1, max_size=2)),
        st.tuples(st.just("rename"), st.sampled_from(FEW), st.sampled_from(FEW)),
        st.tuples(st.just("wait"), st.none(), st.none()),
        st.tuples(st.just("forget"), st.none(), st.none()),
        st.tuples(st.just("damage"), st.none(), st.binary(max_size=40)),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(steps)
def test_digests_are_those_of_hashing_everything_anew(changes):
    with TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(contents, "UNSURE", SHORT)
        folder = Path(made)
        kept = folder / "digests"
        for name in FEW:
            (folder / name).write_bytes(b"0")
        for what, name, value in changes:
            if what == "write":
                (folder / name).write_bytes(value)
            elif what == "keep time":
                times = (folder / name).stat()
                (folder / name).write_bytes(value)
                os.utime(folder / name, ns=(times.st_atime_ns, times.st_mtime_ns))
            elif what == "rename":
                content = (folder / value).read_bytes()
                (folder / name).replace(folder / value)
                (folder / name).write_bytes(content)
            elif what == "wait":
                sleep(WAIT)
            elif what == "forget":
                contents._here.clear()
            else:
                kept.write_bytes(value)
            paths = [folder / name for name in FEW]
            found = digests([paths, paths[:1], paths[1:]], kept).contents
            assert found == [slow_twin(paths), slow_twin(paths[:1]), slow_twin(paths[1:])]


def test_only_what_has_changed_is_read_again(images, kept):
    one, other = [images[0]], [images[1]]
    assert digests([one, other], kept).hashed == 2
    assert digests([one, other], kept).hashed == 0
    images[0].write_bytes(b"3.jpg")
    assert digests([one, other], kept).hashed == 1


def test_a_file_changed_just_now_is_not_trusted(images, kept, monkeypatch):
    monkeypatch.setattr(contents, "UNSURE", 10**12)
    for _ in range(2):
        assert digests([images], kept).hashed == 1
    assert not kept.exists()


def test_nothing_lost_if_the_digests_cannot_be_written(images, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    nowhere = tmp_path / "file" / "digests"
    first = digests([images], nowhere)
    assert digests([images], nowhere).contents == first.contents == [slow_twin(images)]
    assert digests([images], nowhere).hashed == 0


def test_an_interrupted_look_keeps_what_it_has_hashed(images, kept, monkeypatch):
    content = contents._content

    def interrupt(paths: list[Path]) -> bytes:
        if paths == [images[1]]:
            raise KeyboardInterrupt
        return content(paths)

    monkeypatch.setattr(contents, "_content", interrupt)
    with pytest.raises(KeyboardInterrupt):
        digests([[images[0]], [images[1]]], kept)
    monkeypatch.setattr(contents, "_content", content)
    contents._here.clear()
    assert digests([[images[0]], [images[1]]], kept).hashed == 1


def test_digests_of_files_that_are_gone_are_dropped_in_the_end(images, kept, monkeypatch):
    monkeypatch.setattr(contents, "SPARE", 2)
    for number in range(6):
        images[0].write_bytes(str(number).encode())
        sleep(WAIT)
        digests([images], kept)
    assert kept.stat().st_size <= (1 + 2 * (contents.SPARE + 1)) * contents.BYTES


def test_a_missing_image_is_named(images, kept):
    images[1].unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.jpg does not exist, although it was listed"):
        digests([images], kept)


def test_a_pipe_is_refused_unopened(images, kept):
    images[1].unlink()
    os.mkfifo(images[1])
    with pytest.raises(ValueError, match=r"2\.jpg: expected an image file, got no file"):
        digests([images], kept)
