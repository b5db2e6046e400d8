from fractions import Fraction
from math import exp

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from ssn3d.evaluation import reranking, retrieval
from ssn3d.evaluation.reranking import rerank

quick = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.fixture(autouse=True)
def usual_block(monkeypatch):
    """Tests may set BLOCK as they like."""
    monkeypatch.setattr(reranking, "BLOCK", reranking.BLOCK)


def apart(items: Tensor, metric: str) -> list[list[float]]:
    """Distances of all items, as rounded as the code's, so that both see the same ties."""
    items = F.normalize(items) if metric == "cosine" else items
    return torch.cdist(items, items, compute_mode="donot_use_mm_for_euclid_dist").tolist()


class ByHand:
    """What Zhong et al. define, item by item; everybody is the first of their neighbours.

    Their paper and their code disagree on who joins and on what all of one item's weights add up
    to; `code` says which of the two counts.
    """

    def __init__(self, distances: list[list[float]], *, code: bool):
        self.as_code = code
        self.everybody = range(len(distances))
        self.order = [
            [p, *sorted((g for g in self.everybody if g != p), key=lambda g: distances[p][g])]
            for p in self.everybody
        ]
        self.d = [[(d / (max(row) or 1)) ** 2 for d in row] for row in distances]  # Eq. (1)

    def neighbours(self, p: int, k: int) -> set[int]:
        return set(self.order[p][: k + 1])  # Eq. (2), and p

    def reciprocal(self, p: int, k: int) -> set[int]:
        return {g for g in self.neighbours(p, k) if p in self.neighbours(g, k)}  # Eq. (3)

    def expanded(self, p: int, k: int) -> set[int]:
        first = self.reciprocal(p, k)
        star = set(first)
        for q in first:
            half = self.reciprocal(q, k // 2)
            share = Fraction(len(first & half), len(half))  # Eq. (4)
            if share > Fraction(2, 3) or (share == Fraction(2, 3) and not self.as_code):
                star |= half
        return star

    def weights(self, p: int, k: int) -> dict[int, float]:
        printed = {g: exp(-self.d[p][g]) for g in self.expanded(p, k)}  # Eq. (7)
        total = sum(printed.values()) if self.as_code else 1
        return {g: weight / total for g, weight in printed.items()}

    def code(self, p: int, k1: int, k2: int) -> list[float]:
        lent = [self.weights(lender, k1) for lender in self.order[p][:k2]]
        return [sum(code.get(g, 0) for code in lent) / k2 for g in self.everybody]  # Eq. (11)

    def rerank(self, queries: int, k1: int, k2: int, weight: float) -> list[list[float]]:
        codes = [self.code(p, k1, k2) for p in self.everybody]

        def distance(p: int, g: int) -> float:
            both = list(zip(codes[p], codes[g], strict=True))
            jaccard = 1 - sum(map(min, both)) / sum(map(max, both))  # Eq. (10)
            return (1 - weight) * jaccard + weight * self.d[p][g]  # Eq. (12)

        gallery = self.everybody[queries:]
        return [[distance(p, g) for g in gallery] for p in self.everybody[:queries]]


@st.composite
def cases(draw) -> tuple[Tensor, Tensor, int, int]:
    """A few embeddings so coarse that many distances are equal, k1 and k2."""
    size = draw(st.integers(1, 3))
    row = st.lists(st.integers(-3, 3), min_size=size, max_size=size)
    query = draw(st.lists(row, min_size=1, max_size=4))
    gallery = draw(st.lists(row, min_size=1, max_size=10))
    k1 = draw(st.integers(1, len(query + gallery) - 1))
    return torch.tensor(query).float(), torch.tensor(gallery).float(), k1, draw(st.integers(1, k1))


@quick
@given(
    case=cases(),
    weight=st.sampled_from([0, 0.3, 1]),
    metric=st.sampled_from(["euclidean", "cosine"]),
    block=st.sampled_from([1, 40, 2**22]),
    code=st.booleans(),
)
def test_rerank_equals_the_authors_code_or_their_paper(case, weight, metric, block, code):
    query, gallery, k1, k2 = case
    by_hand = ByHand(apart(torch.cat([query, gallery]), metric), code=code)
    reranking.BLOCK = block
    numbers = {"k1": k1, "k2": k2, "weight": weight}
    found = rerank(query, gallery, **numbers, metric=metric, as_published_code=code)
    expected = torch.tensor(by_hand.rerank(len(query), **numbers))
    assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert found.min() >= 0 and found.max() <= 1


def sides() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(15, 8, generator=generator)
    items = kinds.repeat(6, 1) + torch.randn(90, 8, generator=generator) / 2
    return items[:20], items[20:]


@pytest.mark.parametrize("options", [{}, {"as_published_code": False}])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_larger_sets_equal_the_code_unless_the_paper_is_asked_for(metric, options):
    query, gallery = sides()
    by_hand = ByHand(apart(torch.cat([query, gallery]), metric), code=not options)
    expected = torch.tensor(by_hand.rerank(20, 20, 6, 0.3))
    found = rerank(query, gallery, metric=metric, **options)
    assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_the_code_and_the_paper_differ():
    found, printed = (rerank(*sides(), as_published_code=code) for code in (True, False))
    assert (found - printed).abs().max() > 0.01


def clustered(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A query and five others of each of 40 to 80 people, clusters with a bias of each camera."""
    generator = torch.Generator().manual_seed(seed)
    people, noise = (40, 60, 80)[seed % 3], (0.8, 1.0, 1.2, 1.5)[seed // 3]
    persons = torch.randn(people, 1, 32, generator=generator)
    cameras = 0.5 * torch.randn(6, 32, generator=generator)
    items = persons + cameras + noise * torch.randn(people, 6, 32, generator=generator)
    ids = torch.arange(people)
    return items[:, 0], items[:, 1:].flatten(0, 1), ids, ids.repeat_interleave(5)


def test_as_printed_costs_two_points_of_mean_ap_on_clusters():
    """The sets and numbers that README quotes."""
    gains = []
    for query, gallery, *ids in map(clustered, range(12)):
        cameras = [torch.zeros(len(query)), torch.ones(len(gallery))]
        distances = (rerank(query, gallery, as_published_code=code) for code in (True, False))
        code, printed = (
            retrieval.evaluate(query, gallery, *ids, *cameras, distances=each).mean_ap
            for each in distances
        )
        gains.append(code - printed)
    assert sum(gains) / 12 == pytest.approx(0.0225, abs=0.001)
    assert min(gains) == pytest.approx(-0.0043, abs=0.001)
    assert max(gains) == pytest.approx(0.0417, abs=0.001)


# the query at 0 is nearest to one of a crowd that has no eye for it; the pair below looks up to it
CROWD_AND_PAIR = torch.tensor([[0.9], [1.05], [1.15], [-1.0], [-1.1]])


def test_the_neighbours_mend_a_wrong_first_rank():
    query = torch.tensor([[0.0]])
    before, after = (rerank(query, CROWD_AND_PAIR, k1=2, k2=1, weight=w)[0] for w in (1, 0.3))
    assert before.argmin() == 0
    assert after.argmin() == 3


@pytest.mark.parametrize("code", [True, False])
def test_the_distance_to_a_reciprocal_neighbour_is_as_found_by_hand(code):
    query = torch.tensor([[0.0]])
    found = rerank(query, CROWD_AND_PAIR, k1=2, k2=1, weight=0.5, as_published_code=code)[0]
    theirs = {0.0: 1, -1.0: exp(-((1 / 1.15) ** 2))}
    its = {-1.0: 1, 0.0: exp(-((1 / 2.15) ** 2)), -1.1: exp(-((0.1 / 2.15) ** 2))}
    if code:
        theirs, its = ({at: w / sum(v.values()) for at, w in v.items()} for v in (theirs, its))
    minima = min(theirs[0.0], its[0.0]) + min(theirs[-1.0], its[-1.0])
    jaccard = 1 - minima / (sum(theirs.values()) + sum(its.values()) - minima)
    assert found[3].item() == pytest.approx((jaccard + (1 / 1.15) ** 2) / 2)
    assert found[0].item() == pytest.approx((1 + (0.9 / 1.15) ** 2) / 2)  # nothing in common


TWO_THIRDS = torch.tensor([[0.0]]), torch.tensor([[1.0], [5.0], [6.0], [8.0], [13.0]])


def test_exactly_two_thirds_in_common_are_enough_as_printed():
    found = rerank(*TWO_THIRDS, k1=4, k2=1, weight=0, as_published_code=False)[0]
    # R(query, 4) is 0, 1, 5 and 6; of R(6, 2), which is 5, 6 and 8, two thirds: so 8 joins
    theirs = [exp(-((place / 13) ** 2)) for place in (0, 1, 5, 6, 8)]
    its = [exp(-((5 / 13) ** 2)), 1]  # the one at 13: 8 and itself
    jaccard = 1 - theirs[-1] / (sum(theirs[:-1]) + sum(its))
    assert found[4].item() == pytest.approx(jaccard)


def test_exactly_two_thirds_in_common_are_not_enough_for_the_code():
    found = rerank(*TWO_THIRDS, k1=4, k2=1, weight=0)[0]
    assert found[4] == 1  # 8, all that the query and the one at 13 could share, does not join


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_all_weight_on_the_original_distance_keeps_its_order(metric):
    query, gallery = sides()
    if metric == "euclidean":
        original = (query[:, None] - gallery).square().sum(dim=2)
    else:
        original = 1 - F.cosine_similarity(query[:, None], gallery, dim=2)
    found = rerank(query, gallery, weight=1, metric=metric)
    assert torch.equal(found.argsort(dim=1), original.argsort(dim=1))


def test_the_order_of_the_gallery_does_not_matter_without_ties():
    query, gallery = sides()
    order = torch.randperm(70, generator=torch.Generator().manual_seed(0))
    assert_close(rerank(query, gallery[order]), rerank(query, gallery)[:, order])


def test_the_order_of_the_queries_does_not_matter_without_ties():
    query, gallery = sides()
    assert_close(rerank(query.flip(0), gallery), rerank(query, gallery).flip(0))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_rotation_or_a_change_of_scale_of_all_embeddings_does_not_matter(metric):
    query, gallery = sides()
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1))).Q
    turned = rerank(3 * query @ rotation, 3 * gallery @ rotation, metric=metric)
    assert_close(turned, rerank(query, gallery, metric=metric), rtol=1e-4, atol=1e-5)


def test_cosine_is_euclidean_of_embeddings_of_length_one():
    query, gallery = sides()
    lengths = torch.arange(1, 71)[:, None]
    found = rerank(query, gallery * lengths, metric="cosine")
    assert_close(found, rerank(F.normalize(query), F.normalize(gallery)))


@pytest.mark.parametrize("code", [True, False])
@pytest.mark.parametrize("block", [1, 100, 1000])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_how_much_is_held_in_memory_changes_no_bit(block, metric, code):
    options = {"metric": metric, "as_published_code": code}
    usual = rerank(*sides(), **options)
    reranking.BLOCK = block
    assert torch.equal(rerank(*sides(), **options), usual)


@pytest.mark.parametrize("code", [True, False])
def test_embeddings_that_are_all_the_same_are_at_no_distance(code):
    ones = torch.ones(6, 3)
    found = rerank(ones[:2], ones[2:], k1=5, k2=2, as_published_code=code)
    assert_close(found, torch.zeros(2, 4), rtol=0, atol=0)


@pytest.mark.parametrize("code", [True, False])
def test_rounding_makes_no_distance_negative(code):
    items, _ = sides()
    found = rerank(items, items, k1=39, k2=1, weight=0, as_published_code=code)
    assert found.min() >= 0
    assert_close(found.diagonal(), torch.zeros(20))


@pytest.mark.parametrize(("k1", "k2"), [(0, 0), (90, 6), (20, 0), (5, 6)])
def test_numbers_of_neighbours_out_of_range_are_refused(k1, k2):
    with pytest.raises(ValueError, match=f"k1 < 90 .*got k1 = {k1} and k2 = {k2}"):
        rerank(*sides(), k1=k1, k2=k2)


@pytest.mark.parametrize("weight", [-0.1, 1.1, torch.nan])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(ValueError, match=r"weight must be in 0..1, got"):
        rerank(*sides(), weight=weight)


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_embeddings_that_are_not_finite_are_refused_with_side_and_position(side, number):
    query, gallery = sides()
    (query if side == "query" else gallery)[[4, 9], 3] = number
    message = f"{side}: 2 of .* embeddings are not finite, the first at position 4"
    with pytest.raises(ValueError, match=message):
        rerank(query, gallery)


def test_embeddings_whose_distances_overflow_are_refused():
    query, gallery = sides()
    with pytest.raises(ValueError, match="too far apart for 32 bits"):
        rerank(query, gallery * 1e30)


@pytest.mark.parametrize("shape", [(0, 8), (5, 0), (8,), (2, 4, 8)])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_a_side_of_the_wrong_shape_is_refused(side, shape):
    full, odd = torch.ones(5, 8), torch.ones(shape)
    with pytest.raises(ValueError, match=rf"{side}: expected embeddings \[k d\] with k, d > 0"):
        rerank(*((odd, full) if side == "query" else (full, odd)))


def test_embeddings_of_two_sizes_are_refused():
    query, gallery = sides()
    with pytest.raises(ValueError, match="must have one size, got 5 and 8"):
        rerank(query[:, :5], gallery)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match='"euclidean" or "cosine", got \'l1\''):
        rerank(*sides(), metric="l1")
