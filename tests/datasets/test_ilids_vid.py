import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ssn3d.datasets import ilids_vid
from ssn3d.datasets.tracklets import Split

SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"


@pytest.fixture
def split(ilids_vid_split) -> Split:
    return ilids_vid_split


@pytest.fixture
def root(split, tmp_path) -> Path:
    ilids_vid.write(split, tmp_path / "written")
    return tmp_path / "written"


def people(split: Split) -> tuple[set[int], set[int]]:
    return {t.person for t in split.train}, {t.person for t in split.query}


def write_json(root: Path, content: object) -> None:
    (root / SPLITS).unlink(missing_ok=True)
    (root / "splits.json").write_text(json.dumps(content))


def test_what_is_written_comes_back(split, root):
    assert ilids_vid.read(root) == split


def test_a_split_out_of_order_comes_back_by_person(split, tmp_path):
    ilids_vid.write(Split(*(part[::-1] for part in split)), tmp_path / "turned")
    assert ilids_vid.read(tmp_path / "turned") == split


def test_the_files_are_those_of_ilids_vid(root):
    camera = root / "i-LIDS-VID/sequences/cam2"
    folders = ["person001", "person002", "person007", "person009", "person030", "person319"]
    assert sorted(path.name for path in camera.iterdir()) == folders
    frames = sorted(path.name for path in (camera / "person319").iterdir())
    numbers = [ilids_vid.parse_name(name).frame for name in frames]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    assert numbers[0] > 1


def test_the_split_file_counts_positions_of_folders_from_one(root):
    stored = scipy.io.loadmat(root / SPLITS)["ls_set"]
    assert stored.shape == (10, 6)
    assert stored.dtype == np.uint16
    assert stored[0].tolist() == [1, 3, 5, 2, 4, 6]
    assert (np.sort(stored, axis=1) == np.arange(1, 7)).all()


def test_the_ten_splits_differ_and_each_uses_everybody(root):
    found = [people(ilids_vid.read(root, split)) for split in range(10)]
    assert all(train | test == {1, 2, 7, 9, 30, 319} for train, test in found)
    assert all(len(train) == len(test) == 3 for train, test in found)
    assert len({tuple(sorted(test)) for _, test in found}) > 4


def test_queries_are_at_the_first_camera_and_the_gallery_at_the_second(root):
    split = ilids_vid.read(root, split=3)
    assert [t.camera for t in split.train] == [1, 2] * 3
    assert {t.camera for t in split.query} == {1}
    assert {t.camera for t in split.gallery} == {2}
    assert [t.person for t in split.query] == [t.person for t in split.gallery]


def test_the_other_half_can_be_tested_with(split, root):
    train, test = people(split)
    assert people(ilids_vid.read(root, test_half="last")) == (test, train)


def test_a_half_must_be_one_of_the_two(root):
    with pytest.raises(ValueError, match="expected 'first' or 'last', got 'second'"):
        ilids_vid.read(root, test_half="second")


def test_with_an_odd_number_of_people_one_more_is_trained_with(split, tracklet, tmp_path):
    odd = split._replace(train=[*split.train, tracklet(400, 1), tracklet(400, 2)])
    ilids_vid.write(odd, tmp_path / "odd")
    assert ilids_vid.read(tmp_path / "odd") == odd


@pytest.mark.parametrize("number", [-1, 10])
def test_there_are_only_so_many_splits(root, number):
    with pytest.raises(ValueError, match=f"expected 0 to 9 .* got {number}"):
        ilids_vid.read(root, number)


def test_a_splits_json_does_where_there_is_no_mat(root):
    names = ["person001", "person002", "person007", "person009", "person030", "person319"]
    write_json(root, [{"train": names[3:], "test": names[2::-1]}] * 2)
    assert people(ilids_vid.read(root, 1)) == ({9, 30, 319}, {1, 2, 7})
    with pytest.raises(ValueError, match="expected 0 to 1"):
        ilids_vid.read(root, 2)


def test_the_mat_goes_before_a_splits_json(split, root):
    (root / "splits.json").write_text("[]")
    assert ilids_vid.read(root) == split


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"train": [], "test": []}, "expected a list of"),
        ([{"train": ["person001"]}], "expected a list of.*KeyError: 'test'"),
        ([{"train": ["person001"], "test": ["person003"]}], "person003, which is no folder"),
        ([{"train": ["person001"], "test": ["person001"]}], "person001 in both"),
        ([{"train": ["person001"], "test": []}], "empty query"),
        ([{"train": ["person001"] * 2, "test": ["person002"]}], "each once .*person001 twice"),
        ([{"train": "person001", "test": "person002"}], "two lists of folders"),
        ([], "expected one of .*, which is empty, got 0; .*copy it anew"),
        (
            [{"train": [["person001"]], "test": [1]}],
            r"expected a list of.*\['person001'\] is no name",
        ),
    ],
)
def test_a_wrong_splits_json_is_explained(root, content, said):
    write_json(root, content)
    with pytest.raises(ValueError, match=said):
        ilids_vid.read(root)


