import os
from pathlib import Path

import pytest

from ssn3d.datasets.identity import digest, folder_digest


def test_a_digest_is_eight_digits_and_ignores_the_order_of_keys():
    assert digest({"a": 1, "b": [2.5, None]}) == digest({"b": [2.5, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest("")) == 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set" / "a").mkdir(parents=True)
    (tmp_path / "set" / "a" / "1.jpg").write_bytes(b"one")
    (tmp_path / "set" / "2.jpg").write_bytes(b"two")
    return tmp_path / "set"


def test_a_folder_has_its_digest_wherever_it_lies(folder, tmp_path):
    before = folder_digest(folder)
    assert folder_digest(folder.rename(tmp_path / "elsewhere")) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "2.jpg").write_bytes(b"three"),
        lambda folder: (folder / "2.jpg").rename(folder / "3.jpg"),
        lambda folder: (folder / "2.jpg").rename(folder / "a" / "2.jpg"),
        lambda folder: (folder / "2.jpg").unlink(),
        lambda folder: (folder / "a" / "3.jpg").write_bytes(b""),
    ],
    ids=["size", "name", "place", "fewer", "more"],
)
def test_names_and_sizes_of_files_count(folder, change):
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_the_order_of_the_file_system_does_not_count(folder, monkeypatch):
    before = folder_digest(folder)
    walk = [(at, names, files[::-1]) for at, names, files in reversed([*os.walk(folder)])]
    monkeypatch.setattr(os, "walk", lambda *_, **__: iter(walk))
    assert folder_digest(folder) == before


def test_folders_that_are_links_are_looked_into(folder, tmp_path):
    before = folder_digest(folder)
    (folder / "a").rename(tmp_path / "far away")
    (folder / "a").symlink_to(tmp_path / "far away")
    assert folder_digest(folder) == before


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere, but it does not exist.*SSN3D_DATA"):
        folder_digest(tmp_path / "nowhere")
