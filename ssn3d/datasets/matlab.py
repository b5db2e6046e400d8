"""One array in, one array out: the .mat files in which MARS and iLIDS-VID keep their lists.

A MATLAB 5 file is a header and elements, each of a tag (type, bytes) and as many bytes, padded to
eight. An array is an element made of elements: flags, shape, name, numbers. MATLAB compresses each
array, and stores its doubles as the narrowest numbers that hold them. A damaged file brings down
scipy's reader and Python with it; this one trusts no count that it has not the bytes for.
"""

import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

LARGEST = 2**25
"""Bytes of a file, and of an array before its compression; MARS's longest list takes 400,000."""

_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_ANY = "bBhHiIfdqQ"
_NUMBERS = dict(zip((1, 2, 3, 4, 5, 6, 7, 9, 12, 13), _ANY, strict=True))  # as numpy calls them
_ARRAY, _COMPRESSED = 14, 15
_CLASSES = {1: "cells", 2: "a struct", 3: "an object", 4: "text", 5: "a sparse array"}
_NUMERIC = range(6, 16)
_LOGICAL, _COMPLEX = 0x200, 0x800


def read_array(path: Path) -> NDArray[np.int64]:
    """The only array of a .mat file, whatever its name, as int64.

    The name does not matter because copies of MARS differ in it. The cast comes at once because
    MATLAB's doubles may be stored as uint16 or int32, which overflow in place.

    Args:
        path: a MATLAB 5 file, compressed or not, that holds one 2-D array of whole numbers.

    Returns:
        The array in its stored shape.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another version or huge, or holds none or several
            arrays, or other than real whole numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; copy it from the data set's archive")
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    try:
        return _whole(_only_array(content))
    except (ValueError, zlib.error) as error:
        raise ValueError(
            f"{path} is not a readable MATLAB 5 file of one list ({error}); copy it anew from its "
            "source, or save the list alone, with -v7, if it was made by hand"
        ) from None


def write_array(path: Path, name: str, array: NDArray[np.int64]) -> None:
    """Write whole numbers as the doubles that MATLAB would have written, under `name`."""
    scipy.io.savemat(path, {name: array.astype(np.float64)})
    # The first 116 bytes are free text, where scipy puts the time: the same list, the same bytes.
    with path.open("r+b") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by ssn3d".ljust(116))


def _only_array(content: bytes) -> NDArray:
    order, at = _order(content), 128
    found: list[tuple[str, NDArray]] = []
    while at < len(content) and len(found) < 2:
        kind, data, at = _element(content, at, order)
        if kind == _COMPRESSED:
            kind, data = _inflated(data, order)
        if kind != _ARRAY:
            raise ValueError(f"expected an array, got data of type {kind}")
        found.append(_array(data, order))
    if len(found) != 1:
        names = [name for name, _ in found]
        raise ValueError(f"expected one array, got {f'{names} or more' if names else 'none'}")
    return found[0][1]


def _order(content: bytes) -> str:
    """The byte order, "<" or ">", from the last four bytes of the header."""
    order = _ORDERS.get(content[124:128])
    if len(content) > LARGEST:
        raise ValueError(f"expected at most {LARGEST} bytes, got more")
    if order is None:
        hdf = content.startswith((b"MATLAB 7.3", b"\x89HDF"))
        got = "version 7.3" if hdf else "version 4" if 0 in content[:4] else "something else"
        raise ValueError(f"expected version 5, got {got}")
    return order


def _element(content: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """The type and the data of the element at a place, and where the next one begins."""
    if at + 8 > len(content):
        raise ValueError(f"expected a tag of 8 bytes, got {len(content) - at}: it was cut")
    kind, count = struct.unpack_from(f"{order}II", content, at)
    start, after = at + 8, at + 8 + count
    if kind >> 16:  # a small element, whose data lies in the tag
        kind, count, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
    elif kind != _COMPRESSED:
        after += -count % 8
    data = content[start : min(start + count, after)]
    if len(data) < count:
        raise ValueError(f"expected {count} bytes of data, got {len(data)}: it was cut")
    return kind, data, after


def _inflated(data: bytes, order: str) -> tuple[int, bytes]:
    """The type and the data of the one element that was compressed."""
    stream = zlib.decompressobj()
    content = stream.decompress(data, LARGEST + 1)
    if not stream.eof:
        raise ValueError(f"expected compressed data of at most {LARGEST} bytes, got more or a part")
    kind, inner, after = _element(content, 0, order)
    if after < len(content):
        raise ValueError(f"expected {after} compressed bytes, got {len(content)}")
    return kind, inner


def _array(content: bytes, order: str) -> tuple[str, NDArray]:
    """The name and the numbers of an array."""
    flags, at = _numbers(content, 0, order, "I")
    if len(flags) != 2:
        raise ValueError(f"expected two words of flags, got {len(flags)}")
    kind = int(flags[0]) & 0xFF
    if kind not in _NUMERIC or flags[0] & (_LOGICAL | _COMPLEX):
        special = "complex numbers" if flags[0] & _COMPLEX else "logical values"
        got = special if kind in _NUMERIC else _CLASSES.get(kind, f"class {kind}")
        raise ValueError(f"expected an array of numbers, got {got}")
    shape, at = _numbers(content, at, order, "i")
    _, name, at = _element(content, at, order)
    numbers, _ = _numbers(content, at, order, _ANY)
    sides = shape.tolist()
    if len(sides) != 2 or min(sides) < 0 or prod(sides) != len(numbers):
        raise ValueError(f"expected an array of rows and columns, got {sides} of {len(numbers)}")
    return name.decode("ascii", "replace"), numbers.reshape(sides, order="F")


def _numbers(content: bytes, at: int, order: str, wanted: str) -> tuple[NDArray, int]:
    """The element at a place as numbers of one of the types wanted, and where the next begins."""
    kind, data, after = _element(content, at, order)
    code = _NUMBERS.get(kind)
    if code is None or code not in wanted:
        raise ValueError(f"expected numbers of type {wanted!r}, got type {kind}")
    return np.frombuffer(data, order + code), after


def _whole(array: NDArray) -> NDArray[np.int64]:
    fits = (array >= -(2**63)) & (array < 2**63)  # NaN does not
    if not (fits & (np.trunc(array) == array)).all():
        raise ValueError("expected whole numbers, got fractions, NaN or some beyond 64 bits")
    return array.astype(np.int64)
