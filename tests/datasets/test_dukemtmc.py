from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssn3d.datasets import dukemtmc
from ssn3d.datasets.tracklets import Split, load_frames


@pytest.fixture
def split(tracklet) -> Split:
    """People asked for and not, a tracklet of one frame, some with points."""
    train = [tracklet(1, 5), tracklet(1, 6, points=True), tracklet(8, 2, length=1)]
    gallery = [
        tracklet(2, 1, points=True),
        tracklet(2, 3),
        tracklet(3, 8, length=1),
        tracklet(7, 2),
        tracklet(7, 4, length=11, points=True),
        tracklet(9, 4),
    ]
    return Split(train, [gallery[0], gallery[3]], gallery)


@pytest.fixture
def root(split, tmp_path) -> Path:
    dukemtmc.write(split, tmp_path / "written")
    return tmp_path / "written"


def test_what_is_read_can_be_written_and_read_again(root, tmp_path):
    first = dukemtmc.read(root)
    dukemtmc.write(first, tmp_path / "again")
    assert dukemtmc.read(tmp_path / "again") == first


def test_what_is_written_comes_back_but_for_jpeg(split, root):
    for wrote, read in zip(split, dukemtmc.read(root), strict=True):
        assert [(t.person, t.camera) for t in read] == [(t.person, t.camera) for t in wrote]
        for a, b in zip(wrote, read, strict=True):
            difference = load_frames(a, range(len(a))).float() - load_frames(b, range(len(b)))
            assert difference.abs().mean() < 3
            assert (a.points is None) == (b.points is None)


def test_writing_twice_gives_the_same_bytes(split, root, tmp_path):
    dukemtmc.write(split, tmp_path / "twin")
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert Path("points.npz") in files
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "twin" / file).read_bytes()


def test_a_split_out_of_order_comes_back_by_person(split, tmp_path):
    dukemtmc.write(Split(*(part[::-1] for part in split)), tmp_path / "turned")
    for part in dukemtmc.read(tmp_path / "turned"):
        assert [t.person for t in part] == sorted(t.person for t in part)


def test_a_query_is_the_same_object_in_the_gallery(root):
    split = dukemtmc.read(root)
    assert split.query[0] is split.gallery[0]
    assert split.query[1] is split.gallery[3]


def test_queries_lie_in_query_and_in_gallery(root):
    files = [path.relative_to(root / "query") for path in (root / "query").rglob("*.jpg")]
    assert len(files) == 8
    for file in files:
        assert (root / "query" / file).read_bytes() == (root / "gallery" / file).read_bytes()


def test_a_query_copied_in_part_is_a_tracklet_of_its_own(root):
    next((root / "query/0007").rglob("*F0003*")).unlink()
    split = dukemtmc.read(root)
    assert [len(split.query[1]), len(split.gallery[3])] == [3, 4]


def test_a_query_outside_the_gallery_comes_back(split, tracklet, tmp_path):
    dukemtmc.write(split._replace(query=[tracklet(20, 1, points=True)]), tmp_path / "apart")
    back = dukemtmc.read(tmp_path / "apart")
    assert [(t.person, t.points is None) for t in back.query] == [(20, False)]
    assert len(back.gallery) == len(split.gallery)


def test_the_files_are_those_of_duke(root):
    tracklets = sorted(str(p.relative_to(root)) for p in root.glob("*/*/*"))
    assert tracklets == [
        *("gallery/0002/0004", "gallery/0002/0005", "gallery/0003/0006", "gallery/0007/0007"),
        *("gallery/0007/0008", "gallery/0009/0009", "query/0002/0004", "query/0007/0007"),
        *("train/0001/0001", "train/0001/0002", "train/0008/0003"),
    ]
    assert (root / "train/0001/0001/0001_C5_F0001_X00013.jpg").is_file()


def test_people_nobody_asks_for_are_marked(root):
    marked = {
        name.person: name.distractor
        for name in map(dukemtmc.parse_name, (p.name for p in root.rglob("*.jpg")))
    }
    assert marked == {1: False, 2: False, 3: True, 7: False, 8: False, 9: True}


def test_the_last_tracklet_begins_with_the_second_frame(root):
    frames = dukemtmc.read(root).gallery[-1].frames
    assert [dukemtmc.parse_name(path.name).frame for path in frames] == [2, 3, 4, 5]


def test_frames_are_ordered_by_their_number_not_by_name_or_system(root, backwards):
    folder = root / "gallery/0009/0009"
    for path in list(folder.iterdir()):
        name = dukemtmc.parse_name(path.name)
        # Without the underscore a name sorts after every name that has it.
        if name.frame == 3:
            path.rename(folder / path.name.replace("_", ""))
    frames = dukemtmc.read(root).gallery[-1].frames
    assert [dukemtmc.parse_name(path.name).frame for path in frames] == [2, 3, 4, 5]


