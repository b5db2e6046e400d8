import os
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat
from torch import Tensor
from torch.testing import assert_close

from ssn3d.evaluation import retrieval
from ssn3d.evaluation.retrieval import Retrieval, comparable, evaluate, pairwise

quick = settings(max_examples=80, deadline=None, derandomize=True, database=None)


@pytest.fixture(autouse=True)
def usual_block(monkeypatch):
    """Tests may set BLOCK as they like."""
    monkeypatch.setattr(retrieval, "BLOCK", retrieval.BLOCK)


class Case(NamedTuple):
    """What `evaluate` takes, as lists."""

    query: list[list[int]]
    gallery: list[list[int]]
    query_ids: list[int]
    gallery_ids: list[int]
    query_cams: list[int]
    gallery_cams: list[int]

    def evaluate(self, **options) -> Retrieval:
        query, gallery, *numbers = map(torch.tensor, self)
        return evaluate(query.float(), gallery.float(), *numbers, **options)


def line(*items: tuple[float, int, int]) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, ids and cameras of items that lie on a line."""
    places, ids, cams = zip(*items, strict=True)
    return torch.tensor(places)[:, None], torch.tensor(ids), torch.tensor(cams)


def evaluate_line(query, gallery, **options) -> Retrieval:
    (q, q_ids, q_cams), (g, g_ids, g_cams) = line(*query), line(*gallery)
    return evaluate(q, g, q_ids, g_ids, q_cams, g_cams, **options)


def match_ranks(case: Case, q: int) -> list[int]:
    """Ranks of one query's matches, from 1: the definition, read item by item."""

    def distance(g: int) -> int:
        return sum((x - y) ** 2 for x, y in zip(case.query[q], case.gallery[g], strict=True))

    ranks, kept = [], 0
    for g in sorted(range(len(case.gallery)), key=distance):  # Python's sort is stable
        same_person = case.gallery_ids[g] == case.query_ids[q]
        same_camera = case.gallery_cams[g] == case.query_cams[q]
        if case.gallery_ids[g] == -1 or (same_person and same_camera):
            continue
        kept += 1
        if same_person:
            ranks.append(kept)
    return ranks


def trapezoid(ranks: list[int]) -> float:
    """Area under the line through (recall, precision) of every kept item, as MARS's authors do."""
    area, matches, recall, precision = 0.0, 0, 0.0, 1.0
    for rank in range(1, ranks[-1] + 1):
        matches += rank in ranks
        new_recall, new_precision = matches / len(ranks), matches / rank
        area += (new_recall - recall) * (precision + new_precision) / 2
        recall, precision = new_recall, new_precision
    return area


def mean(numbers) -> float:
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


@st.composite
def cases(draw) -> Case:
    """A few people and cameras, junk, and embeddings so coarse that many distances are equal."""
    size = draw(st.integers(1, 3))

    def side(most: int, people):
        count = draw(st.integers(1, most))
        row = st.lists(st.integers(-2, 2), min_size=size, max_size=size)
        return (
            draw(st.lists(values, min_size=count, max_size=count))
            for values in (row, people, st.integers(1, 3))
        )

    query, query_ids, query_cams = side(6, st.integers(-1, 3))
    gallery, gallery_ids, gallery_cams = side(20, st.integers(-1, 3))
    return Case(query, gallery, query_ids, gallery_ids, query_cams, gallery_cams)


@quick
@given(case=cases(), block=st.sampled_from([1, 30, 2**22]))
def test_evaluate_equals_a_loop_over_queries_and_gallery(case, block):
    retrieval.BLOCK = block
    ranks = {q: found for q in range(len(case.query)) if (found := match_ranks(case, q))}
    if not ranks:
        with pytest.raises(ValueError, match="has a match in the gallery"):
            case.evaluate()
        return
    result = case.evaluate()
    precisions = [mean(i / r for i, r in enumerate(found, 1)) for found in ranks.values()]
    firsts = [found[0] for found in ranks.values()]
    assert result.queries.tolist() == list(ranks)
    assert result.skipped == len(case.query) - len(ranks)
    assert result.first_rank.tolist() == firsts
    assert_close(result.ap, torch.tensor(precisions))
    assert result.mean_ap == pytest.approx(mean(precisions))
    assert result.mean_inp == pytest.approx(mean(len(f) / f[-1] for f in ranks.values()))
    assert result.mean_ap_trapezoid == pytest.approx(mean(map(trapezoid, ranks.values())))
    share = [mean(first <= k for first in firsts) for k in range(1, len(case.gallery) + 1)]
    assert_close(result.cmc, torch.tensor(share))