@pytest.mark.parametrize(
    "spelt",
    [
        lambda name: rf"sequences\cam1\{name}",
        lambda name: f"sequences/cam1/{name}/ ",
        lambda name: f"{name}\\",
        lambda name: int(name[-3:]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_splits_json_of_another_tool_is_read(root, spelt, encoding):
    names = ["person001", "person002", "person007", "person009", "person030", "person319"]
    write_json(root, [])
    content = [{"train": [*map(spelt, names[3:])], "test": [*map(spelt, names[:3])]}]
    (root / "splits.json").write_text(json.dumps(content, indent=1), encoding=encoding)
    assert people(ilids_vid.read(root)) == ({9, 30, 319}, {1, 2, 7})


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4, 5, 6], [1, 2, 7, 9], [0, 1, 2, 7, 9, 30, 319]])
def test_numbers_that_may_be_places_are_refused(root, numbers):
    write_json(root, [{"train": numbers[::2], "test": numbers[1::2]}])
    with pytest.raises(ValueError, match=r"splits.json: .*numbers that are not those of the folde"):
        ilids_vid.read(root)


@pytest.mark.parametrize("text", ["[{", "[" * 100_000], ids=["cut off", "deep"])
def test_a_splits_json_that_is_no_json_is_named(root, text):
    write_json(root, [])
    (root / "splits.json").write_text(text)
    with pytest.raises(ValueError, match=r"splits.json: expected a list of"):
        ilids_vid.read(root)


@pytest.mark.parametrize("inner", ["i-LIDS-VID", "i-LIDS-VID/i-LIDS-VID"])
def test_a_split_folder_inside_is_found(root, split, inner):
    (root / "i-LIDS-VID").rename(root / "sequences and all")
    (root / inner).parent.mkdir(exist_ok=True)
    (root / "sequences and all").rename(root / inner)
    (root / "train-test people splits").rename(root / inner / "train-test people splits")
    (root / "points.npz").unlink()
    assert people(ilids_vid.read(root)) == people(split)


def test_the_inner_folder_will_do(root, split):
    assert ilids_vid.read(root / "i-LIDS-VID") == split


def test_without_sequences_every_place_looked_at_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        ilids_vid.read(tmp_path)
    for place in (tmp_path, tmp_path / "i-LIDS-VID", tmp_path / "i-LIDS-VID/i-LIDS-VID"):
        assert f"{place} (no sequences/cam1, sequences/cam2)" in str(error.value)
    assert "cam1_person001_00317.png" in str(error.value)


def test_without_splits_every_place_looked_at_is_named(root):
    (root / SPLITS).unlink()
    with pytest.raises(FileNotFoundError) as error:
        ilids_vid.read(root)
    for place in (root, root / "i-LIDS-VID", root / "i-LIDS-VID/i-LIDS-VID"):
        assert str(place / SPLITS) in str(error.value)
        assert str(place / "splits.json") in str(error.value)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.arange(1, 6)[None], r"expected shape \(splits, 6\).*got \(1, 5\)"),
        (np.arange(6)[None], "expected each of 1 to 6 once"),
        (np.ones((10, 6)), "expected each of 1 to 6 once"),
    ],
)
def test_wrong_positions_are_explained(root, array, said):
    scipy.io.savemat(root / SPLITS, {"ls_set": array})
    with pytest.raises(ValueError, match=said):
        ilids_vid.read(root)


def test_a_missing_person_does_not_shift_the_positions(root):
    for camera in ("cam1", "cam2"):
        shutil.rmtree(root / f"i-LIDS-VID/sequences/{camera}/person007")
    with pytest.raises(ValueError, match=r"expected shape \(splits, 5\).*got \(10, 6\)"):
        ilids_vid.read(root)


def test_a_person_at_one_camera_only_is_named(root):
    shutil.rmtree(root / "i-LIDS-VID/sequences/cam2/person007")
    with pytest.raises(ValueError, match=r"only one camera for \['person007'\]"):
        ilids_vid.read(root)


def test_the_first_frame_gone_from_a_tracklet_with_points_is_named(root):
    frame = ilids_vid.read(root).query[0].frames[0]
    frame.unlink()
    with pytest.raises(ValueError, match=f"begins with .*{frame.name}"):
        ilids_vid.read(root)


def test_what_does_not_fit_the_layout_is_not_written(split, tracklet, tmp_path):
    wrong = {
        "query: expected .* at camera 1, got person 5 at camera 2": split._replace(
            query=[tracklet(5, 2)]
        ),
        "train: .* got person 2 at camera 1 again": split._replace(
            train=[*split.train, tracklet(2, 1)]
        ),
        "every person at both cameras, got only one of 9": split._replace(
            train=[t for t in split.train if (t.person, t.camera) != (9, 2)]
        ),
        "expected 2 of 5 people in query.*got 3": split._replace(train=split.train[:4]),
        "names hold cameras": split._replace(
            train=[*split.train[:4], tracklet(1000, 1), tracklet(1000, 2)]
        ),
    }
    for said, bad in wrong.items():
        with pytest.raises(ValueError, match=said):
            ilids_vid.write(bad, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_a_splits_json_of_prid_is_understood(tmp_path):
    folder = os.environ.get("SSN3D_MARS_INFO")
    if not folder:
        pytest.skip("SSN3D_MARS_INFO does not name the folder of the official .mat files")
    splits = json.loads((Path(folder).parent / "splits_prid2011.json").read_text())
    for name in splits[0]["train"] + splits[0]["test"]:
        for camera in (1, 2):
            place = tmp_path / f"sequences/cam{camera}/{name}"
            place.mkdir(parents=True)
            (place / f"cam{camera}_{name}_0001.png").touch()
    write_json(tmp_path, splits)
    found = ilids_vid.read(tmp_path, 9)
    assert people(found)[1] == {int(name[-4:]) for name in splits[9]["test"]}
    assert [len(part) for part in found] == [178, 89, 89]
