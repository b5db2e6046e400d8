"""The numbers of a study: what is left of the loss, how alike, accurate and stable parts are."""

import math
from typing import Any, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from ssn3d.config import StudyConfig
from ssn3d.datasets.images import Pictures
from ssn3d.models.reid import PartFinder
from ssn3d.models.windows import windows_at
from ssn3d.rng import one_thread
from ssn3d.synthetic.pedestrians import Pedestrians
from ssn3d.training.checkpoint import History
from ssn3d.training.ssn_only import find_parts

from . import part_metrics as alignment
from .likeness import likeness

LAST = 10
"""Steps that the final loss is the mean of: every step sees other samples."""


class Windows(NamedTuple):
    """The one window of each picture that each part looks at most."""

    points: Tensor
    """[k n 2] middles, as (x, y) in 0..1 of the picture."""
    pixels: Tensor
    """[k n 3 i j] in 0..1."""
    surety: Tensor
    """[k n] probability of the part in the 2nd round, had it this window alone."""


def measure(
    config: StudyConfig,
    network: PartFinder,
    material: Pictures | Pedestrians | None,
    history: History,
) -> dict[str, Any]:
    """All that is stored of a trained network besides its weights; see the functions it calls."""
    if material is None:
        last = history["ssn"][-LAST:]
        return {"loss": sum(last) / len(last), "chance": math.log(config.parts)}
    if isinstance(material, Pedestrians):
        return pedestrian_metrics(config, network, material)
    return amber_metrics(config, network, material.frames)


def amber_metrics(config: StudyConfig, network: PartFinder, frames: Tensor) -> dict[str, Any]:
    """How alike the windows of a part are; see `likeness`.

    Args:
        config: of the run.
        network: trained.
        frames: [k 3 H W] uint8.
    """
    windows = best_windows(config, network, frames).pixels
    mean_colour = frames.float().mean(dim=(0, 2, 3)) / 255
    return {"similarity": likeness(windows - mean_colour[:, None, None])._asdict()}


def best_windows(config: StudyConfig, network: PartFinder, frames: Tensor) -> Windows:
    """Where each part's map is highest in each picture, and what is to be seen there.

    Args:
        config: of the run; without a trunk, so that a cell of the map is a pixel.
        network: trained.
        frames: [k 3 H W] uint8.
    """
    maps = rearrange(find_parts(network, frames, at_once=4).maps, "k 1 n h w -> k n h w")
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
    """Accurate, stable, distinct: what the paper says of Figure 4, as numbers.

    All but `distinctness` and `extent` need the truth, which a user's own folder may lack.  Parts
    that were learned without labels are first assigned to points on the labelled pictures; what is
    measured is measured on the others.

    Args:
        config: of the run.
        network: trained.
        people: pictures, labels and truth.
    """
    maps = _maps(network, people.frames)
    known = ~people.labels.isnan().any(-1).all(-1)  # labelled pictures
    found = alignment.locate(maps)
    metrics: dict[str, Any] = {
        "distinctness": alignment.distinctness(maps[~known]),
        "extent": alignment.extent(maps[~known]).tolist(),
    }
    if people.truth is None:
        return metrics
    aspect = config.width / config.height
    parts = torch.arange(config.parts)
    if not config.labelled_steps:
        parts = alignment.assign(found[known], people.labels[known], aspect=aspect)
    truth = people.truth[~known]
    guesses = {
        "found": found[~known][:, parts],
        "prior": alignment.centre_prior(people.labels[known]).expand_as(truth),
    }
    accuracy = {name: alignment.pck(guess, truth, aspect=aspect) for name, guess in guesses.items()}
    metrics |= {
        "parts": parts.tolist(),
        "pck": accuracy["found"].nanmean().item(),
        "pck_parts": accuracy["found"].tolist(),
        "prior": {
            "pck": accuracy["prior"].nanmean().item(),
            "pck_parts": accuracy["prior"].tolist(),
        },
        "people": {
            "correct": _share_found(guesses["found"], truth, aspect),
            "prior": _share_found(guesses["prior"], truth, aspect),
        },
    }
    if people.tracks is None or people.tracks_truth is None:
        return metrics
    tracks = _maps(network, rearrange(people.tracks, "p t c h w -> (p t) c h w"))
    places = rearrange(
        alignment.locate(tracks)[:, parts], "(p t) n xy -> p t n xy", p=len(people.tracks)
    )
    still = torch.full_like(places, 0.5)
    metrics["spread"], metrics["spread_of_points"] = (
        {
            name: value.nanmean().item()
            for name, value in alignment.spread(guess, people.tracks_truth, aspect=aspect)
            ._asdict()
            .items()
        }
        for guess in (places, still)
    )
    return metrics


def _maps(network: PartFinder, frames: Tensor) -> Tensor:
    return rearrange(find_parts(network, frames).maps, "k 1 n h w -> k n h w")


def _share_found(found: Tensor, truth: Tensor, aspect: float) -> list[float]:
    """Of the visible points of each person who has any, the share that `pck` counts as correct."""
    distance = alignment.distances(found, truth, aspect)
    visible = (~distance.isnan()).sum(dim=1)
    return ((distance <= 0.1).sum(dim=1) / visible)[visible > 0].tolist()
