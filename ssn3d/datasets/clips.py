"""From tracklets to clips: the frames of a clip, the people of a batch, the snippets of a test.

The paper names 4 frames of stride 8 and batches of 8 people with 4 clips each. It does not say how
it treats short tracklets, long tracklets and epochs; these follow AP3D (Gu et al. 2020), as the
paper's settings do.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from ssn3d.rng import stream

from .images import read_image
from .keypoints import PARTS, Points, labelled_frames, mirror
from .tracklets import Tracklet, load_frames


class Request(NamedTuple):
    """Which tracklet to take a clip from, and the key of the clip's random stream."""

    tracklet: int
    key: tuple[int, ...]


class Clip(NamedTuple):
    """One training sample; a batch of them has `b` in front of every axis."""

    frames: Tensor
    """[t 3 H W] uint8."""
    points: Tensor
    """[t n 2] as the pose estimator reports them; t = 0 where they were not asked for."""
    labelled: Tensor
    """[l 3 H W] uint8, frames of the tracklet with careful labels; l = 0 where not asked for."""
    labels: Tensor
    """[l n 2] those labels, NaN where a part cannot be seen."""
    person: int


class Clips(Dataset[Clip]):
    """Training clips, one for each request."""

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        *,
        frames: int,
        stride: int,
        size: tuple[int, int],
        flip: bool = True,
        points: bool = False,
        labelled: int | None = 0,
        labelled_per_clip: int = 2,
    ):
        """Set what every clip holds.

        Args:
            tracklets: where the clips are cut from.
            frames: t, the number of frames in a clip.
            stride: distance between them, where a tracklet is long enough.
            size: height and width in pixels that frames are resized to.
            flip: mirror half of the clips, each as a whole.
            points: give the estimated points of the clip's frames (supervised strategy).
            labelled: how many frames of a tracklet have labels (semi-supervised strategy); None:
                all.
            labelled_per_clip: l, how many of these come with a clip.
        """
        if (points or labelled != 0) and any(tracklet.points is None for tracklet in tracklets):
            raise ValueError(
                "this strategy learns from body points, but the data set has none; add them "
                '(`ssn3d label` writes points.npz), or train with strategy="unsupervised"'
            )
        self.tracklets = tracklets
        self.frames, self.stride, self.size = frames, stride, size
        self.flip, self.points = flip, points
        self.labelled = [_worth_labelling(tracklet, labelled) for tracklet in tracklets]
        self.labelled_per_clip = labelled_per_clip

    def __getitem__(self, request: Request) -> Clip:
        tracklet, random = self.tracklets[request.tracklet], stream(*request.key)
        taken = sample_frames(len(tracklet), self.frames, self.stride, random)
        careful = _draw(self.labelled[request.tracklet], self.labelled_per_clip, random)
        flipped = self.flip and bool(torch.rand((), generator=random) < 0.5)
        points, labels = torch.empty(2, 0, len(PARTS), 2)
        if tracklet.points and self.points:
            points = tracklet.points.estimated[taken]
        if tracklet.points and careful:
            labels = tracklet.points.labels()[careful]
        images = resized_frames(tracklet, [*taken, *careful], self.size)
        if flipped:
            images, points, labels = images.flip(-1), mirror(points), mirror(labels)
        frames, labelled = images.split([len(taken), len(careful)])
        return Clip(frames, points, labelled, labels, tracklet.person)


def _worth_labelling(tracklet: Tracklet, count: int | None) -> list[int]:
    if count is None:
        return list(range(len(tracklet)))
    return labelled_frames(tracklet.points, count) if count and tracklet.points else []


def _draw(frames: list[int], count: int, random: torch.Generator) -> list[int]:
    """`count` of `frames` at random, in order; too few are repeated, so that clips can be stacked.

    Where there is nothing to choose, nothing is drawn.
    """
    if len(frames) <= count:
        return (frames * count)[:count]
    return [frames[i] for i in torch.randperm(len(frames), generator=random)[:count].sort().values]


def sample_frames(length: int, frames: int, stride: int, generator: torch.Generator) -> list[int]:
    """Which frames of a tracklet make a training clip.

    A tracklet of at least `frames * stride` frames gives evenly spaced ones from a random start; a
    shorter one gives random frames in order, each once if there are enough.
    """
    if length >= frames * stride:
        starts = length - (frames - 1) * stride
        start = int(torch.randint(starts, (), generator=generator))
        return list(range(start, start + frames * stride, stride))
    if length >= frames:
        return torch.randperm(length, generator=generator)[:frames].sort().values.tolist()
    return torch.randint(length, (frames,), generator=generator).sort().values.tolist()


