import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ssn3d.datasets import matlab
from ssn3d.datasets.matlab import read_array, write_array

REAL = sorted((Path(__file__).parents[3] / "shared" / "data").rglob("*.mat"))
TYPES = "int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64".split()
CODES = dict(zip((1, 2, 3, 4, 5, 6, 7, 9, 12, 13), "bBhHiIfdqQ", strict=True))


def element(kind: int, data: bytes, order: str, small: bool = False) -> bytes:
    """One element, its data in the tag if it is small and may be."""
    if small and len(data) <= 4:
        return struct.pack(f"{order}I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(f"{order}II", kind, len(data)) + data + bytes(-len(data) % 8)


def mat(
    numbers, stored=9, *, order="<", flags=6, small=True, name=b"x", dims=None, packed=False
) -> bytes:
    """A .mat file of one array, whose numbers are stored as any type."""
    values = np.asarray(numbers)
    pieces = [
        element(6, struct.pack(f"{order}II", flags, 0), order),
        element(5, np.array(dims or values.shape, f"{order}i4").tobytes(), order, small),
        element(1, name, order, small),
        element(stored, values.astype(order + CODES[stored]).tobytes("F"), order, small),
    ]
    content = element(14, b"".join(pieces), order)
    if packed:
        content = struct.pack(f"{order}II", 15, len(zlib.compress(content))) + zlib.compress(
            content
        )
    mark = {"<": b"\x00\x01IM", ">": b"\x01\x00MI"}[order]
    return b"MATLAB 5.0 MAT-file, by hand".ljust(124) + mark + content


def twin(path: Path) -> np.ndarray:
    """What scipy reads."""
    [array] = [v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")]
    return array


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.mat"


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("matlab") / "a.mat"


@pytest.mark.skipif(not REAL, reason="the official lists of MARS are not beside the repository")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.name)
def test_official_lists_are_read_as_scipy_reads_them(file):
    read = read_array(file)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, twin(file))


@given(st.data(), st.sampled_from(TYPES), st.booleans())
def test_what_scipy_writes_is_read(shared_path, data, dtype, compressed):
    shape = arrays.array_shapes(min_dims=2, max_dims=2, min_side=0)
    kind = np.dtype(dtype)
    whole = st.integers(-(2**24), 2**24).map(float) if kind.kind == "f" else None
    if dtype == "uint64":
        whole = st.integers(0, 2**63 - 1)
    array = data.draw(arrays.arrays(kind, shape, elements=whole))
    scipy.io.savemat(shared_path, {"any_name": array}, do_compression=compressed)
    np.testing.assert_array_equal(read_array(shared_path), array.astype(np.int64))


@given(
    st.lists(st.integers(0, 127), min_size=1, max_size=9),
    st.sampled_from(sorted(CODES)),
    st.sampled_from("<>"),
    st.integers(6, 15),
    st.booleans(),
    st.booleans(),
)
def test_numbers_narrower_than_their_class_are_read(
    shared_path, numbers, stored, order, flags, small, packed
):
    content = mat([numbers], stored, order=order, flags=flags, small=small, packed=packed)
    shared_path.write_bytes(content)
    read = read_array(shared_path)
    assert read.tolist() == [numbers]
    np.testing.assert_array_equal(read, twin(shared_path))


@given(arrays.arrays(np.int64, (2, 3), elements=st.integers(-(2**53), 2**53)))
def test_what_is_written_is_read(shared_path, array):
    write_array(shared_path, "list", array)
    np.testing.assert_array_equal(read_array(shared_path), array)


def test_columns_stay_columns(path):
    path.write_bytes(mat([[1, 2, 3], [4, 5, 6]]))
    assert read_array(path).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_missing_file_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"a\.mat does not exist; copy it"):
        read_array(path)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({}, "expected one array, got none"),
        ({"a": np.ones((1, 1)), "b": np.ones((1, 1)), "c": np.ones((1, 1))}, r"\['a', 'b'\] or"),
        ({"a": np.array([[1 + 2j]])}, "numbers, got complex numbers"),
        ({"a": scipy.sparse.eye(3)}, "numbers, got a sparse array"),
        ({"a": np.array([1, "x"], dtype=object)}, "numbers, got cells"),
        ({"a": {"b": 1}}, "numbers, got a struct"),
        ({"a": "text"}, "numbers, got text"),
        ({"a": np.array([[True]])}, "numbers, got logical values"),
        ({"a": np.ones((2, 2, 2))}, r"rows and columns, got \[2, 2, 2\]"),
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
    ("content", "said"),
    [
        (b"", "something else"),
        (
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF",
            "version 7.3",
        ),
        (b"\x89HDF\r\n\x1a\n".ljust(2000), "version 7.3"),
        (mat([[1]])[:128], "one array, got none"),
        (mat([[1]]) + b"\0", "a tag of 8 bytes, got 1"),
        (mat([[1]]) + bytes(8), "got data of type 0"),
        (mat([[1]], flags=99), "got class 99"),
        (mat([[1]], flags=17), "got class 17"),
        (mat([[1, 2]], dims=(1, 3)), r"got \[1, 3\] of 2"),
        (mat([[1, 2]], dims=(-1, -2)), r"got \[-1, -2\] of 2"),
        (mat([[1, 2]], dims=(2**31 - 1, 2**31 - 1)), "of 2"),
        (mat([[1]], packed=True)[:-4], "it was cut"),
    ],
)
def test_other_versions_and_contradictions_are_explained(path, content, said):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.mat is not a readable MATLAB 5 file.*{said}"):
        read_array(path)


def test_version_4_is_explained(path):
    scipy.io.savemat(path, {"a": np.ones((2, 2))}, format="4")
    with pytest.raises(ValueError, match="expected version 5, got version 4"):
        read_array(path)


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_cut_anywhere_is_refused(path, packed):
    whole = mat([[1, 2, 3]], packed=packed)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a readable MATLAB 5 file"):
            read_array(path)


def test_a_compressed_list_damaged_anywhere_is_refused(path):
    whole = mat(np.arange(40)[None], packed=True)
    for at in range(138, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with pytest.raises(ValueError, match="not a readable MATLAB 5 file"):
            read_array(path)


@pytest.mark.parametrize("packed", [True, False])
def test_what_is_too_large_is_refused(path, monkeypatch, packed):
    monkeypatch.setattr(matlab, "LARGEST", 1000)
    path.write_bytes(mat([[0] * 200], packed=packed))
    with pytest.raises(ValueError, match="at most 1000 bytes, got more"):
        read_array(path)
