import zipfile
from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ssn3d.datasets import keypoints
from ssn3d.datasets.keypoints import PARTS, Points, labelled_frames


def points_of_quality(quality: list[int]) -> Points:
    """Points of which quality[t] are visible in frame t."""
    visible = torch.arange(len(PARTS)) < torch.tensor(quality).reshape(-1, 1)
    places = torch.full((*visible.shape, 2), 0.5)
    return Points(places, places, visible)


def test_mirroring_exchanges_left_and_right():
    places = torch.zeros(len(PARTS), 2)
    places[PARTS.index("left knee")] = torch.tensor([0.25, 0.75])
    mirrored = keypoints.mirror(places)
    assert mirrored[PARTS.index("right knee")].tolist() == [0.75, 0.75]
    assert mirrored[PARTS.index("left knee")].tolist() == [1, 0]


def test_mirroring_twice_changes_nothing():
    places = torch.rand(2, 5, len(PARTS), 2)
    torch.testing.assert_close(keypoints.mirror(keypoints.mirror(places)), places)


def body(**places: tuple[float, float]) -> Tensor:
    """The points [n 2] of a frame by name, such as left_knee=(0.4, 0.7); others are unknown."""
    points = torch.full((len(PARTS), 2), torch.nan)
    for name, place in places.items():
        points[PARTS.index(name.replace("_", " "))] = torch.tensor(place)
    return points


UPRIGHT = {"head": (0.5, 0.1), "body": (0.5, 0.3), "crotch": (0.5, 0.5)}
LEANING = {"head": (0.9, 0.1), "body": (0.7, 0.3), "crotch": (0.5, 0.5)}
"""Feet to the left of the line of this trunk: at height 0.9, left of x = 0.1."""
UPSIDE_DOWN = {"head": (0.5, 0.9), "body": (0.5, 0.7), "crotch": (0.5, 0.5)}
LYING = {"head": (0.1, 0.5), "body": (0.3, 0.5), "crotch": (0.5, 0.5)}


@pytest.mark.parametrize(
    ("points", "pair", "swapped"),
    [
        ({"left_knee": (0.6, 0.7), "right_knee": (0.4, 0.7)}, 1, True),
        ({"left_knee": (0.4, 0.7), "right_knee": (0.6, 0.7)}, 1, False),
        ({"left_knee": (0.4, 0.7), "right_knee": (0.4, 0.6)}, 1, False),
        # both known: their places alone count, on whichever side of the body they are
        (UPRIGHT | {"left_foot": (0.9, 0.9), "right_foot": (0.8, 0.9)}, 2, True),
        (UPRIGHT | {"left_elbow": (0.6, 0.3)}, 0, True),
        (UPRIGHT | {"left_elbow": (0.4, 0.3)}, 0, False),
        (UPRIGHT | {"right_elbow": (0.4, 0.3)}, 0, True),
        (UPRIGHT | {"right_elbow": (0.6, 0.3)}, 0, False),
        (UPRIGHT | {"right_elbow": (0.5, 0.3)}, 0, False),
        (LEANING | {"left_foot": (0.2, 0.9)}, 2, True),
        (LEANING | {"left_foot": (0.0, 0.9)}, 2, False),
        (LEANING | {"right_elbow": (0.6, 0.3)}, 0, True),
        (UPSIDE_DOWN | {"left_foot": (0.6, 0.1)}, 2, True),
        (UPSIDE_DOWN | {"left_foot": (0.4, 0.1)}, 2, False),
        (LYING | {"left_foot": (0.9, 0.4)}, 2, False),
        (LYING | {"right_foot": (0.9, 0.6)}, 2, False),
        # two of the three points of the trunk
        ({"head": (0.9, 0.1), "crotch": (0.5, 0.5), "left_foot": (0.2, 0.9)}, 2, True),
        ({"head": (0.9, 0.1), "body": (0.7, 0.3), "left_foot": (0.2, 0.9)}, 2, True),
        ({"body": (0.7, 0.3), "crotch": (0.5, 0.5), "left_foot": (0.0, 0.9)}, 2, False),
        # no axis
        ({"left_foot": (0.9, 0.9)}, 2, False),
        ({"head": (0.5, 0.1), "left_foot": (0.9, 0.9)}, 2, False),
        ({"head": (0.5, 0.5), "crotch": (0.5, 0.5), "right_foot": (0.1, 0.9)}, 2, False),
        (UPRIGHT, 1, False),
        # a point without its height is not known
        (UPRIGHT | {"left_knee": (0.6, torch.nan), "right_knee": (0.4, 0.7)}, 1, True),
        (UPRIGHT | {"left_knee": (0.3, torch.nan), "right_knee": (0.4, 0.7)}, 1, True),
    ],
)
def test_left_is_farther_left_and_a_lonely_part_is_judged_by_the_axis_of_the_body(
    points, pair, swapped
):
    found = keypoints.swaps(body(**points)).tolist()
    assert found == [swapped and number == pair for number in range(3)]


