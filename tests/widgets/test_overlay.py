from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ssn3d.datasets.keypoints import PARTS
from ssn3d.datasets.tracklets import load_frames
from ssn3d.plots.style import overlay
from ssn3d.training import inference
from ssn3d.training import reid as train
from ssn3d.widgets import png
from ssn3d.widgets.drawing import DENSITY, THIN, Shown, colour_of, unbroken
from ssn3d.widgets.looks import Look, distance, look_at
from ssn3d.widgets.overlay import AXIS, GAP, HEAD, PANEL, WIDTH, painted, picture

ALL = tuple(range(9))


def a_look(t: int = 6, size: tuple[int, int] = (32, 16), **changes) -> Look:
    """A person of noise whose parts are all in the middle of the frame."""
    draws = np.random.default_rng(0)
    maps = np.zeros((t, 9, 16, 8))
    maps[:, :, 7:9, 3:5] = 0.25
    look = Look(
        images=draws.integers(0, 256, (t, *size, 3), dtype=np.uint8),
        maps=maps,
        places=np.full((t, 9, 2), 0.5),
        truth=np.full((t, 9, 2), 0.25),
        names=PARTS,
        named=True,
        source="attention",
        window=3,
        first=0,
    )
    return replace(look, **changes)


def drawn(*looks: Look, frame=2, parts=(0,), opacity=1.0, truth=False) -> np.ndarray:
    """[H W 3] of the picture."""
    rows = {f"run {number}": look for number, look in enumerate(looks)}
    content = picture(rows, Shown(frame, parts, opacity, truth))
    return np.asarray(Image.open(BytesIO(content)))


def has(pixels: np.ndarray, part: int) -> bool:
    """Whether a part's own colour is somewhere."""
    return bool((pixels == colour_of(part)).all(axis=-1).any())


