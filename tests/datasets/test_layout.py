"""What the layouts share, tested once for each of them."""

import os
import pickle
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssn3d.datasets import dukemtmc, folder, ilids_vid, mars
from ssn3d.datasets.layout import check_links, check_writable, list_images
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames


class Layout(NamedTuple):
    module: ModuleType
    above: str
    """The name under which the folder above finds a set."""
    tracklet: str
    """Folder of a tracklet without points."""
    frame: str
    """A name that a frame of this tracklet can have."""
    people: str
    """Folder of the folders of people, where the layout checks their names."""
    missing: str
    """What the error says is missing in an empty folder."""


LAYOUTS = {
    "mars": Layout(
        mars, "MARS", "bbox_train/0001", "0001C1T0001F001.jpg", "", "bbox_train, bbox_test, info"
    ),
    "ilids_vid": Layout(
        ilids_vid,
        "",
        "i-LIDS-VID/sequences/cam1/person009",
        "cam1_person009_00317.png",
        "i-LIDS-VID/sequences/cam1",
        "sequences/cam1, sequences/cam2",
    ),
    "dukemtmc": Layout(
        dukemtmc,
        "DukeMTMC-VideoReID",
        "train/0001/0001",
        "0001_C5_F0001_X00013.jpg",
        "train",
        "train, query, gallery",
    ),
}
OWN = Layout(folder, "", "", "", "", "")
WITH_OWN = pytest.mark.parametrize("name", [*LAYOUTS, "folder"])
FOLDERS_OF_PEOPLE = pytest.mark.parametrize("name", ["ilids_vid", "dukemtmc"])


@pytest.fixture(params=LAYOUTS)
def name(request) -> str:
    return request.param


@pytest.fixture
def layout(name) -> Layout:
    return LAYOUTS.get(name, OWN)


@pytest.fixture
def split(name, request) -> Split:
    return request.getfixturevalue(f"{name}_split")


@pytest.fixture
def root(layout, split, tmp_path) -> Path:
    layout.module.write(split, tmp_path / "written")
    return tmp_path / "written"


def read(layout: Layout, root: Path) -> Split:
    """Everything that was written, junk too."""
    return layout.module.read(root, **({"junk": True} if layout.module is mars else {}))


@WITH_OWN
def test_what_is_read_can_be_written_and_read_again(layout, root, tmp_path):
    first = read(layout, root)
    layout.module.write(first, tmp_path / "again")
    assert read(layout, tmp_path / "again") == first


def test_what_is_written_comes_back_but_for_jpeg(layout, split, root):
    for wrote, back in zip(split, read(layout, root), strict=True):
        assert [(t.person, t.camera) for t in back] == [(t.person, t.camera) for t in wrote]
        for a, b in zip(wrote, back, strict=True):
            difference = load_frames(a, range(len(a))).float() - load_frames(b, range(len(b)))
            assert difference.abs().mean() < 3
            assert (a.points is None) == (b.points is None)
            for mine, theirs in zip(a.points or (), b.points or (), strict=True):
                torch.testing.assert_close(mine, theirs, rtol=0, atol=0, equal_nan=True)


@WITH_OWN
def test_writing_twice_gives_the_same_bytes(layout, split, root, tmp_path):
    layout.module.write(split, tmp_path / "twin")
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert Path("points.npz") in files
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "twin" / file).read_bytes()


@WITH_OWN
def test_a_split_out_of_order_comes_back_by_person(layout, split, tmp_path):
    turned = Split(split.train[::-1], split.query[::-1], split.gallery[::-1])
    layout.module.write(turned, tmp_path / "turned")
    train, _, gallery = read(layout, tmp_path / "turned")
    for part in (train, gallery):
        assert [t.person for t in part] == sorted(t.person for t in part)


def test_the_order_in_which_the_system_lists_files_does_not_matter(layout, split, root, request):
    expected = read(layout, root)
    request.getfixturevalue("backwards")
    assert read(layout, root) == expected