def test_a_same_camera_decoy_at_the_top_is_no_match():
    result = evaluate_line(
        query=[(0, 7, 1)],
        gallery=[(0.0, 7, 1), (1.0, 5, 2), (2.0, 7, 2), (3.0, 5, 1)],
    )
    assert result.first_rank.tolist() == [2]
    assert_close(result.cmc, torch.tensor([0.0, 1, 1, 1]))
    assert result.mean_ap == result.mean_inp == 0.5


def test_another_person_seen_by_the_same_camera_is_a_wrong_answer():
    result = evaluate_line(query=[(0, 7, 1)], gallery=[(1.0, 5, 1), (2.0, 7, 2)])
    assert result.first_rank.tolist() == [2]


def test_two_matches_are_scored_as_found_by_hand():
    result = evaluate_line(
        query=[(0, 7, 1)], gallery=[(1.0, 7, 2), (2.0, 5, 1), (3.0, 5, 2), (4.0, 7, 3)]
    )
    assert result.mean_ap == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert result.mean_ap_trapezoid == pytest.approx(((1 + 1) / 2 + (1 / 3 + 2 / 4) / 2) / 2)
    assert result.mean_inp == pytest.approx(2 / 4)


def test_the_trapezoid_rule_halves_the_precision_of_a_single_match_at_rank_two():
    result = evaluate_line(query=[(0, 7, 1)], gallery=[(1.0, 5, 2), (2.0, 7, 2)])
    assert (result.mean_ap, result.mean_ap_trapezoid) == (0.5, 0.25)


def test_a_perfect_ranking_scores_one_by_every_measure():
    result = evaluate_line(query=[(0, 7, 1)], gallery=[(1.0, 7, 2), (2.0, 7, 3), (3.0, 5, 2)])
    assert result.mean_ap == result.mean_ap_trapezoid == result.mean_inp == 1
    assert_close(result.cmc, torch.ones(3))


def test_with_one_match_each_the_mean_precision_is_the_mean_of_one_over_the_rank():
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(2, 30, 4, generator=generator)
    people, ones = torch.arange(30), torch.ones(30, dtype=torch.long)
    result = evaluate(query, gallery, people, people, ones, 2 * ones)
    reciprocal = (1 / result.first_rank).mean().item()
    assert result.mean_ap == pytest.approx(reciprocal)
    assert result.mean_inp == pytest.approx(reciprocal)


def test_junk_leaves_the_ranking():
    kept = [(1.0, 5, 2), (2.0, 7, 2), (3.0, 7, 3)]
    junk = [(0.0, -1, 2), (1.5, -1, 1), (2.5, 7, 1), (9.0, -1, 3)]
    query = [(0, 7, 1), (0.2, 5, 1)]
    without, along = evaluate_line(query, kept), evaluate_line(query, [*junk, *kept])
    for field in ("mean_ap", "mean_inp", "mean_ap_trapezoid", "skipped"):
        assert getattr(along, field) == getattr(without, field)
    assert_close(along.cmc[:3], without.cmc)
    assert torch.equal(along.first_rank, without.first_rank)


def test_a_query_of_nobody_has_no_match_among_junk():
    result = evaluate_line(query=[(0, -1, 1), (0, 7, 1)], gallery=[(0.0, -1, 2), (1.0, 7, 2)])
    assert (result.skipped, result.queries.tolist()) == (1, [1])


def test_distractors_of_person_zero_are_wrong_answers():
    result = evaluate_line(query=[(0, 7, 1)], gallery=[(1.0, 0, 1), (2.0, 0, 2), (3.0, 7, 2)])
    assert result.first_rank.tolist() == [3]


def test_queries_without_a_match_are_counted_and_left_out():
    query = [(0, 7, 1), (0, 8, 1), (0, 5, 2)]
    result = evaluate_line(query, gallery=[(1.0, 5, 2), (2.0, 7, 2), (3.0, 5, 1)])
    assert result.skipped == 1
    assert result.queries.tolist() == [0, 2]
    assert result.first_rank.tolist() == [2, 2]
    assert result.mean_ap == 0.5


