import math

import pandas as pd
import pytest

from ssn3d.plots import result_plots
from ssn3d.plots import style as plots


@pytest.fixture
def numbers():
    entries = [
        {"dataset": "mars", "lambda": weight, "reduction": reduction, "seed": seed}
        | {"top1": 10 * weight + seed}
        for reduction, weights in {"sum": (0.01, 0.1, 1.0), "mean": (0.01, 1.0)}.items()
        for weight in weights
        for seed in range(3)
    ]
    return pd.DataFrame(entries)


def test_scores_over_lambda_have_a_line_a_reduction_and_mark_the_papers(numbers):
    figure = result_plots.over_lambda(numbers, {"mars": "MARS"}, {"top1": "top-1"}, {"mars": 0.1})
    [axis] = figure.axes
    assert axis.get_xscale() == "log"
    dotted, total, ninefold, mean = axis.get_lines()
    assert list(dotted.get_xdata()) == [0.1, 0.1]
    assert list(total.get_xdata()) == [0.01, 0.1, 1.0]
    assert list(total.get_ydata()) == pytest.approx([1.1, 2, 11])
    assert list(mean.get_xdata()) == [0.01, 1.0]
    assert list(ninefold.get_xdata()) == pytest.approx([0.09, 0.9, 9])
    assert list(ninefold.get_ydata()) == list(total.get_ydata())
    assert mean.get_color() != total.get_color()


def finding(**changes):
    return {
        "title": "a claim", "place": "MARS", "unit": "points", "effect": 2.0, "low": 1.0,
        "high": 3.0, "verdict": "holds",
    } | changes  # fmt: skip


def test_an_interval_is_where_it_should_be_in_the_colour_of_its_verdict():
    figure = result_plots.claims(
        [finding(), finding(place="Duke", verdict="does not hold"), finding(unit="nats")]
    )
    points, nats = figure.axes
    assert points.get_xlabel() == "points"
    assert nats.get_xlabel() == "nats"
    zero, bar, _, other, _ = points.get_lines()
    assert list(zero.get_xdata()) == [0, 0]
    assert list(bar.get_xdata()) == [1, 3]
    assert bar.get_color() == result_plots.VERDICT_COLOURS["holds"]
    assert other.get_color() == result_plots.VERDICT_COLOURS["does not hold"]
    assert [label.get_text() for label in points.get_yticklabels()] == ["MARS", "Duke"]
    assert [text.get_text() for text in points.texts] == ["a claim"]


def test_without_anything_measured_it_says_so(tmp_path):
    for none in ([], [finding(effect=math.nan)]):
        figure = result_plots.claims(none)
        assert [text.get_text() for text in figure.texts] == ["nothing measured yet"]
        assert all(path.exists() for path in plots.save(figure, tmp_path / "claims"))
