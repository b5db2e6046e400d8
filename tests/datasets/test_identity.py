import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ssn3d.datasets.identity import digest, folder_digest, source_digest

SOURCES = {
    "__init__": "",
    "main": "from .helper import help\nimport {0}.deep.low\n\ndef run(x):\n    return help(x)\n",
    "helper": "from . import third\n\ndef help(x):\n    return third.ONE + x\n",
    "third": "ONE = 1\n",
    "stranger": "TWO = 2\n",
    "deep/__init__": "",
    "deep/low": "from ..third import ONE\n\nLOW = ONE\n",
}
names = (f"package_for_digests_{number}" for number in itertools.count())


@pytest.fixture
def of_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Writes a package with some files changed, and gives the digest of its module `main`."""
    name = next(names)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / name / "deep").mkdir(parents=True)

    def write_and_digest(but: tuple[str, ...] = (), **changed: str) -> str:
        for path, source in (SOURCES | changed).items():
            (tmp_path / name / f"{path}.py").write_text(source.format(name), "utf-8")
        return source_digest([f"{name}.main"], but=[f"{name}.{module}" for module in but])

    return write_and_digest


def test_a_digest_is_twelve_digits_and_ignores_the_order_of_keys():
    assert digest({"a": 1, "b": [2.5, None]}) == digest({"b": [2.5, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest("")) == 12


@pytest.mark.parametrize(
    "source",
    [
        "# why\nfrom . import third\n\ndef help(x):\n    return third.ONE + x  # sum\n",
        "'H'\nfrom . import third\n\ndef help(x):\n    'Adds one.'\n    return third.ONE + x\n",
        "from . import (\n    third,\n)\ndef help( x ):\n  return (third.ONE\n    +x)\n",
        "from . import third\n\ndef help(x):\n    return third.ONE + x  # größer als x\n",
    ],
    ids=["comments", "docstrings", "layout", "letters"],
)
def test_what_does_not_run_does_not_count(of_package, source):
    assert of_package(helper=source) == of_package()


@pytest.mark.parametrize(
    "changed",
    [
        {"main": "from .helper import help\nimport {0}.deep.low\n\ndef run(x):\n    return 1\n"},
        {"helper": "from . import third\n\ndef help(x):\n    return third.ONE - x\n"},
        {"third": "ONE = 1.0\n"},
        {"deep/low": "from ..third import ONE\n\nLOW = -ONE\n"},
    ],
    ids=["itself", "an import", "an import of an import", "a module deeper down"],
)
def test_code_counts_wherever_it_is_imported_from(of_package, changed):
    assert of_package(**changed) != of_package()


def test_modules_that_are_not_imported_do_not_count(of_package):
    assert of_package(stranger="TWO = 3\n") == of_package()


def test_lists_of_names_do_not_count(of_package):
    assert of_package(__init__="from .third import ONE\n") == of_package()


def test_excluded_modules_do_not_count_nor_does_what_only_they_import(of_package):
    plain = of_package(("helper", "deep.low"))
    assert of_package(("helper", "deep.low"), third="ONE = 2\n") == plain
    assert of_package(("helper",)) != plain
    assert of_package(("helper",), third="ONE = 2\n") != of_package(("helper",))


def test_modules_that_import_each_other_are_read_once(of_package):
    assert of_package(third="from . import helper\n\nONE = 1\n") != of_package()


def test_a_module_without_source_is_named():
    with pytest.raises(ModuleNotFoundError, match=r"no source for the module ssn3d\.nowhere"):
        source_digest(["ssn3d.nowhere"])


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
