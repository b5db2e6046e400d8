from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread

from ssn3d.plots import ssn_only, style


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (4, 12, 16, 3)).astype(np.uint8)


@pytest.fixture
def middles():
    return np.random.default_rng(1).uniform(0.2, 0.8, (4, 3, 2))


def texts(figure) -> set[str]:
    found = {text.get_text() for axis in figure.axes for text in axis.texts}
    titles = {axis.get_title() for axis in figure.axes}
    legends = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    return found | titles | legends


def test_random_data_draws_a_line_for_each_n_and_its_chance():
    runs = {n: [[2.0, 1.0, 0.5], [2.0, 1.5, 0.1]] for n in (3, 9)}
    figure = ssn_only.random_data({"normal": runs, "ones": {3: runs[3]}})
    assert {"normal", "ones", "N = 3", "N = 9", "chance, ln N"} <= texts(figure)
    lines = figure.axes[0].get_lines()
    assert lines[0].get_ydata() == pytest.approx([2.0, 1.25, 0.3])
    assert list(lines[1].get_ydata()) == pytest.approx([np.log(3)] * 2)
    assert len(figure.axes[1].get_lines()) == 2


def test_boxes_lie_around_their_middles_and_bear_numbers(pictures, middles):
    windows = [np.zeros((5, 4, 4, 3))] * 3
    figure = ssn_only.amber(pictures, middles, (0.5, 0.25), windows)
    assert {"1", "2", "3"} <= texts(figure)
    boxes = figure.axes[0].patches
    assert len(boxes) == 6  # a light edge around each, to be seen on any ground
    box = boxes[0]
    assert (box.get_height(), box.get_width()) == (6, 4)
    middle = np.array([box.get_x() + 2, box.get_y() + 3]) / (16, 12)
    assert middle == pytest.approx(middles[0, 0])
    assert tuple(boxes[1].get_edgecolor()[:3]) == style.PART_COLOURS[0]


def test_a_part_with_fewer_windows_leaves_its_row_short(pictures, middles, tmp_path):
    windows = [np.zeros((n, 4, 4, 3)) for n in (2, 5)]
    figure = ssn_only.amber(pictures, middles[:, :2], (0.5, 0.25), windows)
    shown = [axis for axis in figure.axes if axis.get_images()]
    assert len(shown) == 4 + 7
    [file] = style.save(figure, tmp_path / "amber", vector=False)
    assert imread(file).shape[2] == 4


def test_long_names_of_parts_are_broken_into_lines_and_do_not_overlap(pictures):
    parts = ["left shoe with red laces", "right elbow", "hat"]
    figure = ssn_only.parts_apart(pictures, np.full((4, 3, 3, 4), 1 / 12), parts, list("abcd"))
    titles = [axis.title for axis in figure.axes[1:4]]
    assert titles[0].get_text().split() == parts[0].split()
    assert titles[1].get_text() == parts[1]
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [title.get_window_extent(renderer) for title in titles]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_attention_has_a_row_a_person_and_a_column_a_part(pictures):
    maps = np.full((4, 2, 3, 4), 1 / 12)
    points = np.full((4, 2, 2), np.nan)
    points[1, 1] = 0.5
    figure = ssn_only.parts_apart(pictures, maps, ["head", "foot"], list("abcd"), points)
    assert len(figure.axes) == 4 * 3
    assert {"head", "foot", "a", "b", "c", "d"} <= texts(figure)
    cross = figure.axes[5].get_lines()[-1]
    height, width = figure.axes[5].get_images()[0].get_array().shape[:2]
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (width / 2, height / 2)
