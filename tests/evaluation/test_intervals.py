import math

import pytest
import torch

from ssn3d.evaluation.intervals import Sample, freedom, interval, pooled_interval, stretch


def noise(generator: torch.Generator, seeds: int, people: int) -> torch.Tensor:
    return torch.randn(seeds, people, generator=generator)


def coverage(*values_of, units=None) -> float:
    """How often an interval holds the truth, 0, in 300 experiments on sets of such values."""
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(300):
        samples = [Sample(each(generator).tolist(), units) for each in values_of]
        _, low, high = pooled_interval(samples, draws=400)
        held += low <= 0 <= high
    return held / 300


def test_the_mean_is_over_seeds_of_the_means_over_units():
    assert interval([[1.0, 3.0], [5.0]]).mean == pytest.approx(3.5)


def test_seeds_that_agree_on_every_unit_leave_no_doubt():
    assert interval([[2.0, 2.0]] * 3) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_seeds_have_a_mean_but_no_interval(seeds):
    mean, low, high = interval([[4.0]] * seeds)
    assert mean == 4
    assert math.isnan(low)
    assert math.isnan(high)


def test_the_interval_of_values_alone_is_about_that_of_students_t():
    values = torch.linspace(-1, 1, 8)
    _, low, high = interval([[value] for value in values.tolist()])
    wide = 2.3646 * values.std().item() / math.sqrt(8)  # t of 7 degrees of freedom at 97.5 %
    assert (low, high) == pytest.approx((-wide, wide), rel=0.08)


def test_the_interval_of_people_alone_is_about_that_of_the_normal_distribution():
    people = torch.linspace(-1, 1, 200)
    _, low, high = interval([people.tolist()] * 3, [range(200)] * 3)
    wide = 1.96 * people.std().item() / math.sqrt(200)
    assert (low, high) == pytest.approx((-wide, wide), rel=0.08)


def test_people_that_all_seeds_share_make_the_mean_less_sure_than_others_for_each_seed():
    people = torch.linspace(-1, 1, 50).tolist()
    shared = interval([people] * 3, [range(50)] * 3)
    others = interval([people] * 3)
    assert shared.high - shared.low == pytest.approx(
        math.sqrt(3) * (others.high - others.low), rel=0.1
    )


