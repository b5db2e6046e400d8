import math
from itertools import pairwise, permutations

import pytest
import torch
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from ssn3d.evaluation.part_metrics import (
    assign,
    at_border,
    centre_prior,
    confusion,
    distances,
    distinctness,
    extent,
    locate,
    overlap,
    pck,
    spread,
)

NAN = math.nan
ASPECT = 0.5
seeds = st.integers(0, 2**31 - 1)
repeatable = settings(max_examples=40, deadline=None, derandomize=True, database=None)


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_points(*shape: int, seed: int, missing: float = 0.0) -> Tensor:
    """[*shape 2] in 0..1, some of them NaN."""
    generator = draw(seed)
    points = torch.rand(*shape, 2, generator=generator)
    return points.where(torch.rand(*shape, 1, generator=generator) >= missing, NAN)


def random_maps(f: int, n: int, h: int, w: int, seed: int, sharpness: float = 3.0) -> Tensor:
    logits = sharpness * torch.randn(f, n, h * w, generator=draw(seed))
    return logits.softmax(dim=-1).reshape(f, n, h, w)


def one_hot(h: int, w: int, i: int, j: int) -> Tensor:
    """[1 h w]"""
    maps = torch.zeros(1, h, w)
    maps[0, i, j] = 1
    return maps


# where parts are


@repeatable
@given(h=st.integers(1, 6), w=st.integers(1, 6), data=st.data())
def test_a_single_cell_is_at_its_centre(h, w, data):
    i, j = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    assert_close(locate(one_hot(h, w, i, j)), torch.tensor([[(j + 0.5) / w, (i + 0.5) / h]]))


def test_the_cells_around_the_heaviest_move_it_and_those_farther_away_do_not():
    maps = torch.zeros(1, 5, 8)
    maps[0, 2, 2], maps[0, 2, 3], maps[0, 1, 2] = 0.5, 0.3, 0.2
    maps[0, 4, 7] = 0.4
    by_hand = [(0.5 * 2.5 + 0.3 * 3.5 + 0.2 * 2.5) / 8, (0.5 * 2.5 + 0.3 * 2.5 + 0.2 * 1.5) / 5]
    assert_close(locate(maps), torch.tensor([by_hand]))


def test_at_the_border_only_the_cells_that_exist_count():
    maps = torch.zeros(1, 4, 4)
    maps[0, 0, 0], maps[0, 0, 1], maps[0, 1, 1], maps[0, 3, 3] = 4, 2, 2, 3
    by_hand = [(4 * 0.5 + 4 * 1.5) / 8 / 4, (6 * 0.5 + 2 * 1.5) / 8 / 4]
    assert_close(locate(maps), torch.tensor([by_hand]))


def locate_by_loop(weights: list[list[float]]) -> tuple[float, float]:
    h, w = len(weights), len(weights[0])
    peak = max(map(max, weights))
    places = []
    for i, j in ((i, j) for i in range(h) for j in range(w) if weights[i][j] == peak > 0):
        near = [
            (weights[k][m], m + 0.5, k + 0.5)
            for k in range(max(0, i - 1), min(h, i + 2))
            for m in range(max(0, j - 1), min(w, j + 2))
        ]
        total = sum(weight for weight, _, _ in near)
        places.append([sum(cell[0] * cell[axis] for cell in near) / total for axis in (1, 2)])
    if not places:
        return NAN, NAN
    x, y = (sum(column) / len(places) for column in zip(*places, strict=True))
    return x / w, y / h


@repeatable
@given(h=st.integers(1, 5), w=st.integers(1, 5), seed=seeds, ties=st.booleans())
def test_locate_equals_a_loop_over_cells(h, w, seed, ties):
    maps = random_maps(2, 3, h, w, seed)
    if ties:
        maps = (maps * 3).round()  # often all 0
    found = locate(maps)
    for f in range(2):
        for n in range(3):
            by_loop = torch.tensor(locate_by_loop(maps[f, n].tolist()))
            assert_close(found[f, n], by_loop, equal_nan=True)


