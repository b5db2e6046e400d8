import numpy as np
import pytest

from ssn3d.plots import style


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 8, 4, 3), dtype=np.uint8)


def plain(images: np.ndarray, scale: int) -> np.ndarray:
    """The frames as an overlay shows them where no part is."""
    return style.overlay(images, np.zeros((len(images), 1, 4, 2)), scale).astype(float)


def test_a_map_with_all_weight_in_one_corner_colours_that_corner(images):
    maps = np.zeros((3, 2, 4, 2))
    maps[:, 1, 0, 0] = 1
    painted = style.overlay(images, maps, scale=2).astype(float)
    change = np.abs(painted - plain(images, 2)).sum(axis=(0, 3))
    assert change[0, 0] > 0
    assert change[-1, -1] == 0
    nearer = np.abs(painted - 255 * np.asarray(style.PART_COLOURS[1]))[:, 0, 0]
    assert (
        nearer <= np.abs(plain(images, 2) - 255 * np.asarray(style.PART_COLOURS[1]))[:, 0, 0] + 1
    ).all()


def test_an_even_map_points_nowhere(images):
    even = style.overlay(images, np.full((3, 2, 4, 2), 1 / 8), scale=2)
    assert np.array_equal(even, plain(images, 2))


def test_parts_in_one_place_mix_whatever_their_order(images):
    maps = np.random.default_rng(1).dirichlet(np.ones(8) / 4, (3, 9)).reshape(3, 9, 4, 2)
    backwards = style.PART_COLOURS[::-1]
    other = style.overlay(images, maps[:, ::-1], colours=backwards).astype(int)
    assert np.abs(other - style.overlay(images, maps)).max() <= 1


def test_more_parts_than_colours_all_show(images):
    maps = np.zeros((3, 12, 4, 2))
    maps[:, 11, 0, 0] = 1
    assert not np.array_equal(style.overlay(images, maps, 2), plain(images, 2))


def test_an_overlay_is_as_large_as_asked(images):
    assert style.overlay(images, np.ones((3, 9, 4, 2)) / 8, scale=3).shape == (3, 24, 12, 3)


def test_a_missing_part_leaves_no_trace(images):
    maps = np.zeros((3, 9, 4, 2))
    assert np.array_equal(style.overlay(images, maps), style.overlay(images, maps[:, :1]))


def test_equal_figures_make_equal_files(images, tmp_path):
    curves = {"unsupervised": [{"triplet": [0.3, 0.2], "ssn": [2.0, 1.0]}]}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        style.save(style.learning_curves(curves), tmp_path / folder / "curves")
        style.save(style.frames({"row": images}), tmp_path / folder / "frames", vector=False)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["curves.png", "curves.svg", "frames.png"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_rows_may_have_different_numbers_of_frames(images):
    figure = style.frames({"long": images, "short": images[:1]})
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 1, 1, 0, 0]


def test_every_row_of_an_attention_figure_has_its_title_and_every_part_its_colour(images):
    figure = style.attention(
        {"frames": (images, None), "found": (images, np.ones((3, 2, 4, 2)))}, ["head", "foot"]
    )
    titles = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert titles == ["frames", "found"]
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["head", "foot"]
    assert legend.get_patches()[1].get_facecolor()[:3] == style.PART_COLOURS[1]


def test_groups_have_their_titles_over_their_own_columns(images):
    axes = style.frames({"row": np.concatenate([images, images])}, ["left", "right"]).axes
    assert [axis.get_title(loc="left") for axis in axes] == ["left", "", "", "right", "", ""]


def test_learning_curves_leave_out_a_term_that_a_method_does_not_have():
    histories = {
        "supervised": [{"triplet": [0.3, 0.2]}],
        "unsupervised": [{"triplet": [0.3, 0.2], "ssn": [2.0, 1.0]}] * 2,
    }
    triplet, ssn = style.learning_curves(histories).axes
    assert len(triplet.lines) == 2
    assert len(ssn.lines) == 1 + 1  # a method and the chance level


def test_the_running_mean_of_a_constant_is_that_constant():
    np.testing.assert_allclose(style._smooth([2.0] * 20), 2.0)


def test_plotting_leaves_the_readers_own_style_alone(images):
    import matplotlib

    def settings() -> dict:
        return {name: value for name, value in dict.items(matplotlib.rcParams) if name != "backend"}

    before = settings()
    style.frames({"row": images})
    assert settings() == before
