"""Figures 1 and 2: the network and the self-separated network, drawn from one forward pass."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from einops import rearrange
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import NDArray

from .style import STYLE, overlay, part_colour

Array = NDArray[Any]
CLASSIFIER, PANEL = "#F5DCA8", "0.94"
SMALL, USUAL = 7.5, 8.5  # points


class Pass(NamedTuple):
    """One clip on its way through SSN3D."""

    frames: Array
    """[t 3 H W] uint8."""
    features: Array
    """[t c h w] from the backbone: X."""
    scores: Array
    """[t n h w] 1st round: how much each window looks like each part, Eq. (1)."""
    maps: Array
    """[t n h w] attention, Eq. (2)."""
    windows: Array
    """[t n c i j] what each part looks like, Eq. (3): Y."""
    judged: Array
    """[t n m] 2nd round: score of part n as class m, Eq. (4)."""
    vectors: Array
    """[n d] what each part's 3D block makes of all frames."""
    embedding: Array
    """[d] of the clip."""
    hidden: int
    """K of the attention classifier."""


def network(seen: Pass, parts: Sequence[str]) -> Figure:
    """Figure 1: how a clip becomes a vector.

    Args:
        seen: the clip and what each step makes of it.
        parts: what to call the n parts.
    """
    t, n = seen.maps.shape[:2]
    frames = rearrange(seen.frames, "t c h w -> t h w c")
    features, windows = _tinted(seen.features, seen.windows)
    low, high, middle = 0.85, 4.85, 2.85  # inches
    with matplotlib.rc_context(STYLE):
        figure, axis = _sheet(8.6, 5.75)
        _panel(axis, 2.05, 5.78, low, high, "self-separated network, Figure 2")
        _panel(axis, 5.84, 8.56, low, high, "3D convolution")
        tall = (high - low) / t
        size = 0.9 * tall * frames.shape[2] / frames.shape[1], 0.9 * tall
        columns = ((0.1, frames), (1.36, features), (2.3, overlay(frames, seen.maps)))
        for x, pictures in columns:
            for k, picture in enumerate(pictures):
                _picture(axis, picture, x, high - (k + 0.95) * tall, *size)
        _box(axis, 0.84, low, 0.26, high - low, "backbone", turned=True)
        for x in (0.6, 1.12, 1.85):
            _arrow(axis, (x, middle), (x + 0.2, middle))
        _arrow(axis, (2.3 + size[0], middle), (3.1, middle))

        cell, row = 1.6 / t, (high - low) / n
        side = 0.86 * min(cell, row)
        for part, colour in enumerate(map(part_colour, range(n))):
            y = high - (part + 0.5) * row
            _text(axis, 3.86, y, parts[part], ha="right")
            for k in range(t):
                x = 3.96 + k * cell
                _picture(axis, windows[k, part], x, y - side / 2, side, side, colour)
            _arrow(axis, (5.58, y), (5.93, y), color=colour)
            _box(axis, 5.96, y - 0.14, 0.36, 0.28, "3D", edge=colour)
            _arrow(axis, (6.34, y), (6.54, y), color=colour)
            strip = seen.vectors[part][None]
            _picture(axis, strip, 6.57, y - 0.08, 0.75, 0.16, colour, vmax=seen.vectors.max())
            _arrow(axis, (7.34, y), (7.56, y), color=colour)
        _box(axis, 7.58, low + 0.05, 0.26, high - low - 0.1, "fusion", turned=True)
        _arrow(axis, (7.86, middle), (8.1, middle))
        bound = np.abs(seen.embedding).max()
        signed = {"cmap": "PuOr", "vmin": -bound, "vmax": bound}
        _picture(axis, seen.embedding[:, None], 8.15, low + 0.05, 0.2, high - low - 0.1, **signed)

        for x, title, letters, array in (
            (0.1 + size[0] / 2, "frames", "t 3 H W", seen.frames),
            (1.36 + size[0] / 2, "features\n$X$", "t c h w", seen.features),
            (2.3 + size[0] / 2, "where each\npart is: $\\hat A$", "t n h w", seen.maps),
            (4.74, "what it looks like,\naligned over time: $Y$", "t n c i j", seen.windows),
            (6.95, "what it\nis like", "n d", seen.vectors),
            (8.25, "embed-\nding", "d", seen.embedding),
        ):
            _text(axis, x, high + 0.28, title, size=USUAL)
            _text(axis, x, low - 0.3, _shape(letters, array), size=SMALL)
        _text(axis, 3.9, 0.12, "SSN loss, Eq. (4): is each part recognised as itself?", size=USUAL)
        _text(axis, 7.2, 0.12, "triplet loss, Eq. (5): is it the person?", size=USUAL)
    return figure


