"""How well a trained network finds people again.  "Training and testing protocols"."""

from typing import Any

import torch
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Split
from ssn3d.models.reid import ReID
from ssn3d.training.batches import check_points
from ssn3d.training.inference import embed

from . import reid_parts, retrieval
from .reranking import rerank


def evaluate(
    config: RunConfig,
    model: ReID,
    split: Split,
    *,
    device: torch.device | str = "cpu",
) -> retrieval.Retrieval:
    """How well the people of the query list are found in the gallery.

    Raises:
        ValueError: see `check`.
    """
    return score(config, split, *embed_lists(config, model, split, device=device))


def embed_lists(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Embeddings of the query list [q d] and of the gallery [g d], on the CPU.

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
    """Scores of embeddings from `embed_lists`, as they are or after k-reciprocal re-ranking."""
    distances = None
    if reranked:
        distances = query.new_zeros(len(query), len(gallery))
        kept = torch.tensor([tracklet.person != retrieval.JUNK for tracklet in split.gallery])
        others = len(query) + int(kept.sum()) - 1
        distances[:, kept] = rerank(
            query, gallery[kept], k1=min(20, others), k2=min(6, others), metric=config.metric
        )
    people, cameras = (
        [torch.tensor([getattr(t, field) for t in side]) for side in (split.query, split.gallery)]
        for field in ("person", "camera")
    )
    return retrieval.evaluate(
        query, gallery, *people, *cameras, metric=config.metric, distances=distances
    )


def check(config: RunConfig, split: Split) -> None:
    """Raise what would keep `evaluate` from scoring a split; worth asking before a long training.

    Raises:
        ValueError: no query has a match in the gallery, or the points a strategy needs are missing.
    """
    check_points(config, (*split.query, *split.gallery))
    alike = torch.zeros(len(split.query), 1), torch.zeros(len(split.gallery), 1)
    score(config, split, *alike)


def measure(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """All scores as they are stored, shares in 0..1: each query's too, those re-ranked, and parts'.

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
    parts = reid_parts.measure(config, model, split.query)
    return {**summary(result), "reranked": reranked, "queries": queries, "parts": parts}


def summary(result: retrieval.Retrieval) -> dict[str, float]:
    """Scores over all queries, as shares in 0..1."""
    top = {f"top{k}": float(result.cmc[min(k, len(result.cmc)) - 1]) for k in (1, 5, 10)}
    return top | {
        "mean_ap": result.mean_ap,
        "mean_ap_trapezoid": result.mean_ap_trapezoid,
        "mean_inp": result.mean_inp,
        "skipped": result.skipped,
    }
