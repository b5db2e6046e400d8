"""Measures of the SSN trained alone: its loss; how similar, accurate and stable its parts are."""

import math
from typing import Any, NamedTuple

import torch
from einops import einsum, rearrange
from torch import Tensor

from ssn3d.config import StudyConfig
from ssn3d.datasets.images import Pictures
from ssn3d.models.reid import PartFinder
from ssn3d.models.windows import windows_at
from ssn3d.rng import one_thread
from ssn3d.synthetic.pedestrians import Pedestrians
from ssn3d.training.checkpoint import History
from ssn3d.training.ssn_only import find_parts

from . import part_metrics

LAST = 10
"""The final loss is the mean over the last steps, because every step sees other samples."""


class Windows(NamedTuple):
    """For each part and picture, the window where the attention is highest."""

    points: Tensor
    """[k n 2] middles, as (x, y) in 0..1 of the picture."""
    pixels: Tensor
    """[k n 3 i j] in 0..1."""
    confidence: Tensor
    """[k n] probability that the 2nd round gives the part for this window alone."""


def measure(
    config: StudyConfig,
    network: PartFinder,
    material: Pictures | Pedestrians | None,
    history: History,
) -> dict[str, Any]:
    """All measures of a trained network, as they are stored.

    Args:
        config: of the run.
        network: trained.
        material: what it was trained on; None for random maps.
        history: of its training.

    Returns:
        Loss and its chance level for random maps, else `pedestrian_metrics` or `amber_metrics`.
    """
    if material is None:
        last = history["ssn"][-LAST:]
        return {"loss": sum(last) / len(last), "chance": math.log(config.parts)}
    if isinstance(material, Pedestrians):
        return pedestrian_metrics(config, network, material)
    return amber_metrics(config, network, material.frames)


def amber_metrics(config: StudyConfig, network: PartFinder, frames: Tensor) -> dict[str, Any]:
    """How similar the windows of a part are; see `similarity`.

    Args:
        config: of the run.
        network: trained.
        frames: [k 3 H W] uint8.
    """
    windows = best_windows(config, network, frames).pixels
    mean_colour = frames.float().mean(dim=(0, 2, 3)) / 255
    return {"similarity": similarity(windows - mean_colour[:, None, None])._asdict()}


class Similarity(NamedTuple):
    """Mean cosines between windows of different pictures; see `similarity`."""

    within: float
    """Of windows of the same part."""
    between: float
    """Of windows of different parts."""
    shuffled: list[float]
    """`within` after each shuffle of the windows of each picture among the parts."""
    pictures: list[float]
    """For each picture, `within` minus `between` of its windows and those of all others."""


def similarity(windows: Tensor, *, shuffles: int = 100) -> Similarity:
    """How similar the windows are that one part found in different pictures.  Figure 6.

    Not in the paper, which lets the reader judge by eye.

    Args:
        windows: [k n c i j] the window of each part in k pictures, colours minus the mean colour of
            all pictures, so that windows that share only the series have a cosine of about 0.
        shuffles: how many times the windows are shuffled among the parts, for control.

    Returns:
        Cosines in -1..1; a window of exactly the mean colour counts as 0.
    """
    if windows.ndim != 5 or len(windows) < 2 or windows.shape[1] < 2:
        raise ValueError(
            "similarity: expected windows [k n c i j] of at least two parts in two pictures, got "
            f"{tuple(windows.shape)}"
        )
    units = rearrange(windows.float(), "k n c i j -> k n (c i j)")
    units = torch.nn.functional.normalize(units, dim=-1)
    within, between = _cosines(units)
    generator = torch.Generator().manual_seed(0)
    rank = torch.rand(shuffles, *units.shape[:2], generator=generator).argsort(dim=-1)
    shuffled = [
        _cosines(units.take_along_dim(parts[..., None], dim=1))[0].mean().item() for parts in rank
    ]
    return Similarity(
        within.mean().item(), between.mean().item(), shuffled, (within - between).tolist()
    )