def test_the_cmc_curve_is_as_long_as_the_gallery_for_every_query():
    query = [(0, 7, 1), (0, 5, 2)]
    gallery = [(0.0, 7, 1), (0.5, 7, 1), (1.0, 7, 2), (2.0, 5, 1)]
    result = evaluate_line(query, gallery)
    assert_close(result.cmc, torch.tensor([0.5, 0.5, 0.5, 1]))


def test_items_at_one_distance_keep_the_order_of_the_gallery():
    gallery = [(1.0, 5, 2), (-1.0, 7, 2), (1.0, 7, 3)]
    ranks = [
        evaluate_line([(0, 7, 1)], ordered).first_rank.item()
        for ordered in (gallery, gallery[::-1], gallery[1:] + gallery[:1])
    ]
    assert ranks == [2, 1, 1]


def random_sides() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(20, 8, generator=generator),
        torch.randn(60, 8, generator=generator),
        torch.arange(20) % 5,
        torch.arange(60) % 6,
        torch.ones(20, dtype=torch.long),
        torch.randint(1, 4, (60,), generator=generator),
    ]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("offset", [0, 100])
def test_equal_embeddings_are_ties_however_many_queries_are_ranked_at_a_time(metric, offset):
    query, kinds, *_ = random_sides()
    gallery = kinds[:7].repeat(43, 1)
    query[:7] = kinds[:7]
    person, camera = torch.zeros(20, dtype=torch.long), torch.ones(20, dtype=torch.long)
    people, cameras = torch.arange(1, 302), torch.full((301,), 2)
    people[-7:] = 0  # of the 43 equals of every kind, the last is a match
    sides = query + offset, gallery + offset, person, people, camera, cameras
    together = evaluate(*sides, metric=metric)
    retrieval.BLOCK = 1
    alone = evaluate(*sides, metric=metric)
    assert (together.first_rank == 43).all()
    for one, other in zip(alone, together, strict=True):
        assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_without_ties_the_order_of_the_gallery_does_not_matter(metric):
    query, gallery, query_ids, gallery_ids, query_cams, gallery_cams = random_sides()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    one, other = (
        evaluate(
            *(query, gallery[kept], query_ids, gallery_ids[kept], query_cams, gallery_cams[kept]),
            metric=metric,
        )
        for kept in (torch.arange(60), order)
    )
    assert torch.equal(one.shown, order[other.shown])
    scores = (result._replace(shown=None) for result in (one, other))
    for score, score_in_order in zip(*scores, strict=True):
        assert (
            score is score_in_order is None
            or assert_close(score, score_in_order, rtol=0, atol=0) is None
        )


def test_cosine_and_euclidean_agree_on_embeddings_of_length_one():
    query, gallery, *numbers = random_sides()
    query, gallery = (x / x.norm(dim=1, keepdim=True) for x in (query, gallery))
    euclidean, cosine = (
        evaluate(query, gallery, *numbers, metric=metric) for metric in ("euclidean", "cosine")
    )
    for one, other in zip(euclidean, cosine, strict=True):
        assert_close(one, other)


def test_cosine_does_not_see_the_length_of_embeddings_and_euclidean_does():
    query, gallery, *numbers = random_sides()
    longer = gallery * torch.arange(1, 61)[:, None]
    for metric, agrees in (("cosine", True), ("euclidean", False)):
        one = evaluate(query, gallery, *numbers, metric=metric)
        other = evaluate(query, longer, *numbers, metric=metric)
        assert torch.equal(one.first_rank, other.first_rank) == agrees


def test_small_differences_far_from_the_origin_are_seen():
    query = [(10_000.0, 7, 1)]
    gallery = [(10_000.25, 5, 2), (10_000.125, 7, 2), *[(0.0, 5, 2)] * 30]
    assert evaluate_line(query, gallery).first_rank.tolist() == [1]


@pytest.mark.parametrize("number", [torch.nan, torch.inf])
@pytest.mark.parametrize("side", ["query", "gallery"])
def test_embeddings_that_are_not_finite_are_refused_with_side_and_position(side, number):
    sides = random_sides()
    broken = sides[side == "gallery"]
    broken[[4, 9], 3] = number
    message = f"{side}: 2 of {len(broken)} embeddings are not finite, the first at position 4"
    with pytest.raises(ValueError, match=message):
        evaluate(*sides)


