from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ssn3d.datasets.keypoints import PARTS
from ssn3d.plots.style import overlay
from ssn3d.widgets.clip_parts import ClipParts
from ssn3d.widgets.explorer_view import (
    AXIS,
    DENSITY,
    GAP,
    HEAD,
    PANEL,
    THIN,
    WIDTH,
    Selection,
    colour_of,
    painted,
    picture,
    unbroken,
)

ALL = tuple(range(9))


def a_clip(t: int = 6, size: tuple[int, int] = (32, 16), **changes) -> ClipParts:
    """A person of noise whose parts are all in the middle of the frame."""
    draws = np.random.default_rng(0)
    maps = np.zeros((t, 9, 16, 8))
    maps[:, :, 7:9, 3:5] = 0.25
    clip = ClipParts(
        images=draws.integers(0, 256, (t, *size, 3), dtype=np.uint8),
        maps=maps,
        points=np.full((t, 9, 2), 0.5),
        truth=np.full((t, 9, 2), 0.25),
        names=PARTS,
        named=True,
        source="attention",
        window=3,
        first=0,
    )
    return replace(clip, **changes)


def drawn(*clips: ClipParts, frame=2, parts=(0,), opacity=1.0, truth=False) -> np.ndarray:
    """[H W 3] of the picture."""
    rows = {f"run {number}": clip for number, clip in enumerate(clips)}
    content = picture(rows, Selection(frame, parts, opacity, truth))
    return np.asarray(Image.open(BytesIO(content)))


def has(pixels: np.ndarray, part: int) -> bool:
    """Whether a part's own colour is somewhere."""
    return bool((pixels == colour_of(part)).all(axis=-1).any())


def test_a_picture_has_a_row_for_each_network():
    one, two = drawn(a_clip()), drawn(a_clip(), a_clip())
    assert one.shape[1] == WIDTH
    assert two.shape == (2 * one.shape[0], *one.shape[1:])
    assert (two[100 * DENSITY : one.shape[0]] == one[100 * DENSITY :]).all()


def test_frames_without_opacity_are_only_larger():
    clip = a_clip()
    [frame] = painted(clip, [3], ALL, 0, 64)
    assert (np.asarray(frame) == clip.images[3].repeat(2, axis=0).repeat(2, axis=1)).all()


def test_frames_of_full_opacity_are_painted_as_in_the_figures():
    clip = a_clip()
    [frame] = painted(clip, [3], [0, 4], 1, 32)
    colours = [np.array(colour_of(part)) / 255 for part in (0, 4)]
    expected = overlay(clip.images[3:4], clip.maps[3:4, [0, 4]], 1, colours)[0]
    assert (np.asarray(frame) == expected).all()


def test_opacity_is_in_between():
    clip = a_clip()
    none, half, full = (
        np.asarray(painted(clip, [0], ALL, opacity, 32)[0], float) for opacity in (0, 0.5, 1)
    )
    assert np.abs(half - (none + full) / 2).max() <= 1


def test_a_window_is_three_cells_wide_around_the_place_of_its_part():
    pixels = drawn(a_clip(), parts=(1,))
    height, width = PANEL, PANEL // 2
    for y, x in ((0, -1.5), (0, 1.5), (-1.5, 0), (1.5, 0)):  # in cells, from the middle
        row = HEAD + height / 2 + y * height / 16 - np.sign(y) * THIN
        column = width / 2 + x * width / 8 - np.sign(x) * THIN
        assert tuple(pixels[int(row), int(column)]) == colour_of(1)


def test_a_part_that_is_missing_leaves_only_its_name():
    points = np.full((6, 9, 2), np.nan)
    pixels = drawn(a_clip(points=points, maps=np.zeros((6, 9, 16, 8))), parts=(3,))
    clip = 2 * (PANEL // 2 + GAP) + AXIS
    assert not has(pixels[:, :clip], 3)
    assert has(pixels, 3)


def test_the_path_of_a_part_is_drawn_up_to_the_frame_that_is_shown():
    points = np.full((6, 9, 2), 0.5)
    points[5, 0] = (0.9, 0.9)  # the last frame
    before, after = (drawn(a_clip(points=points), frame=frame) for frame in (4, 5))
    corner = np.s_[HEAD + PANEL * 3 // 4 : HEAD + PANEL, : PANEL // 2]
    assert not has(before[corner], 0)
    assert has(after[corner], 0)


def test_true_points_are_marked_on_request():
    ring = np.s_[HEAD + PANEL // 8 : HEAD + PANEL * 3 // 8, : PANEL // 4]
    assert not has(drawn(a_clip())[ring], 0)
    assert has(drawn(a_clip(), truth=True)[ring], 0)
    assert (drawn(a_clip(truth=None), truth=True) == drawn(a_clip())).all()


def test_points_have_no_parts_colour_where_parts_stand_for_no_points():
    clip = a_clip(named=False)
    ring = np.s_[HEAD + PANEL // 8 : HEAD + PANEL * 3 // 8, : PANEL // 4]
    assert not has(drawn(clip, truth=True)[ring], 0)
    assert not (drawn(clip, truth=True)[ring] == drawn(clip)[ring]).all()


def test_parts_that_a_network_lacks_are_left_out():
    two = a_clip(names=("part 1", "part 2"), named=False)
    assert (drawn(two, parts=ALL) == drawn(two, parts=(0, 1))).all()


def test_no_part_shows_the_frames_alone():
    assert (drawn(a_clip(), parts=()) == drawn(a_clip(), parts=(), opacity=0.0)).all()


@pytest.mark.parametrize("t", [1, 2, 32])
@pytest.mark.parametrize("size", [(256, 128), (64, 32), (37, 50), (600, 300), (20, 90)])
def test_frames_of_any_number_and_size_can_be_shown(t, size):
    assert drawn(a_clip(t, size), frame=t - 1, parts=ALL, truth=True).shape[1] == WIDTH


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_path_is_broken_where_something_is_missing(known):
    path = np.stack([np.arange(len(known)), np.where(known, 0.5, np.nan)], axis=1)
    pieces = list(unbroken(path))
    assert [x for piece in pieces for x, _ in piece] == [x for x, k in enumerate(known) if k]
    for piece in pieces:
        assert (np.diff(piece[:, 0]) == 1).all()
    for piece, following in pairwise(pieces):
        assert following[0, 0] > piece[-1, 0] + 1
