import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from ssn3d.plots import scores as plots


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
    [axis] = plots.scores(numbers, {"top1": "top-1, %"}, {"mars": "MARS"}).axes
    assert axis.get_title() == "MARS"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["SSN3D", "mine"]
    bottom, top = axis.get_ylim()
    assert bottom > top  # the first method stands on top
    found = [(float(line.get_xdata()[0]), line.get_ydata()[0]) for line in axis.lines]
    assert found == [(50, 0), (49, 0), (51, 0), (40, 1), (39, 1), (41, 1)]
    assert to_rgb(axis.lines[0].get_color()) == to_rgb(plots.METHOD_COLOURS["SSN3D"])
    assert axis.lines[3].get_color() == "0.5"


def test_answers_are_framed_by_whether_they_are_right():
    picture = np.zeros((4, 2, 3), np.uint8)
    rows = {"mine": [picture] * 4, "other": [picture] * 2}
    figure = plots.ranked_lists(rows, {"mine": [True, False, True], "other": [False]})
    frames = [axis.spines["left"].get_edgecolor()[:3] for axis in figure.axes[:4]]
    expected = (plots.QUERY, plots.HIT, plots.MISS, plots.HIT)
    assert frames == [pytest.approx(to_rgb(colour)) for colour in expected]
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 1, 1, 1, 0, 0]
    assert [axis.get_title() for axis in figure.axes[:4]] == ["query", "1", "2", "3"]


def test_misalignment_shows_means_over_seeds_and_their_range():
    numbers = pd.DataFrame(
        {"method": "AP3D", "jitter": jitter, "top1": 50 - jitter + seed}
        for jitter in (0, 10)
        for seed in (0, 2)
    )
    moved = pd.DataFrame({"method": "AP3D", "cells": c, "share": 7.0 * c} for c in (0, 1))
    left, right = plots.misalignment(numbers, moved).axes
    [line] = left.lines
    assert line.get_xydata().tolist() == [[0, 51], [10, 41]]
    [bars] = left.collections
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[50, 52], [40, 42]]
    assert right.lines[0].get_ydata().tolist() == [0, 7]
    assert right.get_ylim()[0] == 0


def test_label_quality_keeps_the_order_of_the_amounts():
    noise = pd.DataFrame({"noise": [0.0, 1.0], "top1": [60.0, 50.0]})
    amount = pd.DataFrame({"labels": ["0", "2", "all"], "top1": [30.0, 40.0, 45.0]})
    left, right = plots.label_quality(noise, amount, {"SSN3D, no labels": 30.0}).axes
    assert left.lines[0].get_xydata().tolist() == [[0, 60], [1, 50]]
    assert [label.get_text() for label in right.get_xticklabels()] == ["0", "2", "all"]
    assert right.lines[0].get_ydata().tolist() == [30, 40, 45]
    assert all(axis.lines[-1].get_ydata()[0] == 30 for axis in (left, right))