def _cosines(units: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cosine of each picture's windows [k n d] with those of all other pictures.

    Returns:
        [k] of the same parts, and [k] of different parts.
    """
    k, n, _ = units.shape
    others = units.sum(dim=0) - units  # [k n d]: the sum over all other pictures
    own = einsum(units, others, "k n d, k n d -> k") / (k - 1)
    every = einsum(units.sum(dim=1), others.sum(dim=1), "k d, k d -> k") / (k - 1)
    return own / n, (every - own) / (n * (n - 1))


def best_windows(config: StudyConfig, network: PartFinder, frames: Tensor) -> Windows:
    """Find where each part's map is highest in each picture, and cut out the window there.

    Args:
        config: of the run; without a backbone, so that a cell of the map is a pixel.
        network: trained.
        frames: [k 3 H W] uint8.
    """
    maps = _maps(network, frames, at_once=4)
    (height, width), (h, w) = frames.shape[-2:], maps.shape[-2:]
    best = rearrange(maps, "k n h w -> k n (h w)").argmax(dim=-1)
    x = (best % w + (width - w) // 2 + 0.5) / width
    y = (best // w + (height - h) // 2 + 0.5) / height
    points = torch.stack([x, y], dim=-1)
    pixels = windows_at(frames.float() / 255, points, config.window, config.padding)
    with one_thread(), torch.inference_mode():
        features = windows_at(network.features(frames), points, config.window, config.padding)
        [classifier] = network.ssn.classifiers
        scores = classifier.second_round(features).softmax(dim=-1)
    return Windows(points, pixels, scores.diagonal(dim1=1, dim2=2))


def pedestrian_metrics(
    config: StudyConfig, network: PartFinder, people: Pedestrians
) -> dict[str, Any]:
    """How accurate, stable and distinct parts are: what the paper says of Figure 4, as numbers.

    Parts that were learned without labels are first assigned to points on the labelled pictures;
    what is measured is measured on the others.  Without the truth, which a user's own folder may
    lack, only "parts", "distinctness" and "extent" are known.

    Args:
        config: of the run.
        network: trained.
        people: pictures, labels and truth.
    """
    maps = _maps(network, people.frames)
    known = ~people.labels.isnan().any(-1).all(-1)  # labelled pictures
    found, aspect = part_metrics.locate(maps), config.width / config.height
    parts = torch.arange(config.parts)
    if not config.labelled_steps:
        parts = part_metrics.assign(found[known], people.labels[known], aspect=aspect)
    metrics: dict[str, Any] = {
        "parts": parts.tolist(),
        "distinctness": part_metrics.distinctness(maps[~known]),
        "extent": part_metrics.extent(maps[~known]).tolist(),
    }
    if people.truth is None:
        return metrics
    found, truth = found[~known][:, parts], people.truth[~known]
    prior = part_metrics.centre_prior(people.labels[known]).expand_as(truth)
    metrics |= {
        **part_metrics.accuracy(found, truth, aspect=aspect),
        "prior": part_metrics.accuracy(prior, truth, aspect=aspect),
        "people": {
            "correct": _share_found(found, truth, aspect),
            "prior": _share_found(prior, truth, aspect),
        },
    }
    if people.tracks is None or people.tracks_truth is None:
        return metrics
    tracks = _maps(network, rearrange(people.tracks, "p t c h w -> (p t) c h w"))
    places = rearrange(
        part_metrics.locate(tracks)[:, parts], "(p t) n xy -> p t n xy", p=len(people.tracks)
    )
    still = torch.full_like(places, 0.5)
    return metrics | {
        "spread": part_metrics.mean_spread(places, people.tracks_truth, aspect=aspect),
        "spread_of_points": part_metrics.mean_spread(still, people.tracks_truth, aspect=aspect),
    }


def _maps(network: PartFinder, frames: Tensor, *, at_once: int = 16) -> Tensor:
    return rearrange(find_parts(network, frames, at_once=at_once).maps, "k 1 n h w -> k n h w")


def _share_found(found: Tensor, truth: Tensor, aspect: float) -> list[float]:
    """For each person with visible points, the share of these that `pck` counts as correct."""
    distance = part_metrics.distances(found, truth, aspect)
    visible = (~distance.isnan()).sum(dim=1)
    return ((distance <= part_metrics.PCK_THRESHOLD).sum(dim=1) / visible)[visible > 0].tolist()