def test_files_of_the_operating_system_are_ignored(layout, root):
    expected = read(layout, root)
    places = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for place in places:
        for junk in (".DS_Store", "Thumbs.db", f"._{layout.frame}"):
            (place / junk).write_bytes(b"x")
        (place / "__MACOSX").mkdir()
    assert read(layout, root) == expected


@WITH_OWN
def test_reading_opens_no_image(layout, root):
    expected = [len(part) for part in read(layout, root)]
    for path in [*root.rglob("*.jpg"), *root.rglob("*.png")]:
        path.write_bytes(b"")
    assert [len(part) for part in read(layout, root)] == expected


@pytest.mark.parametrize("name", ["mars", "dukemtmc"])
def test_the_folder_above_will_do(layout, root, tmp_path):
    expected = [[t.points is None for t in part] for part in read(layout, root)]
    root.rename(tmp_path / layout.above)
    found = [[t.points is None for t in part] for part in read(layout, tmp_path)]
    assert found == expected


def test_a_missing_data_set_names_the_places_and_the_tree(layout, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        layout.module.read(tmp_path)
    for said in (str(tmp_path / layout.above), f"(no {layout.missing})", layout.module.TREE):
        assert said in str(error.value)


@pytest.mark.parametrize("name", ["ilids_vid", "dukemtmc", "folder"])
def test_a_frame_gone_from_a_tracklet_with_points_is_noticed(layout, root):
    everyone = [t for part in layout.module.read(root) for t in part]
    longest = max((t for t in everyone if t.points is not None), key=len)
    longest.frames[2].unlink()
    length, folder = len(longest), longest.frames[0].parent
    said = f"{folder}/.*expected {length} frames for its body points, got {length - 1}"
    with pytest.raises(ValueError, match=said):
        layout.module.read(root)


@FOLDERS_OF_PEOPLE
def test_an_odd_file_is_named(layout, root):
    (root / layout.tracklet / layout.frame).with_stem("copy").touch()
    with pytest.raises(ValueError, match=rf"'copy\..*{layout.tracklet}"):
        layout.module.read(root)


@FOLDERS_OF_PEOPLE
def test_an_odd_folder_is_named(layout, root):
    (root / layout.people / "people").mkdir()
    with pytest.raises(ValueError, match=f"{layout.people}/people: expected a name like"):
        layout.module.read(root)


@FOLDERS_OF_PEOPLE
@pytest.mark.parametrize("ending", [".JPG", ".Jpeg", ".PNG", ".webp", ".TIF"])
def test_frames_of_any_image_format_are_read(layout, root, ending):
    expected = [
        [(t.person, t.camera, len(t), t.points is None) for t in s] for s in read(layout, root)
    ]
    for path in [*root.rglob("*.jpg"), *root.rglob("*.png")]:
        path.rename(path.with_suffix(ending))
    back = read(layout, root)
    assert [[(t.person, t.camera, len(t), t.points is None) for t in s] for s in back] == expected
    assert {frame.suffix for s in back for t in s for frame in t.frames} == {ending}


@FOLDERS_OF_PEOPLE
def test_two_files_of_one_frame_are_named(layout, root):
    path = min((root / layout.tracklet).iterdir())
    path.with_suffix(".bmp").touch()
    said = f"{layout.tracklet}: expected one file for each frame.*{path.stem}.*and {path.stem}"
    with pytest.raises(ValueError, match=said):
        layout.module.read(root)


def test_a_link_back_to_a_folder_above_is_refused(layout, root):
    (root / layout.people / "0777").symlink_to(root)
    with pytest.raises(ValueError, match=r"link .*0777: .* leads back to .*; remove the link"):
        check_links(root)


def test_a_pipe_is_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "1.png")
    for look in (check_links, list_images):
        with pytest.raises(ValueError, match=r"1\.png: expected a file or folder, got a pipe"):
            look(tmp_path)


