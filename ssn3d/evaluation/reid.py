"""How well a trained network finds people again, and their body parts.

Section "Training and testing protocols".  The paper wants parts that are "stable across multiple
frames" (Table 2) but gives no number for it; here parts have numbers too.
"""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import JUNK, Split, Tracklet
from ssn3d.models.reid import ReID
from ssn3d.training.batches import check_points
from ssn3d.training.inference import classify_points, embed, find_parts_of

from . import part_metrics, retrieval
from .reranking import rerank

AT_ONCE = 8
"""Clips that go through the network together to find their parts."""


def evaluate(
    config: RunConfig,
    model: ReID,
    split: Split,
    *,
    device: torch.device | str = "cpu",
) -> retrieval.Retrieval:
    """How well the people of the query list are found in the gallery.

    Args:
        config: of the run.
        model: trained.
        split: lists to search for and in.
        device: where to compute.

    Raises:
        ValueError: see `check`.
    """
    return score(config, split, *embed_lists(config, model, split, device=device))


def embed_lists(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Embed the query list and the gallery; a tracklet in both is embedded once.

    Args:
        config: of the run.
        model: trained.
        split: the lists.
        device: where to compute.

    Returns:
        [q d] and [g d], on the CPU.

    Raises:
        ValueError: see `check`.
    """
    check(config, split)
    tracklets = list({id(t): t for t in (*split.query, *split.gallery)}.values())
    place = {id(tracklet): row for row, tracklet in enumerate(tracklets)}
    vectors = embed(config, model, tracklets, device=device)
    query, gallery = ([place[id(t)] for t in side] for side in (split.query, split.gallery))
    return vectors[query], vectors[gallery]


def score(
    config: RunConfig, split: Split, query: Tensor, gallery: Tensor, *, reranked: bool = False
) -> retrieval.Retrieval:
    """Score embeddings.

    Args:
        config: of the run, for its metric.
        split: the lists, for their people and cameras.
        query: [q d] from `embed_lists`.
        gallery: [g d] from `embed_lists`.
        reranked: score the ranking after k-reciprocal re-ranking.
    """
    distances = None
    if reranked:
        distances = query.new_zeros(len(query), len(gallery))
        kept = torch.tensor([tracklet.person != JUNK for tracklet in split.gallery])
        others = len(query) + int(kept.sum()) - 1
        distances[:, kept] = rerank(
            query, gallery[kept], k1=min(20, others), k2=min(6, others), metric=config.metric
        )
    labels = _labels(split)
    return retrieval.evaluate(query, gallery, *labels, metric=config.metric, distances=distances)


def check(config: RunConfig, split: Split) -> None:
    """Raise the errors that `evaluate` would raise about a split, before a long training.

    Args:
        config: of the run.
        split: the lists.

    Raises:
        ValueError: no query has a match in the gallery, or the points a strategy needs are missing.
    """
    check_points(config, (*split.query, *split.gallery))
    retrieval.expect_matches(*_labels(split))


def _labels(split: Split) -> list[Tensor]:
    """People [q] and [g], then cameras [q] and [g]."""
    return [
        torch.tensor([getattr(tracklet, field) for tracklet in side])
        for field in ("person", "camera")
        for side in (split.query, split.gallery)
    ]


def measure(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """All scores of a run as they are stored, as shares in 0..1.

    Args:
        config: of the run.
        model: trained.
        split: the lists.
        device: where to embed.

    Returns:
        `summary`; "reranked", the same after re-ranking; "queries", the rank, average precision and
        first answers of each; "parts", see `measure_parts`; and "confusion", see
        `measure_confusion`.

    Raises:
        ValueError: see `check`.
    """
    vectors = embed_lists(config, model, split, device=device)
    result = score(config, split, *vectors)
    queries = {
        "position": result.queries.tolist(),
        "person": [split.query[row].person for row in result.queries.tolist()],
        "first_rank": result.first_rank.tolist(),
        "ap": [round(value, 6) for value in result.ap.tolist()],
        "shown": result.shown.tolist(),
    }
    reranked = summary(score(config, split, *vectors, reranked=True))
    return {
        **summary(result),
        "reranked": reranked,
        "queries": queries,
        "parts": measure_parts(config, model, split.query),
        "confusion": measure_confusion(config, model, split.query),
    }


def summary(result: retrieval.Retrieval) -> dict[str, float]:
    """Scores over all queries, as shares in 0..1."""
    top = {f"top{k}": float(result.cmc[min(k, len(result.cmc)) - 1]) for k in (1, 5, 10)}
    return top | {
        "mean_ap": result.mean_ap,
        "mean_ap_trapezoid": result.mean_ap_trapezoid,
        "mean_inp": result.mean_inp,
        "skipped": result.skipped,
    }


def measure_parts(
    config: RunConfig, model: ReID, tracklets: Sequence[Tracklet]
) -> dict[str, Any] | None:
    """How well a network finds body parts: accurate, stable, distinct.

    One clip of each tracklet is judged, with the stride of training where the tracklet is long
    enough.  Half of the people serve to assign parts that were learned without labels to points;
    the other half are measured, whatever the strategy.

    Args:
        config: of the run.
        model: trained.
        tracklets: of people not trained on; those with fewer frames than a clip, or without points,
            do not count.

    Returns:
        "pck" (and "pck_parts", one a part), "spread" of the found places over the frames of a
        clip and over people, "distinctness", "extent" and, for each map, "at_border"; see
        `part_metrics`.  None if the network knows no parts, or nothing is known of where they are.
    """
    clips = _clips(config, tracklets)
    if len({tracklet.person for tracklet, _ in clips}) < 2:
        return None
    batches = []
    for first in range(0, len(clips), AT_ONCE):
        parts = find_parts_of(config, model, clips[first : first + AT_ONCE])
        if parts is None:
            return None
        batches.append(parts.maps)
    maps = torch.cat(batches)  # [p t n h w]
    truth = _true_points(clips)  # [p t n 2]

    aspect = part_metrics.PERSON_ASPECT
    judged = _judged(clips)
    found = part_metrics.locate(maps)
    if config.strategy == "unsupervised":
        seen, true = (rearrange(x[~judged], "p t n xy -> (p t) n xy") for x in (found, truth))
        found = found[:, :, part_metrics.assign(seen, true, aspect=aspect)]
    found, truth = found[judged], truth[judged]
    flat_found, flat_truth = (rearrange(x, "p t n xy -> (p t) n xy") for x in (found, truth))
    flat_maps = rearrange(maps[judged], "p t n h w -> (p t) n h w")
    return {
        **part_metrics.accuracy(flat_found, flat_truth, aspect=aspect),
        "spread": part_metrics.mean_spread(found, truth, aspect=aspect),
        "distinctness": part_metrics.distinctness(flat_maps),
        "extent": part_metrics.extent(flat_maps).nanmean().item(),
        "at_border": part_metrics.at_border(flat_maps).tolist(),
        "tracklets": int(judged.sum()),
    }


def measure_confusion(
    config: RunConfig, model: ReID, tracklets: Sequence[Tracklet]
) -> list[list[float]] | None:
    """Which part the attention classifier takes each body point for, in the 2nd round.

    It is shown the windows at the true points of the clips of `measure_parts`, of all people.

    Args:
        config: of the run.
        model: trained.
        tracklets: of people not trained on; see `measure_parts`.

    Returns:
        `part_metrics.confusion`, for nine points.  None if the network has no attention classifier,
        or an untrained one, as under the supervised strategy; or if no points are known.
    """
    clips = _clips(config, tracklets)
    if config.strategy == "supervised" or not clips:
        return None
    batches = []
    for first in range(0, len(clips), AT_ONCE):
        some = clips[first : first + AT_ONCE]
        logits = classify_points(config, model, some, _true_points(some))
        if logits is None:
            return None
        batches.append(logits)
    known = _true_points(clips).isfinite().all(-1)
    return part_metrics.confusion(torch.cat(batches, dim=1), known).tolist()


def measure_prior(
    config: RunConfig, train: Sequence[Tracklet], tracklets: Sequence[Tracklet]
) -> float:
    """The "pck" of `measure_parts`, on the same clips, of a guess that never looks.

    Args:
        config: of a run.
        train: have points; the mean true place of each part in their clips is the guess.
        tracklets: have points; see `measure_parts`.
    """
    clips = _clips(config, tracklets)
    learned = rearrange(_true_points(_clips(config, train)), "p t n xy -> (p t) n xy")
    truth = rearrange(_true_points(clips)[_judged(clips)], "p t n xy -> (p t) n xy")
    guess = part_metrics.centre_prior(learned).expand_as(truth)
    return part_metrics.accuracy(guess, truth, aspect=part_metrics.PERSON_ASPECT)["pck"]


def _clips(config: RunConfig, tracklets: Sequence[Tracklet]) -> list[tuple[Tracklet, list[int]]]:
    """A clip of each tracklet that has points and frames enough: the numbers of its frames."""
    long = [t for t in tracklets if t.points is not None and len(t) >= config.clip_frames]
    strides = [
        min(config.clip_stride, (len(t) - 1) // max(config.clip_frames - 1, 1)) for t in long
    ]
    return [
        (tracklet, [i * stride for i in range(config.clip_frames)])
        for tracklet, stride in zip(long, strides, strict=True)
    ]


def _judged(clips: Sequence[tuple[Tracklet, list[int]]]) -> Tensor:
    """[p] whether a clip's person is measured, as every other one is."""
    people = sorted({tracklet.person for tracklet, _ in clips})
    return torch.tensor([people.index(tracklet.person) % 2 == 1 for tracklet, _ in clips])


def _true_points(clips: Sequence[tuple[Tracklet, list[int]]]) -> Tensor:
    """[p t n 2] of p clips, NaN where not visible."""
    return torch.stack(
        [
            Points(*(field[taken] for field in tracklet.points)).labels()
            for tracklet, taken in clips
            if tracklet.points
        ]
    )