def test_pairs_and_frames_are_judged_each_by_themselves():
    crossed = body(left_knee=(0.6, 0.7), right_knee=(0.4, 0.7), left_foot=(0.1, 0.9))
    straight = keypoints.mirror(crossed)
    frames = torch.stack([crossed, straight])
    assert keypoints.swaps(frames).tolist() == [[False, True, False], [False, True, False]]
    assert keypoints.swaps(frames[:0]).shape == (0, 3)


def test_estimates_and_what_is_seen_are_named_by_their_own_places():
    crossed = body(**UPRIGHT, left_knee=(0.6, 0.7), right_knee=(0.4, 0.7))[None]
    straight = body(**UPRIGHT, left_knee=(0.4, 0.7), right_knee=(0.6, 0.7))[None]
    seen = torch.ones(1, len(PARTS), dtype=torch.bool)
    found = keypoints.by_place(Points(straight, crossed, seen))
    torch.testing.assert_close(found.estimated, straight, equal_nan=True)
    torch.testing.assert_close(found.truth, straight, equal_nan=True)
    # a knee that is hidden is not judged, though its place is known
    seen[0, PARTS.index("right knee")] = False
    hidden = keypoints.by_place(Points(straight, crossed, seen))
    assert not hidden.visible[0, PARTS.index("left knee")]
    assert hidden.visible[0, PARTS.index("right knee")]
    torch.testing.assert_close(hidden.truth, straight, equal_nan=True)


# sixty-fourths, so that mirroring is exact
shares = st.one_of(st.just(float("nan")), st.integers(-16, 80).map(lambda k: k / 64))
frames_of_points = st.lists(shares, min_size=36, max_size=36).map(
    lambda values: torch.tensor(values).reshape(2, len(PARTS), 2)
)


@given(frames_of_points, frames_of_points, st.integers(0, 2**18 - 1))
def test_naming_by_place_is_done_once_moves_no_point_and_goes_with_mirroring(
    estimated, truth, seen
):
    def mirrored(points):
        visible = points.visible[:, list(keypoints.MIRRORED)]
        return Points(keypoints.mirror(points[0]), keypoints.mirror(points[1]), visible)

    visible = torch.tensor([bool(seen >> bit & 1) for bit in range(18)]).reshape(2, -1)
    points = Points(estimated, truth, visible)
    placed = keypoints.by_place(points)
    again, first, then = (
        keypoints.by_place(placed),
        keypoints.by_place(mirrored(points)),
        mirrored(placed),
    )
    for field in Points._fields:
        before, after = getattr(points, field).float(), getattr(placed, field).float()
        torch.testing.assert_close(getattr(again, field).float(), after, equal_nan=True)
        torch.testing.assert_close(
            getattr(first, field).float(), getattr(then, field).float(), equal_nan=True
        )
        for left in (3, 5, 7):
            pair, other = before[:, left : left + 2], after[:, left : left + 2]
            for one, two in zip(pair, other, strict=True):
                assert any(
                    torch.equal(two.nan_to_num(-9), each.nan_to_num(-9))
                    for each in (one, one.flip(0))
                )
        assert torch.equal(before[:, :3].nan_to_num(-9), after[:, :3].nan_to_num(-9))


def test_points_come_back_as_saved(tracklet, tmp_path):
    saved = {f"b/{length}.png": tracklet(1, 1, length, points=True).points for length in (3, 1)}
    keypoints.save(saved, tmp_path)
    loaded = keypoints.load(tmp_path)
    assert set(loaded) == set(saved)
    for key, points in saved.items():
        torch.testing.assert_close(loaded[key], points, equal_nan=True)
        assert loaded[key].visible.dtype == torch.bool


def test_no_points_come_back_as_none(tmp_path):
    assert keypoints.load(tmp_path) == {}
    keypoints.save({}, tmp_path)
    assert keypoints.load(tmp_path) == {}


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_a_damaged_file_of_points_is_named(tracklet, tmp_path, keep):
    keypoints.save({"1.png": tracklet(1, 1, points=True).points}, tmp_path)
    path = tmp_path / keypoints.POINTS_FILE
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"points.npz: expected .* damaged"):
        keypoints.load(tmp_path)


