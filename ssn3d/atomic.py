"""Files and folders that appear whole or not at all."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from .rng import one_thread


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Write a folder that appears whole or not at all.

    Only one process may write a folder at a time: what another one left unfinished is removed.

    Args:
        folder: its final name; a folder of this name is replaced.

    Yields:
        An empty folder to write into. At the end of the block it gets its final name; after an
        exception it is removed.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        yield draft
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def build_once(root: Path, write: Callable[[Path], None]) -> Path:
    """Write a folder unless it exists; another process that asks for it meanwhile waits.

    Args:
        root: its final name.
        write: fills the empty folder it is given. It computes with one thread, so that the bytes do
            not depend on the number of cores.

    Returns:
        `root`.
    """
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.with_name(f"{root.name}.lock")):
            if not root.is_dir():
                with atomic_folder(root) as draft, one_thread():
                    write(draft)
    return root


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file whole, or leave it as it was.

    Only one process may write a file at a time.

    Args:
        path: of the file, which may exist, in an existing folder.
        content: all its bytes.

    Raises:
        OSError: the file could not be written, for example on a full disk.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
