import numpy as np
import pytest
from matplotlib.figure import Figure

from ssn3d.plots import network, style

PARTS = ("head", "knee", "foot")


@pytest.fixture
def seen() -> network.Pass:
    """A pass of t = 4, n = 3, c = 5, h w = 6 3, i j = 3 3 and d = 7, then 10."""
    rng = np.random.default_rng(0)
    maps = rng.dirichlet(np.ones(18), (4, 3)).reshape(4, 3, 6, 3)
    return network.Pass(
        frames=rng.integers(0, 256, (4, 3, 24, 12), dtype=np.uint8),
        features=rng.random((4, 5, 6, 3)),
        scores=np.log(maps),
        maps=maps,
        windows=rng.random((4, 3, 5, 3, 3)),
        judged=rng.normal(size=(4, 3, 3)),
        vectors=rng.random((3, 7)),
        embedding=rng.normal(size=10),
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


def test_equal_passes_make_equal_files(seen, tmp_path):
    for draw in (network.network, network.two_rounds):
        one, other = (
            style.save(draw(seen, PARTS), tmp_path / name, vector=False)[0].read_bytes()
            for name in ("a", "b")
        )
        assert one == other
