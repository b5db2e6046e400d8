"""How well people are found again: CMC, mAP and mINP with the junk rule.  "Evaluation Protocols".

For each query, gallery tracklets of the same person by the same camera are junk and leave the
ranking, as does everything of person -1; all else by another person is a wrong answer, whichever
camera took it.  On MARS the gallery must hold the queries (140 of the 1,980 would have no match
otherwise), which is the caller's to see to: `datasets.mars.read` does.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Metric = Literal["euclidean", "cosine"]
JUNK = -1
SHOWN = 10
"""How many answers to each query are kept by name."""


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
    block: int = 2**22,
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
        block: about how many distances are held in memory at a time.
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
    if distances is not None:
        _check_distances(distances, len(query), len(gallery))
    position = torch.arange(len(gallery))  # to break ties
    queries, ranks, shown = [], [], torch.full((len(query), SHOWN), -1)
    for rows in torch.arange(len(query)).split(max(1, block // len(gallery))):
        apart = pairwise(query[rows], gallery) if distances is None else distances[rows]
        same = query_ids[rows, None] == gallery_ids
        match = same & (query_cams[rows, None] != gallery_cams) & (gallery_ids != JUNK)
        other = ~same & (gallery_ids != JUNK)
        # the bits of a float that is not negative order like an integer: distance, then position
        keys = (apart.float().abs().contiguous().view(torch.int32).long() << 32) + position
        for row in match.any(dim=1).nonzero().flatten().tolist():
            queries.append(int(rows[row]))
            ranks.append(_ranks(keys[row][match[row]], keys[row][other[row]]))
            kept = keys[row][match[row] | other[row]]
            first = kept.topk(min(SHOWN, len(kept)), largest=False).values
            shown[queries[-1], : len(first)] = first & (2**32 - 1)
    if not queries:
        raise ValueError(
            f"none of the {len(query)} queries has a match in the gallery: no gallery item shows a "
            f"query's person by another camera (query people {_few(query_ids)}, gallery people "
            f"{_few(gallery_ids)}, cameras {_few(query_cams)} and {_few(gallery_cams)}); "
            "check the person and camera numbers"
        )
    first_rank = torch.stack([rank[0] for rank in ranks])
    ap = torch.stack([_precisions(rank).mean() for rank in ranks])
    return Retrieval(
        cmc=first_rank.bincount(minlength=len(gallery) + 1)[1:].cumsum(0) / len(queries),
        mean_ap=float(ap.mean()),
        mean_inp=float(torch.stack([len(rank) / rank[-1] for rank in ranks]).mean()),
        mean_ap_trapezoid=float(torch.stack([_trapezoids(rank).mean() for rank in ranks]).mean()),
        skipped=len(query) - len(queries),
        queries=torch.tensor(queries),
        first_rank=first_rank,
        ap=ap,
        shown=shown[queries],
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


def pairwise(these: Tensor, those: Tensor) -> Tensor:
    """Euclidean distances [.. d], [.. d] -> [.. ..]."""
    # without matrix products, which lose the digits of small distances and split ties
    return torch.cdist(these, those, compute_mode="donot_use_mm_for_euclid_dist")


def _ranks(matches: Tensor, others: Tensor) -> Tensor:
    """Ranks of the matches among all, from 1, given what each is ordered by."""
    # only the matches are sorted: how many of them come before each other is enough
    place = torch.searchsorted(matches.sort().values, others)
    others_before = place.bincount(minlength=len(matches) + 1).cumsum(0)[: len(matches)]
    return others_before + torch.arange(1, len(matches) + 1)


def _precisions(rank: Tensor) -> Tensor:
    """Precision at each match: i / r_i of the i-th match at rank r_i."""
    return torch.arange(1, len(rank) + 1) / rank


def _trapezoids(rank: Tensor) -> Tensor:
    """Mean of the precision at each match and just before it, the latter being 1 at rank 1."""
    just_before = torch.arange(len(rank)) / (rank - 1)
    return (_precisions(rank) + just_before.where(rank > 1, 1.0)) / 2


def _check_distances(distances: Tensor, q: int, g: int) -> None:
    if tuple(distances.shape) != (q, g):
        raise ValueError(f"expected distances [{q} {g}], got {tuple(distances.shape)}")
    if not (distances.isfinite() & (distances >= 0)).all():
        raise ValueError("distances must be finite and none negative; mend what they come from")


def _few(numbers: Tensor) -> str:
    some = numbers.unique().tolist()
    return ", ".join(map(str, some[:5])) + (", ..." if len(some) > 5 else "")
