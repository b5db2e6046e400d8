"""Pedestrian 128: which points are labelled and where, what is written, and folders of users."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from ssn3d.datasets import coco
from ssn3d.synthetic import pedestrians
from ssn3d.synthetic.pedestrians import (
    PARTS,
    Pedestrians,
    Rendered,
    key_points,
    labelling_order,
    render_people,
)
from ssn3d.synthetic.walkers.keypoints import true_points
from ssn3d.synthetic.walkers.painting import Capsules, Pose, capsules, paint, project, together
from ssn3d.synthetic.walkers.person import body_limbs, new_person, skeleton
from ssn3d.synthetic.walkers.scene import Scene

SMALL = {"people": 14, "labelled": 4, "tracked": 3, "frames": 2, "height": 32, "width": 16}
SIZE = {"height": 32, "width": 16}


@pytest.fixture(scope="module")
def root(rendered, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pedestrians")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pedestrians, "render_people", lambda *_, **__: rendered)  # once for all tests
        pedestrians.write(folder, **SMALL)
    return folder


@pytest.fixture(scope="module")
def read(root) -> Pedestrians:
    return pedestrians.read(root, **SIZE)


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render_people(14, length=3, seed=0, **SIZE)


def known(points: Tensor) -> Tensor:
    return points.isfinite().all(dim=-1)


# Where the points are


def scene_of(yaw: float, *front: Capsules) -> tuple[Scene, dict[str, Tensor]]:
    """Six frames of somebody walking, and where the joints are seen."""
    person = new_person(torch.Generator().manual_seed(3))
    person = replace(person, bag="none", legwear="trousers", skin="fair", bottom="black")
    person = replace(person, shirt="navy", second_shirt="navy", pattern="plain", long_sleeves=True)
    joints = skeleton(person, 0.3 + torch.arange(6) * torch.pi / 3)
    pose = Pose(torch.full((6,), yaw), 0.15, 0.86, torch.zeros(6), torch.full((6,), 0.93))
    drawn = together([capsules(body_limbs(person, joints), pose), *front])
    still = torch.zeros(6, 2)
    points = true_points(joints, pose, still, torch.ones(6))
    scene = Scene(drawn, points, torch.zeros(6), still, torch.ones(6), 1.0)
    seen = {
        name: project(joint, pose)[0] / torch.tensor([0.5, 1]) + torch.tensor([0.5, 0])
        for name, joint in joints.items()
    }
    return scene, seen


@pytest.mark.parametrize("yaw", [0.0, 0.8, 1.6, 2.5, math.pi, -1.2])
def test_knees_and_feet_are_numbered_from_the_left(yaw):
    scene, seen = scene_of(yaw)
    points = key_points(scene)
    assert known(points).float().mean() > 0.7
    for joint, first in (("knee", 2), ("foot", 4)):
        for t in range(6):
            both = sorted((seen[f"{side} {joint}"][t] for side in ("left", "right")), key=min_x)
            for point, expected in zip(points[t, first : first + 2], both, strict=True):
                if point.isfinite().all():
                    torch.testing.assert_close(point, expected)


def min_x(point: Tensor) -> float:
    return point[0].item()


def test_the_number_does_not_depend_on_the_side_of_the_body():
    facing, away = (scene_of(yaw) for yaw in (0.0, math.pi))
    for (scene, seen), leftmost in ((facing, "right"), (away, "left")):
        points = key_points(scene)
        expected = seen[f"{leftmost} foot"]
        shown = known(points[:, 4])
        assert shown.any()
        torch.testing.assert_close(points[shown, 4], expected[shown])


@pytest.mark.parametrize(("yaw", "leftmost"), [(0.0, "right"), (math.pi, "left")])
def test_of_two_visible_hands_it_is_the_one_farther_left(yaw, leftmost):
    scene, seen = scene_of(yaw)
    hand = key_points(scene)[:, 1]
    assert known(hand).all()
    assert (hand - seen[f"{leftmost} hand"]).abs().max() < 0.015  # of its middle, not of the wrist
    assert (hand[:, 0] < seen[f"{'left' if leftmost == 'right' else 'right'} hand"][:, 0]).all()


def test_a_hidden_hand_leaves_the_other():
    scene, seen = scene_of(0.0)
    post = Capsules(
        ends=torch.tensor([[-0.12, -0.2], [-0.12, 1.2]])[None, :, None].expand(1, 2, 6, 2),
        radii=torch.full((1, 2, 6), 0.05),
        stretch=torch.ones(1, 6),
        depths=torch.tensor([6.0]),
        opacities=torch.ones(1),
        colours=torch.zeros(1, 2, 3),
        groups=["obstacle"],
    )
    behind_post, _ = scene_of(0.0, post)
    hidden = (seen["right hand"][:, 0] - 0.26).abs() < 0.06
    assert hidden.any()
    hand = key_points(behind_post)[:, 1]
    assert (hand - seen["left hand"])[hidden].abs().max() < 0.015
    assert (key_points(scene)[:, 1] - seen["right hand"])[hidden].abs().max() < 0.015


@pytest.mark.parametrize("yaw", [0.0, 0.8, 1.6, 2.5, -1.2])
def test_the_hand_is_painted_where_it_is_labelled(yaw):
    scene, _ = scene_of(yaw)
    canvas = torch.ones(6, 3, 240, 120)
    paint(canvas, scene.capsules, softness=0.0, sun=0.0)
    for frame, (x, y) in zip(canvas, key_points(scene)[:, 1].tolist(), strict=True):
        if math.isfinite(x):
            colour = frame[:, int(240 * y), int(120 * x)]
            assert colour[0] > colour[2] + 0.05  # skin: navy is blue, black and canvas are grey


def test_what_lies_outside_or_behind_is_not_labelled(rendered):
    points = rendered.points[known(rendered.points)]
    assert ((points >= 0) & (points <= 1)).all()
    assert 0.5 < known(rendered.points).float().mean() < 1


def test_left_is_left_in_every_picture(rendered):
    for first in (2, 4):
        pair = rendered.points[..., first : first + 2, :]
        both = known(pair).all(dim=-1)
        assert both.any() and (pair[both][:, 0, 0] <= pair[both][:, 1, 0]).all()


def test_people_come_from_several_cameras_and_stay_when_more_come(rendered):
    assert len(set(rendered.cameras)) > 3
    few = render_people(3, length=3, seed=0, **SIZE)
    assert torch.equal(few.frames, rendered.frames[:3])
    assert few.cameras == rendered.cameras[:3]


def test_those_with_all_parts_visible_are_labelled_first_from_every_camera():
    points = torch.full((12, 1, 6, 2), 0.5)
    points[[0, 3, 4], :, 1] = torch.nan
    points[7, :, 2:4] = torch.nan
    cameras = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]
    rendered = Rendered(torch.zeros(12, 1, 3, 4, 2), points, cameras)
    order = labelling_order(rendered, seed=0)
    assert sorted(order) == list(range(12))
    assert set(order[:8]) == set(range(12)) - {0, 3, 4, 7} and order[-1] == 7
    assert {cameras[i] for i in order[:3]} == {1, 2, 3}
    assert labelling_order(rendered, seed=1) != order


# What is written


def test_the_folder_holds_pictures_lists_and_tracks(root, read):
    names = [f"{person:03}.png" for person in range(1, 15)]
    assert read.names == names and read.parts == list(PARTS)
    assert sorted(path.name for path in root.iterdir()) == [
        *names, "labels.json", "tracks", "truth.json",
    ]  # fmt: skip
    folders = sorted(path.name for path in (root / "tracks").iterdir())
    assert len(folders) == SMALL["tracked"] + 1 and folders[-1] == "truth.json"
    frames = sorted(path.name for path in (root / "tracks" / folders[0]).iterdir())
    assert frames == ["01.png", "02.png"]


def test_pictures_and_points_come_back_as_rendered(read, rendered):
    assert torch.equal(read.frames, rendered.frames[:, 0])
    torch.testing.assert_close(read.truth, rendered.points[:, 0], equal_nan=True, atol=1e-5, rtol=0)


def test_some_are_labelled_with_their_true_visible_points(read):
    labelled = known(read.labels).any(dim=-1)
    assert labelled.sum() == SMALL["labelled"]
    assert read.truth is not None
    torch.testing.assert_close(read.labels[labelled], read.truth[labelled], equal_nan=True)
    others = known(read.truth[~labelled]).sum(dim=-1).tolist()
    assert min(known(read.labels[labelled]).sum(dim=-1).tolist()) >= max(others) - 1


def test_tracks_show_unlabelled_people_walking_on(root, read, rendered):
    people = sorted(int(path.name) for path in (root / "tracks").iterdir() if path.is_dir())
    unlabelled = (~known(read.labels).any(dim=-1)).nonzero()[:, 0] + 1
    assert people == unlabelled.tolist()[: SMALL["tracked"]]
    rows = [person - 1 for person in people]
    assert torch.equal(read.tracks, rendered.frames[rows, 1:])
    torch.testing.assert_close(
        read.tracks_truth, rendered.points[rows, 1:], equal_nan=True, atol=1e-5, rtol=0
    )


def test_the_same_seed_writes_the_same_files(root, tmp_path):
    pedestrians.write(tmp_path / "again", **SMALL)
    files = [path for path in root.rglob("*") if path.is_file()]
    assert len(files) == 14 + 2 + 3 * 2 + 1
    for path in files:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(root)).read_bytes()


def test_another_seed_shows_others(read, tmp_path):
    pedestrians.write(tmp_path, people=2, labelled=1, tracked=0, seed=1, **SIZE)
    other = pedestrians.read(tmp_path, **SIZE)
    assert (other.frames != read.frames[:2]).float().mean() > 0.5
    assert other.tracks is None and other.tracks_truth is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"people": 0}, "people=0"),
        ({"people": 1000}, "at most 999"),
        ({"labelled": 0}, "labelled=0"),
        ({"people": 4, "labelled": 5}, "labelled=5"),
        ({"people": 6, "labelled": 2, "tracked": 5}, "at most people - labelled can be tracked"),
        ({"frames": 0}, "1 to 99 frames, got 0"),
        ({"height": 8}, "at least 16 x 8 pixels"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        pedestrians.write(tmp_path, **{**SMALL, **settings})
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(root):
    with pytest.raises(FileExistsError, match=r"labels\.json exists already"):
        pedestrians.write(root, **SMALL)


# Folders of users


@pytest.fixture
def own(tmp_path) -> Path:
    """Three pictures of a user's, one of them in a folder of its own, one labelled."""
    (tmp_path / "more").mkdir()
    Image.new("RGB", (30, 60), "red").save(tmp_path / "one.jpg")
    Image.new("L", (50, 80), 200).save(tmp_path / "two.png")
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "more" / "three.png")
    write_labels(tmp_path, {"more/three.png": torch.tensor([[0.25, 0.5], [math.nan, math.nan]])})
    return tmp_path


