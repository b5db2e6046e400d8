"""Batches of clips for training and testing; for a GPU, other processes read them in advance."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from multiprocessing import current_process
from os import sched_getaffinity
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ssn3d.config import RunConfig
from ssn3d.datasets.clips import (
    Clip,
    Clips,
    IdentitySampler,
    chunks,
    covering_clips,
    resized_frames,
)
from ssn3d.datasets.tracklets import Tracklet

DENSE = {"ilids_vid": (32, 64), "dukemtmc": (64, 64)}
"""Step and span, in frames, of the chunks that AP3D cuts for training; MARS is not cut."""
PIXELS = {"cpu": 2**19, "cuda": 2**25}
"""About how many pixels of test frames make a batch."""


class TestClips(NamedTuple):
    """A batch of k test clips of equal length."""

    frames: Tensor
    """[k t 3 H W] uint8."""
    points: Tensor | None
    """[k t n 2] estimated points; None unless the strategy is supervised."""
    owners: list[int]
    """[k] position of each clip's tracklet in the list of tracklets."""


class TrainingBatches:
    """Endless training batches, drawn by the sampler of people."""

    def __init__(self, config: RunConfig, train: Sequence[Tracklet]):
        """Prepare clips and sampler.

        Args:
            config: settings of the run.
            train: tracklets of the training people.

        Raises:
            ValueError: there are too few people, or tracklets lack points that the strategy needs.
        """
        if config.dense_chunks and config.dataset in DENSE:
            train = [part for t in train for part in chunks(t, *DENSE[config.dataset])]
        self.clips = Clips(
            train,
            frames=config.clip_frames,
            stride=config.clip_stride,
            size=(config.height, config.width),
            flip=config.flip,
            points=config.strategy == "supervised",
            labelled=config.labelled_frames if config.strategy == "semi-supervised" else 0,
            labelled_per_clip=config.labelled_per_clip,
        )
        people = [tracklet.person for tracklet in train]
        self.sampler = IdentitySampler(
            people, config.ids_per_batch, config.clips_per_id, config.seed
        )
        self.steps = config.steps_per_epoch or len(self.sampler.one_pass(0))
        """Steps of an epoch."""

    def after(self, step: int, device: torch.device | str = "cpu") -> Iterator[Clip]:
        """Yield the batches that follow a step, the same as in an uninterrupted training.

        Args:
            step: how many batches to skip.
            device: device of the batches.
        """
        loader = DataLoader(
            self.clips,
            batch_sampler=islice(self.sampler, step, None),  # type: ignore[arg-type]
            **_reading_ahead(device, loaders_for(device)),
        )
        for batch in loader:
            yield Clip(*(field.to(device, non_blocking=True) for field in batch))


def test_batches(
    config: RunConfig,
    tracklets: Sequence[Tracklet],
    *,
    device: torch.device | str = "cpu",
) -> Iterator[TestClips]:
    """Yield batches of test clips, which together cover every frame of every tracklet.

    The protocol "split" cuts each clip into strided snippets, as in training: frames i, i + 8,
    i + 16, i + 24 of 32.  The clips of a batch have equal length.

    Args:
        config: settings of the run.
        tracklets: to cover; however long they are, only a few batches are in memory.
        device: device of the batches.
    """
    split = config.test_protocol == "split"
    clips = [
        (owner, taken)
        for owner, tracklet in enumerate(tracklets)
        for taken in covering_clips(
            len(tracklet), config.test_frames, multiple=config.clip_frames if split else 1
        )
    ]
    pixels = config.test_frames * config.height * config.width
    at_once = max(1, PIXELS.get(torch.device(device).type, PIXELS["cpu"]) // pixels)
    batches = list(_by_length(clips, at_once))
    loaders = min(loaders_for(device), max(0, len(batches) - 1))  # none for one batch
    loader = DataLoader(
        _Batches(config, tracklets, batches), batch_size=None, **_reading_ahead(device, loaders)
    )
    for frames, points, owners in loader:
        frames = frames.to(device, non_blocking=True)  # before it is rearranged, while it is pinned
        if split:
            pattern, t = "k (t s) ... -> (k s) t ...", config.clip_frames
            owners = [owner for owner in owners for _ in range(frames.shape[1] // t)]
            frames = rearrange(frames, pattern, t=t)
            points = None if points is None else rearrange(points, pattern, t=t)
        yield TestClips(frames, None if points is None else points.to(device), owners)


def load_clips(
    config: RunConfig, clips: Sequence[tuple[Tracklet, list[int]]]
) -> tuple[Tensor, Tensor | None]:
    """Read k clips of equal length.

    Args:
        config: settings of the run: size of the frames, strategy.
        clips: for each clip its tracklet, and the numbers of its t frames there.

    Returns:
        Frames uint8 [k t 3 H W], and estimated points [k t n 2], or None unless the strategy is
        supervised.

    Raises:
        ValueError: see `check_points`.
    """
    check_points(config, [tracklet for tracklet, _ in clips])
    size = (config.height, config.width)
    frames = torch.stack([resized_frames(tracklet, taken, size) for tracklet, taken in clips])
    if config.strategy != "supervised":
        return frames, None
    points = [tracklet.points.estimated[taken] for tracklet, taken in clips if tracklet.points]
    return frames, torch.stack(points)


def check_points(config: RunConfig, tracklets: Sequence[Tracklet]) -> None:
    """Raise ValueError if the strategy needs body points that some tracklets do not have."""
    missing = sum(tracklet.points is None for tracklet in tracklets)
    if missing and config.strategy == "supervised":
        raise ValueError(
            "the supervised strategy takes parts from body points, also at test time, but "
            f"{missing} of {len(tracklets)} tracklets have none; add them (`ssn3d label` writes "
            "points.npz), or choose another strategy"
        )


def loaders_for(device: torch.device | str) -> int:
    """How many processes read ahead: one for each core if the device is a GPU, at most 16.

    0 if the device is the CPU, which they would slow down, or if this process may not start others
    (a dask worker under a nanny may not).
    """
    if torch.device(device).type == "cpu" or current_process().daemon:
        return 0
    return min(len(sched_getaffinity(0)), 16)  # only the cores that a batch system allows


class _Batches(Dataset[tuple[Tensor, Tensor | None, list[int]]]):
    """Test clips; each item is a batch."""

    def __init__(
        self,
        config: RunConfig,
        tracklets: Sequence[Tracklet],
        batches: Sequence[list[tuple[int, list[int]]]],
    ):
        self.config, self.tracklets, self.batches = config, tracklets, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor | None, list[int]]:
        batch = self.batches[place]
        clips = [(self.tracklets[owner], taken) for owner, taken in batch]
        return *load_clips(self.config, clips), [owner for owner, _ in batch]


def _by_length(
    clips: list[tuple[int, list[int]]], size: int
) -> Iterator[list[tuple[int, list[int]]]]:
    """Batches of at most `size` clips of equal length."""
    by_length = sorted(clips, key=lambda clip: len(clip[1]))
    for _, equal in groupby(by_length, key=lambda clip: len(clip[1])):
        while batch := list(islice(equal, size)):
            yield batch


def _reading_ahead(device: torch.device | str, loaders: int) -> dict:
    """Arguments of a DataLoader that reads ahead for a device."""
    return {
        "num_workers": loaders,
        "pin_memory": torch.device(device).type == "cuda",
        "prefetch_factor": 2 if loaders else None,  # /dev/shm is often small
        "generator": torch.Generator(),  # not used; without it the global random state would change
    }
