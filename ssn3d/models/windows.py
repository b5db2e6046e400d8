"""Windows of a feature map: their sum weighted by an attention map (Eq. 3), or one at a point.

`padding="same"` surrounds the map with zeros so that every cell has a window around it; `"valid"`
knows only the windows that lie inside.  Both read a window exactly as a convolution with that
padding does.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from torch import Tensor

Padding = Literal["same", "valid"]


def border(window: int, padding: Padding) -> int:
    """How many cells of zeros `padding` adds on every side.

    Raises:
        ValueError: an even window has no centre cell, or `padding` is unknown.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"a window needs a centre cell: expected an odd side, got {window}")
    if padding not in ("same", "valid"):
        raise ValueError(f'padding must be "same" or "valid", got {padding!r}')
    return window // 2 if padding == "same" else 0


def pool_windows(
    features: Tensor, maps: Tensor, window: int = 3, padding: Padding = "same"
) -> Tensor:
    """The sum of all windows, weighted by each part's map.  Eq. (3).

    Instead of cutting out every window (window**2 copies of the features), the features stay and
    the maps are shifted; where the maps are the larger side, the rows are shifted in the features
    and the columns in the maps, which keeps both factors of the product small.

    Args:
        features: [f c h w].
        maps: [f n h w], or smaller by window - 1 in h and w if `padding` is "valid".
        window: side of a window in cells, odd.
        padding: what lies beyond the border, see above.

    Returns:
        [f n c i j] with i = j = window.
    """
    edge = border(window, padding)
    c, n = features.shape[1], maps.shape[1]
    expected = window_grid(features, window, padding)
    if maps.shape[-2:] != expected:
        raise ValueError(
            f"with window {window} and {padding} padding, features {tuple(features.shape)} have "
            f"windows at {expected[0]} x {expected[1]} cells, but the maps are {tuple(maps.shape)}"
        )
    turn = window - 1  # a shift of the maps by +i stands for a shift of the features by -i
    if n * window**2 <= (n + c) * window:
        h, w = features.shape[-2:]
        padded = F.pad(maps.to(features.dtype), [turn - edge] * 4)
        # slices that are copied, first of columns, then of rows: on a CPU faster than both at once,
        # and than F.unfold and flip
        shifts = torch.stack([padded[..., turn - j :][..., :w] for j in range(window)], dim=2)
        shifts = torch.stack([shifts[..., turn - i :, :][..., :h, :] for i in range(window)], dim=2)
        return einsum(shifts, features, "f n i j h w, f c h w -> f n c i j")
    padded = F.pad(features, [edge] * 4)
    rows = padded.unfold(2, window, 1)  # [f c h w i]
    columns = F.pad(maps, (turn, turn)).unfold(3, window, 1).flip(-1)  # [f n h w j]
    return einsum(columns, rows, "f n h w j, f c h w i -> f n c i j")


def windows_at(
    features: Tensor, points: Tensor, window: int = 3, padding: Padding = "same"
) -> Tensor:
    """The window around each point: the bypass Y = X[h, w] of "Semi-supervised Training".

    Args:
        features: [f c h w].
        points: [f n 2] as (x, y) in 0..1 of the frame; points beyond it count as on its border.
        window: side of a window in cells, odd.
        padding: "valid" moves windows that would reach over the border inside.

    Returns:
        [f n c i j]; all zeros for a point that is NaN.
    """
    edge = border(window, padding)
    height, width = window_grid(features, window, padding)
    top, left, known = _cells(points, features.shape[-2:], (height, width))
    padded = rearrange(F.pad(features, [edge] * 4), "f c h w -> f h w c")
    frame, reach = (torch.arange(k, device=features.device) for k in (len(features), window))
    rows = frame[:, None, None] * padded.shape[1] + top[..., None] + reach  # [f n i] of all frames
    cells = rows[..., None] * padded.shape[2] + (left[..., None] + reach)[..., None, :]
    # index_select, as the gradient of an index with three tensors takes a CPU ten times as long
    cut = rearrange(padded, "f h w c -> (f h w) c").index_select(0, cells.flatten())
    cut = rearrange(cut, "(f n i j) c -> f n c i j", f=len(features), i=window, j=window)
    return cut * known[..., None, None, None]


def one_hot_maps(
    points: Tensor, features: Tensor, window: int = 3, padding: Padding = "same"
) -> Tensor:
    """Maps with all weight on each point's cell: `pool_windows` under them gives `windows_at`.

    Returns:
        [f n h w] in the dtype of `features`; all zeros for a point that is NaN.
    """
    height, width = window_grid(features, window, padding)
    top, left, known = _cells(points, features.shape[-2:], (height, width))
    maps = F.one_hot(top * width + left, height * width) * known[..., None]
    return rearrange(maps, "f n (h w) -> f n h w", h=height).to(features.dtype)


def window_grid(features: Tensor, window: int, padding: Padding) -> tuple[int, int]:
    """How many windows the features [f c h w] have from top to bottom and from left to right.

    Raises:
        ValueError: the features are smaller than one window.
    """
    lost = window - 1 - 2 * border(window, padding)
    h, w = features.shape[-2:]
    if min(h, w) <= lost:
        raise ValueError(
            f"features of {h} x {w} cells have no room for a {window} x {window} window"
        )
    return h - lost, w - lost


def _cells(
    points: Tensor, size: tuple[int, ...], grid: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Row and column in `grid` of the window around each point, and whether the point is known."""
    known = ~points.isnan().any(-1)
    (h, w), (rows, columns) = size, grid
    x, y = points.nan_to_num(0.0).unbind(-1)
    # clamped before .long(), which far points would overflow
    top = (y * h).floor().clamp(0, h - 1).long() - (h - rows) // 2
    left = (x * w).floor().clamp(0, w - 1).long() - (w - columns) // 2
    return top.clamp(0, rows - 1), left.clamp(0, columns - 1), known
