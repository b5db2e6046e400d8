"""Ranks of matches and the first answers, as sorting exact distances gives them, without sorting.

Rough distances, by a matrix product, say what is clearly nearer than a match; exact ones settle
what is left.  The result is that of a stable sort, ties and all.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

SHOWN = 10
"""How many answers to each query are kept by name."""


def pairwise(these: Tensor, those: Tensor) -> Tensor:
    """Euclidean distances [.. d], [.. d] -> [.. ..]."""
    # without matrix products, which lose the digits of small distances and split ties
    return torch.cdist(these, those, compute_mode="donot_use_mm_for_euclid_dist")


class Apart(NamedTuple):
    """How far queries and gallery are apart: roughly for all of them, exactly for a few."""

    rough: Callable[[Tensor], Tensor]
    """Queries [r] -> [r g] float64, on any scale that grows with the distance."""
    doubt: Callable[[Tensor, Tensor], Tensor]
    """Queries [k], rough values [k] -> [k]: exact distances of what differs by more order alike."""
    exact: Callable[[Tensor, Tensor], Tensor]
    """Queries [k], gallery items [k] -> [k] float32: what ranks."""


def given(distances: Tensor, query: Tensor, gallery: Tensor) -> Apart:
    """Distances [q g] that are known."""
    distances, expected = distances.float(), (len(query), len(gallery))
    if tuple(distances.shape) != expected:
        raise ValueError(f"expected distances {list(expected)}, got {list(distances.shape)}")
    if not (distances.isfinite() & (distances >= 0)).all():
        raise ValueError("distances must be finite and none negative; mend what they come from")
    return Apart(
        rough=lambda queries: distances[queries].double(),
        doubt=lambda queries, values: torch.zeros_like(values),
        exact=lambda queries, items: distances[queries, items].abs(),  # -0 is 0
    )


def between(query: Tensor, gallery: Tensor) -> Apart:
    """Distances of embeddings: squares of all by a matrix product, single ones by `pairwise`."""
    ours, theirs = (
        torch.linalg.vector_norm(x, dim=1, dtype=torch.double) for x in (query, gallery)
    )
    one = torch.ones(1, dtype=torch.double)
    left = _columns(-2 * query.double(), one, ours**2)
    right = _columns(gallery, theirs**2, one)  # q^2 + g^2 - 2 q g is one product
    # Worst cases of both sums, in whatever order they are added, some operations to spare; the
    # smallest number stands for squares that 32 bits lose.
    roundings = query.shape[1] + 8
    error = (ours + theirs.max()) ** 2 * 2.0**-53 + 2.0**-126

    def doubt(queries: Tensor, values: Tensor) -> Tensor:
        width = roundings * (3 * 2.0**-24 * values.abs() + 4 * error[queries])
        return width.where(values < 2.0**126, torch.inf)  # about there `pairwise` ends

    def exact(queries: Tensor, items: Tensor) -> Tensor:
        some = max(1, 2**18 // query.shape[1])  # that fit in a cache
        chunks = zip(queries.split(some), items.split(some), strict=True)
        pairs = ((query.index_select(0, q), gallery.index_select(0, g)) for q, g in chunks)
        return torch.cat([pairwise(one[:, None], other[:, None]).flatten() for one, other in pairs])

    return Apart(lambda queries: left[queries] @ right.T, doubt, exact)


def _columns(embeddings: Tensor, *more: Tensor) -> Tensor:
    """[k d] and columns [k], side by side in 64 bits."""
    k, d = embeddings.shape
    table = torch.empty(k, d + len(more), dtype=torch.double)  # torch.cat would make a third copy
    table[:, :d] = embeddings
    for column, values in enumerate(more, d):
        table[:, column] = values
    return table


class Bins:
    """Rough distances [r g] in bins of one width a query; the last bin leaves the ranking."""

    def __init__(self, rough: Tensor):
        r, g = rough.shape
        self.rough, self.last = rough, g // 2 + 2
        self.start = torch.arange(r) * (self.last + 1)  # the bins of all queries lie in one line
        self.lowest = rough.amin(dim=1)
        self.scale = (self.last - 1) / (rough.amax(dim=1) - self.lowest).clamp(min=1e-300)
        self.place = ((rough - self.lowest[:, None]).mul_(self.scale[:, None])).long()
        self.place += self.start[:, None]

    def of(self, row: Tensor, values: Tensor) -> Tensor:
        """Bins of values [k] in rows [k]; a larger value is never in a lower bin."""
        places = ((values - self.lowest[row]) * self.scale[row]).clamp(0, self.last - 1)
        return places.long() + self.start[row]

    def leave_out(self, row: Tensor, item: Tensor, items: Tensor) -> None:
        """Take pairs of row [k] and item [k] out, and items (True in [g]) from all rows."""
        self.place[row, item] = self.start[row] + self.last
        self.place[:, items] = self.start[:, None] + self.last


def rank_matches(
    apart: Apart, bins: Bins, queries: Tensor, row: Tensor, item: Tensor
) -> tuple[Tensor, Tensor]:
    """Ranks of some queries' matches, and their first answers.

    Args:
        apart: distances of all queries.
        bins: those of the queries asked for.
        queries: [r] which these are.
        row: [k] of each match, in order.
        item: [k] its gallery position.

    Returns:
        [k] ranks from 1, row by row and rising, and [r 10] gallery positions.
    """
    r, g = bins.place.shape
    count = bins.place.flatten().bincount(minlength=r * (bins.last + 1)).view(r, -1)
    near = bins.rough[row, item]
    doubt = apart.doubt(queries[row], near)
    every = torch.arange(r)
    edge = torch.searchsorted(count.cumsum(dim=1), torch.full((r, 1), SHOWN)).flatten()
    top = bins.lowest + (edge + 2) / bins.scale  # beyond the last of the first answers
    open_bins = _covered(
        torch.cat([bins.of(row, near - doubt), bins.start]),
        torch.cat([bins.of(row, near + doubt), bins.of(every, top + apart.doubt(queries, top))]),
        count.numel(),
    )
    # all that is in an open bin is sorted; as for the rest, how many there are is enough
    examined = positions(open_bins.index_select(0, bins.place.flatten()))
    rows, items = examined // g, examined % g
    distance = apart.exact(queries[rows], items)
    # the bits of a float that is not negative order like an integer: row, distance, position
    order = ((rows << 32) + distance.view(torch.int32)).sort(stable=True).indices
    number = rows.bincount(minlength=r)
    begin = number.cumsum(0) - number
    place = torch.empty_like(order).scatter_(0, order, torch.arange(len(order)) - begin[rows])
    nearer = count.masked_fill_(open_bins.view(r, -1), 0).cumsum(dim=1).flatten()
    rank = nearer[bins.of(row, near)] + place[torch.searchsorted(examined, row * g + item)] + 1
    nth = torch.arange(SHOWN)
    first = items[order[(begin[:, None] + nth).clamp(max=len(order) - 1)]]
    rising = (row * (g + 1) + rank).sort().values % (g + 1)
    return rising, first.where(nth < number[:, None], -1)


def positions(mask: Tensor) -> Tensor:
    """Where a mask of any shape is True, in the order of memory."""
    return torch.from_numpy(np.flatnonzero(mask.numpy()))  # five times as fast as torch's


def _covered(begin: Tensor, end: Tensor, size: int) -> Tensor:
    """Which of 0 .. size - 1 are in any of the ranges [k], their ends included."""
    ranges = begin.new_zeros(size + 1, dtype=torch.int32)
    step = torch.ones_like(begin, dtype=torch.int32)
    ranges.index_add_(0, begin, step).index_add_(0, end + 1, -step)
    return ranges[:-1].cumsum(0, dtype=torch.int32) > 0