def chunks(tracklet: Tracklet, step: int, span: int) -> list[Tracklet]:
    """A long tracklet as several training tracklets of `span` frames, one every `step` frames.

    The last one reaches to the end, and a tracklet shorter than `step` stays whole. AP3D cuts
    iLIDS-VID with step 32 and span 64 and DukeMTMC-VideoReID with 64 and 64: their people have two
    or three tracklets only, and a batch wants four clips of each.
    """
    starts = range(0, max(len(tracklet) // step, 1) * step, step)
    ends = [start + span for start in starts[:-1]] + [len(tracklet)]
    return [
        replace(
            tracklet,
            frames=tracklet.frames[start:end],
            points=tracklet.points and Points(*(field[start:end] for field in tracklet.points)),
        )
        for start, end in zip(starts, ends, strict=True)
    ]


class IdentitySampler:
    """Batches of several clips of each of several people, without end.

    In each pass every person's tracklets are shuffled and divided into groups of `clips_per_id`; a
    remainder is left out of that pass, and a person with too few tracklets repeats some. A batch
    takes the groups of `ids_per_batch` different people; groups that fill no batch are left out.
    """

    def __init__(self, people: Sequence[int], ids_per_batch: int, clips_per_id: int, seed: int = 0):
        """Group the tracklets by person.

        Args:
            people: the person on each tracklet.
            ids_per_batch: different people in a batch.
            clips_per_id: clips of each of them.
            seed: of the order of tracklets and people, and of the clips' random streams.
        """
        self.tracklets: dict[int, list[int]] = defaultdict(list)
        for index, person in enumerate(people):
            self.tracklets[person].append(index)
        if ids_per_batch < 2 or clips_per_id < 2:
            raise ValueError(
                "hard triplets need at least 2 people with 2 clips each in a batch, got "
                f"ids_per_batch={ids_per_batch}, clips_per_id={clips_per_id}"
            )
        if len(self.tracklets) < ids_per_batch:
            raise ValueError(
                f"a batch takes {ids_per_batch} people, but the training list has "
                f"{len(self.tracklets)}; add people or lower ids_per_batch"
            )
        self.ids_per_batch, self.clips_per_id, self.seed = ids_per_batch, clips_per_id, seed

    def one_pass(self, number: int) -> list[list[int]]:
        """The batches of pass `number` over the data, as positions in `people`."""
        random = stream("identities", self.seed, number)
        groups: list[tuple[int, list[int]]] = []
        for person, tracklets in self.tracklets.items():
            order = torch.randperm(len(tracklets), generator=random).tolist()
            if len(order) < self.clips_per_id:
                order = torch.randint(
                    len(tracklets), (self.clips_per_id,), generator=random
                ).tolist()
            shuffled = [tracklets[i] for i in order]
            for end in range(self.clips_per_id, len(shuffled) + 1, self.clips_per_id):
                groups.append((person, shuffled[end - self.clips_per_id : end]))
        waiting = [groups[i] for i in torch.randperm(len(groups), generator=random).tolist()]
        batches: list[list[int]] = []
        while True:
            batch: dict[int, list[int]] = {}
            rest = []
            for person, group in waiting:
                if len(batch) < self.ids_per_batch and person not in batch:
                    batch[person] = group
                else:
                    rest.append((person, group))
            if len(batch) < self.ids_per_batch:
                return batches
            batches.append([index for group in batch.values() for index in group])
            waiting = rest

    def __iter__(self) -> Iterator[list[Request]]:
        step, number = 0, 0
        while True:
            for batch in self.one_pass(number):
                yield [
                    Request(index, (self.seed, step, place)) for place, index in enumerate(batch)
                ]
                step += 1
            number += 1


def covering_clips(length: int, clip: int, *, multiple: int = 1) -> list[list[int]]:
    """Consecutive clips that cover a tracklet ("Training and testing protocols").

    Args:
        length: frames in the tracklet.
        clip: frames in a clip, 32 in the paper.
        multiple: a last, shorter clip repeats its frames from its start until their number is a
            multiple of this, so that it can be cut in snippets.

    Returns:
        The frame numbers of each clip, from 0.
    """
    clips = [list(range(start, min(start + clip, length))) for start in range(0, length, clip)]
    last = clips[-1]
    missing = -len(last) % multiple
    clips[-1] = last + [last[i % len(last)] for i in range(missing)]
    return clips


def resized_frames(tracklet: Tracklet, indices: Sequence[int], size: tuple[int, ...]) -> Tensor:
    """Some frames of a tracklet, each resized to the same size, uint8 [t 3 H W]."""
    if isinstance(tracklet.frames, Tensor):
        return resized(load_frames(tracklet, indices), size)
    return torch.cat([resized(read_image(tracklet.frames[i])[None], size) for i in indices])


def resized(frames: Tensor, size: tuple[int, ...]) -> Tensor:
    """Frames uint8 [t 3 H W] resized to a height and a width."""
    if tuple(frames.shape[-2:]) == size:
        return frames
    return F.interpolate(frames, size, mode="bicubic", antialias=True)
