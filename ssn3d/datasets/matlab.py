"""The .mat files in which MARS and iLIDS-VID keep their lists: one array of whole numbers each.

scipy reads and writes them. Its reader does not check the type in the tag of the numbers, and an
unknown type crashes Python (scipy 1.17; pull request 25349 of scipy), so the tags are checked here.
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

LARGEST = 2**25
"""Bytes of a file, and of its array when decompressed; MARS's longest list takes 400,000."""

_ORDERS = {b"\x00\x01IM": "<II", b"\x01\x00MI": ">II"}
_NUMBERS = {1, 2, 3, 4, 5, 6, 7, 9, 12, 13}  # types of elements, 8 to 64 bits wide
_ARRAY, _COMPRESSED = 14, 15
_CLASS_AT = 144
"""Where an uncompressed file says of which class its array is for MATLAB."""


def read_array(path: Path) -> NDArray[np.int64]:
    """The only array of a .mat file. Its name does not matter: copies of MARS use different ones.

    Args:
        path: a MATLAB 5 file, compressed or not, that holds one 2-D array of whole numbers.

    Returns:
        The array in its stored shape. MATLAB may store it as uint16 or int32, in which sums
        overflow, so it is converted to int64 at once.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, of another version or huge, or holds none or several
            arrays, or anything but real whole numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; copy it from the data set's archive")
    try:
        with path.open("rb") as file:
            content = _checked(file.read(LARGEST + 1))
        found = scipy.io.loadmat(BytesIO(content)).items()
        [array] = (value for name, value in found if not name.startswith("__"))
        return _whole(array)
    except Exception as error:  # zlib, struct and scipy report damage by a dozen of them
        raise ValueError(
            f"{path} is not a readable MATLAB 5 file of one list ({error}); copy it anew from its "
            "source, or save the list alone, with -v7, if it was made by hand"
        ) from None


def write_array(path: Path, name: str, array: NDArray[np.integer[Any]]) -> None:
    """Write whole numbers as MATLAB does: as doubles that are stored in a smaller type.

    Args:
        path: the file; what stands there is replaced.
        name: of the array in the file.
        array: 2-D, of the type to store. scipy gives this type back, so that other loaders can
            index with it: uint16 and int32 in the official lists.
    """
    scipy.io.savemat(path, {name: array})
    # The first 116 bytes are free text, where scipy puts the time: the same list, the same bytes.
    with path.open("r+b") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by ssn3d".ljust(116))
        file.seek(_CLASS_AT)
        file.write(b"\x06")  # double


def _checked(content: bytes) -> bytes:
    """A file decompressed; a ValueError unless its tags say that it is one array of numbers.

    A file is a header of 128 bytes and an array, which is a tag (type, bytes), 16 bytes of flags
    and the elements shape, name and numbers. Each has a tag too, and is padded to 8 bytes.
    """
    tag = _ORDERS.get(content[124:128])
    if tag is None:
        raise ValueError("expected version 5, got another, such as 7.3")
    kind, count = struct.unpack_from(tag, content.ljust(136, b"\0"), 128)
    if kind == _COMPRESSED and len(content) == 136 + count:
        stream = zlib.decompressobj()
        content = content[:128] + stream.decompress(content[136:], LARGEST + 1)
        if not stream.eof and len(content) <= LARGEST:
            raise ValueError("the compressed array was cut")
        kind, count = struct.unpack_from(tag, content, 128)
    if len(content) > LARGEST:
        raise ValueError(f"expected at most {LARGEST} bytes, got more")
    if kind != _ARRAY or len(content) != 136 + count:
        raise ValueError("expected one array, got several, a part of one, or something else")
    at = 152
    while at < len(content):
        kind, count = struct.unpack_from(tag, content, at)
        small = kind >> 16  # bytes of an element whose data lies in its tag
        if (kind & 0xFFFF if small else kind) not in _NUMBERS:
            raise ValueError(f"expected an array of numbers, got data of type {kind}")
        at += 8 if small else 8 + count + -count % 8
    return content


def _whole(array: object) -> NDArray[np.int64]:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf" or array.ndim != 2:
        raise ValueError("expected rows and columns of real numbers, got something else")
    fits = (array >= -(2**63)) & (array < 2**63)  # NaN does not
    if not (fits & (np.trunc(array) == array)).all():
        raise ValueError("expected whole numbers, got fractions, NaN or some beyond 64 bits")
    return array.astype(np.int64)
