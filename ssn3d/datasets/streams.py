"""Random streams that depend on nothing but their key."""

import hashlib

import torch


def stream(*key: int | str) -> torch.Generator:
    """A generator of its own for every key: what one key draws never moves what another draws.

    So a clip looks the same whichever process loads it, a person whoever else is rendered, and a run
    resumed at step 100 sees what the uninterrupted run saw there.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest) >> 1)
