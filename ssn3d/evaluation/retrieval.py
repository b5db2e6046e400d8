"""How well people are found again: CMC, mAP and mINP with the junk rule.  "Evaluation Protocols".

For each query, gallery tracklets of the same person by the same camera are junk and leave the
ranking, as does everything of person -1; all else by another person is a wrong answer, whichever
camera took it.  On MARS the gallery must hold the queries (140 of the 1,980 would have no match
otherwise), which is the caller's to see to: `datasets.mars.read` does.

How ranks are found without sorting the gallery: `ranking`.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .ranking import SHOWN, Bins, between, given, pairwise, positions, rank_matches

__all__ = ["JUNK", "SHOWN", "Metric", "Retrieval", "comparable", "evaluate", "pairwise"]

Metric = Literal["euclidean", "cosine"]
JUNK = -1


class Retrieval(NamedTuple):
    """Scores over all queries that have a match, as shares in 0..1."""

    cmc: Tensor
    """[g] share of queries whose first match is among the first 1, 2, ... g kept gallery items."""
    mean_ap: float
    """Mean average precision, the area under precision steps (AP3D, torchreid and most others)."""
    mean_inp: float
    """Mean inverse negative penalty: matches over the rank of the last one."""
    mean_ap_trapezoid: float
    """Mean average precision by the trapezoid rule (the MARS authors' own code); never larger."""
    skipped: int
    """Queries without any match, which count nowhere."""
    queries: Tensor
    """[k] positions of the queries that count, in order; the next three belong to them."""
    first_rank: Tensor
    """[k] rank of each one's first match, from 1."""
    ap: Tensor
    """[k] average precision of each."""
    shown: Tensor
    """[k 10] gallery positions of each one's first answers, junk left out; -1 beyond the last."""


def evaluate(
    query: Tensor,
    gallery: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cams: Tensor,
    gallery_cams: Tensor,
    *,
    metric: Metric = "euclidean",
    block: int = 2**21,
    distances: Tensor | None = None,
) -> Retrieval:
    """Rank the gallery by distance for every query and score the ranking.

    Items at one distance keep the gallery's order.

    Args:
        query: [q d] embeddings.
        gallery: [g d] embeddings.
        query_ids: [q] persons.
        gallery_ids: [g] persons; -1 is junk for everybody.
        query_cams: [q] cameras.
        gallery_cams: [g] cameras.
        metric: "euclidean", whose ranking is also that of Eq. (5), or "cosine".
        block: about how many distances are held in memory at a time; changes no result.  Each
            takes some 50 bytes, up to 200 where most are ties; besides them, the embeddings are
            copied in 64 bits.
        distances: [q g], none negative, to rank by instead, such as `reranking.rerank`'s.

    Raises:
        ValueError: shapes disagree, embeddings or distances are not finite, or no query has a
            match.
    """
    query, gallery = comparable(query, gallery, metric)
    for side, embeddings, *labels in (
        ("query", query, query_ids, query_cams),
        ("gallery", gallery, gallery_ids, gallery_cams),
    ):
        if {len(embeddings)} != set(map(len, labels)):
            raise ValueError(
                f"{side}: expected an id and a camera for each of {len(embeddings)} embeddings, "
                f"got {len(labels[0])} and {len(labels[1])}"
            )
    apart = between(query, gallery) if distances is None else given(distances, query, gallery)
    junk = gallery_ids == JUNK
    counts, ranks, shown = [], [], []
    for rows in torch.arange(len(query)).split(max(1, block // len(gallery))):
        same = positions(query_ids[rows, None] == gallery_ids)
        row, item = same // len(gallery), same % len(gallery)
        match = (query_cams[rows][row] != gallery_cams[item]) & ~junk[item]
        counts.append(row[match].bincount(minlength=len(rows)))
        if match.any():
            bins = Bins(apart.rough(rows))
            bins.leave_out(row[~match], item[~match], junk)
            rank, first = rank_matches(apart, bins, rows, row[match], item[match])
            ranks.append(rank)
            shown.append(first[counts[-1] > 0])
    if not ranks:
        raise ValueError(
            f"none of the {len(query)} queries has a match in the gallery: no gallery item shows a "
            f"query's person by another camera (query people {_few(query_ids)}, gallery people "
            f"{_few(gallery_ids)}, cameras {_few(query_cams)} and {_few(gallery_cams)}); "
            "check the person and camera numbers"
        )
    count, rank = torch.cat(counts), torch.cat(ranks)
    queries, count = count.nonzero().flatten(), count[count > 0]
    end = count.cumsum(0)
    nth = torch.arange(1, len(rank) + 1) - (end - count).repeat_interleave(count)
    ap, trapezoid = _means(nth / rank, count), _means(_trapezoids(nth, rank), count)
    first_rank, last_rank = rank[end - count], rank[end - 1]
    return Retrieval(
        cmc=first_rank.bincount(minlength=len(gallery) + 1)[1:].cumsum(0) / len(queries),
        mean_ap=float(ap.mean()),
        mean_inp=float((last_rank.reciprocal() * count).mean()),
        mean_ap_trapezoid=float(trapezoid.mean()),
        skipped=len(query) - len(queries),
        queries=queries,
        first_rank=first_rank,
        ap=ap,
        shown=torch.cat(shown),
    )


def comparable(query: Tensor, gallery: Tensor, metric: Metric) -> tuple[Tensor, Tensor]:
    """Embeddings whose euclidean distances order like `metric`, once they are found sound.

    Raises:
        ValueError: shapes disagree, the metric is unknown, or embeddings are not finite.
    """
    for side, embeddings in (("query", query), ("gallery", gallery)):
        if embeddings.ndim != 2 or not embeddings.numel():
            raise ValueError(
                f"{side}: expected embeddings [k d] with k, d > 0, got {tuple(embeddings.shape)}"
            )
        broken = (~embeddings.isfinite().all(dim=1)).nonzero().flatten()
        if len(broken):
            raise ValueError(
                f"{side}: {len(broken)} of {len(embeddings)} embeddings are not finite, the first "
                f"at position {int(broken[0])}; they would rank last without a word, so mend the "
                "model or its input"
            )
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f'metric must be "euclidean" or "cosine", got {metric!r}')
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"query and gallery embeddings must have one size, got {query.shape[1]} and "
            f"{gallery.shape[1]}; embed both with the same model"
        )
    query, gallery = query.detach().float(), gallery.detach().float()
    if metric == "cosine":  # of unit vectors, the euclidean ranking is the cosine ranking
        return F.normalize(query), F.normalize(gallery)
    return query, gallery


def _means(values: Tensor, count: Tensor) -> Tensor:
    """[k] means of the first count[0] values, of the next count[1], ..."""
    begin, means = count.cumsum(0) - count, torch.empty(len(count))
    for size in count.unique().tolist():  # few sizes, many queries
        some = (count == size).nonzero()
        means[some[:, 0]] = values[begin[some] + torch.arange(size)].mean(dim=1)
    return means


def _trapezoids(nth: Tensor, rank: Tensor) -> Tensor:
    """Mean of the precision at each match and just before it, the latter being 1 at rank 1."""
    just_before = (nth - 1) / (rank - 1)
    return (nth / rank + just_before.where(rank > 1, 1.0)) / 2


def _few(numbers: Tensor) -> str:
    some = numbers.unique().tolist()
    return ", ".join(map(str, some[:5])) + (", ..." if len(some) > 5 else "")
