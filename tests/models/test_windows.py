import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.testing import assert_close

from ssn3d.models.windows import one_hot_maps, pool_windows, windows_at

PADDINGS = ("same", "valid")
SHIFTED_MAPS = (7, 2, 3)  # channels, parts, window: few parts, so only the maps are shifted
SHIFTED_BOTH = (2, 3, 19)  # few channels and a large window, so both sides are shifted
MANY_PARTS = (1, 5, 3)  # both sides are shifted, in a small window
PATHS = (SHIFTED_MAPS, SHIFTED_BOTH, MANY_PARTS)


def grid(height: int, width: int, window: int, padding: str) -> tuple[int, int]:
    lost = 0 if padding == "same" else window - 1
    return height - lost, width - lost


def all_windows(features: Tensor, window: int, padding: str) -> dict[tuple[int, int], Tensor]:
    """Every window [f c i j], by its row and column, cut out of features on a canvas of zeros."""
    f, c, height, width = features.shape
    rows, columns = grid(height, width, window, padding)
    edge = window // 2 if padding == "same" else 0
    canvas = features.new_zeros(f, c, height + 2 * edge, width + 2 * edge)
    canvas[:, :, edge : edge + height, edge : edge + width] = features
    return {
        (top, left): canvas[:, :, top : top + window, left : left + window]
        for top in range(rows)
        for left in range(columns)
    }


def pooled_by_loop(features: Tensor, maps: Tensor, window: int, padding: str) -> Tensor:
    windows = all_windows(features, window, padding)
    parts = []
    for n in range(maps.shape[1]):
        total = torch.zeros((), dtype=features.dtype)
        for (row, column), cut in windows.items():
            total = total + maps[:, n, row, column, None, None, None] * cut
        parts.append(total)
    return torch.stack(parts, dim=1)


def random_input(sizes, padding, generator, frames=2) -> tuple[Tensor, Tensor]:
    """Features [f c h w], barely larger than a window, and maps; both ask for gradients."""
    channels, parts, window = sizes
    height, width = max(window, 5) + 1, max(window, 5)
    features = torch.randn(
        frames, channels, height, width, generator=generator, dtype=torch.float64
    )
    size = grid(height, width, window, padding)
    maps = torch.randn(frames, parts, *size, generator=generator, dtype=torch.float64)
    return features.requires_grad_(), maps.requires_grad_()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("sizes", [*PATHS, (3, 2, 1)])
def test_pooling_equals_cutting_weighting_and_adding_every_window(sizes, padding, generator):
    features, maps = random_input(sizes, padding, generator)
    pooled = pool_windows(features, maps, sizes[-1], padding)
    by_loop = pooled_by_loop(features, maps, sizes[-1], padding)
    assert_close(pooled, by_loop)
    into = torch.randn(pooled.shape, generator=generator, dtype=torch.float64)
    assert_close(
        torch.autograd.grad(pooled, (features, maps), into),
        torch.autograd.grad(by_loop, (features, maps), into),
    )


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("sizes", [(2, 1, 3), MANY_PARTS])
def test_pooling_has_the_gradient_of_its_finite_differences(sizes, padding, generator):
    inputs = random_input(sizes, padding, generator, frames=1)
    assert torch.autograd.gradcheck(lambda x, a: pool_windows(x, a, sizes[-1], padding), inputs)


@pytest.mark.parametrize(
    ("sizes", "feature_shifts"), [(SHIFTED_MAPS, 0), (SHIFTED_BOTH, 1), (MANY_PARTS, 1)]
)
def test_the_sizes_tested_here_take_both_ways_of_pooling(
    sizes, feature_shifts, generator, monkeypatch
):
    shifted = []
    pad = torch.nn.functional.pad
    monkeypatch.setattr(
        "torch.nn.functional.pad", lambda x, *args: shifted.append(x) or pad(x, *args)
    )
    features, maps = random_input(sizes, "same", generator)
    pool_windows(features, maps, sizes[-1])
    assert sum(x is features for x in shifted) == feature_shifts


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("sizes", PATHS)
def test_under_a_one_hot_map_pooling_gives_that_window(sizes, padding, generator):
    features, maps = random_input(sizes, padding, generator)
    windows = list(all_windows(features, sizes[-1], padding).items())
    for cell, cut in [windows[0], windows[len(windows) // 2], windows[-1]]:
        one_hot = torch.zeros_like(maps)
        one_hot[:, 0, *cell] = 1
        pooled = pool_windows(features, one_hot, sizes[-1], padding)
        assert_close(pooled[:, 0], cut)
        assert not pooled[:, 1:].any()


def largest_saved(compute) -> int:
    """How many numbers the largest tensor kept for the backward pass has."""
    sizes: list[int] = []
    with saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        compute()
    return max(sizes)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("channels", "parts", "window"), [(96, 9, 3), (3, 9, 19), (64, 9, 5)])
def test_pooling_never_keeps_a_copy_of_every_window(channels, parts, window, padding):
    features = torch.zeros(2, channels, 60, 40, requires_grad=True)
    size = grid(60, 40, window, padding)
    maps = torch.zeros(2, parts, *size, requires_grad=True)
    kept = largest_saved(lambda: pool_windows(features, maps, window, padding))
    unfolded = features.numel() // (60 * 40) * size[0] * size[1] * window**2
    assert kept < unfolded / 2


def test_maps_of_another_size_than_the_grid_of_windows_are_refused():
    features, maps = torch.zeros(1, 2, 16, 8), torch.zeros(1, 9, 16, 8)
    pool_windows(features, maps)
    with pytest.raises(ValueError, match=r"windows at 14 x 6 cells, but the maps are \(1, 9, 16"):
        pool_windows(features, maps, padding="valid")
    with pytest.raises(ValueError, match="windows at 16 x 8 cells"):
        pool_windows(features, maps[..., 1:])


@pytest.mark.parametrize("window", [0, 2, -1])
def test_a_window_without_a_centre_is_refused(window):
    with pytest.raises(ValueError, match=f"expected an odd side, got {window}"):
        pool_windows(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), window)