@repeatable
@given(h=st.integers(1, 6), w=st.integers(1, 6), seed=seeds, ties=st.booleans())
def test_mirrored_maps_give_mirrored_points(h, w, seed, ties):
    maps = random_maps(2, 3, h, w, seed)
    if ties:
        maps = (maps * 4).ceil()
    found = locate(maps)
    assert_close(locate(maps.flip(-1)), torch.stack((1 - found[..., 0], found[..., 1]), dim=-1))
    assert_close(locate(maps.flip(-2)), torch.stack((found[..., 0], 1 - found[..., 1]), dim=-1))


def test_an_even_map_points_at_the_middle_and_an_empty_one_nowhere():
    assert_close(locate(torch.full((1, 3, 6), 1 / 18)), torch.tensor([[0.5, 0.5]]))
    assert locate(torch.zeros(1, 3, 6)).isnan().all()


def test_two_equal_peaks_point_between_them():
    maps = one_hot(4, 8, 0, 1) + one_hot(4, 8, 3, 5)
    assert_close(locate(maps), torch.tensor([[(1.5 + 5.5) / 2 / 8, 0.5]]))


@pytest.mark.parametrize("scale", [1e-30, 7.0, 1e30])
def test_only_the_proportions_of_a_map_matter(scale):
    maps = random_maps(2, 3, 5, 4, seed=1)
    assert_close(locate(scale * maps), locate(maps))
    assert_close(overlap(scale * maps), overlap(maps))
    assert_close(extent(scale * maps), extent(maps))


def test_any_axes_may_come_before_the_parts():
    maps = random_maps(6, 3, 5, 4, seed=1)
    assert_close(locate(maps.reshape(2, 3, 3, 5, 4)), locate(maps).reshape(2, 3, 3, 2))
    assert_close(locate(maps[0]), locate(maps)[0])
    assert locate(maps[:0]).shape == (0, 3, 2)


def test_half_precision_is_computed_in_full():
    maps = random_maps(2, 3, 5, 4, seed=1).bfloat16()
    for function in (locate, overlap, extent):
        assert_close(function(maps), function(maps.float()))
    points = random_points(4, 3, seed=1).bfloat16()
    assert_close(distances(points, 1 - points, 0.7), distances(points.float(), 1 - points, 0.7))


# accuracy


def test_distances_are_in_frame_heights():
    found = torch.tensor([[[0.5, 0.5], [0.1, 0.9]]])
    truth = torch.tensor([[[0.1, 0.1], [0.1, 0.4]]])
    assert_close(distances(found, truth, 0.75), torch.tensor([[0.5, 0.5]]))
    assert_close(distances(found, truth, 1.0), torch.tensor([[0.4 * math.sqrt(2), 0.5]]))


def test_an_unknown_point_has_no_distance_and_a_part_that_was_not_found_an_infinite_one():
    known, unknown, half = [0.5, 0.5], [NAN, NAN], [NAN, 0.5]
    found = torch.tensor([[known, known, known, unknown, half, unknown, half]])
    truth = torch.tensor([[known, unknown, half, known, known, unknown, unknown]])
    by_hand = torch.tensor([[0, NAN, NAN, math.inf, math.inf, NAN, NAN]])
    assert_close(distances(found, truth, ASPECT), by_hand, equal_nan=True)


def test_pck_of_three_parts_equals_the_one_found_by_hand():
    truth = torch.zeros(4, 3, 2)
    found = torch.zeros(4, 3, 2)
    found[:, 0, 1] = torch.tensor([0.0, 0.125, 0.126, 0.5])  # the second is just within
    found[:, 1, 0] = torch.tensor([0.0, 0.25, 0.25, 0.26])  # half as far, the frame being narrow
    found[3, 1], truth[2, 1] = NAN, NAN  # not found: wrong, and not known: left out
    truth[:, 2] = NAN
    by_hand = torch.tensor([2 / 4, 2 / 3, NAN])
    assert_close(pck(found, truth, aspect=ASPECT, threshold=0.125), by_hand, equal_nan=True)


