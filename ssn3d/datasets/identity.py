"""Digests that identify data sets and settings."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

LISTS = (".mat", ".txt", ".json", ".npz", ".csv")
"""Endings of the files that describe a data set's images: their contents count, not only sizes."""


def digest(value: Any) -> str:
    """Eight hexadecimal digits that identify a value made of JSON's types."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def folder_digest(root: Path) -> str:
    """A digest of a data set: the names and sizes of its images, the contents of its lists.

    Files whose name begins with a dot do not count.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"expected a data set in the folder {root}, but it does not exist; put it there, set "
            "SSN3D_DATA to the folder that holds it (SSN3D_FOLDER to one of your own), or use "
            'source="rendered"'
        )
    found = []
    for folder, _, names in os.walk(root, followlinks=True):
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            listing = path.suffix in LISTS
            content = digest(path.read_bytes().hex()) if listing else path.stat().st_size
            found.append([path.relative_to(root).as_posix(), content])
    return digest(sorted(found))
