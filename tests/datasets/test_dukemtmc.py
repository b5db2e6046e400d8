from pathlib import Path

import pytest

from ssn3d.datasets import dukemtmc
from ssn3d.datasets.tracklets import Split


@pytest.fixture
def split(dukemtmc_split) -> Split:
    return dukemtmc_split


@pytest.fixture
def root(split, tmp_path) -> Path:
    dukemtmc.write(split, tmp_path / "written")
    return tmp_path / "written"


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


@pytest.mark.parametrize("folder", ["train/one", "train/0001/two"])
def test_an_odd_folder_is_named(root, folder):
    (root / folder).mkdir()
    with pytest.raises(ValueError, match=f"{folder}: expected a name like"):
        dukemtmc.read(root)


@pytest.mark.parametrize("part", Split._fields)
def test_an_empty_list_is_not_read(root, tmp_path, part):
    (root / "points.npz").unlink()
    (root / part).rename(tmp_path / "elsewhere")
    (root / part).mkdir()
    with pytest.raises(ValueError, match=f"got an empty {part}"):
        dukemtmc.read(root)