def two_rounds(seen: Pass, parts: Sequence[str]) -> Figure:
    """Figure 2: how the self-separated network finds the parts of one frame, the clip's first.

    Args:
        seen: the clip and what each step makes of it.
        parts: what to call the n parts.
    """
    n, side = seen.maps.shape[1], seen.windows.shape[-1]
    pixels = rearrange(seen.frames[:1], "t c h w -> t h w c")
    features, windows = (pictures[0] for pictures in _tinted(seen.features, seen.windows))
    shares = np.exp(seen.judged[0] - seen.judged[0].max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)  # [n m]
    loss, chance = -np.log(shares.diagonal()).sum(), n * np.log(n)
    left, right, low, high = 2.95, 8.25, 0.7, 2.4  # inches
    step, slim = (right - left) / n, pixels.shape[2] / pixels.shape[1]
    with matplotlib.rc_context(STYLE):
        figure, axis = _sheet(8.6, 7.65)
        for x, picture, title in ((0.1, pixels[0], "frame"), (1.3, features, "$X$")):
            _picture(axis, picture, x, 6.55, slim, 1)
            _text(axis, x + slim / 2, 6.45, title)
        _box(axis, 0.83, 6.55, 0.24, 1, "backbone", turned=True)
        start = _window(axis, seen, 1.3, 6.55, slim)
        for x in (0.62, 1.1):
            _arrow(axis, (x, 7.04), (x + 0.18, 7.04))
        _arrow(axis, start, (left - 0.03, 7.04))
        _text(axis, 2.4, 7.38, "every window")
        axis.plot([1.42, 1.42], [6.35, 3.55], color="0.3", linewidth=1)
        _arrow(axis, (1.42, 3.55), (left - 0.03, 3.55))

        layers = f"{side} × {side} to {seen.hidden}, ReLU, {seen.hidden} to {n}"
        first = f"attention classifier ({layers}), 1st round"
        second = "the same classifier, 2nd round"
        for y, title in ((6.87, first), (2.66, second)):
            _box(axis, left, y, right - left, 0.34, title, face=CLASSIFIER)
        across, down = [right, right + 0.13, right + 0.13, right], [7.04, 7.04, 2.83, 2.83]
        axis.plot(across, down, "--", color="0.3", linewidth=1)
        _text(axis, right + 0.23, 4.9, "the same weights", rotation=90)

        wide, tall, cell = 0.85 * step, 0.85 * step / slim, (high - low) / n
        for part, colour in enumerate(map(part_colour, range(n))):
            x = left + (part + 0.5) * step
            begin, own = x - wide / 2, high - (part + 1) * cell
            painted = overlay(pixels, seen.maps[:1, part : part + 1], colours=[colour])[0]
            _text(axis, x, 6.67, parts[part].replace(" ", "\n"), linespacing=0.9)
            _picture(axis, seen.scores[0, part], begin, 5.45, wide, tall, colour)
            _picture(axis, painted, begin, 4.15, wide, tall, colour)
            _picture(axis, windows[part], begin, 3.3, wide, wide, colour)
            _picture(axis, shares[part][:, None], begin, low, wide, high - low, vmin=0, vmax=1)
            _outline(axis, begin, own, wide, cell, colour, 2)
            _text(axis, left, own + cell / 2, parts[part], ha="right")
            for above, below in (
                (6.87, 6.81),
                (5.45, 5.18),
                (4.15, 3.83),
                (3.3, 3.03),
                (2.66, 2.43),
            ):
                _arrow(axis, (x, above), (x, below))
        added = "windows of $X$, weighted\nby the map and added"
        for y, text, letters, array in (
            (5.95, "how much each window\nlooks like each part,\nEq. (1)", "n h w", seen.scores[0]),
            (4.65, "softmax over all cells,\nEq. (2): each map\nsums to 1", "n h w", seen.maps[0]),
            (3.6, f"{added}\nup, Eq. (3): $Y$\n", "n c i j", seen.windows[0]),
        ):
            _text(axis, 1.55, y, f"{text}\n{_shape(letters, array)}", ha="left")
        text = "softmax over classes:\npart n must be\nrecognised as part n\n"
        _text(axis, 0.8, 1.55, text + _shape("n m", seen.judged[0]), ha="left")
        told = f"{loss:.2f} in this frame, guessing {chance:.1f}"
        title = f"SSN loss, Eq. (4): −log of the diagonal, added up over the parts: {told}"
        _text(axis, 4.3, 0.3, title, size=USUAL)
    return figure