def pck_by_loop(found: Tensor, truth: Tensor, aspect: float, threshold: float) -> list[float]:
    shares = []
    for n in range(found.shape[1]):
        correct = []
        for (x, y), (true_x, true_y) in zip(
            found[:, n].tolist(), truth[:, n].tolist(), strict=True
        ):
            if not math.isnan(true_x):
                correct.append(math.hypot((x - true_x) * aspect, y - true_y) <= threshold)
        shares.append(sum(correct) / len(correct) if correct else NAN)
    return shares


@repeatable
@given(f=st.integers(0, 6), seed=seeds, threshold=st.sampled_from([0.05, 0.1, 0.4, 2.0]))
def test_pck_equals_a_loop_over_frames_in_any_order(f, seed, threshold):
    found, truth = (random_points(f, 4, seed=seed + k, missing=0.3) for k in range(2))
    score = pck(found, truth, aspect=ASPECT, threshold=threshold)
    by_loop = torch.tensor(pck_by_loop(found, truth, ASPECT, threshold))
    assert_close(score, by_loop, equal_nan=True)
    order = torch.randperm(f, generator=draw(seed))
    again = pck(found[order], truth[order], aspect=ASPECT, threshold=threshold)
    assert_close(again, score, equal_nan=True, rtol=0, atol=0)


@repeatable
@given(seed=seeds)
def test_pck_is_1_for_the_truth_and_grows_with_the_threshold(seed):
    found, truth = (random_points(9, 4, seed=seed + k, missing=0.2) for k in range(2))
    truth[0] = 0.5
    assert_close(pck(truth, truth, aspect=ASPECT), torch.ones(4))
    scores = [pck(found, truth, aspect=ASPECT, threshold=k / 10) for k in range(12)]
    assert all((lower <= higher).all() for lower, higher in pairwise(scores))


def test_the_centre_prior_is_the_mean_of_what_was_labelled():
    labels = torch.tensor(
        [
            [[0.2, 0.4], [0.1, 0.1], [NAN, NAN]],
            [[0.4, 0.8], [NAN, NAN], [NAN, 0.5]],
        ]
    )
    by_hand = torch.tensor([[0.3, 0.6], [0.1, 0.1], [NAN, NAN]])
    assert_close(centre_prior(labels), by_hand, equal_nan=True)


def test_a_prior_is_right_where_people_stand_still_and_wrong_where_nothing_was_labelled():
    labels = torch.tensor([[[0.5, 0.2], [NAN, NAN]]])
    truth = torch.tensor([[[0.5, 0.25], [0.5, 0.5]], [[0.5, 0.9], [0.5, 0.5]]])
    guess = centre_prior(labels).expand_as(truth)
    assert_close(pck(guess, truth, aspect=ASPECT), torch.tensor([0.5, 0.0]))


# which part is which


@repeatable
@given(m=st.integers(1, 6), extra=st.integers(0, 3), seed=seeds)
def test_assign_recovers_a_permutation(m, extra, seed):
    points = random_points(5, m + extra, seed=seed)
    order = torch.randperm(m + extra, generator=draw(seed))
    truth = points[:, :m].where(random_points(5, m, seed=seed + 1, missing=0.3) >= 0, NAN)
    truth[0] = points[0, :m]
    found = points[:, order]
    assert torch.equal(found[:, assign(found, truth, aspect=ASPECT)], points[:, :m])


def cost_by_loop(found: Tensor, truth: Tensor, parts: tuple[int, ...], aspect: float) -> float:
    total = 0.0
    for m, n in enumerate(parts):
        each = []
        for (x, y), (true_x, true_y) in zip(
            found[:, n].tolist(), truth[:, m].tolist(), strict=True
        ):
            if not math.isnan(true_x):
                missed = math.isnan(x)
                there = math.hypot(aspect, 1)
                each.append(there if missed else math.hypot((x - true_x) * aspect, y - true_y))
        total += sum(each) / len(each) if each else 0.0
    return total