def write_labels(folder: Path, points: dict[str, Tensor], parts=("nose", "tail"), **kinds) -> None:
    path = folder / kinds.get("file", "labels.json")
    coco.write(coco.Labels(list(parts), points), path, dict.fromkeys(points, (64, 64)))


def test_a_users_folder_needs_labels_only(own):
    found = pedestrians.read(own, height=24, width=12)
    assert found.names == ["more/three.png", "one.jpg", "two.png"]
    assert found.parts == ["nose", "tail"]
    assert found.frames.shape == (3, 3, 24, 12) and found.frames.dtype == torch.uint8
    assert found.labels.shape == (3, 2, 2)
    assert found.labels[0, 0].tolist() == [0.25, 0.5]
    assert known(found.labels).sum() == 1
    assert found.truth is None and found.tracks is None and found.tracks_truth is None


def test_pictures_have_the_default_size(own):
    assert pedestrians.read(own).frames.shape == (3, 3, 120, 60)


def test_tracks_need_no_truth(own):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        path = own / "tracks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 24), (10 * int(path.stem), 0, 0)).save(path)
    found = pedestrians.read(own, height=24, width=12)
    assert len(found.names) == 3 and found.tracks is not None
    assert found.tracks.shape == (2, 2, 3, 24, 12) and found.tracks_truth is None
    assert found.tracks[:, :, 0, 0, 0].tolist() == [[10, 20], [10, 20]]

    (own / "tracks" / "b" / "1.png").unlink()
    with pytest.raises(ValueError, match=r"same number of frames, .*'tracks/a': 2, 'tracks/b': 1"):
        pedestrians.read(own, height=24, width=12)


