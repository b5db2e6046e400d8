import numpy as np
import pytest
from matplotlib.figure import Figure

from ssn3d.plots import network, style

PARTS = ("head", "knee", "foot")


@pytest.fixture
def seen() -> network.Pass:
    """A pass of t = 4, n = 3, c = 5, h w = 6 3, i j = 3 3 and d = 7, then 10."""
    dice = np.random.default_rng(0)
    maps = dice.dirichlet(np.ones(18), (4, 3)).reshape(4, 3, 6, 3)
    return network.Pass(
        frames=dice.integers(0, 256, (4, 3, 24, 12), dtype=np.uint8),
        features=dice.random((4, 5, 6, 3)),
        scores=np.log(maps),
        maps=maps,
        windows=dice.random((4, 3, 5, 3, 3)),
        judged=dice.normal(size=(4, 3, 3)),
        vectors=dice.random((3, 7)),
        embedding=dice.normal(size=10),
        hidden=11,
    )


def words(figure: Figure) -> str:
    """All text in a drawing."""
    return "\n".join(text.get_text() for axis in figure.axes for text in axis.texts)


def test_figure_1_tells_the_shapes_of_what_it_was_given(seen):
    said = words(network.network(seen, PARTS))
    shapes = ("4 × 3 × 24 × 12", "4 × 5 × 6 × 3", "4 × 3 × 6 × 3", "4 × 3 × 5 × 3 × 3", "3 × 7")
    assert all(shape in said for shape in shapes)
    assert all(part in said for part in PARTS)


def test_figure_1_shows_every_frame_three_times_and_every_window_and_vector_once(seen):
    [axis] = network.network(seen, PARTS).axes
    assert len(axis.images) == 3 * 4 + 4 * 3 + 3 + 1


def test_figure_2_tells_the_loss_of_its_frame_beside_that_of_guessing(seen):
    said = words(network.two_rounds(seen, PARTS))
    assert "3 × 3 to 11, ReLU, 11 to 3" in said
    assert f"guessing {3 * np.log(3):.1f}" in said
    undecided = seen._replace(judged=np.zeros_like(seen.judged))
    assert f"{3 * np.log(3):.2f} in this frame" in words(network.two_rounds(undecided, PARTS))
    sure = seen._replace(judged=np.tile(1e3 * np.eye(3), (4, 1, 1)))
    assert "0.00 in this frame" in words(network.two_rounds(sure, PARTS))


def test_like_features_have_like_colours(seen):
    windows = seen.windows.copy()
    windows[1, 2, :, 0, 1] = seen.features[3, :, 4, 2]
    cells, patches = network._tinted(seen.features, windows)
    assert cells.shape == (4, 6, 3, 3)
    assert patches.shape == (4, 3, 3, 3, 3)
    np.testing.assert_allclose(patches[1, 2, 0, 1], cells[3, 4, 2])
    assert ((cells >= 0) & (cells <= 1)).all()


def test_features_that_are_all_the_same_have_one_colour(seen):
    cells, _ = network._tinted(np.ones_like(seen.features), np.ones_like(seen.windows))
    assert np.ptp(cells, axis=(0, 1, 2)) == pytest.approx(0)


def test_a_film_has_a_box_in_every_frame_and_its_patch_below():
    frames = np.zeros((3, 8, 4, 3), np.uint8)
    points = np.array([[0.5, 0.25], [0.5, 0.5], [1.0, 1.0]])
    patches = np.random.default_rng(0).integers(0, 256, (3, 3, 3, 3), dtype=np.uint8)
    rows = {"knee": network.Followed(points, patches, "red")}
    axes = np.reshape(network.film(frames, rows, side=0.5).axes, (2, 3))
    corners = [axis.patches[-1].get_xy() for axis in axes[0]]
    assert corners == [(0.0, 0.0), (0.0, 0.25), (0.25, 0.75)]  # in heights of a frame
    assert all(axis.get_ylim() == (1, 0) for axis in axes[0])  # however far a box reaches
    for axis, patch in zip(axes[1], patches, strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), patch)
    assert axes[1, 0].texts[0].get_text() == "knee"


def test_a_training_is_drawn_as_far_as_it_has_come(seen):
    about = {"steps": 6, "every": 3, "margin": 0.3}
    start = network.training({}, seen.frames, {0: seen.maps}, **about)
    history = {"ssn": [3.0, 2.5, 2.0], "triplet": [0.4, 0.3, 0.3]}
    later = network.training(history, seen.frames, {0: seen.maps, 3: seen.maps}, **about)
    assert start.get_size_inches() == pytest.approx(later.get_size_inches())  # it does not jump
    triplet, ssn, maps = later.axes
    assert triplet.lines[0].get_xydata().tolist() == [[1, 0.4], [2, 0.3], [3, 0.3]]
    assert ssn.lines[0].get_ydata().tolist() == history["ssn"]
    assert ssn.lines[1].get_ydata()[0] == pytest.approx(3 * np.log(3))
    middles = [np.mean(image.get_extent()[:2]) for image in maps.images]
    assert middles == [0, 3]
    assert all(axis.get_xlim() == (-1.5, 7.5) for axis in (*start.axes, *later.axes))


def test_equal_passes_make_equal_files(seen, tmp_path):
    for draw in (network.network, network.two_rounds):
        one, other = (
            style.save(draw(seen, PARTS), tmp_path / name, vector=False)[0].read_bytes()
            for name in ("a", "b")
        )
        assert one == other