@repeatable
@given(m=st.integers(1, 3), extra=st.integers(0, 2), seed=seeds)
def test_assign_is_as_good_as_the_best_of_all_pairings(m, extra, seed):
    found = random_points(4, m + extra, seed=seed, missing=0.3)
    truth = random_points(4, m, seed=seed + 1, missing=0.3)
    parts = assign(found, truth, aspect=ASPECT).tolist()
    assert len(set(parts)) == m
    costs = [cost_by_loop(found, truth, some, ASPECT) for some in permutations(range(m + extra), m)]
    assert_close(cost_by_loop(found, truth, tuple(parts), ASPECT), min(costs), rtol=0, atol=1e-5)


def test_assign_leaves_out_a_part_that_is_never_found_and_serves_unknown_points_last():
    found = torch.tensor([[[NAN, NAN], [0.9, 0.9], [0.1, 0.1]]])
    truth = torch.tensor([[[0.1, 0.1], [0.5, 0.6]]])
    assert assign(found, truth, aspect=ASPECT).tolist() == [2, 1]
    truth = torch.tensor([[[NAN, NAN], [0.1, 0.1], [0.9, 0.9]]])
    assert assign(found, truth, aspect=ASPECT).tolist() == [0, 2, 1]


def test_a_part_that_was_not_found_is_farther_than_any_other():
    found = torch.tensor([[[NAN, NAN], [0.9, 0.9]]])
    assert assign(found, torch.zeros(1, 1, 2), aspect=1.0).tolist() == [1]


def test_the_shape_of_the_frame_decides_what_is_near():
    found = torch.tensor([[[0.5, 0.0], [0.0, 0.3]]])
    truth = torch.tensor([[[0.0, 0.0]]])
    assert assign(found, truth, aspect=0.5).tolist() == [0]
    assert assign(found, truth, aspect=1.0).tolist() == [1]


def test_the_best_pairing_of_parts_that_found_nothing_flatters_them_on_its_own_frames():
    truth = random_points(1, 9, seed=3)
    found = random_points(1, 9, seed=4)
    chosen = assign(found, truth, aspect=ASPECT)
    assert (
        distances(found[:, chosen], truth, ASPECT).mean() < distances(found, truth, ASPECT).mean()
    )


# stability


def test_spread_of_two_people_equals_the_one_found_by_hand():
    truth = torch.full((2, 3, 1, 2), 0.25)
    found = truth.clone()
    found[0, :, 0, 1] += torch.tensor([0.0, 0.25, 0.5])  # mean 0.25, squares 2/16
    found[1, :2, 0, 0] += torch.tensor([0.0, 0.5])  # in heights 0 and 0.25: mean 0.125, 2/64
    found[1, 2] = NAN
    stable = spread(found, truth, aspect=ASPECT)
    assert_close(stable.frames, torch.tensor([math.sqrt((2 / 16 + 2 / 64) / (2 + 1))]))
    apart = math.hypot(0.125, 0.25)  # of the two means, each half of it from their middle
    assert_close(stable.people, torch.tensor([apart / math.sqrt(2)]))


def spread_by_loop(found: Tensor, truth: Tensor, part: int, aspect: float) -> tuple[float, float]:
    def mean(points: list[tuple[float, float]]) -> tuple[float, float]:
        return tuple(sum(column) / len(points) for column in zip(*points, strict=True))

    squares, degrees, means = 0.0, 0, []
    for person in range(len(found)):
        pairs = zip(found[person, :, part].tolist(), truth[person, :, part].tolist(), strict=True)
        offsets = [((x - a) * aspect, y - b) for (x, y), (a, b) in pairs]
        offsets = [offset for offset in offsets if not any(map(math.isnan, offset))]
        if offsets:
            means.append(mean(offsets))
            squares += sum(math.dist(offset, means[-1]) ** 2 for offset in offsets)
            degrees += len(offsets) - 1
    frames = math.sqrt(squares / degrees) if degrees else NAN
    if len(means) < 2:
        return frames, NAN
    middle = mean(means)
    total = sum(math.dist(each, middle) ** 2 for each in means)
    return frames, math.sqrt(total / (len(means) - 1))


