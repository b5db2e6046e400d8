"""One array in, one array out: the .mat files in which MARS and iLIDS-VID keep their lists."""

from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray


def read_array(path: Path) -> NDArray[np.int64]:
    """The only array of a .mat file, whatever its name, as int64.

    The name does not matter because copies of MARS differ in it. The cast comes at once because
    MATLAB's doubles may be stored, and come back, as uint16 or int32, which overflow in place.

    Args:
        path: a MATLAB 4 or 5 file that holds one 2-D array of whole numbers.

    Returns:
        The array in its stored shape.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, holds none or several arrays, or other than whole numbers.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; copy it from the data set's archive")
    try:
        stored = scipy.io.loadmat(path)
    # scipy reports a damaged file by half a dozen unrelated exceptions, zlib's among them.
    except Exception as error:
        raise ValueError(
            f"{path} is not a readable MATLAB 5 file ({error}); copy it anew from its source, "
            "and save it with -v7 or earlier if it was made by hand"
        ) from error
    arrays = {name: value for name, value in stored.items() if not name.startswith("__")}
    if len(arrays) != 1:
        raise ValueError(f"{path}: expected one array, got {sorted(arrays)}; keep only the list")
    (array,) = arrays.values()
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
        raise ValueError(f"{path}: expected an array of numbers, got something else; copy it anew")
    if not (np.isfinite(array) & (np.trunc(array) == array)).all():
        raise ValueError(f"{path}: expected whole numbers, got fractions or NaN; copy it anew")
    return array.astype(np.int64)


def write_array(path: Path, name: str, array: NDArray[np.int64]) -> None:
    """Write whole numbers as the doubles that MATLAB would have written, under `name`."""
    scipy.io.savemat(path, {name: array.astype(np.float64)})
    # The first 116 bytes are free text, where scipy puts the time: the same list, the same bytes.
    with path.open("r+b") as file:
        file.write(b"MATLAB 5.0 MAT-file, written by ssn3d".ljust(116))