def test_no_query_with_a_match_is_refused_with_people_and_cameras():
    with pytest.raises(ValueError, match="query people 7, 8, gallery people 5, 7,") as error:
        evaluate_line([(0, 7, 1), (0, 8, 1)], [(1.0, 5, 3), (2.0, 7, 1)])
    assert "none of the 2 queries" in str(error.value)
    assert "cameras 1 and 1, 3" in str(error.value)


@pytest.mark.parametrize("side", ["query", "gallery"])
def test_an_empty_side_is_refused(side):
    full = line((0.0, 7, 1))
    empty = tuple(x[:0] for x in full)
    (q, q_ids, q_cams), (g, g_ids, g_cams) = (empty, full) if side == "query" else (full, empty)
    with pytest.raises(ValueError, match=rf"{side}: expected .* with k, d > 0, got \(0, 1\)"):
        evaluate(q, g, q_ids, g_ids, q_cams, g_cams)


@pytest.mark.parametrize("position", range(2, 6))
def test_as_many_ids_and_cameras_as_embeddings_are_wanted(position):
    sides = random_sides()
    sides[position] = sides[position][:-1]
    with pytest.raises(ValueError, match=r"expected an id and a camera for each of \d+ emb"):
        evaluate(*sides)


def test_embeddings_of_two_sizes_are_refused():
    sides = random_sides()
    sides[0] = sides[0][:, :5]
    with pytest.raises(ValueError, match="must have one size, got 5 and 8"):
        evaluate(*sides)


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match='"euclidean" or "cosine", got \'l1\''):
        evaluate(*random_sides(), metric="l1")


def test_the_first_answers_are_kept_without_junk():
    gallery = [(0.1, 7, 1), (0.2, 3, 1), (0.3, -1, 2), (0.4, 7, 2), (0.5, 4, 1)]
    assert evaluate_line([(0.0, 7, 1)], gallery).shown.tolist() == [[1, 3, 4] + [-1] * 7]


def test_given_distances_take_the_place_of_embeddings():
    query, gallery, *numbers = random_sides()
    other = torch.randn(len(gallery), 5, generator=torch.Generator().manual_seed(1))
    queries = torch.randn(len(query), 5, generator=torch.Generator().manual_seed(2))
    expected = evaluate(queries, other, *numbers)
    found = evaluate(query, gallery, *numbers, distances=torch.cdist(queries, other))
    assert found.mean_ap == pytest.approx(expected.mean_ap)
    assert torch.equal(found.first_rank, expected.first_rank)


@pytest.mark.parametrize("broken", [torch.zeros(3, 3), torch.full((20, 60), -1.0)])
def test_distances_that_cannot_rank_are_refused(broken):
    with pytest.raises(ValueError, match="distances"):
        evaluate(*random_sides(), distances=broken)


def slow_twin(query, gallery, query_ids, gallery_ids, query_cams, gallery_cams, distances=None):
    """First ranks, average precisions and first answers by sorting `pairwise`'s distances."""
    if distances is None:
        distances = pairwise(query, gallery)
    first_rank, ap, shown = [], [], []
    for row in range(len(query)):
        order = distances[row].sort(stable=True).indices
        same = gallery_ids[order] == query_ids[row]
        kept = ~(same & (gallery_cams[order] == query_cams[row])) & (gallery_ids[order] != -1)
        rank = same[kept].nonzero().flatten() + 1
        if len(rank):
            first_rank.append(int(rank[0]))
            ap.append((torch.arange(1, len(rank) + 1) / rank).mean())
            shown.append((order[kept].tolist() + [-1] * 10)[:10])
    return torch.tensor(first_rank), torch.stack(ap), torch.tensor(shown)