class Unpickled:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def header(shape: tuple[int, ...]) -> bytes:
    """The beginning of an array that claims a shape."""
    text = BytesIO()
    claimed = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(text, claimed)
    return text.getvalue()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("truth", header((2**50, 9, 2)), "Unable to allocate"),
        ("truth", b"no array", "bytes"),
        ("truth", header((1, 9, 2))[:20], "array header"),
        ("truth", np.zeros((2, 9, 2), np.float32), "and shape"),
        ("truth", np.zeros((4, 9, 2), np.int32), "expected truth of kind 'f' .* got int32"),
        ("visible", np.zeros((4, 9), np.float32), "expected visible of kind 'b' .* got float32"),
        ("visible", None, "visible is not"),
        ("length", np.array([5]), "and shape"),
        ("length", np.array([-4, 8]), "split"),
        ("length", np.array([4, 0]), "longer"),
        ("first_frame", np.array(["1.png", "2.png"]), "shorter"),
        ("first_frame", np.array([Unpickled()]), "allow_pickle=False"),
        ("truth", np.array([Unpickled()]), "allow_pickle=False"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(tracklet, tmp_path, name, value, said):
    keypoints.save({"1.png": tracklet(1, 1, points=True).points}, tmp_path)
    path = tmp_path / keypoints.POINTS_FILE
    with zipfile.ZipFile(path) as stored:
        members = {entry: stored.read(entry) for entry in stored.namelist()}
    content = BytesIO()
    if isinstance(value, np.ndarray):
        np.save(content, value)
    members[f"{name}.npy"] = value if isinstance(value, bytes) else content.getvalue()
    if value is None:
        del members[f"{name}.npy"]
    with zipfile.ZipFile(path, "w") as changed:
        for entry, data in members.items():
            changed.writestr(entry, data)
    with pytest.raises(
        ValueError, match=rf"points.npz: expected .* damaged file .*{said}.*; write"
    ):
        keypoints.load(tmp_path)


def test_arrays_stored_column_by_column_are_read_as_they_were(tracklet, tmp_path):
    points = tracklet(4, 1, points=True).points
    keypoints.save({"1.png": points}, tmp_path)
    path = tmp_path / keypoints.POINTS_FILE
    with np.load(path) as stored:
        turned = {name: np.asfortranarray(stored[name]) for name in stored.files}
    np.savez(path, **turned)
    for field, value in zip(points, keypoints.load(tmp_path)["1.png"], strict=True):
        torch.testing.assert_close(value, field, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("kind", ["<f8", ">f8", ">f4", "<f2"])
def test_floats_of_another_program_become_32_bits(tracklet, tmp_path, kind):
    points = tracklet(4, 1, points=True).points
    keypoints.save({"1.png": points}, tmp_path)
    path = tmp_path / keypoints.POINTS_FILE
    with np.load(path) as stored:
        others = {
            n: stored[n].astype(kind) if n in ("estimated", "truth") else stored[n] for n in stored
        }
    np.savez(path, **others)
    for field, value in zip(points, keypoints.load(tmp_path)["1.png"], strict=True):
        assert value.dtype == field.dtype
        torch.testing.assert_close(value, field, rtol=0, atol=1e-3, equal_nan=True)


def test_an_array_too_large_is_refused(tracklet, tmp_path, monkeypatch):
    keypoints.save({"1.png": tracklet(1, 1, points=True).points}, tmp_path)
    monkeypatch.setattr(keypoints, "LARGEST", 300)
    with pytest.raises(ValueError, match="at most 300 bytes, got"):
        keypoints.load(tmp_path)


@pytest.mark.parametrize("content", [b"\x80\x04]\x94.", b"\x93NUMPY\x01\x00"])
def test_a_file_of_another_kind_is_named(tmp_path, content):
    (tmp_path / keypoints.POINTS_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=r"points.npz: expected .* damaged"):
        keypoints.load(tmp_path)


def test_the_best_frames_are_labelled():
    quality = [1] * 30
    quality[4], quality[21] = 9, 8
    assert labelled_frames(points_of_quality(quality)) == [4, 21]


def test_the_earliest_of_equals_are_labelled():
    assert labelled_frames(points_of_quality([5] * 30)) == [0, 8]


def test_neighbours_are_not_labelled_however_good():
    quality = [1] * 30
    quality[10:12] = 9, 8
    assert labelled_frames(points_of_quality(quality)) == [0, 10]


def test_a_short_tracklet_is_labelled_as_far_apart_as_it_goes():
    assert labelled_frames(points_of_quality([0, 9, 9, 9, 0])) == [0, 4]


@pytest.mark.parametrize(("length", "frames"), [(0, []), (1, [0]), (2, [0, 1])])
def test_fewer_frames_are_labelled_only_where_there_are_fewer(length, frames):
    assert labelled_frames(points_of_quality([0] * length)) == frames
    assert labelled_frames(points_of_quality([0] * length), count=3) == frames


def test_a_visible_point_without_a_true_place_counts_for_nothing():
    points = points_of_quality([9] * 20)
    points.truth[0, 0, 1] = torch.nan
    assert labelled_frames(points) == [1, 9]


@pytest.mark.parametrize("wrong", [{"count": 0}, {"apart": 0}])
def test_a_count_or_distance_below_one_is_refused(wrong):
    with pytest.raises(ValueError, match="expected at least 1"):
        labelled_frames(points_of_quality([1]), **wrong)


@given(st.lists(st.integers(0, 3), max_size=9), st.integers(1, 4), st.integers(1, 5))
def test_no_other_choice_of_frames_is_better(quality, count, apart):
    def distance(frames):
        return min((b - a for a, b in pairwise(frames)), default=apart)

    choices = list(combinations(range(len(quality)), min(count, len(quality))))
    widest = min(apart, max(map(distance, choices)))
    best = max(
        (frames for frames in choices if distance(frames) >= widest),
        key=lambda frames: (sum(quality[i] for i in frames), [-i for i in frames]),
    )
    assert labelled_frames(points_of_quality(quality), count, apart) == list(best)