@repeatable
@given(p=st.integers(0, 4), t=st.integers(1, 4), seed=seeds, missing=st.sampled_from([0, 0.4, 0.8]))
def test_spread_equals_a_loop_over_people_and_frames(p, t, seed, missing):
    found, truth = (random_points(p, t, 3, seed=seed + k, missing=missing) for k in range(2))
    stable = spread(found, truth, aspect=0.7)
    by_loop = torch.tensor([spread_by_loop(found, truth, n, 0.7) for n in range(3)])
    assert_close(torch.stack(stable, dim=-1), by_loop, equal_nan=True, rtol=1e-4, atol=1e-6)


@repeatable
@given(seed=seeds)
def test_a_part_that_is_always_as_far_beside_is_inaccurate_but_stable(seed):
    truth = random_points(3, 4, 2, seed=seed, missing=0.2)
    truth[:, :2] = 0.5
    beside = torch.rand(2, generator=draw(seed)) + 0.2
    stable = spread(truth + beside, truth, aspect=ASPECT)
    assert_close(stable.frames, torch.zeros(2), rtol=0, atol=1e-6)
    assert_close(stable.people, torch.zeros(2), rtol=0, atol=1e-6)
    assert not pck((truth + beside)[0], truth[0], aspect=ASPECT).any()


def test_an_offset_of_each_persons_own_is_a_spread_of_people_alone():
    truth = random_points(3, 5, 2, seed=0)
    beside = torch.tensor([-0.25, 0.0, 0.25])[:, None, None]
    found = truth.clone()
    found[..., 1] += beside
    stable = spread(found, truth, aspect=ASPECT)
    assert_close(stable.frames, torch.zeros(2), rtol=0, atol=1e-6)
    assert_close(stable.people, torch.full((2,), 0.25))


def test_a_person_with_a_single_frame_counts_among_people_only():
    truth = torch.zeros(2, 3, 1, 2)
    found = truth.clone()
    found[0, :, 0, 1] = torch.tensor([0.1, 0.2, 0.3])
    found[1, 0, 0, 1], found[1, 1:] = 0.6, NAN
    stable = spread(found, truth, aspect=ASPECT)
    assert_close(stable.frames, torch.tensor([0.1]))
    assert_close(stable.people, torch.tensor([0.4 / math.sqrt(2)]))


def test_a_part_that_never_moves_has_the_spread_of_its_point():
    truth = random_points(3, 4, 2, seed=5)
    still = spread(centre_prior(truth.flatten(0, 1)).expand_as(truth), truth, aspect=ASPECT)
    of_points = spread(truth, torch.zeros_like(truth), aspect=ASPECT)
    assert_close(still.frames, of_points.frames)
    assert_close(still.people, of_points.people)


def test_independent_shaking_is_measured_without_bias_and_leaks_into_people_as_documented():
    truth = torch.full((4000, 3, 1, 2), 0.5)
    shaken = truth + 0.1 * torch.randn(truth.shape, generator=draw(0))
    stable = spread(shaken, truth, aspect=1.0)
    frames = 0.1 * math.sqrt(2)  # both axes
    assert_close(stable.frames.item(), frames, rtol=0.03, atol=0)
    assert_close(stable.people.item(), frames / math.sqrt(3), rtol=0.03, atol=0)


# distinction


