"""A cache of all frames of a small data set: one file, decoded once, then mapped into memory."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from math import prod
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from ssn3d.atomic import write_file

from .clips import resized_frames
from .tracklets import Split, Tracklet

LARGEST = 2**29
"""Bytes of the largest set that is cached; a larger one is read image by image."""

log = logging.getLogger(__name__)


def each_once(split: Split) -> list[Tracklet]:
    """Each tracklet once, in an order that does not depend on how the set is divided."""
    each = {id(tracklet): tracklet for part in split for tracklet in part}.values()
    return sorted(each, key=lambda tracklet: str(tracklet.frames[0]))


def packed(split: Split, size: tuple[int, int], file: Path) -> Split:
    """The same split with frames in memory, [t 3 H W] uint8 of one size, as views of a mapped file.

    Every process that maps the file shares one copy of it in memory, and nothing is decoded again.

    Args:
        split: tracklets of image files; those of one set, however it is divided, share a file.
        size: height and width in pixels that frames are resized to.
        file: where the pixels are kept, called by a digest of the frames in the order of
            `each_once`; written if it is not there, which one process does while others wait.

    Returns:
        The new split; the given one if its frames would take more than `LARGEST` bytes.

    Raises:
        FileNotFoundError: the file of a frame is missing; names it.
        ValueError: the file of a frame is not a readable image; names it.
    """
    tracklets = each_once(split)
    ends = [*accumulate(map(len, tracklets), initial=0)]
    shape = (ends[-1], 3, *size)
    if not 0 < prod(shape) <= LARGEST:
        return split
    pixels = _pixels(tracklets, shape, file)
    views = {
        id(tracklet): replace(tracklet, frames=pixels[start:end])
        for tracklet, (start, end) in zip(tracklets, pairwise(ends), strict=True)
    }
    return Split(*([views[id(tracklet)] for tracklet in part] for part in split))


def _pixels(tracklets: Sequence[Tracklet], shape: tuple[int, ...], file: Path) -> Tensor:
    count = prod(shape)
    if not _is_whole(file, count):
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f"{file.name}.lock")):
            if not _is_whole(file, count):
                pixels = torch.cat([resized_frames(t, range(len(t)), shape[2:]) for t in tracklets])
                try:
                    write_file(file, pixels.numpy().data)
                except OSError as error:  # it is only slower without the file
                    log.warning("%s could not be written (%s); frames stay in memory", file, error)
                    return pixels
    return torch.from_file(str(file), shared=False, size=count, dtype=torch.uint8).view(shape)


def _is_whole(file: Path, count: int) -> bool:
    return file.exists() and file.stat().st_size == count