def test_an_unknown_padding_is_refused():
    with pytest.raises(ValueError, match='must be "same" or "valid", got \'full\''):
        pool_windows(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4), padding="full")


def test_features_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="4 x 6 cells have no room for a 5 x 5 window"):
        windows_at(torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 2), 5, "valid")


def test_features_as_small_as_a_window_have_one():
    features = torch.rand(1, 2, 5, 5)
    only = windows_at(features, torch.tensor([[[0.1, 0.9]]]), 5, "valid")
    assert_close(only[:, 0], features)


@pytest.fixture
def features(generator) -> Tensor:
    return torch.randn(2, 3, 6, 4, generator=generator)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("window", [1, 3])
def test_the_window_at_a_point_is_what_its_one_hot_map_pools(features, window, padding, generator):
    points = torch.rand(2, 9, 2, generator=generator) * 1.4 - 0.2
    points[1, 4] = torch.nan
    maps = one_hot_maps(points, features, window, padding)
    assert maps.dtype == features.dtype
    assert_close(
        windows_at(features, points, window, padding),
        pool_windows(features, maps, window, padding),
    )


@pytest.mark.parametrize(
    ("point", "cell"),
    [((0.0, 0.0), (0, 0)), ((0.3, 0.2), (1, 1)), ((0.25, 0.5), (3, 1)), ((0.99, 0.99), (5, 3))],
)
def test_a_point_lies_in_the_cell_that_covers_it(features, point, cell):
    cut = windows_at(features, torch.tensor(point).expand(2, 1, 2))
    assert_close(cut[:, 0], all_windows(features, 3, "same")[cell])


def test_points_beyond_the_frame_count_as_on_its_border(features):
    beyond = torch.tensor([[-0.5, -7], [1, 1], [1e30, -1e30], [-torch.inf, torch.inf]])
    border = torch.tensor([[0, 0], [0.99, 0.99], [0.99, 0], [0, 0.99]])
    assert_close(
        windows_at(features, beyond.expand(2, 4, 2)), windows_at(features, border.expand(2, 4, 2))
    )


def test_valid_padding_moves_windows_at_the_border_inside(features):
    corners = torch.tensor([[0, 0], [1, 1.0]]).expand(2, 2, 2)
    cut = windows_at(features, corners, 3, "valid")
    assert_close(cut[:, 0], features[:, :, :3, :3])
    assert_close(cut[:, 1], features[:, :, -3:, -3:])


def test_away_from_the_border_both_paddings_cut_the_same_window(features):
    inside = torch.tensor([[0.3, 0.2], [0.7, 0.5]]).expand(2, 2, 2)
    same, valid = (windows_at(features, inside, 3, padding) for padding in PADDINGS)
    assert_close(same, valid)


@pytest.mark.parametrize("missing", [(torch.nan, torch.nan), (0.5, torch.nan), (torch.nan, 0.5)])
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_missing_point_has_an_empty_window_and_map(features, missing, padding):
    points = torch.tensor([missing, (0.5, 0.5)]).expand(2, 2, 2)
    cut = windows_at(features, points, 3, padding)
    maps = one_hot_maps(points, features, 3, padding)
    assert not cut[:, 0].any()
    assert cut[:, 1].all()
    assert_close(maps.sum((2, 3)), torch.tensor([[0.0, 1.0]]).expand(2, 2))


def test_missing_points_leave_no_trace_in_the_gradient(features):
    features.requires_grad_()
    points = torch.tensor([[0.1, 0.1], [torch.nan, torch.nan]]).expand(2, 2, 2)
    windows_at(features, points).sum().backward()
    expected = torch.zeros_like(features)
    expected[:, :, :2, :2] = 1
    assert_close(features.grad, expected)