def test_overlap_of_three_maps_equals_the_one_found_by_hand():
    rows = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]])
    maps = rows.reshape(1, 3, 2, 2)
    by_hand = torch.tensor([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    assert_close(overlap(maps), by_hand)
    assert_close(distinctness(maps), 1 - 0.5 / 3)


@repeatable
@given(f=st.integers(1, 4), n=st.integers(1, 4), seed=seeds)
def test_overlap_equals_a_loop_over_cells_and_is_symmetric_in_0_to_1(f, n, seed):
    maps = random_maps(f, n, 3, 2, seed)
    maps = maps * (torch.rand(f, n, 1, 1, generator=draw(seed)) > 0.3)  # some are empty
    found = overlap(maps)
    for a in range(n):
        for b in range(n):
            both = [
                sum(map(min, frame[a].flatten().tolist(), frame[b].flatten().tolist()))
                for frame in maps
                if frame[a].any() and frame[b].any()
            ]
            by_loop = sum(both) / len(both) if both else NAN
            assert_close(found[a, b].item(), by_loop, equal_nan=True, rtol=0, atol=1e-5)
    assert_close(found, found.T, equal_nan=True, rtol=0, atol=0)
    known = found[~found.isnan()]
    assert (known >= 0).all()
    assert (known <= 1).all()


def test_an_empty_map_is_neither_distinct_nor_alike():
    maps = random_maps(3, 2, 4, 4, seed=2)
    with_empty = torch.cat([maps, torch.zeros(3, 1, 4, 4)], dim=1)
    assert_close(overlap(with_empty)[:2, :2], overlap(maps))
    assert overlap(with_empty)[2].isnan().all()
    assert_close(distinctness(with_empty), distinctness(maps))


def test_distinctness_is_1_for_disjoint_maps_and_0_for_equal_ones():
    disjoint = torch.eye(6).reshape(1, 6, 2, 3)
    assert distinctness(disjoint) == 1
    assert_close(distinctness(random_maps(4, 1, 2, 3, seed=0).expand(-1, 5, -1, -1)), 0.0)


def test_rounding_makes_no_overlap_negative():
    left = torch.cat([random_maps(500, 1, 4, 3, seed=0), torch.zeros(500, 1, 4, 3)], dim=-1)
    disjoint = rearrange([left, left.flip(-1)], "n f 1 h w -> f n h w")
    assert all((overlap(frame[None]) >= 0).all() for frame in disjoint)
    assert_close(overlap(disjoint), torch.eye(2), rtol=0, atol=1e-6)


@repeatable
@given(seed=seeds)
def test_the_order_of_parts_orders_overlap_and_leaves_distinctness(seed):
    maps = random_maps(3, 5, 4, 2, seed)
    order = torch.randperm(5, generator=draw(seed))
    assert_close(overlap(maps[:, order]), overlap(maps)[order][:, order])
    assert_close(distinctness(maps[:, order]), distinctness(maps))


def test_without_two_parts_in_one_frame_there_is_no_distinctness():
    maps = random_maps(2, 2, 3, 3, seed=0)
    maps[0, 0], maps[1, 1] = 0, 0
    assert math.isnan(distinctness(maps))
    assert math.isnan(distinctness(maps[:, :1]))


@pytest.mark.parametrize("cells", [1, 2, 5, 12])
def test_extent_is_the_share_of_the_cells_that_a_map_covers_evenly(cells):
    maps = (torch.arange(12) < cells).float().reshape(1, 1, 3, 4) / cells
    assert_close(extent(maps), torch.tensor([cells / 12]))


@repeatable
@given(seed=seeds, sharpness=st.sampled_from([0.0, 1.0, 10.0]))
def test_extent_equals_a_loop_over_cells(seed, sharpness):
    maps = random_maps(3, 2, 4, 2, seed, sharpness)
    maps[0, 0] = 0
    for n, share in enumerate(extent(maps).tolist()):
        frames = [frame.flatten().tolist() for frame in maps[:, n] if frame.any()]
        entropies = [-sum(x * math.log(x) for x in cells if x > 0) for cells in frames]
        by_loop = sum(math.exp(entropy) / 8 for entropy in entropies) / len(entropies)
        assert_close(share, by_loop, rtol=1e-5, atol=0)
        assert 1 / 8 - 1e-6 <= share <= 1 + 1e-6


def test_extent_of_a_map_that_is_always_empty_is_unknown():
    assert extent(torch.zeros(2, 1, 3, 3)).isnan().all()


# what is refused


POINTS = torch.zeros(4, 3, 2)


def test_the_share_at_the_border_is_that_of_the_outermost_cells():
    maps = torch.zeros(2, 4, 3, 4)
    maps[:, 0, 1, 1:3] = 1  # inside
    maps[:, 1, 2, 3] = 5  # a corner
    maps[:, 2] = 1
    maps[0, 3, 0, 1] = maps[0, 3, 1, 1] = 2  # half of it, in the only frame that counts
    assert_close(at_border(maps), torch.tensor([0, 1, 10 / 12, 0.5]))
    assert at_border(torch.ones(1, 1, 2, 1)).tolist() == [1]
    assert at_border(torch.zeros(2, 1, 3, 3)).isnan().all()


def test_confusion_of_three_parts_equals_the_one_found_by_hand():
    # four frames; the third point is never known
    taken_for = [[0, 1, 2], [0, 0, 2], [1, 0, 2], [0, 1, 2]]
    known = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], dtype=torch.bool)
    logits = 5 * torch.nn.functional.one_hot(torch.tensor(taken_for), 3).float() - 3
    expected = torch.tensor([[0.75, 0.25, 0], [0.5, 0.5, 0], [math.nan] * 3])
    assert_close(confusion(logits[None], known), expected, equal_nan=True)
    halves = (
        rearrange(logits, "(p t) n m -> 1 p t n m", p=2),
        rearrange(known, "(p t) n -> p t n", p=2),
    )
    assert_close(confusion(*halves), expected, equal_nan=True)


