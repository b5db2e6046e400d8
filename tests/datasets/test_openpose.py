"""What pose estimators find: answers by hand for every layout, and damaged files."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssn3d.datasets import keypoints, openpose
from ssn3d.datasets.keypoints import PARTS, labelled_frames
from ssn3d.datasets.openpose import parts_of, read_openpose, tracklet_points
from tests.datasets.conftest import with_change

SIZE = (200, 100)
LAYOUTS = ("body25", "body25b", "coco18", "coco17")
COUNTS = {"body25": 25, "body25b": 25, "coco18": 18, "coco17": 17}

LIMBS = {  # left elbow, right elbow, left knee, right knee, left ankle, right ankle
    "body25": (6, 3, 13, 10, 14, 11),
    "coco18": (6, 3, 12, 9, 13, 10),
    "coco17": (7, 8, 13, 14, 15, 16),
    "body25b": (7, 8, 13, 14, 15, 16),
}
NECK = {"body25": (1,), "coco18": (1,), "coco17": (5, 6), "body25b": (5, 6)}
HIPS = {"body25": (8,), "coco18": (8, 11), "coco17": (11, 12), "body25b": (11, 12)}
FACE = {
    "body25": (15, 16, 17, 18),
    "coco18": (14, 15, 16, 17),
    "coco17": (1, 2, 3, 4),
    "body25b": (1, 2, 3, 4),
}
PAIRS = {
    "body25": "2-5 3-6 4-7 9-12 10-13 11-14 15-16 17-18 19-22 20-23 21-24",
    "coco18": "2-5 3-6 4-7 8-11 9-12 10-13 14-15 16-17",
    "coco17": "1-2 3-4 5-6 7-8 9-10 11-12 13-14 15-16",
    "body25b": "1-2 3-4 5-6 7-8 9-10 11-12 13-14 15-16 19-22 20-23 21-24",
}
NOSE = 0

layouts = pytest.mark.parametrize("layout", LAYOUTS)


def person(layout: str) -> Tensor:
    """[k 3] all found: key point i at (4 i, 100 + i * i / 10) of `SIZE`."""
    i = torch.arange(COUNTS[layout]).float()
    return torch.stack((4 * i, 100 + i * i / 10, torch.full_like(i, 0.9)), dim=-1)


def place(i: int) -> tuple[float, float]:
    """Where `person` has key point i, as a share of the frame."""
    return 0.04 * i, 0.5 + i * i / 2000


def between(places: list[tuple[float, float]]) -> tuple[float, float]:
    return tuple(sum(each) / len(places) for each in zip(*places, strict=True))


def answer(layout: str) -> Tensor:
    neck = between([place(i) for i in NECK[layout]])
    hips = between([place(i) for i in HIPS[layout]])
    body = between([neck, hips])
    return torch.tensor([place(NOSE), body, hips, *(place(i) for i in LIMBS[layout])])


def without(layout: str, *unsure: int) -> Tensor:
    found = person(layout)
    found[list(unsure), 2] = 0.1
    return found


def missing(points: Tensor) -> set[str]:
    assert (points.isnan().all(-1) == points.isnan().any(-1)).all()
    return {part for part, point in zip(PARTS, points, strict=True) if point.isnan().any()}


def mirrored(found: Tensor, layout: str, width: float) -> Tensor:
    order = list(range(COUNTS[layout]))
    for pair in PAIRS[layout].split():
        left, right = map(int, pair.split("-"))
        order[left], order[right] = right, left
    found = found[order].clone()
    found[:, 0] = width - found[:, 0]
    return found


@layouts
def test_every_part_has_its_key_points(layout):
    torch.testing.assert_close(parts_of(person(layout), layout, SIZE), answer(layout))


def test_a_person_by_numbers():
    found = torch.zeros(17, 3)
    found[0] = torch.tensor([50, 20, 0.8])
    for i, x, y in [(5, 70, 40), (6, 30, 44), (11, 60, 100), (12, 40, 104), (15, 64, 200)]:
        found[i] = torch.tensor([x, y, 0.8])
    points = parts_of(found, "coco17", SIZE)
    known = torch.tensor([[0.5, 0.1], [0.5, 0.36], [0.5, 0.51], [0.64, 1]])
    torch.testing.assert_close(points[[0, 1, 2, 7]], known)
    assert points[[3, 4, 5, 6, 8]].isnan().all()


@layouts
def test_a_limb_is_missing_where_its_key_point_is(layout):
    for part, i in zip(PARTS[3:], LIMBS[layout], strict=True):
        assert missing(parts_of(without(layout, i), layout, SIZE)) == {part}


@layouts
def test_crotch_and_body_need_the_hips(layout):
    for i in HIPS[layout]:
        points = parts_of(without(layout, i), layout, SIZE)
        assert missing(points) == {"body", "crotch"}


@layouts
def test_the_body_needs_the_neck(layout):
    for i in NECK[layout]:
        assert missing(parts_of(without(layout, i), layout, SIZE)) == {"body"}


@layouts
def test_without_a_nose_the_head_is_the_mean_of_what_the_face_has(layout):
    for gone in range(4):
        seen = FACE[layout][gone:]
        points = parts_of(without(layout, NOSE, *FACE[layout][:gone]), layout, SIZE)
        torch.testing.assert_close(points[0], torch.tensor(between([place(i) for i in seen])))
    faceless = without(layout, NOSE, *FACE[layout])
    assert missing(parts_of(faceless, layout, SIZE)) == {"head"}


@layouts
def test_the_face_does_not_matter_beside_a_nose(layout):
    points = parts_of(without(layout, *FACE[layout]), layout, SIZE)
    torch.testing.assert_close(points, answer(layout))


def test_hips_that_are_not_the_mid_hip_do_not_matter_to_body25():
    torch.testing.assert_close(parts_of(without("body25", 9, 12), "body25", SIZE), answer("body25"))


@pytest.mark.parametrize(("confidence", "gone"), [(0.3, False), (0.2999, True), (-9.0, True)])
def test_the_minimal_confidence_is_enough(confidence, gone):
    found = person("coco17")
    found[0, 2] = confidence
    found[list(FACE["coco17"]), 2] = 0
    assert ("head" in missing(parts_of(found, "coco17", SIZE))) == gone


def test_scores_that_are_no_probabilities_have_a_minimum_of_their_own():
    found = person("coco17") * torch.tensor([1, 1, 10])
    found[13, 2] = 4
    assert missing(parts_of(found, "coco17", SIZE, min_confidence=5)) == {"left knee"}


@pytest.mark.parametrize(
    "pixels", [(-0.5, 9), (100.5, 9), (9, -0.5), (9, 200.5), (math.nan, 9), (9, math.inf)]
)
def test_key_points_outside_the_frame_are_missing(pixels):
    found = person("body25")
    found[13, :2] = torch.tensor(pixels)
    assert missing(parts_of(found, "body25", SIZE)) == {"left knee"}


def test_the_edges_of_the_frame_are_inside():
    found = person("body25")
    found[13, :2], found[10, :2] = torch.tensor([0, 0]), torch.tensor([100, 200])
    points = parts_of(found, "body25", SIZE)
    assert points[[5, 6]].tolist() == [[0, 0], [1, 1]]


def test_many_people_come_back_in_their_shape():
    found = person("coco17").expand(2, 3, 17, 3)
    points = parts_of(found, "coco17", SIZE)
    torch.testing.assert_close(points, answer("coco17").expand(2, 3, 9, 2))
    assert parts_of(torch.empty(0, 17, 3), "coco17", SIZE).shape == (0, 9, 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_points_are_float32_whatever_was_found(dtype):
    found = person("coco18")
    found[:, 2] = 1
    points = parts_of(found.round().to(dtype), "coco18", SIZE)
    torch.testing.assert_close(points, parts_of(found.round(), "coco18", SIZE))


@pytest.mark.parametrize(
    ("shape", "layout", "size", "min_confidence", "message"),
    [
        ((25, 3), "body_25", SIZE, 0.3, "layout: expected one of body25, .*got 'body_25'"),
        ((18, 3), "body25", SIZE, 0.3, r"body25: expected .*\[... 25 3\], got \[18, 3\]; choose"),
        ((17, 2), "coco17", SIZE, 0.3, r"coco17: expected .*\[... 17 3\], got \[17, 2\]"),
        ((3,), "coco17", SIZE, 0.3, r"got \[3\]"),
        ((17, 3), "coco17", (0, 9), 0.3, r"1 to 1e\+06 pixels .*got \(0, 9\) .*; give the size"),
        ((17, 3), "coco17", (9, math.nan), 0.3, "size and min_confidence"),
        ((17, 3), "coco17", (9, 10**9), 0.3, "size and min_confidence"),
        ((17, 3), "coco17", SIZE, 0, "confidence above 0, got .* and 0; give"),
        ((17, 3), "coco17", SIZE, math.nan, "size and min_confidence"),
        ((17, 3), "coco17", SIZE, math.inf, "size and min_confidence"),
    ],
)
def test_what_is_no_set_of_key_points_is_refused(shape, layout, size, min_confidence, message):
    with pytest.raises(ValueError, match=message):
        parts_of(torch.zeros(shape), layout, size, min_confidence)


def quarters(largest: int) -> st.SearchStrategy[float]:
    """Numbers that a mirrored or enlarged frame holds exactly, some of them outside it."""
    return st.integers(-4, 4 * largest + 4).map(lambda number: number / 4)


@st.composite
def people(draw) -> tuple[Tensor, str]:
    layout = draw(st.sampled_from(LAYOUTS))
    key_point = st.tuples(quarters(100), quarters(200), st.sampled_from([0.0, 0.2, 0.3, 0.9]))
    found = draw(st.lists(key_point, min_size=COUNTS[layout], max_size=COUNTS[layout]))
    return torch.tensor(found), layout


@given(people())
def test_mirroring_what_is_found_mirrors_the_points(case):
    found, layout = case
    expected = keypoints.mirror(parts_of(found, layout, SIZE))
    points = parts_of(mirrored(found, layout, SIZE[1]), layout, SIZE)
    torch.testing.assert_close(points, expected, equal_nan=True)


@given(people(), st.integers(1, 9), st.integers(1, 9))
def test_a_larger_image_has_the_same_points(case, across, down):
    found, layout = case
    size = SIZE[0] * down, SIZE[1] * across
    points = parts_of(found * torch.tensor([across, down, 1]), layout, size)
    torch.testing.assert_close(points, parts_of(found, layout, SIZE), equal_nan=True)


def entry(found: Tensor) -> dict[str, Any]:
    return {"person_id": [-1], "pose_keypoints_2d": found.flatten().tolist()}


def stored(document: Any, folder: Path) -> Path:
    path = folder / "frame_keypoints.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def at(x: float, y: float, confidence: float = 0.9, layout: str = "body25") -> Tensor:
    """[k 3] a person all of whose key points are in one place."""
    return torch.tensor([x, y, confidence]).repeat(COUNTS[layout], 1)


@pytest.mark.parametrize("layout", ["body25", "coco18", "coco17"])
def test_a_file_tells_its_layout(tmp_path, layout):
    path = stored({"version": 1.3, "people": [entry(person(layout))]}, tmp_path)
    torch.testing.assert_close(read_openpose(path, SIZE), answer(layout))


def test_who_knows_of_body_25b_says_so(tmp_path):
    path = stored({"people": [entry(person("body25b"))]}, tmp_path)
    torch.testing.assert_close(read_openpose(path, SIZE, "body25b"), answer("body25b"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_files_as_windows_saves_them_are_read(tmp_path, encoding):
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"people": [entry(person("body25"))]}), encoding=encoding)
    torch.testing.assert_close(read_openpose(path, SIZE), answer("body25"))


def test_the_minimal_confidence_counts_in_a_file(tmp_path):
    path = stored({"people": [entry(without("body25", 13))]}, tmp_path)
    assert missing(read_openpose(path, SIZE)) == {"left knee"}


def test_nobody_found_is_nothing_known(tmp_path):
    points = read_openpose(stored({"people": []}, tmp_path), SIZE)
    assert points.shape == (len(PARTS), 2) and points.isnan().all()


def test_a_person_of_whom_only_the_hands_were_sought_is_nobody(tmp_path):
    hands = {"pose_keypoints_2d": [], "hand_left_keypoints_2d": [1, 2, 0.5]}
    assert read_openpose(stored({"people": [hands]}, tmp_path), SIZE).isnan().all()
    both = stored({"people": [hands, entry(person("coco18"))]}, tmp_path)
    torch.testing.assert_close(read_openpose(both, SIZE), answer("coco18"))


@pytest.mark.parametrize(
    ("others", "chosen"),
    [
        ([at(5, 100), at(40, 100)], 0.4),
        ([at(60, 100), at(95, 100)], 0.6),
        ([at(60, 100, 0.4), at(70, 100, 0.9)], 0.7),
        ([at(50, 100, 0.2), at(95, 100)], 0.95),
        ([at(500, 100), at(95, 100)], 0.95),
        ([at(25, 100), at(75, 100)], 0.25),
        ([at(75, 100), at(25, 100)], 0.75),
    ],
    ids=["central", "first", "confident", "uncertain", "outside", "equal", "equal, exchanged"],
)
def test_the_most_confident_and_central_person_is_taken(tmp_path, others, chosen):
    path = stored({"people": [entry(found) for found in others]}, tmp_path)
    torch.testing.assert_close(
        read_openpose(path, SIZE), torch.tensor([chosen, 0.5]).expand(len(PARTS), 2)
    )


def test_a_whole_person_is_taken_before_a_central_hand(tmp_path):
    hand = at(50, 100, 0)
    hand[4, 2] = 1
    path = stored({"people": [entry(hand), entry(person("body25"))]}, tmp_path)
    torch.testing.assert_close(read_openpose(path, SIZE), answer("body25"))


DOCUMENT = {"version": 1.3, "people": [entry(person("body25")), entry(at(5, 9, 0.5))]}


changed = partial(with_change, DOCUMENT)


NUMBERS = ("people", 1, "pose_keypoints_2d")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "line 1"),
        ('{"people": [', "line 1"),
        ("[" * 100_000, "recursion"),
        ("9" * 5000, "digits"),
        (" " * (openpose.LARGEST_FILE + 1), "expected at most 4194304 bytes"),
        ("[]", r"expected an object with a list of 'people', got \[\]"),
        (changed("people", to=...), "list of 'people'"),
        (changed("people", to={}), "list of 'people'"),
        (changed("people", 1, to=None), r"people\[1\]: expected a list 'pose_key.*, got None"),
        (changed(*NUMBERS, to=...), r"people\[1\]: expected a list 'pose_keypoints_2d'"),
        (changed(*NUMBERS, to="1" * 75), "expected a list 'pose_keypoints_2d'"),
        (changed(*NUMBERS, to=[1.0] * 45), "25, 18 or 17 x, y, confidence, got 45 numbers"),
        (changed(*NUMBERS, to=[1.0] * 405), "got 405 numbers"),
        ([{"image_id": "1.jpg", "keypoints": [1, 2, 0.9]}], "AlphaPose with --format open"),
        (changed(*NUMBERS, to=[1.0] * 76), "got 76 numbers"),
        (
            changed(*NUMBERS, 7, to="1"),
            r"people\[1\]: expected numbers to 1e\+06 in one list, got '1'",
        ),
        (changed(*NUMBERS, 7, to=True), "got True"),
        (changed(*NUMBERS, 7, to=None), "got None"),
        (changed(*NUMBERS, 7, to=[1, 2, 3]), r"got \[1, 2, 3\]"),
        (changed(*NUMBERS, 7, to=math.nan), "got nan"),
        (changed(*NUMBERS, 7, to=-math.inf), "got -inf"),
        (changed(*NUMBERS, 7, to=10**400), "expected numbers to"),
        (changed(*NUMBERS, 8, to=1e7), "got 10000000.0"),
        ({"people": [entry(person("body25") / 200)]}, "in pixels, .* frame in 0..1"),
        ({"people": [entry(at(-0.5, 0.7))]}, "in pixels, .* frame in -1..1"),
    ],
)
def test_damage_is_named(tmp_path, document, message):
    with pytest.raises(ValueError, match=rf"(?s)frame_key.*\.json: .*{message}.*; \w"):
        read_openpose(stored(document, tmp_path), SIZE)


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'{"people": ["\xff"]}')
    with pytest.raises(ValueError, match=r"x\.json: .*decode.*; write it again"):
        read_openpose(path, SIZE)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"frame\.json"):
        read_openpose(tmp_path / "frame.json", SIZE)


@pytest.mark.parametrize("document", [DOCUMENT, {"people": []}])
def test_a_wrong_size_is_refused_whoever_was_found(tmp_path, document):
    with pytest.raises(ValueError, match=r"^size and min_confidence"):
        read_openpose(stored(document, tmp_path), (0, 100))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([10**400, 1e-300, [0.5] * 54, {"pose_keypoints_2d": [3] * 75}]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
PLACES = [("people",), ("people", 0), ("people", 1), NUMBERS, *((*NUMBERS, i) for i in range(75))]


@given(where=st.sampled_from(PLACES), to=anything | st.just(...))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_document_is_read_or_refused(tmp_path, where, to):
    check(stored(changed(*where, to=to), tmp_path))


def check(path: Path) -> None:
    try:
        points = read_openpose(path, SIZE)
    except ValueError as error:
        assert path.name in str(error) and "; " in str(error)
        return
    assert points.shape == (len(PARTS), 2)
    assert (points.isnan() | ((points >= 0) & (points <= 1))).all()


def frames_of(*known: int) -> list[Tensor]:
    """Points of frames in which the first so many parts were found."""
    halves = torch.full((len(PARTS), 2), 0.5)
    rows = torch.arange(len(PARTS))[:, None]
    return [halves.where(rows < each, torch.nan) for each in known]


def test_what_was_found_is_estimate_truth_and_label():
    frames = frames_of(9, 0, 4)
    points = tracklet_points(frames)
    torch.testing.assert_close(points.estimated, torch.stack(frames), equal_nan=True)
    torch.testing.assert_close(points.labels(), points.estimated, equal_nan=True)
    assert points.visible.dtype == torch.bool and points.visible.sum(-1).tolist() == [9, 0, 4]


def test_the_frames_with_the_most_points_are_labelled():
    known = [3] * 30
    known[4], known[21] = 9, 8
    assert labelled_frames(tracklet_points(frames_of(*known))) == [4, 21]


def test_half_a_point_is_not_seen():
    (frame,) = frames_of(9)
    frame[0, 1] = math.nan
    assert tracklet_points([frame]).visible[0].tolist() == [False] + [True] * 8


def test_a_change_of_the_estimates_leaves_the_truth():
    points = tracklet_points(frames_of(9))
    points.estimated[0, 0] = 0
    assert points.truth[0, 0].tolist() == [0.5, 0.5]


def test_a_tracklet_is_saved_and_loaded_as_any_other(tmp_path):
    points = tracklet_points(frames_of(9, 3))
    keypoints.save({"1.png": points}, tmp_path)
    torch.testing.assert_close(keypoints.load(tmp_path)["1.png"], points, equal_nan=True)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "frames: expected one at least, got none; leave"),
        ([*frames_of(9), torch.zeros(17, 2)], r"frame 1: expected \[9 2\] .*got \[17, 2\].*; give"),
        ([torch.full((9, 2), 80.0)], r"frame 0: expected \[9 2\] in 0..1 or NaN.*80.0"),
        ([torch.full((9, 2), -0.1)], "frame 0: expected"),
        ([torch.full((9, 2), math.inf)], "frame 0: expected"),
    ],
)
def test_what_are_no_points_of_frames_is_refused(frames, message):
    with pytest.raises(ValueError, match=message):
        tracklet_points(frames)
