import math

import pytest
import torch

from ssn3d.evaluation.intervals import interval, stretch


def noise(generator: torch.Generator, seeds: int, people: int) -> torch.Tensor:
    return torch.randn(seeds, people, generator=generator)


def coverage(values_of, units=None) -> float:
    """How often an interval holds the truth, 0, in 300 experiments."""
    generator = torch.Generator().manual_seed(0)
    held = 0
    for _ in range(300):
        _, low, high = interval(values_of(generator).tolist(), units, draws=400)
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


def test_many_seeds_need_no_stretching():
    assert stretch(3) > stretch(10) > stretch(1000) == pytest.approx(1, abs=0.01)


def test_three_seeds_hold_the_truth_about_as_often_as_promised():
    assert 0.91 <= coverage(lambda g: noise(g, 3, 1)) <= 0.97


def test_three_seeds_and_the_people_they_share_hold_it_at_least_as_often():
    units = [range(20)] * 3
    held = coverage(lambda g: noise(g, 3, 1) / 4 + noise(g, 1, 20) + noise(g, 3, 20) / 2, units)
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