def test_equal_scores_are_shared_and_several_classifiers_averaged():
    known = torch.ones(5, 2, dtype=torch.bool)
    blind, seeing = torch.zeros(5, 2, 2), torch.eye(2).expand(5, 2, 2)
    assert_close(confusion(blind[None], known), torch.full((2, 2), 0.5))
    both = confusion(torch.stack([blind, seeing]), known)
    assert_close(both, torch.tensor([[0.75, 0.25], [0.25, 0.75]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: locate(torch.ones(3, 4)), r"maps \[... n h w\] with cells, got \(3, 4\)"),
        (lambda: locate(torch.ones(2, 0, 4)), r"with cells, got \(2, 0, 4\)"),
        (lambda: locate(-torch.ones(2, 3, 4)), "give Eq. \\(2\\), not logits"),
        (lambda: locate(torch.full((2, 3, 4), NAN)), "finite weights >= 0"),
        (lambda: distances(POINTS, POINTS[0], 1.0), r"assign.*got \(4, 3, 2\) and \(3, 2\)"),
        (lambda: distances(POINTS[..., :1], POINTS[..., :1], 1.0), r"points \(x, y\) along"),
        (lambda: distances(POINTS, POINTS, 0.0), "width / height > 0 of the frame, got 0.0"),
        (lambda: distances(POINTS, POINTS, NAN), "width / height > 0 of the frame, got nan"),
        (lambda: pck(POINTS[0], POINTS[0], aspect=1.0), r"found \[f n 2\].*got \(3, 2\)"),
        (lambda: centre_prior(POINTS[0]), r"labels \[k n 2\], got \(3, 2\)"),
        (lambda: assign(POINTS, POINTS[:2], aspect=1.0), "of the same frames, got"),
        (lambda: assign(POINTS[:, :1], POINTS, aspect=1.0), r"at least as many parts.*\(4, 1, 2\)"),
        (lambda: spread(POINTS, POINTS, aspect=1.0), r"\[p t n 2\].*got \(4, 3, 2\)"),
        (lambda: spread(POINTS[None], POINTS[None, :2], aspect=1.0), "fill up with NaN"),
        (lambda: overlap(torch.ones(2, 3, 4)), r"maps \[f n h w\].*got \(2, 3, 4\)"),
        (lambda: extent(torch.full((1, 1, 2, 2), -1.0)), "finite weights >= 0"),
        (lambda: confusion(POINTS, POINTS[..., 0] > 0), r"known \[... n\], got \(4, 3, 2\) and"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