def test_names_without_underscores_are_read(root):
    expected = [[(t.person, t.camera, len(t)) for t in part] for part in dukemtmc.read(root)]
    (root / "points.npz").unlink()
    for path in list(root.rglob("*.jpg")):
        path.rename(path.with_name(path.name.replace("_", "")))
    back = dukemtmc.read(root)
    assert [[(t.person, t.camera, len(t)) for t in part] for part in back] == expected
    assert back.query[0] is back.gallery[0]


def test_a_gap_in_the_frame_numbers_loses_nothing_behind_it(root):
    next((root / "gallery/0009").rglob("*F0003*")).unlink()
    frames = dukemtmc.read(root).gallery[-1].frames
    assert [dukemtmc.parse_name(path.name).frame for path in frames] == [2, 4, 5]


def test_a_frame_gone_from_a_tracklet_with_points_is_noticed(root):
    next((root / "gallery/0007/0008").rglob("*F0003*")).unlink()
    with pytest.raises(ValueError, match=r"gallery/0007/0008/.*expected 11 frames.*got 10"):
        dukemtmc.read(root)


def test_a_frame_gone_after_reading_is_named(root):
    tracklet = dukemtmc.read(root).train[0]
    tracklet.frames[1].unlink()
    with pytest.raises(FileNotFoundError, match=tracklet.frames[1].name):
        load_frames(tracklet, range(4))


def test_files_of_the_operating_system_are_ignored(root):
    expected = dukemtmc.read(root)
    for folder in (root, root / "train", root / "train/0001", root / "train/0001/0001"):
        for name in (".DS_Store", "Thumbs.db", "._0001_C5_F0001_X00013.jpg"):
            (folder / name).write_bytes(b"x")
    assert dukemtmc.read(root) == expected


def test_the_folder_above_will_do(root, tmp_path):
    (tmp_path / "above").mkdir()
    root.rename(tmp_path / "above/DukeMTMC-VideoReID")
    split = dukemtmc.read(tmp_path / "above")
    assert split.gallery[0].points is not None


def test_a_missing_data_set_names_the_places_and_the_tree(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        dukemtmc.read(tmp_path)
    for said in ("DukeMTMC-VideoReID (no train, query, gallery)", "0001_C6_F0099_X30823.jpg"):
        assert said in str(error.value)


def test_an_odd_file_is_named(root):
    (root / "train/0001/0001/copy.jpg").touch()
    with pytest.raises(ValueError, match=r"copy.jpg.*train/0001/0001"):
        dukemtmc.read(root)


@pytest.mark.parametrize("folder", ["train/one", "train/0001/two"])
def test_an_odd_folder_is_named(root, folder):
    (root / folder).mkdir()
    with pytest.raises(ValueError, match=f"{folder}: expected a name like"):
        dukemtmc.read(root)


@pytest.mark.parametrize("name", ["0002_C5_F0009_X00013.jpg", "0001_C4_F0009_X00013.jpg"])
def test_a_frame_of_another_person_or_camera_is_named(root, name):
    (root / "train/0001/0001" / name).touch()
    with pytest.raises(ValueError, match=f"{name}: expected a frame of person 1 at camera 5"):
        dukemtmc.read(root)


def test_a_tracklet_without_frames_is_named(root):
    (root / "train/0001/0099").mkdir()
    with pytest.raises(ValueError, match="train/0001/0099: expected frames"):
        dukemtmc.read(root)


@pytest.mark.parametrize("part", Split._fields)
def test_an_empty_list_is_neither_written_nor_read(split, root, tmp_path, part):
    with pytest.raises(ValueError, match=f"got an empty {part}"):
        dukemtmc.write(split._replace(**{part: []}), tmp_path / "empty")
    (root / "points.npz").unlink()
    (root / part).rename(tmp_path / "elsewhere")
    (root / part).mkdir()
    with pytest.raises(ValueError, match=f"got an empty {part}"):
        dukemtmc.read(root)


@pytest.mark.parametrize("owner", [(10000, 1), (-1, 1), (5, 10)])
def test_numbers_that_fit_no_name_are_not_written(split, tracklet, tmp_path, owner):
    with pytest.raises(ValueError, match="DukeMTMC-VideoReID file names hold"):
        dukemtmc.write(split._replace(train=[tracklet(*owner)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_data_set_is_never_written_over(split, root):
    with pytest.raises(FileExistsError, match="train"):
        dukemtmc.write(split, root)


@given(
    st.builds(
        dukemtmc.Name,
        person=st.integers(0, 9999),
        camera=st.integers(0, 9),
        frame=st.integers(0, 9999),
        video_frame=st.integers(0, 400_000),
        distractor=st.booleans(),
    ),
    st.booleans(),
)
def test_names_are_read_as_they_are_written_with_and_without_underscores(name, bare):
    text = dukemtmc.format_name(name)
    assert dukemtmc.parse_name(text.replace("_", "") if bare else text) == name
