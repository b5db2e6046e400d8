"""Files and folders that appear whole or not at all."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from .rng import one_thread


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into that takes the name `folder` if all goes well, and else vanishes.

    What a killed process left of an earlier draft is removed first, so only one process may draft a
    folder at a time.

    Args:
        folder: the final name; what stands there is replaced.
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
    """The folder `root`, written unless it is there already; who else asks meanwhile waits.

    Args:
        root: the final name.
        write: fills an empty folder, with one thread, so that the bytes do not depend on the cores.
    """
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(root.with_name(f"{root.name}.lock")):
            if not root.is_dir():
                with atomic_folder(root) as draft, one_thread():
                    write(draft)
    return root


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file that holds all of `content`, or what it held before.

    Only one process may write a file at a time.

    Raises:
        OSError: it could not be written, as on a full disk.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