def test_queries_of_one_person_stay_together():
    values = [-1.0] * 10 + [1.0] * 10
    alone = interval([values] * 3, [range(20)] * 3)
    of_four = interval([values] * 3, [[i // 5 for i in range(20)]] * 3)
    assert of_four.high - of_four.low > 1.5 * (alone.high - alone.low)


def test_a_person_counts_by_the_number_of_queries():
    values, units = [[0.0, 0.0, 3.0]] * 3, [["a", "a", "b"]] * 3
    assert interval(values, units).mean == pytest.approx(1)


def test_a_person_by_another_name_or_in_another_order_changes_nothing_but_the_draws():
    values = [[0.0, 1.0, 2.0], [1.0, 2.0, 4.0], [0.0, 1.0, 5.0]]
    turned = [some[::-1] for some in values]
    there, back = (
        interval(some, [["a", "b", "c"][::step]] * 3, draws=20000)
        for some, step in ((values, 1), (turned, -1))
    )
    assert there == pytest.approx(back, abs=0.1)


def test_the_same_seed_draws_the_same_and_nobody_else_is_disturbed():
    before = torch.random.get_rng_state()
    assert interval([[0.0], [1.0], [3.0]], seed=5) == interval([[0.0], [1.0], [3.0]], seed=5)
    assert interval([[0.0], [1.0], [3.0]], seed=6) != interval([[0.0], [1.0], [3.0]], seed=5)
    assert before.equal(torch.random.get_rng_state())


def test_many_degrees_of_freedom_need_no_stretching():
    assert stretch(2) == pytest.approx(4.3027 / 1.96, rel=1e-3)  # Student's t over the normal's
    assert stretch(2) > stretch(10) > stretch(1000) == pytest.approx(1, abs=0.01)
    assert stretch(math.inf) == pytest.approx(1)


def test_the_degrees_of_freedom_are_those_of_the_sets_that_vary():
    wide, narrow, none = (
        torch.tensor([-1.0, 0.0, 1.0]).double() * size for size in (1.0, 0.01, 0.0)
    )
    assert freedom([wide]) == pytest.approx(2)
    assert freedom([wide, wide, wide]) == pytest.approx(6)
    assert freedom([wide, narrow, none]) == pytest.approx(2, rel=1e-3)
    assert freedom([wide * 1e-100, wide * 1e-100]) == pytest.approx(4)
    assert freedom([none, none]) == math.inf
    five = torch.tensor([-1.0, 0.0, 0.0, 0.0, 1.0])
    sizes = [1 / 3, 0.5 / 5]  # variances of the means: 1 and 0.5 over the number of seeds
    expected = sum(sizes) ** 2 / (sizes[0] ** 2 / 2 + sizes[1] ** 2 / 4)
    assert freedom([wide, five]) == pytest.approx(expected)


def test_sets_count_the_same_whatever_their_numbers_of_people_and_seeds():
    samples = [Sample([[1.0, 3.0]] * 3), Sample([[5.0]] * 4), Sample([[0.0] * 50] * 3)]
    assert pooled_interval(samples).mean == pytest.approx((2 + 5 + 0) / 3)


def test_one_set_pooled_is_that_set():
    values = [[0.0, 1.0], [1.0, 5.0], [3.0, 4.0]]
    assert pooled_interval([Sample(values)]) == interval(values)


def test_the_pooled_interval_of_values_alone_is_that_of_welch():
    sets = [[-3.0, -1.0, 0.0, 1.0, 3.0], [-1.0, 0.0, 1.0, 2.0, 2.0], [0.0, 1.0, 1.0, 2.0, 3.0]]
    variance = sum(torch.tensor(of_set).var().item() / 5 for of_set in sets)
    parts = [torch.tensor(of_set).var().item() / 5 / variance for of_set in sets]
    quantile = stretch(4 / sum(part**2 for part in parts)) * 1.95996
    wide = quantile * math.sqrt(variance) / 3
    mean, low, high = pooled_interval([Sample([[value] for value in some]) for some in sets])
    assert (low - mean, high - mean) == pytest.approx((-wide, wide), rel=0.08)


def test_sets_of_people_alone_add_their_variances():
    people = torch.linspace(-1, 1, 200)
    samples = [Sample([(size * people).tolist()] * 3, [range(200)] * 3) for size in (1, 2)]
    _, low, high = pooled_interval(samples)
    wide = 1.96 * math.sqrt(1 + 4) / 2 * people.std().item() / math.sqrt(200)
    assert (low, high) == pytest.approx((-wide, wide), rel=0.08)


def test_a_set_of_two_seeds_leaves_the_pooled_mean_without_interval():
    mean, low, high = pooled_interval([Sample([[1.0]] * 5), Sample([[3.0]] * 2)])
    assert mean == 2
    assert math.isnan(low)
    assert math.isnan(high)


def test_no_sets_cannot_be_pooled():
    with pytest.raises(ValueError, match="one data set at least"):
        pooled_interval([])


@pytest.mark.parametrize("sizes", [(1, 1, 1), (1, 1, 5)])
def test_three_sets_of_three_seeds_hold_the_truth_about_as_often_as_promised(sizes):
    sets = [lambda g, size=size: size * noise(g, 3, 1) for size in sizes]
    assert 0.92 <= coverage(*sets) <= 0.985


def test_three_seeds_hold_the_truth_about_as_often_as_promised():
    assert 0.91 <= coverage(lambda g: noise(g, 3, 1)) <= 0.97


def test_three_seeds_and_the_people_they_share_hold_it_at_least_as_often():
    units = [range(20)] * 3
    held = coverage(
        lambda g: noise(g, 3, 1) / 4 + noise(g, 1, 20) + noise(g, 3, 20) / 2, units=units
    )
    assert held >= 0.93


@pytest.mark.parametrize(
    ("values", "units", "message"),
    [
        ([], None, "at least one seed"),
        ([[1.0], []], None, r"got \[1, 0\] values"),
        ([[1.0, 2.0]], [["a"]], r"\[2\] values and \[1\] units"),
        ([[1.0, math.nan]], None, "must be finite"),
    ],
)
def test_what_cannot_be_judged_is_refused(values, units, message):
    with pytest.raises(ValueError, match=message):
        interval(values, units)
