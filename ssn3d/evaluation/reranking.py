"""Re-ranking: items are near if they have the same neighbours.  One row of Table 4 uses it.

Zhong, Zheng, Cao, Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017,
whose equations are cited below.  What it leaves open is settled as in its authors' MATLAB code, of
which most others are ports:

- Queries are each other's neighbours too; the paper has one probe and the gallery.
- An item is the first of its own neighbours: one more than the k1 others, but one of the k2.
- Distances are squared, Eq. (1), and divided by the largest in their row, so that weights lie in
  1/e..1.  With "cosine", embeddings are first scaled to length 1.
- Half of an odd k1 is rounded down; ports to Python round it to even.

Neighbours at equal distance keep their order, queries before gallery; in that code the order is the
sort's, and an item of which there are copies may not be its own first neighbour.

That code departs from the paper twice: Eq. (4) says at least two thirds, the code wants more; and
it divides the weights of Eq. (7) by their sum.  Published numbers were made with the code, so
`rerank` follows it unless told otherwise.
"""

import torch
from torch import Tensor

from .retrieval import Metric, comparable, pairwise

BLOCK = 2**22
"""About how many distances are in memory at a time; changes no result."""


def rerank(
    query: Tensor,
    gallery: Tensor,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    metric: Metric = "euclidean",
    as_published_code: bool = True,
) -> Tensor:
    """Distances that are small between items whose k-reciprocal neighbours are the same.

    Most of the time goes into (q + g)^2 distances, which are never in memory all at once.  Memory,
    besides two copies of the embeddings and the result: about 60 bytes for each distance of a
    `BLOCK`, and as many for each weight that is not zero, of which an item has tens to hundreds;
    below 1 GB for 13,000 items, as on MARS.

    Args:
        query: [q d] embeddings.
        gallery: [g d] embeddings, without junk, which would influence the others.
        k1: how many others an item may be a reciprocal neighbour of, fewer than there are.
        k2: over how many neighbours, itself included, the weights of an item are averaged.
        weight: lambda, the share of the original distance; 1 ranks by it alone.
        metric: of the original distance, "euclidean" or "cosine".
        as_published_code: Eq. (4) and (7) as its authors' code has them; False: as printed.

    Returns:
        [q g] distances in 0..1, to be compared within a query.

    Raises:
        ValueError: shapes disagree, embeddings are not finite or too large, or k1, k2, weight or
            metric is out of range.
    """
    items = torch.cat(comparable(query, gallery, metric))
    p, q = len(items), len(query)
    if not 1 <= k2 <= k1 < p:
        raise ValueError(
            f"rerank: expected 1 <= k2 <= k1 < {p} (queries and gallery together), got k1 = {k1} "
            f"and k2 = {k2}; with no more others than k1, all would be neighbours of all"
        )
    if not 0 <= weight <= 1:
        raise ValueError(f"rerank: weight must be in 0..1, got {weight}")
    rows = max(1, BLOCK // max(p, (k1 + 1) ** 2))
    near, farthest = _neighbours(items, k1, rows)
    pair, code = _codes(items, near, farthest, rows, as_published_code)
    pair, code = _expand_queries(pair, code, near[:, :k2], rows)
    sums = pair[:, 0].bincount(code)  # item by item like the minima: never below them by rounding
    answer = _minima(pair, code, p, q)
    for some in torch.arange(q).split(rows):
        minima = answer[some]
        maxima = sums[some, None] + sums[q:] - minima  # Eq. (9)
        jaccard = 1 - minima / maxima  # Eq. (10)
        original = _relative(pairwise(items[some], items[q:]), farthest[some, None])
        answer[some] = (1 - weight) * jaccard + weight * original  # Eq. (12)
    return answer


def _relative(distances: Tensor, farthest: Tensor) -> Tensor:
    """Eq. (1), scaled to 0..1; all 0 where all items are equal."""
    return (distances / farthest.clamp(min=torch.finfo(torch.float32).tiny)).square()


def _neighbours(items: Tensor, k1: int, rows: int) -> tuple[Tensor, Tensor]:
    """[p k] each item p, then its N(p, k1), nearest first, Eq. (2); [p] its largest distance."""
    position = torch.arange(len(items))
    # allocated once: pieces in a list would fragment the memory
    near = torch.empty(len(items), k1 + 1, dtype=torch.long)
    farthest = torch.empty(len(items))
    for some in position.split(rows):
        distances = pairwise(items[some], items)
        farthest[some] = distances.amax(dim=1)
        # the bits of a float that is not negative order like an integer: distance, then position
        keys = (distances.view(torch.int32).long() << 32) + position
        keys[position[: len(some)], some] = -1
        near[some] = keys.topk(k1 + 1, largest=False).indices
    if not farthest.isfinite().all():
        raise ValueError("rerank: embeddings are too far apart for 32 bits; divide all by a number")
    return near, farthest


def _reciprocal(near: Tensor, rows: int) -> Tensor:
    """[p k] which neighbours have the item among their own: R(p, k) of Eq. (3)."""
    blocks = torch.arange(len(near)).split(rows)
    return torch.cat([(near[near[some]] == some[:, None, None]).any(dim=2) for some in blocks])


def _codes(
    items: Tensor, near: Tensor, farthest: Tensor, rows: int, as_published_code: bool
) -> tuple[Tensor, Tensor]:
    """V_p of Eq. (7), a weight for each of R*(p, k1) of Eq. (4), in the order of p.

    Returns:
        [m 2] pairs of p and a member of R*(p, k1), and [m] weights.
    """
    half = near[:, : (near.shape[1] - 1) // 2 + 1]
    mutual, half_mutual = _reciprocal(near, rows), _reciprocal(half, rows)
    found, members = [], torch.empty(min(rows, len(near)), len(near), dtype=torch.bool)
    for some in torch.arange(len(near)).split(rows):
        row, member = torch.arange(len(some)), members[: len(some)].zero_()
        member[row[:, None], near[some]] = mutual[some]
        theirs, counts = half[near[some]], half_mutual[near[some]]  # [r k h] R(q, k1 / 2)
        common = member[row[:, None, None], theirs] & counts
        shared, needed = 3 * common.sum(dim=2), 2 * counts.sum(dim=2)
        joins = mutual[some] & (shared > needed if as_published_code else shared >= needed)
        # what does not join is replaced by the item itself, which is a member already
        joined = theirs.where(counts & joins[:, :, None], some[:, None, None])
        member[row[:, None, None], joined] = True
        found.append(_pairs(member, some[0]))
    pair = torch.cat(found)
    sides = (some.unbind(dim=1) for some in pair.split(max(1, BLOCK // items.shape[1])))
    apart = torch.cat([pairwise(items[p, None], items[g, None]).flatten() for p, g in sides])
    weights = torch.exp(-_relative(apart, farthest[pair[:, 0]]))
    if as_published_code:
        weights /= pair[:, 0].bincount(weights)[pair[:, 0]]
    return pair, weights


def _pairs(block: Tensor, first: Tensor) -> Tensor:
    """[m 2] row and column of what is not zero in a block of rows that begins at the first."""
    return block.nonzero() + torch.stack([first, torch.zeros_like(first)])


def _expand_queries(pair: Tensor, weight: Tensor, near: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """The mean code of each item's neighbours [p k], Eq. (11), as pairs and weights again."""
    counts = pair[:, 0].bincount()  # at least 1: each item has a weight for itself
    filled = torch.arange(int(counts.max())) < counts[:, None]
    columns = torch.zeros(filled.shape, dtype=torch.long).masked_scatter(filled, pair[:, 1])
    codes = torch.zeros(filled.shape).masked_scatter(filled, weight)
    found, weights, means = [], [], torch.empty(min(rows, len(near)), len(near))
    for some in torch.arange(len(near)).split(rows):
        mean = means[: len(some)].zero_()
        for neighbour in near[some].unbind(dim=1):
            mean.scatter_add_(1, columns[neighbour], codes[neighbour] / near.shape[1])
        found.append(_pairs(mean, some[0]))
        weights.append(mean[mean != 0])
    return torch.cat(found), torch.cat(weights)


def _minima(pair: Tensor, weight: Tensor, p: int, q: int) -> Tensor:
    """[q g] sums of the minima of two codes, Eq. (8), over the items that have weight in both."""
    order = pair[:, 1].argsort(stable=True)  # by member; the items of a member, queries first
    item, weight = pair[order, 0], weight[order]
    counts = pair[:, 1].bincount(minlength=p).tolist()
    queries = pair[pair[:, 0] < q, 1].bincount(minlength=p).tolist()
    minima = torch.zeros(q, p - q)
    for some, theirs, k in zip(item.split(counts), weight.split(counts), queries, strict=True):
        minima[some[:k, None], some[k:] - q] += torch.minimum(theirs[:k, None], theirs[k:])
    return minima
