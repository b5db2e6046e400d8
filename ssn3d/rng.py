"""What makes results repeatable: random streams that depend on their key alone, and one thread."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream(*key: int | str) -> torch.Generator:
    """A generator of its own for every key: what one key draws never moves what another draws.

    So a clip looks the same whichever process loads it and whatever was loaded before, and a run
    resumed at step 100 sees what the uninterrupted run saw there.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)


@contextmanager
def one_thread(device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute with one CPU thread: sums come out alike whatever number of cores a machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if torch.device(device).type == "cpu" else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