def _window(axis: Axes, seen: Pass, x: float, y: float, wide: float) -> tuple[float, float]:
    """Box the window where the first part is, in a picture of X an inch high; its right edge."""
    (h, w), side = seen.maps.shape[2:], seen.windows.shape[-1]
    reach = side // 2
    row, column = divmod(int(seen.maps[0, 0].argmax()), w)
    row, column = (max(reach, min(at, k - 1 - reach)) for at, k in ((row, h), (column, w)))
    left, low = x + (column - reach) / w * wide, y + 1 - (row + reach + 1) / h
    _outline(axis, left, low, side / w * wide, side / h, "black", 1.5)
    return left + side / w * wide, low + side / h / 2


def _tinted(features: Array, windows: Array) -> tuple[Array, Array]:
    """Features [t c h w] and windows [t n c i j] as pictures [t h w 3] and [t n i j 3].

    Similar features have similar colours: the first principal component of the cells decides how
    light they are, the second where they are between blue and yellow.
    """
    cells = rearrange(features, "t c h w -> (t h w) c")
    mean = cells.mean(axis=0)
    axes = np.linalg.svd(cells - mean, full_matrices=False)[2][:2]
    axes *= np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])[:, None]  # else up to the machine
    low, high = np.percentile((cells - mean) @ axes.T, (2, 98), axis=0)

    def tint(vectors: Array) -> Array:
        shares = ((vectors - mean) @ axes.T - low) / np.maximum(high - low, 1e-12)
        light, yellow = np.clip(shares, 0, 1)[..., :1], np.clip(shares, 0, 1)[..., 1:]
        return np.clip(0.15 + 0.65 * light + (yellow - 0.5) * np.array([0.5, 0.2, -0.6]), 0, 1)

    return (
        tint(rearrange(features, "t c h w -> t h w c")),
        tint(rearrange(windows, "t n c i j -> t n i j c")),
    )


def _sheet(wide: float, tall: float) -> tuple[Figure, Axes]:
    """An empty drawing whose coordinates are inches from its lower left corner."""
    figure = Figure(figsize=(wide, tall))
    axis = figure.add_axes((0, 0, 1, 1), xlim=(0, wide), ylim=(0, tall), autoscale_on=False)
    axis.axis("off")
    return figure, axis


def _picture(
    axis: Axes, image: Array, x: float, y: float, wide: float, tall: float,
    colour: Any = "0.4", *, cmap: str = "Greys", **options: Any,
) -> None:  # fmt: skip
    """An image with its lower left corner at (x, y), in a frame."""
    place: dict[str, Any] = {"extent": (x, x + wide, y, y + tall), "aspect": "auto"}
    axis.imshow(image, interpolation="nearest", cmap=cmap, **place, **options)
    _outline(axis, x, y, wide, tall, colour, 1)


def _box(
    axis: Axes, x: float, y: float, wide: float, tall: float, text: str,
    *, turned: bool = False, edge: Any = "0.3", face: str = "white",
) -> None:  # fmt: skip
    """A layer: text in a box."""
    rounded = "round,pad=0,rounding_size=0.06"
    axis.add_patch(
        FancyBboxPatch((x, y), wide, tall, boxstyle=rounded, facecolor=face, edgecolor=edge)
    )
    rotation = 90 if turned else 0
    _text(axis, x + wide / 2, y + tall / 2, text, size=USUAL, rotation=rotation)


def _panel(axis: Axes, left: float, right: float, low: float, high: float, title: str) -> None:
    """The ground of a module, its title above."""
    tall = high - low + 1.2
    axis.add_patch(Rectangle((left, low - 0.55), right - left, tall, facecolor=PANEL, zorder=-1))
    _text(axis, (left + right) / 2, high + 0.8, title, size=USUAL, weight="bold", va="top")


def _arrow(
    axis: Axes, start: tuple[float, float], end: tuple[float, float], color: Any = "0.3"
) -> None:
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": color, "mutation_scale": 7}
    arrow |= {"shrinkA": 0, "shrinkB": 0}
    axis.annotate("", end, start, arrowprops=arrow)


def _outline(
    axis: Axes, x: float, y: float, wide: float, tall: float, colour: Any, line: float
) -> None:
    axis.add_patch(Rectangle((x, y), wide, tall, fill=False, edgecolor=colour, linewidth=line))


def _text(axis: Axes, x: float, y: float, text: str, *, size: float = SMALL, **style: Any) -> None:
    centred: dict[str, Any] = {"fontsize": size, "ha": "center", "va": "center"}
    axis.text(x, y, text, **centred | style)


def _shape(letters: str, array: Array) -> str:
    return f"{letters}\n{' × '.join(map(str, array.shape))}"
