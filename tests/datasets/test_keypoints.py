import zipfile
from io import BytesIO
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

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
