"""Labelling a copy of the tiny set, by an estimator that knows the truth or files by OpenPose."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize
from urllib.error import HTTPError, URLError

import pytest
import torch
from torch import Tensor, nn

from ssn3d import data
from ssn3d.datasets import coco, dukemtmc, folder, ilids_vid, keypoints, labelling, mars
from ssn3d.datasets.images import write_image
from ssn3d.datasets.keypoints import PARTS, POINTS_FILE, labelled_frames
from ssn3d.datasets.labelling import UNFINISHED, keypoint_rcnn, label
from ssn3d.datasets.openpose import parts_of
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames
from ssn3d.training import reid as train
from tests.datasets.conftest import walker

HEAD, BODY = PARTS.index("head"), PARTS.index("body")


@pytest.fixture
def root(tiny_config, tiny_split, tmp_path) -> Path:
    """The tiny set without its points."""
    folder = tmp_path / "set"
    without = shutil.ignore_patterns(POINTS_FILE)
    return shutil.copytree(data.root_of(tiny_config), folder, ignore=without)


@pytest.fixture(scope="session")
def truth(tiny_split) -> dict[bytes, Tensor]:
    """The visible points of every frame, by its pixels."""
    known = {}
    for tracklet in (tracklet for part in tiny_split for tracklet in part):
        frames = load_frames(tracklet, range(len(tracklet)))
        known |= zip((pixels(frame) for frame in frames), tracklet.points.labels(), strict=True)
    return known


@pytest.fixture
def knowing(truth):
    """An estimator that tells the truth."""
    return lambda frames: torch.stack([truth[pixels(frame)] for frame in frames])


def pixels(frame: Tensor) -> bytes:
    return frame.contiguous().numpy().tobytes()


def middles(frames: Tensor) -> Tensor:
    """An estimator that takes every part to be in the middle."""
    return torch.full((len(frames), len(PARTS), 2), 0.5)


def nothing(frames: Tensor) -> Tensor:
    return middles(frames) * torch.nan


def stopping_after(calls: int, estimate):
    """The estimator, interrupted as by Ctrl-C when it has been asked so often."""
    asked = iter(range(calls))

    def estimated(frames: Tensor) -> Tensor:
        if next(asked, None) is None:
            raise KeyboardInterrupt
        return estimate(frames)

    return estimated


def everyone(split: Split) -> list[Tracklet]:
    return [tracklet for part in split for tracklet in part]


def test_every_tracklet_gets_what_the_estimator_said(root, tiny_split, knowing):
    split = ilids_vid.read(root)
    assert all(tracklet.points is None for tracklet in everyone(split))
    label(split, root, knowing)
    for mine, theirs in zip(everyone(ilids_vid.read(root)), everyone(tiny_split), strict=True):
        expected = theirs.points.labels()
        torch.testing.assert_close(mine.points.estimated, expected, equal_nan=True)
        torch.testing.assert_close(mine.points.labels(), expected, equal_nan=True)
        assert labelled_frames(mine.points) == labelled_frames(theirs.points)
    assert not (root / UNFINISHED).exists()


def test_the_summary_counts_what_was_found(root, tiny_split, knowing):
    labelled = label(ilids_vid.read(root), root, knowing)
    seen = torch.cat([tracklet.points.visible for tracklet in everyone(tiny_split)])
    assert (labelled.tracklets, labelled.frames) == (len(everyone(tiny_split)), len(seen))
    assert list(labelled.found) == list(PARTS)
    assert labelled.found["head"] == pytest.approx(seen[:, HEAD].float().mean().item())


@pytest.mark.parametrize("strategy", ["semi-supervised", "supervised"])
def test_a_labelled_set_can_be_learnt_from(root, tiny_config, knowing, strategy):
    label(ilids_vid.read(root), root, knowing)
    config = replace(tiny_config, strategy=strategy)
    _, history = train.fit(config, ilids_vid.read(root).train)
    assert len(history["total"]) == 2


def test_a_tracklet_in_two_lists_is_labelled_once(root):
    split = ilids_vid.read(root)
    labelled = label(split._replace(gallery=split.query + split.gallery), root, middles)
    assert labelled.tracklets == len(everyone(split))


def test_an_estimator_gets_a_batch_of_frames_of_one_size(root):
    split = ilids_vid.read(root)
    longest = max(everyone(split), key=len)
    write_image(torch.zeros(3, 20, 30, dtype=torch.uint8), longest.frames[1])
    sizes = []

    def estimate(frames: Tensor) -> Tensor:
        assert frames.dtype == torch.uint8 and not torch.is_grad_enabled()
        sizes.append(len(frames))
        return middles(frames).requires_grad_()

    labelled = label(split, root, estimate)
    assert sum(sizes) == labelled.frames and max(sizes) == 16 < len(longest)


def test_points_are_not_overwritten_without_leave(root, knowing):
    split = ilids_vid.read(root)
    label(split, root, knowing)
    before = (root / POINTS_FILE).read_bytes()
    with pytest.raises(FileExistsError, match=r"points.npz exists already; pass overwrite=True"):
        label(split, root, stopping_after(0, middles))
    assert (root / POINTS_FILE).read_bytes() == before
    label(split, root, middles, overwrite=True)
    assert (ilids_vid.read(root).train[0].points.estimated == 0.5).all()


def test_an_interruption_leaves_the_old_file_whole_and_can_be_resumed(root, knowing):
    split = ilids_vid.read(root)
    label(split, root, middles)
    before = (root / POINTS_FILE).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        label(split, root, stopping_after(5, knowing), overwrite=True)
    assert (root / POINTS_FILE).read_bytes() == before
    ilids_vid.read(root)
    done = len(keypoints.load(root / UNFINISHED))
    assert 0 < done < len(everyone(split))

    rest = everyone(split)[done:]
    calls = sum(-(-len(tracklet) // 16) for tracklet in rest)
    label(split, root, stopping_after(calls, knowing), overwrite=True, resume=True)
    resumed = keypoints.load(root)
    label(split, root, knowing, overwrite=True)
    torch.testing.assert_close(resumed, keypoints.load(root), equal_nan=True)


def test_without_leave_to_resume_work_begins_anew(root):
    split = ilids_vid.read(root)
    with pytest.raises(KeyboardInterrupt):
        label(split, root, stopping_after(5, nothing))
    assert label(split, root, middles).found == dict.fromkeys(PARTS, 1)


def test_a_file_that_cannot_be_written_leaves_the_old_one_whole(root, monkeypatch):
    split = ilids_vid.read(root)
    label(split, root, middles)
    before = (root / POINTS_FILE).read_bytes()

    def half(_, folder: Path) -> None:
        (folder / POINTS_FILE).write_bytes(before[: len(before) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(labelling, "save", half)
    with pytest.raises(OSError, match="no space left"):
        label(split, root, middles, overwrite=True)
    assert (root / POINTS_FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (lambda frames: middles(frames)[1:], r"\.png: expected points \[\d+, 9, 2\] .*; give NaN"),
        (lambda frames: middles(frames)[:, :5], r"got \[\d+, 5, 2\]"),
        (lambda frames: 80 * middles(frames), r"frame 0: expected \[9 2\] in 0..1"),
        (nothing, r"expected points, got none in \d+ frames such as .*cam1_person.*; look at"),
    ],
)
def test_a_wrong_estimate_is_refused(root, estimate, message):
    with pytest.raises(ValueError, match=message):
        label(ilids_vid.read(root), root, estimate)
    assert not (root / POINTS_FILE).exists()


def blank(person: int, camera: int) -> Tracklet:
    return Tracklet(torch.zeros(2, 3, 8, 4, dtype=torch.uint8), person, camera)


@pytest.mark.parametrize(
    ("layout", "at", "given"),
    [
        (mars, "", ""),
        (mars, "MARS", ""),
        (dukemtmc, "", ""),
        (dukemtmc, "DukeMTMC-VideoReID", ""),
        (ilids_vid, "", ""),
        (ilids_vid, "", "i-LIDS-VID"),
    ],
)
def test_points_are_where_the_reader_looks(tmp_path, layout, at, given):
    train, query, gallery = ([blank(person, c) for c in (1, 2)] for person in (1, 2, 2))
    query, gallery = [gallery[0]], gallery if layout is mars else gallery[1:]
    layout.write(Split(train, query, gallery), tmp_path / at)
    labelled = label(layout.read(tmp_path / given), tmp_path / given, middles)
    assert labelled.tracklets == 4
    assert all(tracklet.points for tracklet in everyone(layout.read(tmp_path / given)))


def write_openpose(file: Path, x: float, y: float) -> None:
    """What OpenPose writes of one person with nothing found but the nose, in pixels."""
    file.parent.mkdir(parents=True, exist_ok=True)
    person = {"pose_keypoints_2d": [x, y, 0.9] + [0] * 72}
    file.write_text(json.dumps({"version": 1.3, "people": [person]}))


def test_files_by_openpose_are_found_under_their_frames_names(root, tmp_path, tiny_config):
    split = ilids_vid.read(root)
    first, second, *_ = split.query[0].frames
    poses = tmp_path / "poses"
    for frame, x in ((first, 4), (second, 8)):
        place = poses / frame.relative_to(root).with_suffix("")
        write_openpose(Path(f"{place}_keypoints.json"), x, 16)
    labelled = label(split, root, poses, order="body25")
    assert labelled.found["head"] == pytest.approx(2 / labelled.frames)
    assert labelled.found["body"] == 0
    points = ilids_vid.read(root).query[0].points
    assert (tiny_config.height, tiny_config.width) == (32, 16)
    assert points.estimated[:2, HEAD].tolist() == [[0.25, 0.5], [0.5, 0.5]]
    assert points.estimated[2:].isnan().all() and points.estimated[:, BODY].isnan().all()
    assert labelled_frames(points, count=1) == [0]


def test_a_folder_without_files_of_the_frames_says_how_they_are_named_and_what_is_there(
    root, tmp_path
):
    expected = r"poses/i-LIDS-VID/sequences/cam1/person\w+/cam1_person\w+_keypoints\.json"
    (tmp_path / "poses").mkdir()
    split = ilids_vid.read(root)
    with pytest.raises(ValueError, match=rf"{expected}, got none .* no \.json file at all"):
        label(split, root, tmp_path / "poses")
    write_openpose(tmp_path / "poses" / "flat" / "001_keypoints.json", 1, 1)
    with pytest.raises(
        ValueError, match=rf"{expected}, got none .*1 other .*'flat/001_keypoints\.json'.*; name"
    ):
        label(split, root, tmp_path / "poses")
    assert not (root / UNFINISHED).exists()


def write_people(root: Path, poses: Path, *people: Tensor) -> Split:
    """A file for every frame of the first tracklet, in turn with one of the people, or nobody."""
    split = ilids_vid.read(root)
    for number, frame in enumerate(split.train[0].frames):
        place = poses / frame.relative_to(root).with_suffix("")
        found = [{"pose_keypoints_2d": people[number % len(people)].flatten().tolist()}]
        file = Path(f"{place}_keypoints.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"people": found if people[0].numel() else []}))
    return split


@pytest.mark.parametrize("layout", ["body25", "body25b", "coco18", "coco17"])
def test_files_in_any_known_order_give_the_same_points(root, tmp_path, layout):
    split = write_people(root, tmp_path / "poses", walker(layout, width=16, height=32))
    label(split, root, tmp_path / "poses")
    found = ilids_vid.read(root).train[0].points.estimated
    expected = parts_of(walker("coco17", width=16, height=32), "coco17", (32, 16))
    torch.testing.assert_close(found, expected.expand_as(found))


UNSURE = walker("body25", width=16, height=32) * torch.tensor([1, 1, 0.2])
CERTAIN = walker("body25", width=16, height=32) * torch.tensor([1, 1, 100])
PEOPLE = {  # what OpenPose found -> what is said of it
    r"such as .*_keypoints\.json: expected people in these files, got none": (torch.empty(0),),
    r"expected key points of a confidence from 0\.3, got at most 0\.18": (UNSURE,),
    r"expected confidences of 0 to 1, got up to 90": (CERTAIN,),
    r"expected 25 key points as in .*, got 18": tuple(
        walker(layout, width=16, height=32) for layout in ("body25", "coco18")
    ),
    r"about 1\.\d times as wide and 1\.\d times as high": (walker("coco18", width=24, height=48),),
}


@pytest.mark.parametrize("message", PEOPLE)
def test_a_set_that_cannot_be_right_is_refused_before_anything_is_written(root, tmp_path, message):
    split = write_people(root, tmp_path / "poses", *PEOPLE[message])
    with pytest.raises(ValueError, match=rf"(?s){message}.*; \w"):
        label(split, root, tmp_path / "poses")
    assert not list(root.rglob(POINTS_FILE))


def test_of_frames_with_two_scales_one_of_the_larger_is_named(root, tmp_path):
    right, wrong = (walker("coco18", width=16 * k, height=32 * k) for k in (1, 3))
    split = write_people(root, tmp_path / "poses", right, wrong)
    with pytest.raises(ValueError, match=rf"such as .*{split.train[0].frames[1].stem}_keypoints"):
        label(split, root, tmp_path / "poses")


def test_labels_that_spell_accents_with_other_code_points_are_read(tmp_path, tracklet):
    people = [tracklet(person, camera) for person in (1, 2, 3, 4) for camera in (1, 2)]
    folder.write(Split(people[:4], people[4::2], people[4:]), tmp_path)
    for person in tmp_path.glob("person*"):
        person.rename(tmp_path / normalize("NFD", f"é{person.name[-1]}"))
    (tmp_path / folder.SPLIT_FILE).unlink()
    split, labels = folder.read(tmp_path), tmp_path / "labels.json"
    name = normalize("NFC", split.train[0].frames[0].relative_to(tmp_path).as_posix())
    at = torch.full((len(PARTS), 2), 0.5)
    coco.write(coco.Labels(list(PARTS), {name: at}), labels, {name: (32, 16)})
    label(split, tmp_path, labels)
    assert folder.read(tmp_path).train[0].points.visible[0].all()


def test_an_order_is_for_openpose_only(root):
    with pytest.raises(ValueError, match=r"order: .*OpenPose's files only, got 'coco18'"):
        label(ilids_vid.read(root), root, middles, order="coco18")


@pytest.mark.parametrize(
    "error", [URLError("no route"), HTTPError("there", 503, "no route", {}, None)]
)
def test_weights_without_a_network_say_what_to_do(monkeypatch, error):
    def unreachable(*_, **__):
        raise error

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    with (
        torch.device("meta"),
        pytest.raises(ConnectionError, match=r"weights of Keypoint R-CNN .*no route.*OpenPose"),
    ):
        keypoint_rcnn(pretrained=True)


class Detector(nn.Module):
    """Finds the same people in every frame."""

    def __init__(self, **found):
        super().__init__()
        self.found = {name: torch.tensor(values) for name, values in found.items()}

    def forward(self, frames: list[Tensor]) -> list[dict[str, Tensor]]:
        assert all(frame.dtype == torch.float32 and frame.max() <= 1 for frame in frames)
        return [self.found] * len(frames)


def detector_of(monkeypatch, **found):
    monkeypatch.setattr("torchvision.models.get_model", lambda *_, **__: Detector(**found))
    return keypoint_rcnn()(torch.full((3, 3, 100, 50), 255, dtype=torch.uint8))


def test_the_surest_person_near_the_middle_is_taken(monkeypatch):
    aside, centre, thing = ([[x, 20.0, 1.0]] * 17 for x in (5.0, 25.0, 40.0))
    points = detector_of(
        monkeypatch,
        labels=[1, 1, 2],
        scores=[0.9, 0.8, 1.0],
        boxes=[[0.0, 0.0, 10.0, 100.0], [15.0, 0.0, 35.0, 100.0], [0.0, 0.0, 50.0, 100.0]],
        keypoints=[aside, centre, thing],
        keypoints_scores=[[5.0] * 15 + [1.9] * 2] * 3,
    )
    assert points.shape == (3, 9, 2)
    torch.testing.assert_close(points[:, :7], torch.tensor([0.5, 0.2]).expand(3, 7, 2))
    assert points[:, 7:].isnan().all()  # the ankles' logits are below 2


def test_nobody_detected_is_nothing_found(monkeypatch):
    nobody = {key: [] for key in ("labels", "scores", "boxes", "keypoints", "keypoints_scores")}
    assert detector_of(monkeypatch, **nobody).isnan().all()


def test_torchvisions_network_takes_frames_as_small_as_these():
    points = keypoint_rcnn(min_confidence=1e-3)(
        torch.randint(256, (1, 3, 32, 16), dtype=torch.uint8)
    )
    assert points.shape == (1, 9, 2)
    assert (points.isnan() | ((points >= 0) & (points <= 1))).all()


def test_what_the_annotator_wrote_is_what_semi_supervised_training_sees(root):
    split = ilids_vid.read(root)
    tracklet = split.train[0]
    last = len(tracklet) - 1  # frames worth labelling are eight apart
    clicked = [tracklet.frames[place].relative_to(root).as_posix() for place in (last, 2)]
    point = torch.tensor([0.25, 0.75])
    marks = {name: point.expand(len(PARTS), 2) for name in clicked}
    labels = root / "labels.json"  # parts in another order than ours
    coco.write(coco.Labels(list(PARTS[::-1]), marks), labels, dict.fromkeys(clicked, (32, 16)))
    label(split, root, labels)
    again = ilids_vid.read(root).train[0].points
    assert labelled_frames(again, 2) == [2, last]
    assert torch.equal(again.labels()[[2, last]], point.expand(2, len(PARTS), 2))
    assert not again.visible[[0, 1, 3]].any()


def test_labels_of_other_parts_are_refused_before_anything_is_written(root):
    split, labels = ilids_vid.read(root), root / "labels.json"
    coco.write(coco.Labels(["hat"], {}), labels, {})
    with pytest.raises(
        ValueError, match=r"labels.json: expected .* got none called head.*, but hat; .*call"
    ):
        label(split, root, labels)
    assert not list(root.rglob(POINTS_FILE))


@pytest.mark.parametrize("known", [0, 1])
def test_labels_of_other_frames_are_refused_and_some_of_them_counted(root, caplog, known):
    split, labels = ilids_vid.read(root), root / "labels.json"
    names = [frame.relative_to(root).as_posix() for frame in split.train[0].frames[:known]]
    marks = dict.fromkeys([*names, "/data/x.png", "y.png"], torch.full((len(PARTS), 2), 0.5))
    coco.write(coco.Labels(list(PARTS), marks), labels, dict.fromkeys(marks, (32, 16)))
    counted = f"2 of the {2 + known} labelled ones are not there, such as '/data/x.png'"
    if known:
        label(split, root, labels)
        assert "labels.json: expected labels of the pictures" in caplog.text
        assert counted in caplog.text
    else:
        with pytest.raises(ValueError, match=rf"labels\.json: .*{counted}"):
            label(split, root, labels)


def test_labels_without_a_visible_point_are_named(root):
    split, labels = ilids_vid.read(root), root / "labels.json"
    coco.write(coco.Labels(list(PARTS), {}), labels, {})
    with pytest.raises(ValueError, match=r"labels\.json: .*none with a visible key point; label"):
        label(split, root, labels)


def test_six_real_people_have_points_in_the_order_and_scale_that_is_found(tmp_path):
    home = os.environ.get("SSN3D_PEOPLE")
    if not home:
        pytest.skip("set SSN3D_PEOPLE to a folder with frames/ and OpenPose's openpose/")
    root = shutil.copytree(Path(home) / "frames", tmp_path / "frames")
    labelled = label(folder.read(root), root, Path(home) / "openpose")
    assert min(labelled.found.values()) > 0.8
