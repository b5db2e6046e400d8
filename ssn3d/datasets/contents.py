"""Digests of what image files hold, each hashed once and kept in a file of our own.

Hashing MARS means reading 1.2 million files; asking the system whether they have changed since is
far less. The system sets the time of a file's last change of any kind (ctime) and lets no tool set
it back, so a file that was replaced is noticed even if its size and its time of writing are kept.
"""

import logging
import os
import stat
from collections.abc import Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from filelock import FileLock
from tqdm.auto import tqdm

from ssn3d.atomic import write_file

from .images import missing

BYTES = 16
"""Of each digest."""
UNSURE = 2_000_000_000
"""Nanoseconds. A file that was changed less than this before it was hashed might be changed again
without another time, as some systems count in steps of two seconds; it is hashed again."""
SPARE = 10
"""How many times as many digests as files the kept file may hold before old ones are dropped."""

_here: dict[Path, dict[bytes, bytes]] = {}
"""What this process knows by the file it is kept in, which perhaps cannot be written."""

log = logging.getLogger(__name__)


class Contents(NamedTuple):
    """What was found of each sequence of files."""

    contents: list[str]
    """A digest of what its files hold, in order, whatever they are called."""
    states: list[str]
    """A digest of their paths, sizes, times and places on the disk."""
    hashed: int
    """How many sequences had to be read."""


def digests(sequences: Sequence[Sequence[Path]], file: Path) -> Contents:
    """Digests of sequences of files, read only if they are new or changed since the last time.

    Args:
        sequences: the frames of tracklets.
        file: where digests are kept. It is written if that is possible, and made anew if damaged.

    Raises:
        FileNotFoundError: a file is not there; names it.
        ValueError: it is no regular file; names it.
    """
    stored = _load(file)
    kept = stored | _here.get(file, {})
    contents, states, hashed = [], [], 0
    silent = bool(os.environ.get("TQDM_DISABLE"))
    try:
        for frames in tqdm(
            sequences, "looking for changes", unit="tracklet", delay=5, disable=silent
        ):
            started, (state, newest) = time_ns(), _state(frames)
            content = kept.get(state)
            if content is None:
                content, hashed = _content(frames), hashed + 1
                if newest < started - UNSURE:
                    kept[state] = content
            contents.append(content.hex())
            states.append(state.hex())
        if len(kept) > SPARE * len(states):
            kept = {state: kept[state] for state in map(bytes.fromhex, states) if state in kept}
    finally:  # what was hashed before an interruption is kept
        _here[file] = kept
        if kept != stored:
            _save(file, kept)
    return Contents(contents, states, hashed)


def _state(frames: Sequence[Path]) -> tuple[bytes, int]:
    """A digest that another file in any place changes, and the latest time of a change, in ns."""
    whole, newest = blake2b(digest_size=BYTES), 0
    for path in frames:
        try:
            found = path.stat()
        except FileNotFoundError:
            raise missing(path) from None
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path}: expected an image file, got no file; remove it")
        times = found.st_mtime_ns, found.st_ctime_ns
        whole.update(os.fsencode(path) + f"\0{found.st_size} {times} {found.st_ino}\0".encode())
        newest = max(newest, *times)
    return whole.digest(), newest


def _content(frames: Sequence[Path]) -> bytes:
    whole = blake2b(digest_size=BYTES)
    for path in frames:
        with path.open("rb") as image:
            whole.update(file_digest(image, lambda: blake2b(digest_size=BYTES)).digest())
    return whole.digest()


def _load(file: Path) -> dict[bytes, bytes]:
    """Content by state; nothing if the file is not there or not as it was written."""
    try:
        content = file.read_bytes()
    except OSError:
        return {}
    check, pairs = content[:BYTES], content[BYTES:]
    if check != _check(pairs):
        return {}
    each = [pairs[start : start + BYTES] for start in range(0, len(pairs), BYTES)]
    return dict(zip(each[::2], each[1::2], strict=True))


def _save(file: Path, known: dict[bytes, bytes]) -> None:
    pairs = b"".join(state + content for state, content in known.items())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock")):
            write_file(file, _check(pairs) + pairs)
    except OSError as error:  # it is only slower without the file
        log.info("%s could not be written (%s); images are hashed again", file, error)


def _check(pairs: bytes) -> bytes:
    return blake2b(pairs, digest_size=BYTES, person=b"ssn3d contents").digest()
