"""Text files of other systems and tools."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssn3d.datasets import text
from ssn3d.datasets.text import read_text

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("texts") / "a.txt"


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff")).map("ab".__add__),
    st.sampled_from(ENCODINGS),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_text_is_read_as_it_was_meant(path, content, encoding, end):
    written = content.replace("\n", end)
    path.write_bytes(written.encode(encoding))
    assert read_text(path) == content
    assert read_text(path, newline="") == written


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_an_empty_file_is_an_empty_text(path, mark):
    path.write_bytes(mark)
    assert read_text(path) == ""


@pytest.mark.parametrize("content", [b"M\xe4rz", b"\xff\xfea", b"\x89PNG\r\n\x1a\n", b"\xc3"])
def test_what_is_no_text_is_named(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.txt: expected a text in UTF-8, got .*; save it as"):
        read_text(path)


def test_a_huge_file_is_refused(path, monkeypatch):
    monkeypatch.setattr(text, "LARGEST", 10)
    path.write_bytes(b"a" * 10)
    assert len(read_text(path)) == 10
    path.write_bytes(b"a" * 11)
    with pytest.raises(ValueError, match=r"a\.txt: .*more than 10 bytes"):
        read_text(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone"):
        read_text(tmp_path / "gone")