@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_a_png_holds_the_very_pixels(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.open(BytesIO(png.encode(pixels)))
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert (np.asarray(image) == pixels).all()


def test_a_picture_has_a_row_for_each_network():
    one, two = drawn(a_look()), drawn(a_look(), a_look())
    assert one.shape[1] == WIDTH
    assert two.shape == (2 * one.shape[0], *one.shape[1:])
    assert (two[100 * DENSITY : one.shape[0]] == one[100 * DENSITY :]).all()


def test_frames_without_opacity_are_only_larger():
    look = a_look()
    [frame] = painted(look, [3], ALL, 0, 64)
    assert (np.asarray(frame) == look.images[3].repeat(2, axis=0).repeat(2, axis=1)).all()


def test_frames_of_full_opacity_are_painted_as_in_the_figures():
    look = a_look()
    [frame] = painted(look, [3], [0, 4], 1, 32)
    colours = [np.array(colour_of(part)) / 255 for part in (0, 4)]
    expected = overlay(look.images[3:4], look.maps[3:4, [0, 4]], 1, colours)[0]
    assert (np.asarray(frame) == expected).all()


def test_opacity_is_in_between():
    look = a_look()
    none, half, full = (
        np.asarray(painted(look, [0], ALL, opacity, 32)[0], float) for opacity in (0, 0.5, 1)
    )
    assert np.abs(half - (none + full) / 2).max() <= 1


def test_a_window_is_three_cells_wide_around_the_place_of_its_part():
    pixels = drawn(a_look(), parts=(1,))
    height, width = PANEL, PANEL // 2
    for y, x in ((0, -1.5), (0, 1.5), (-1.5, 0), (1.5, 0)):  # in cells, from the middle
        row = HEAD + height / 2 + y * height / 16 - np.sign(y) * THIN
        column = width / 2 + x * width / 8 - np.sign(x) * THIN
        assert tuple(pixels[int(row), int(column)]) == colour_of(1)


def test_a_part_that_is_missing_leaves_only_its_name():
    places = np.full((6, 9, 2), np.nan)
    pixels = drawn(a_look(places=places, maps=np.zeros((6, 9, 16, 8))), parts=(3,))
    clip = 2 * (PANEL // 2 + GAP) + AXIS
    assert not has(pixels[:, :clip], 3)
    assert has(pixels, 3)


def test_the_path_of_a_part_is_drawn_up_to_the_frame_that_is_shown():
    places = np.full((6, 9, 2), 0.5)
    places[5, 0] = (0.9, 0.9)  # the last frame
    before, after = (drawn(a_look(places=places), frame=frame) for frame in (4, 5))
    corner = np.s_[HEAD + PANEL * 3 // 4 : HEAD + PANEL, : PANEL // 2]
    assert not has(before[corner], 0)
    assert has(after[corner], 0)


def test_true_points_are_marked_on_request():
    ring = np.s_[HEAD + PANEL // 8 : HEAD + PANEL * 3 // 8, : PANEL // 4]
    assert not has(drawn(a_look())[ring], 0)
    assert has(drawn(a_look(), truth=True)[ring], 0)
    assert (drawn(a_look(truth=None), truth=True) == drawn(a_look())).all()


def test_points_have_no_parts_colour_where_parts_stand_for_no_points():
    look = a_look(named=False)
    ring = np.s_[HEAD + PANEL // 8 : HEAD + PANEL * 3 // 8, : PANEL // 4]
    assert not has(drawn(look, truth=True)[ring], 0)
    assert not (drawn(look, truth=True)[ring] == drawn(look)[ring]).all()


def test_parts_that_a_network_lacks_are_left_out():
    two = a_look(names=("part 1", "part 2"), named=False)
    assert (drawn(two, parts=ALL) == drawn(two, parts=(0, 1))).all()


def test_no_part_shows_the_frames_alone():
    assert (drawn(a_look(), parts=()) == drawn(a_look(), parts=(), opacity=0.0)).all()


@pytest.mark.parametrize("t", [1, 2, 32])
@pytest.mark.parametrize("size", [(256, 128), (64, 32), (37, 50), (600, 300), (20, 90)])
def test_frames_of_any_number_and_size_can_be_shown(t, size):
    assert drawn(a_look(t, size), frame=t - 1, parts=ALL, truth=True).shape[1] == WIDTH


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_path_is_broken_where_something_is_missing(known):
    path = np.stack([np.arange(len(known)), np.where(known, 0.5, np.nan)], axis=1)
    pieces = list(unbroken(path))
    assert [x for piece in pieces for x, _ in piece] == [x for x, k in enumerate(known) if k]
    for piece in pieces:
        assert (np.diff(piece[:, 0]) == 1).all()
    for piece, following in pairwise(pieces):
        assert following[0, 0] > piece[-1, 0] + 1


def test_a_look_is_what_the_network_finds(tiny_config, tiny_split, trained):
    tracklet = max(tiny_split.query, key=len)
    model, _ = trained
    look = look_at(tiny_config, model, tracklet, 3)
    expected = inference.find_parts(tiny_config, model, tracklet, range(8)).maps[0]
    assert look.first == 0
    assert look.images.shape == (8, 32, 16, 3)
    assert np.allclose(look.maps, expected, atol=1e-6)
    assert (look.images[5] == load_frames(tracklet, [5])[0].permute(1, 2, 0).numpy()).all()
    assert look.truth is not None and look.truth.shape == (8, 9, 2)


def test_the_last_clip_of_a_tracklet_has_no_repeated_frames(tiny_config, tiny_split, trained):
    tracklet = next(t for t in tiny_split.query + tiny_split.gallery if len(t) % 8 in (1, 2, 3, 5))
    look = look_at(tiny_config, trained[0], tracklet, len(tracklet) - 1)
    assert look.first == len(tracklet) // 8 * 8
    assert len(look.images) == len(look.maps) == len(look.places) == len(tracklet) % 8


def test_without_weight_sharing_each_frame_is_judged_in_its_place(tiny_config, tiny_split):
    config = replace(tiny_config, shared=False)
    torch.manual_seed(0)
    model = train.build(config)
    tracklet = max(tiny_split.query, key=len)
    look = look_at(config, model, tracklet, 0)
    for start in (0, 1):  # snippets of every second of the 8 frames, as when tested
        expected = inference.find_parts(config, model, tracklet, range(start, 8, 2)).maps[0]
        assert np.allclose(look.maps[start::2], expected, atol=1e-6)


def test_the_full_protocol_looks_at_the_clip_as_it_is(tiny_config, tiny_split, trained):
    tracklet = max(tiny_split.query, key=len)
    config = replace(tiny_config, test_protocol="full")
    split, full = (look_at(each, trained[0], tracklet, 0) for each in (tiny_config, config))
    assert np.allclose(split.maps, full.maps, atol=1e-6)


def test_supervised_parts_are_where_the_estimator_says(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    tracklet = max(tiny_split.query, key=len)
    look = look_at(config, trained[0], tracklet, 0)
    said = tracklet.points.estimated[:8].numpy()
    inside = ((said > 0) & (said < 1)).all(axis=-1)
    assert look.source == "estimated points"
    assert inside.any() and (np.abs(look.places - said)[inside] <= (1 / 4, 1 / 8)).all()
    assert np.isnan(look.places[np.isnan(said).any(axis=-1)]).all()


def test_supervised_runs_need_points(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    with pytest.raises(ValueError, match=r"this tracklet has none; add them \(points.npz\)"):
        look_at(config, trained[0], replace(tiny_split.query[0], points=None), 0)


def test_distance_is_a_share_of_the_height():
    assert distance(a_look(), 2, [0, 1]) == pytest.approx(np.hypot(0.125, 0.25))


def test_there_is_no_distance_where_parts_stand_for_no_points():
    assert np.isnan(distance(a_look(named=False), 2, [0]))
    assert np.isnan(distance(a_look(truth=None), 2, [0]))
    assert np.isnan(distance(a_look(places=np.full((6, 9, 2), np.nan)), 2, [0]))
