import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from ssn3d.plots import scores, style


def test_each_method_has_a_line_at_its_height_and_a_dot_a_seed():
    numbers = pd.DataFrame(
        {
            "row": row,
            "dataset": "mars",
            "metric": "top1",
            "mean": mean,
            "values": [mean - 1, mean + 1],
        }
        for row, mean in (("SSN3D", 50.0), ("mine", 40.0))
    )
    [axis] = scores.scores(numbers, {"top1": "top-1, %"}, {"mars": "MARS"}).axes
    assert axis.get_title() == "MARS"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["SSN3D", "mine"]
    bottom, top = axis.get_ylim()
    assert bottom > top  # the first method stands on top
    found = [(float(line.get_xdata()[0]), line.get_ydata()[0]) for line in axis.lines]
    assert found == [(50, 0), (49, 0), (51, 0), (40, 1), (39, 1), (41, 1)]
    assert to_rgb(axis.lines[0].get_color()) == to_rgb(scores.METHOD_COLOURS["SSN3D"])
    assert axis.lines[3].get_color() == "0.5"
    numbers["paper"] = [90.0, float("nan")]
    [axis] = scores.scores(numbers, {"top1": "top-1, %"}, {"mars": "MARS"}, quoted=True).axes
    crosses = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "x"]
    assert crosses[0] == 90 and len(crosses) == 2 and np.isnan(crosses[1])


def test_answers_are_framed_by_whether_they_are_right():
    picture = np.zeros((4, 2, 3), np.uint8)
    rows = {"mine": [picture] * 4, "other": [picture] * 2}
    figure = scores.ranked_lists(rows, {"mine": [True, False, True], "other": [False]})
    frames = [axis.spines["left"].get_edgecolor()[:3] for axis in figure.axes[:4]]
    expected = (scores.QUERY, scores.HIT, scores.MISS, scores.HIT)
    assert frames == [pytest.approx(to_rgb(colour)) for colour in expected]
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert [axis.get_title() for axis in figure.axes[:4]] == ["query", "1", "2", "3"]


def test_misalignment_shows_means_over_seeds_and_their_range():
    numbers = pd.DataFrame(
        {"method": "AP3D", "jitter": jitter, "top1": 50 - jitter + seed, "mean_ap": 30 - jitter}
        for jitter in (0, 10)
        for seed in (0, 2)
    )
    moved = pd.DataFrame({"method": "AP3D", "cells": c, "share": 7.0 * c} for c in (0, 1))
    left, middle, right = scores.misalignment(numbers, moved).axes
    assert left.lines[0].get_xydata().tolist() == [[0, 30], [10, 20]]
    assert (left.get_ylabel(), middle.get_ylabel()) == ("mAP, %", "top-1, %")
    [line] = middle.lines
    assert line.get_xydata().tolist() == [[0, 51], [10, 41]]
    [bars] = middle.collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[50, 52], [40, 42]]
    assert right.lines[0].get_ydata().tolist() == [0, 7]
    assert right.get_ylim()[0] == 0


def test_label_quality_keeps_the_order_of_the_amounts():
    noise = pd.DataFrame({"noise": [0.0, 1.0], "mean_ap": [60.0, 50.0]})
    amount = pd.DataFrame({"labels": ["0", "2", "all"], "mean_ap": [30.0, 40.0, 45.0]})
    left, right = scores.label_quality(noise, amount, {"SSN3D, no labels": 30.0}).axes
    assert left.lines[0].get_xydata().tolist() == [[0, 60], [1, 50]]
    assert [label.get_text() for label in right.get_xticklabels()] == ["0", "2", "all"]
    assert right.lines[0].get_ydata().tolist() == [30, 40, 45]
    assert all(axis.lines[-1].get_ydata()[0] == 30 for axis in (left, right))


def test_confusion_shows_runs_and_shares_by_part():
    accuracy = pd.DataFrame(
        {"method": method, "part": part, "pck": pck + seed}
        for method, pck in (("image", 90), ("person", 10))
        for part in ("head", "left knee")
        for seed in (0, 4)
    )
    unknown = np.array([[1, 0], [np.nan, np.nan]])
    shares = {"image": np.array([[0.75, 0.25], [0, 1]]), "person": unknown}
    left, *panels = scores.confusion(accuracy, shares, ["head", "left knee"]).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["head", "left knee"]
    assert left.get_ylim() == (1.5, -0.5)  # the first part on top, in all panels
    dots = [line.get_xdata().tolist() for line in left.lines if len(line.get_xdata()) == 2]
    assert dots == [[90, 94]] * 2 + [[10, 14]] * 2
    assert [axis.get_title() for axis in panels] == ["image", "person"]
    shown = [[text.get_text() for text in axis.texts] for axis in panels]
    assert shown == [["75", "25", "0", "100"], ["100", "0"]]
    [picture] = panels[0].images
    assert picture.get_array().tolist() == [[75, 25], [0, 100]]
    assert picture.get_clim() == (0, 100)
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["head", "left knee"]


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
    figure = scores.over_lambda(numbers, {"mars": "MARS"}, {"top1": "top-1"}, {"mars": 0.1})
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
    sums = scores.over_lambda(
        numbers[numbers.reduction == "sum"], {"mars": "MARS"}, {"top1": "top-1"}, {"mars": 0.1}
    )
    assert len(sums.axes[0].get_lines()) == 2  # where the mean was not measured


def finding(**changes):
    return {
        "title": "a claim", "place": "MARS", "unit": "points", "effect": 2.0, "low": 1.0,
        "high": 3.0, "verdict": "holds", "pooled": False, "paper": float("nan"),
    } | changes  # fmt: skip


def test_an_interval_is_where_it_should_be_in_the_colour_of_its_verdict():
    figure = scores.claims(
        [finding(paper=7.5), finding(place="Duke", verdict="does not hold"), finding(unit="nats")]
    )
    points, nats = figure.axes
    assert points.get_xlabel() == "points"
    assert nats.get_xlabel() == "nats"
    zero, bar, _, printed, other, _, _ = points.get_lines()
    assert list(printed.get_xdata()) == [7.5]
    assert list(zero.get_xdata()) == [0, 0]
    assert list(bar.get_xdata()) == [1, 3]
    assert bar.get_color() == scores.VERDICT_COLOURS["holds"]
    assert other.get_color() == scores.VERDICT_COLOURS["does not hold"]
    assert [label.get_text() for label in points.get_yticklabels()] == ["MARS", "Duke"]
    assert [text.get_text() for text in points.texts] == ["a claim"]


def test_without_anything_measured_it_says_so(tmp_path):
    for none in ([], [finding(effect=math.nan)]):
        figure = scores.claims(none)
        assert [text.get_text() for text in figure.texts] == ["nothing measured yet"]
        assert all(path.exists() for path in style.save(figure, tmp_path / "claims"))
