"""How well people are found again: CMC, mAP and mINP with the junk rule.  "Evaluation Protocols".

For each query, gallery tracklets of the same person by the same camera are junk and leave the
ranking, as does everything of person -1; all else by another person is a wrong answer, whichever
camera took it.  On MARS the gallery must hold the queries (140 of the 1,980 would have no match
otherwise), which is the caller's to see to: `datasets.mars.read` does.

The gallery is ranked by `pairwise` distances; equal distances keep the gallery's order.  Computing
and sorting all of them would be slow.  So a matrix product gives rough distances first, and exact
ones are computed and sorted only where the rough ones cannot decide the rank of a match.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ssn3d.datasets.tracklets import JUNK

Metric = Literal["euclidean", "cosine"]
SHOWN = 10
"""How many answers to each query are kept by name."""
BLOCK = 2**21
"""About how many distances are held in memory at a time; changes no result."""


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
    distances: Tensor | None = None,
) -> Retrieval:
    """Rank the gallery by distance for every query and score the ranking.

    Args:
        query: [q d] embeddings.
        gallery: [g d] embeddings.
        query_ids: [q] persons.
        gallery_ids: [g] persons; -1 is junk for everybody.
        query_cams: [q] cameras.
        gallery_cams: [g] cameras.
        metric: "euclidean", whose ranking is also that of Eq. (5), or "cosine".
        distances: [q g], finite and none negative, to rank by instead of the embeddings, such as
            `reranking.rerank`'s.

    Returns:
        Scores over all queries with a match, and the rank, precision and first answers of each.

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
    expect_matches(query_ids, gallery_ids, query_cams, gallery_cams)
    apart = _embedded(query, gallery) if distances is None else _given(distances, query, gallery)

    people, cameras, asked = gallery_ids.numpy(), gallery_cams.numpy(), query_ids.tolist()
    junk = people == JUNK
    queries, ranks, shown = [], [], []
    for block in torch.arange(len(query)).split(max(1, BLOCK // len(gallery))):
        doubtful = []
        for row, rough in zip(block.tolist(), apart.rough(block).numpy(), strict=True):
            same = (people == asked[row]).nonzero()[0]
            other_camera = cameras[same] != query_cams[row].item()
            if asked[row] != JUNK and other_camera.any():
                left_out = junk.copy()
                left_out[same[~other_camera]] = True
                queries.append(row)
                doubt = partial(apart.doubt, row)
                doubtful.append(_decide(rough, doubt, same[other_camera], left_out))
        if doubtful:
            sizes = torch.tensor([len(some.items) for some in doubtful])
            rows = torch.tensor(queries[-len(doubtful) :]).repeat_interleave(sizes)
            items = torch.from_numpy(np.concatenate([some.items for some in doubtful]))
            exact = apart.exact(rows, items).split(sizes.tolist())
            for some, exact_distances in zip(doubtful, exact, strict=True):
                rank, first = _settle(some, exact_distances.numpy())
                ranks.append(torch.from_numpy(rank))
                shown.append(torch.from_numpy(first))

    count = [len(rank) for rank in ranks]
    nth, rank_of_nth = torch.cat([torch.arange(1, k + 1) for k in count]), torch.cat(ranks)
    precision = nth / rank_of_nth
    just_before = ((nth - 1) / (rank_of_nth - 1)).where(rank_of_nth > 1, 1.0)
    ap, trapezoid = (
        torch.stack([of_query.mean() for of_query in each.split(count)])
        for each in (precision, (precision + just_before) / 2)
    )
    first_rank, last_rank = (torch.stack([of_query[end] for of_query in ranks]) for end in (0, -1))
    return Retrieval(
        cmc=first_rank.bincount(minlength=len(gallery) + 1)[1:].cumsum(0) / len(queries),
        mean_ap=float(ap.mean()),
        mean_inp=float((last_rank.reciprocal() * torch.tensor(count)).mean()),
        mean_ap_trapezoid=float(trapezoid.mean()),
        skipped=len(query) - len(queries),
        queries=torch.tensor(queries),
        first_rank=first_rank,
        ap=ap,
        shown=torch.stack(shown),
    )


def expect_matches(
    query_ids: Tensor, gallery_ids: Tensor, query_cams: Tensor, gallery_cams: Tensor
) -> None:
    """Raise an error unless some query has a match: its person in the gallery by another camera.

    Args:
        query_ids: [q] persons.
        gallery_ids: [g] persons; -1 is junk for everybody.
        query_cams: [q] cameras.
        gallery_cams: [g] cameras.

    Raises:
        ValueError: a list is empty, or no query has a match.
    """
    for side, people in (("query", query_ids), ("gallery", gallery_ids)):
        if not len(people):
            raise ValueError(f"{side}: expected embeddings of one tracklet at least, got none")
    cameras: dict[int, set[int]] = {}
    for person, camera in zip(gallery_ids.tolist(), gallery_cams.tolist(), strict=True):
        cameras.setdefault(person, set()).add(camera)
    cameras.pop(JUNK, None)
    asked = zip(query_ids.tolist(), query_cams.tolist(), strict=True)
    if not any(cameras.get(person, set()) - {camera} for person, camera in asked):
        raise ValueError(
            f"none of the {len(query_ids)} queries has a match in the gallery: no gallery item "
            f"shows a query's person by another camera (query people {_few(query_ids)}, gallery "
            f"people {_few(gallery_ids)}, cameras {_few(query_cams)} and {_few(gallery_cams)}); "
            "check the person and camera numbers"
        )


def comparable(query: Tensor, gallery: Tensor, metric: Metric) -> tuple[Tensor, Tensor]:
    """Check embeddings, and scale them so that euclidean distances rank like `metric`.

    Args:
        query: [q d] embeddings.
        gallery: [g d] embeddings.
        metric: "euclidean" or "cosine".

    Returns:
        Query and gallery in 32 bits; of length 1 for "cosine".

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
    """Euclidean distances [.. d], [.. d] -> [.. ..], in 32 bits."""
    # without matrix products, which lose the digits of small distances and split ties
    return torch.cdist(these, those, compute_mode="donot_use_mm_for_euclid_dist")


class _Apart(NamedTuple):
    """How far queries and gallery are apart: roughly for all pairs, exactly for a few."""

    rough: Callable[[Tensor], Tensor]
    """Queries [r] -> [r g] float64, on any scale that grows with the distance."""
    doubt: Callable[[int, np.ndarray], np.ndarray]
    """A query, rough values [k] -> [k]: values that differ by more are in the right order."""
    exact: Callable[[Tensor, Tensor], Tensor]
    """Queries [k], gallery positions [k] -> [k] float32: the distances that rank."""


def _given(distances: Tensor, query: Tensor, gallery: Tensor) -> _Apart:
    """Distances [q g] that are known."""
    distances, expected = distances.float(), (len(query), len(gallery))
    if tuple(distances.shape) != expected:
        raise ValueError(f"expected distances {list(expected)}, got {list(distances.shape)}")
    if not (distances.isfinite() & (distances >= 0)).all():
        raise ValueError("distances must be finite and none negative; mend what they come from")
    return _Apart(
        rough=lambda rows: distances[rows].double(),
        doubt=lambda row, values: np.zeros_like(values),
        exact=lambda rows, items: distances[rows, items],
    )


def _embedded(query: Tensor, gallery: Tensor) -> _Apart:
    """Distances of embeddings: roughly, all squares by a matrix product; exactly, by `pairwise`."""
    left, right = query.double(), gallery.double()
    ours, theirs = (torch.linalg.vector_norm(side, dim=1) for side in (left, right))
    # the worst cases of both sums, in whatever order they are added, with some operations to spare;
    # the smallest number stands for squares that 32 bits lose
    roundings = query.shape[1] + 8
    error = ((ours + theirs.max()) ** 2 * 2.0**-53 + 2.0**-126).tolist()

    def rough(rows: Tensor) -> Tensor:  # q^2 + g^2 - 2 q g
        return torch.addmm(theirs**2, left[rows], right.T, alpha=-2).add_(ours[rows, None] ** 2)

    def doubt(row: int, values: np.ndarray) -> np.ndarray:
        width = roundings * (3 * 2.0**-24 * np.abs(values) + 4 * error[row])
        return np.where(values < 2.0**126, width, np.inf)  # about there `pairwise` ends

    def exact(rows: Tensor, items: Tensor) -> Tensor:
        some = max(1, 2**18 // query.shape[1])  # pairs that fit in a cache
        pairs = zip(rows.split(some), items.split(some), strict=True)
        sides = ((query.index_select(0, q), gallery.index_select(0, g)) for q, g in pairs)
        return torch.cat([pairwise(one[:, None], two[:, None]).flatten() for one, two in sides])

    return _Apart(rough, doubt, exact)


class _Doubtful(NamedTuple):
    """What rough distances leave open about one query."""

    items: np.ndarray
    """[k] rising gallery positions: the matches, the first answers, and all that may be between."""
    match: np.ndarray
    """[m] where in `items` the matches are."""
    nearer: np.ndarray
    """[m] how many of the items that are not in `items` are nearer than each match."""


def _decide(
    rough: np.ndarray,
    doubt: Callable[[np.ndarray], np.ndarray],
    match: np.ndarray,
    left_out: np.ndarray,
) -> _Doubtful:
    """Find what is clearly nearer than a query's matches, without sorting.

    The gallery is put into bins by rough distance.  Bins where a match may be are opened, as are
    the first bins, up to ten items.  Exact distances must sort the items of open bins; of the
    closed bins it is enough to count the items.

    Args:
        rough: [g] rough distances from the query.
        doubt: of rough distances [k], see `_Apart`.
        match: [m] positions of its matches.
        left_out: [g] what leaves its ranking.
    """
    lowest, highest, size = rough.min(), rough.max(), len(rough) // 2 + 2
    scale = (size - 1) / max(highest - lowest, 1e-200)

    def bin_of(values: np.ndarray) -> np.ndarray:
        return ((values - lowest) * scale).astype(np.intp)

    bins = bin_of(rough)
    bins[left_out] = size  # a last bin, never opened
    count = np.bincount(bins, minlength=size + 1)
    tenth = count.cumsum().searchsorted(SHOWN)
    near = np.concatenate((rough[match], [lowest + (tenth + 2) / scale]))
    width = doubt(near)
    begin = bin_of(np.maximum(near - width, lowest))
    end = bin_of(np.minimum(near + width, highest)) + 1
    begin[-1] = 0  # all that may be among the first ten
    opened = np.zeros(size + 1, dtype=bool)
    for first, last in zip(begin.tolist(), end.tolist(), strict=True):
        opened[first:last] = True
    items = opened[bins].nonzero()[0]
    count[opened] = 0
    return _Doubtful(items, items.searchsorted(match), count.cumsum()[bins[match]])


def _settle(doubtful: _Doubtful, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks [m] of one query's matches, from 1 and rising, and positions [10] of its first answers.

    Args:
        doubtful: what is left open.
        distances: [k] the exact ones of its items.
    """
    order = distances.argsort(kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first = np.full(SHOWN, -1)
    first[: len(order)] = doubtful.items[order[:SHOWN]]
    return np.sort(doubtful.nearer + place[doubtful.match] + 1), first


def _few(numbers: Tensor) -> str:
    some = numbers.unique().tolist()
    return ", ".join(map(str, some[:5])) + (", ..." if len(some) > 5 else "")
