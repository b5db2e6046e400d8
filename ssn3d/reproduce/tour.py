"""What the tour shows of one clip: misalignment, each step of the forward pass, and a training."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.evaluation.part_metrics import PCK_THRESHOLD, distances, locate
from ssn3d.models.reid import ReID
from ssn3d.models.ssn import attention
from ssn3d.models.windows import pool_windows, windows_at
from ssn3d.plots.network import Pass
from ssn3d.rng import one_thread
from ssn3d.training import inference, loop
from ssn3d.training.batches import TrainingBatches
from ssn3d.training.checkpoint import History
from ssn3d.training.reid import build, loss_terms


class Snapshot(NamedTuple):
    """The state of a training between two steps."""

    step: int
    """Steps done."""
    history: History
    """The loss terms of these steps."""
    maps: NDArray[np.floating]
    """[t n h w] where the network finds the parts of the watched clip at this step."""


def evenly_spaced(tracklet: Tracklet, count: int) -> list[int]:
    """The indices of `count` frames of a tracklet, evenly spaced from its first."""
    return [place * len(tracklet) // count for place in range(count)]


def rms_displacement(tracklet: Tracklet) -> float:
    """How far a person strays in the box: the root mean square displacement of the body's middle.

    The middle is the mean of all body points; it is displaced from its own mean over the frames.

    Returns:
        As a share of the box; 0 if nothing is known of the points.
    """
    if tracklet.points is None:
        return 0.0
    middle = tracklet.points.truth.nanmean(dim=1)  # [t 2]
    displacement = (middle - middle.nanmean(dim=0)).square().sum(dim=-1).nanmean().sqrt()
    return float(displacement.nan_to_num(0.0))


def locate_parts(
    config: RunConfig, model: ReID, tracklet: Tracklet, indices: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Where a network finds the parts, and whether these places are right.

    Args:
        config: of the run.
        model: the trained network.
        tracklet: of somebody whose true points are known.
        indices: t frames of it.

    Returns:
        Places [t n 2] as (x, y) in 0..1, and for each [t n] 1 if it is within a tenth of the
        frame's height of the true point, 0 if it is not, and NaN where that cannot be seen.

    Raises:
        ValueError: nothing is known of the points.
    """
    if tracklet.points is None:
        raise ValueError(
            "locate_parts: expected a tracklet with body points, got none; add points.npz"
        )
    places = locate(inference.find_parts(config, model, tracklet, indices).maps[0])
    truth = tracklet.points.labels()[list(indices)]
    away = distances(places, truth, config.width / config.height)
    return places, (away <= PCK_THRESHOLD).float().where(~away.isnan(), torch.nan)


def cut_patches(frames: Tensor, points: Tensor, window: int) -> NDArray[np.uint8]:
    """A patch around a point of each frame: the window of Eq. (3), but in pixels.

    Args:
        frames: [t 3 H W] uint8.
        points: [t 2] as (x, y) in 0..1.
        window: its side in pixels, odd; black beyond the border.

    Returns:
        [t window window 3].
    """
    windows = windows_at(frames.float(), points[:, None], window)
    return rearrange(windows, "t 1 c i j -> t i j c").byte().numpy()


def forward(model: ReID, clip: Tensor) -> Pass:
    """SSN3D's forward pass with nothing left out: what `model(clips)` does, a line a step.

    Args:
        model: SSN3D with one attention classifier for all frames.
        clip: [t 3 H W] uint8.
    """
    ssn, part_conv, fusion = (getattr(model.aggregator, x) for x in ("ssn", "part_conv", "fusion"))
    [classifier] = ssn.classifiers
    with one_thread(), torch.inference_mode():
        features = model.features(clip)  # [t c h w]
        scores = classifier.first_round(features)  # [t n h w], Eq. (1)
        maps = attention(scores)  # [t n h w], Eq. (2)
        windows = pool_windows(features, maps, ssn.window, ssn.padding)  # [t n c i j], Eq. (3)
        judged = classifier.second_round(windows)  # [t n m], what Eq. (4) is about
        vectors = part_conv(windows[None])  # [1 n d], a 3D block for each part
        embedding = fusion(rearrange(vectors, "b n d -> b (n d)"))  # [1 d], for Eq. (5)
    return Pass(
        frames=clip.numpy(),
        features=features.numpy(),
        scores=scores.numpy(),
        maps=maps.numpy(),
        windows=windows.numpy(),
        judged=judged.numpy(),
        vectors=vectors[0].numpy(),
        embedding=embedding[0].numpy(),
        hidden=classifier.to_parts.in_features,
    )


def watch_training(
    config: RunConfig, tracklets: Sequence[Tracklet], clip: Tensor, *, steps: int, every: int
) -> Iterator[Snapshot]:
    """Train SSN3D from random weights, as `training.reid.fit` does, and yield snapshots.

    Args:
        config: what to train; its schedule is not used.
        tracklets: of the training people.
        clip: [t 3 H W] uint8, the clip to watch.
        steps: how many steps in all.
        every: steps from one snapshot to the next; the first is before any step.
    """
    batches = TrainingBatches(config, tracklets).after(0)
    model, optimiser = loop.start(build, config)
    history: History = {}
    yield Snapshot(0, history, _maps(model, clip))
    for done in range(every, steps + 1, every):
        with one_thread():
            history = loop.run(
                lambda batch: loss_terms(config, model, batch),
                lambda _: batches,
                done,
                model,
                optimiser,
                history=history,
            )
        yield Snapshot(done, history, _maps(model, clip))


def _maps(model: ReID, clip: Tensor) -> NDArray[np.floating]:
    """Where a network in training finds the parts; it goes on in training mode."""
    maps = forward(model.eval(), clip).maps
    model.train()
    return maps
