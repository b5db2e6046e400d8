"""For repeatable results: a random generator for each key, and computing with one thread."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream(*key: int | str) -> torch.Generator:
    """A random generator for each key: what one key draws does not depend on any other key.

    So a clip looks the same in whichever process it is loaded and whatever was loaded before, and a
    run resumed at step 100 draws what the uninterrupted run drew there.

    Args:
        key: says what the numbers are for, such as "person", a seed and a person's number.

    Returns:
        A new generator on the CPU, at its beginning.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)


def between(low: float, high: float, share: float) -> float:
    """The number at a share (0..1) of the way from `low` to `high`."""
    return low + (high - low) * share


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """Draw one number between `low` and `high`, all equally likely."""
    return between(low, high, torch.rand((), generator=rng).item())


@contextmanager
def one_thread(device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute with one CPU thread inside the block, so that sums do not depend on the cores.

    Args:
        device: what the block computes on; the number of threads changes for the CPU alone.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if torch.device(device).type == "cpu" else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