def test_tracks_within_tracks_are_refused(own):
    for name in ("1.png", "b/1.png"):
        path = own / "tracks" / "a" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 24)).save(path)
    with pytest.raises(ValueError, match="none in another"):
        pedestrians.read(own)


def test_labels_are_of_the_picture_as_it_is_shown(own):
    """A camera held upright stores its pictures lying and says so in EXIF."""
    lying = Image.new("RGB", (40, 20))
    lying.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: the left half becomes the upper one
    lying.save(own / "one.png", exif=exif)
    write_labels(own, {"one.png": torch.tensor([[0.5, 0.25], [0.5, 0.75]])})
    found = pedestrians.read(own, height=24, width=12)
    row = found.names.index("one.png")
    places = (found.labels[row] * torch.tensor([12, 24])).long()
    assert [found.frames[row, 0, y, x].item() for x, y in places.tolist()] == [255, 0]


def test_a_folder_without_labels_says_what_to_do(tmp_path):
    Image.new("RGB", (30, 60)).save(tmp_path / "one.png")
    with pytest.raises(FileNotFoundError, match=r"no .*labels\.json; label at least one picture"):
        pedestrians.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        pedestrians.read(tmp_path / "nowhere")


def test_labels_of_a_missing_picture_are_named(own):
    (own / "more" / "three.png").unlink()
    with pytest.raises(
        ValueError, match=r"labels\.json: .* are not there, such as 'more/three\.png'"
    ):
        pedestrians.read(own)


@pytest.mark.parametrize("points", [{}, {"one.jpg": torch.full((2, 2), math.nan)}])
def test_one_picture_must_be_labelled(own, points):
    write_labels(own, points)
    with pytest.raises(ValueError, match=r"labels\.json: expected a labelled picture at least"):
        pedestrians.read(own)


def test_truth_must_be_of_the_same_parts_and_pictures(own):
    write_labels(own, {"one.jpg": torch.zeros(2, 2)}, ("tail", "nose"), file="truth.json")
    with pytest.raises(ValueError, match=r"truth\.json: expected the parts of labels\.json"):
        pedestrians.read(own)
    write_labels(own, {"other.jpg": torch.zeros(2, 2)}, file="truth.json")
    with pytest.raises(ValueError, match=r"truth\.json: .* are not there, such as 'other\.jpg'"):
        pedestrians.read(own)