@FOLDERS_OF_PEOPLE
def test_a_reader_refuses_a_link_that_goes_in_a_circle(layout, root):
    (root / layout.people / "0777").symlink_to("..")
    with pytest.raises(ValueError, match=r"link .*0777: .* goes in a circle"):
        layout.module.read(root)


@FOLDERS_OF_PEOPLE
def test_a_tracklet_without_frames_is_named(layout, root):
    for frame in (root / layout.tracklet).iterdir():
        frame.unlink()
    with pytest.raises(ValueError, match=f"{layout.tracklet}: expected frames"):
        layout.module.read(root)


@FOLDERS_OF_PEOPLE
@pytest.mark.parametrize("field", ["person", "camera"])
def test_a_frame_of_another_person_or_camera_is_named(layout, root, field):
    name = layout.module.parse_name(layout.frame)
    other = layout.module.format_name(name._replace(frame=999, **{field: 7}))
    (root / layout.tracklet / other).touch()
    said = f"{other}: expected a frame of person {name.person} at camera {name.camera}"
    with pytest.raises(ValueError, match=said):
        layout.module.read(root)


@WITH_OWN
@pytest.mark.parametrize("part", Split._fields)
def test_an_empty_list_is_not_written(layout, split, tmp_path, part):
    with pytest.raises(ValueError, match=f"got an empty {part}"):
        layout.module.write(split._replace(**{part: []}), tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("name", ["mars", "dukemtmc"])
@pytest.mark.parametrize("owner", [(10000, 1), (-2, 1), (5, 10)])
def test_numbers_that_fit_no_name_are_not_written(layout, split, tracklet, tmp_path, owner):
    with pytest.raises(ValueError, match="file names hold"):
        layout.module.write(split._replace(train=[tracklet(*owner)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@WITH_OWN
def test_a_data_set_is_never_written_over(layout, split, root):
    with pytest.raises(FileExistsError, match="exists already; write to an empty folder"):
        layout.module.write(split, root)


DIGITS = st.integers(0, 9), st.integers(0, 999), st.integers(0, 9999), st.integers(0, 99_999)
NAMES = st.one_of(
    st.builds(mars.Name, st.integers(-1, 9999), DIGITS[0], DIGITS[2], DIGITS[1]),
    st.builds(ilids_vid.Name, DIGITS[0], DIGITS[1], DIGITS[3]),
    st.builds(
        dukemtmc.Name, DIGITS[2], DIGITS[0], DIGITS[2], st.integers(0, 4 * 10**5), st.booleans()
    ),
)


@given(NAMES, st.booleans())
def test_names_are_read_as_they_are_written(name, bare):
    module = {mars.Name: mars, ilids_vid.Name: ilids_vid, dukemtmc.Name: dukemtmc}[type(name)]
    text = module.format_name(name)
    if bare and module is dukemtmc:  # some copies have no underscores
        text = text.replace("_", "")
    assert module.parse_name(text) == name


def test_frame_files_are_a_sequence_of_paths(files, tmp_path):
    assert list(files) == [tmp_path / f"{frame}.png" for frame in range(4)]
    assert files[-1] == tmp_path / "3.png"
    assert list(files[1:3]) == list(files)[1:3]
    assert pickle.loads(pickle.dumps(files)) == files


def test_tracklets_that_cannot_be_written_are_explained(tracklet, tmp_path):
    good = tracklet(1, 1, points=True)
    wrong = {
        "at least one frame": Tracklet([], 1, 1),
        r"uint8 \[t 3 H W\], got torch.float32": Tracklet(good.frames.float(), 1, 1),
        r"got torch.uint8 \[4, 1, 32, 16\]": Tracklet(good.frames[:, :1], 1, 1),
        "body points for 3 frames, got them for 4": Tracklet(good.frames[:3], 1, 1, good.points),
    }
    for said, bad in wrong.items():
        with pytest.raises(ValueError, match=f"person 1 at camera 1: .*{said}"):
            check_writable(Split([good], [good], [good, bad]), tmp_path, ())