@st.composite
def hard_sides(draw) -> list[Tensor]:
    """Sides whose distances tie or nearly tie: copies, steps of one rounding, far and tiny ones."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    q, g = draw(st.integers(1, 8)), draw(st.integers(1, 150))
    d = draw(st.sampled_from([1, 2, 7, 33]))
    kinds = torch.randn(draw(st.integers(1, 40)), d, generator=generator)
    step = draw(st.sampled_from([0.0, 2.0**-23, 1e-4, 1.0]))
    far, size = draw(st.sampled_from([0.0, 1.0, 1e4])), draw(st.sampled_from([1e-24, 1.0, 1e16]))

    def side(count: int) -> list[Tensor]:
        which = torch.randint(len(kinds), (count,), generator=generator)
        moved = kinds[which] * (1 + step * torch.randint(-2, 3, (count, d), generator=generator))
        people = torch.randint(-1, 4, (count,), generator=generator)
        return [(moved + far) * size, people, torch.randint(3, (count,), generator=generator)]

    query, gallery = side(q), side(g)
    query[1][0], gallery[1][0], query[2][0], gallery[2][0] = 1, 1, 0, 1  # at least one match
    return [side for pair in zip(query, gallery, strict=True) for side in pair]


@quick
@given(sides=hard_sides(), block=st.sampled_from([1, 300, 2**21]), cosine=st.booleans())
def test_ranks_are_those_of_sorting_exact_distances(sides, block, cosine):
    retrieval.BLOCK = block
    metric = "cosine" if cosine else "euclidean"
    result = evaluate(*sides, metric=metric)
    twin = slow_twin(*comparable(*sides[:2], metric), *sides[2:])
    for found, expected in zip((result.first_rank, result.ap, result.shown), twin, strict=True):
        assert torch.equal(found, expected)


@quick
@given(sides=hard_sides(), block=st.sampled_from([1, 300, 2**21]))
def test_ranks_by_given_distances_are_those_of_sorting_them(sides, block):
    retrieval.BLOCK = block
    distances = pairwise(*sides[:2]).clamp(max=1e30).mul(8).round() / 8
    result = evaluate(*sides, distances=distances)
    twin = slow_twin(*sides, distances)
    for found, expected in zip((result.first_rank, result.ap, result.shown), twin, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("size", [0.0, 1e-30, 3e38])
def test_distances_beyond_32_bits_are_ties(size):
    sides = random_sides()
    sides[:2] = (side.sign() * size for side in sides[:2])
    result = evaluate(*sides)
    assert torch.equal(result.shown, slow_twin(*sides)[2])


def test_results_depend_neither_on_the_block_nor_on_the_number_of_threads():
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(900, 32, generator=generator)
    query, gallery = kinds[:60], kinds.repeat(3, 1)
    sides = query, gallery, torch.arange(60) % 7, torch.arange(2700) % 11, torch.zeros(60)
    cameras = torch.arange(2700) % 3
    torch.set_num_threads(2)
    try:
        other = evaluate(*sides, cameras)
    finally:
        torch.set_num_threads(1)
    retrieval.BLOCK = 1
    one = evaluate(*sides, cameras)
    for alone, together in zip(one, other, strict=True):
        assert_close(alone, together, rtol=0, atol=0)


def test_few_distances_are_computed_exactly(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    query, gallery = torch.randn(2000, 128, generator=generator).split([50, 1950])
    people, cameras = torch.arange(1950) % 300, torch.arange(1950) % 7
    examined = []

    def counted(these, those):
        distances = pairwise(these, those)
        examined.append(distances.numel())
        return distances

    monkeypatch.setattr(retrieval, "pairwise", counted)
    evaluate(query, gallery, people[:50], people, cameras[:50], cameras)
    assert sum(examined) < 50 * 1950 / 20


def test_the_official_lists_of_mars_rank_as_by_sorting():
    folder = os.environ.get("SSN3D_MARS_INFO")
    if not folder:
        pytest.skip("SSN3D_MARS_INFO does not name the folder of the official .mat files")
    rows = loadmat(Path(folder, "tracks_test_info.mat"))["track_test_info"].astype("int64")
    query = loadmat(Path(folder, "query_IDX.mat"))["query_IDX"].ravel().astype("int64") - 1
    people, cameras = torch.from_numpy(rows[:, 2]), torch.from_numpy(rows[:, 3])
    query = torch.from_numpy(query)[::20]
    generator = torch.Generator().manual_seed(0)
    looks = torch.randn(int(people.max()) + 1, 16, generator=generator)[people.clamp(min=0)]
    looks += torch.randn(len(looks), 16, generator=generator)
    sides = [x for side in (looks, people, cameras) for x in (side[query], side)]
    result = evaluate(*sides)
    twin = slow_twin(*sides)
    for found, expected in zip((result.first_rank, result.ap, result.shown), twin, strict=True):
        assert torch.equal(found, expected)
