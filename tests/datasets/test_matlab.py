import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ssn3d.datasets import matlab
from ssn3d.datasets.matlab import read_array, write_array

OFFICIAL = os.environ.get("SSN3D_MARS_INFO", "")
TYPE_AT = 176  # where the type of the numbers stands in an uncompressed file of an array called x


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.mat"


@pytest.mark.skipif(not OFFICIAL, reason="SSN3D_MARS_INFO names no folder of official .mat files")
@pytest.mark.parametrize("name", ["query_IDX", "tracks_test_info", "tracks_train_info"])
def test_official_lists_are_read_as_scipy_reads_them(name):
    file = Path(OFFICIAL, f"{name}.mat")
    [expected] = [v for k, v in scipy.io.loadmat(file).items() if not k.startswith("__")]
    read = read_array(file)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(
    "dtype", "int8 uint8 int16 uint16 int32 uint32 int64 float32 float64".split()
)
@pytest.mark.parametrize("compressed", [True, False])
def test_whole_numbers_of_any_type_become_int64(path, dtype, compressed):
    array = np.array([[1, 2, 3], [4, 5, 127]], dtype)
    scipy.io.savemat(path, {"any_name": array}, do_compression=compressed)
    read = read_array(path)
    assert read.dtype == np.int64 and read.tolist() == array.tolist()


@pytest.mark.parametrize("shape", [(2, 3), (1, 5), (0, 4)])
def test_what_is_written_is_read(path, shape):
    array = np.arange(shape[0] * shape[1]).reshape(shape) * 2**40
    write_array(path, "list", array)
    np.testing.assert_array_equal(read_array(path), array)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_a_list_is_written_as_doubles_in_a_smaller_type_and_always_the_same_bytes(path, dtype):
    array = np.array([[1, 2]], dtype)
    write_array(path, "list", array)
    first = path.read_bytes()
    write_array(path, "list", array)
    assert path.read_bytes() == first
    assert scipy.io.loadmat(path)["list"].dtype == dtype
    assert scipy.io.whosmat(path) == [("list", (1, 2), "double")]


@pytest.mark.skipif(not OFFICIAL, reason="SSN3D_MARS_INFO names no folder of official .mat files")
@pytest.mark.parametrize("name", ["query_IDX", "tracks_test_info", "tracks_train_info"])
def test_a_list_is_written_as_the_official_one_is(path, name):
    file = Path(OFFICIAL, f"{name}.mat")
    [(key, official)] = [p for p in scipy.io.loadmat(file).items() if not p[0].startswith("__")]
    write_array(path, key, official)
    assert scipy.io.whosmat(path) == scipy.io.whosmat(file)
    written = scipy.io.loadmat(path)[key]
    assert (written.dtype, written.shape) == (official.dtype, official.shape)


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"a\.mat does not exist; copy it"):
        read_array(path)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({}, "expected one array, got several, a part of one, or something else"),
        ({"a": np.ones((1, 1)), "b": np.ones((1, 1))}, "expected one array, got several"),
        ({"a": np.array([[1 + 2j]])}, "real numbers"),
        ({"a": scipy.sparse.eye(3)}, "real numbers"),
        ({"a": np.array([1, "x"], dtype=object)}, "an array of numbers"),
        ({"a": {"b": 1}}, "numbers"),
        ({"a": "text"}, "numbers"),
        ({"a": np.ones((2, 2, 2))}, "rows and columns"),
        ({"a": np.array([[0.5]])}, "whole numbers, got fractions"),
        ({"a": np.array([[np.nan]])}, "whole numbers"),
        ({"a": np.array([[np.inf]])}, "whole numbers"),
        ({"a": np.array([[2.0**63]])}, "beyond 64 bits"),
        ({"a": np.array([[2**63]], dtype=np.uint64)}, "beyond 64 bits"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_anything_but_one_list_is_explained(path, stored, said, compressed):
    scipy.io.savemat(path, stored, do_compression=compressed)
    with pytest.raises(ValueError, match=rf"a\.mat is not .*{said}.*; copy it anew .* with -v7"):
        read_array(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no matlab file",
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF",
        b"\x89HDF\r\n\x1a\n".ljust(2000),
    ],
)
def test_other_files_are_explained(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mat is not .*expected version 5.*with -v7"):
        read_array(path)


def test_version_4_is_explained(path):
    scipy.io.savemat(path, {"a": np.ones((2, 2))}, format="4")
    with pytest.raises(ValueError, match="expected version 5, got another"):
        read_array(path)


@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_cut_anywhere_is_refused(path, compressed):
    scipy.io.savemat(path, {"x": np.array([[1, 2, 3]])}, do_compression=compressed)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a readable MATLAB 5 file"):
            read_array(path)


def test_a_compressed_list_damaged_anywhere_is_refused(path):
    scipy.io.savemat(path, {"x": np.arange(40)[None]}, do_compression=True)
    whole = path.read_bytes()
    for at in range(138, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with pytest.raises(ValueError, match="not a readable MATLAB 5 file"):
            read_array(path)


@pytest.mark.parametrize("place", [TYPE_AT, TYPE_AT + 1])
def test_an_unknown_type_of_numbers_does_not_crash_python(path, place):
    scipy.io.savemat(path, {"x": np.arange(40.0)[None]})
    whole = bytearray(path.read_bytes())
    assert whole[TYPE_AT : TYPE_AT + 2] == b"\x09\x00"
    for value in (
        {*range(256)} - {1, 2, 3, 4, 5, 6, 7, 9, 12, 13} - ({0} if place > TYPE_AT else set())
    ):
        whole[place] = value
        path.write_bytes(whole)
        with pytest.raises(ValueError, match="got data of type"):
            read_array(path)


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_too_large_is_refused(path, monkeypatch, compressed):
    monkeypatch.setattr(matlab, "LARGEST", 1000)
    scipy.io.savemat(path, {"x": np.zeros((1, 200))}, do_compression=compressed)
    with pytest.raises(ValueError, match="at most 1000 bytes, got more"):
        read_array(path)
