import numpy as np
import pytest

from ssn3d.plots import tour


def test_a_film_has_a_box_in_every_frame_and_its_patch_below():
    frames = np.zeros((3, 8, 4, 3), np.uint8)
    points = np.array([[0.5, 0.25], [0.5, 0.5], [1.0, 1.0]])
    patches = np.random.default_rng(0).integers(0, 256, (3, 3, 3, 3), dtype=np.uint8)
    rows = {"knee": tour.Followed(points, patches, "red")}
    axes = np.reshape(tour.film_strip(frames, rows, side=0.5).axes, (2, 3))
    corners = [axis.patches[-1].get_xy() for axis in axes[0]]
    assert corners == [(0.0, 0.0), (0.0, 0.25), (0.25, 0.75)]  # in heights of a frame
    assert all(axis.get_ylim() == (1, 0) for axis in axes[0])  # however far a box reaches
    for axis, patch in zip(axes[1], patches, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), patch)
    assert axes[1, 0].texts[0].get_text() == "knee"


def test_a_training_is_drawn_as_far_as_it_has_come():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 3, 24, 12), dtype=np.uint8)
    shown = rng.dirichlet(np.ones(18), (4, 3)).reshape(4, 3, 6, 3)
    about = {"steps": 6, "every": 3, "margin": 0.3}
    start = tour.training_progress({}, frames, {0: shown}, **about)
    history = {"ssn": [3.0, 2.5, 2.0], "triplet": [0.4, 0.3, 0.3]}
    later = tour.training_progress(history, frames, {0: shown, 3: shown}, **about)
    assert start.get_size_inches() == pytest.approx(later.get_size_inches())  # it does not jump
    triplet, ssn, maps = later.axes
    assert triplet.lines[0].get_xydata().tolist() == [[1, 0.4], [2, 0.3], [3, 0.3]]
    assert ssn.lines[0].get_ydata().tolist() == history["ssn"]
    assert ssn.lines[1].get_ydata()[0] == pytest.approx(3 * np.log(3))
    middles = [np.mean(image.get_extent()[:2]) for image in maps.images]
    assert middles == [0, 3]
    assert all(axis.get_xlim() == (-1.5, 7.5) for axis in (*start.axes, *later.axes))
