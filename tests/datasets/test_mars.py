import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.io import write_png

from ssn3d.datasets import mars
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames


@pytest.fixture
def split(tracklet) -> Split:
    """With junk, distractors, people at one camera, twice at one camera, and for 2 frames only."""
    train = [tracklet(1, 1), tracklet(1, 4, points=True), tracklet(3, 6), tracklet(3, 6)]
    gallery = [
        tracklet(-1, 1),
        tracklet(0, 2),
        tracklet(0, 5),
        tracklet(2, 1, points=True),
        tracklet(2, 1),
        tracklet(2, 3, length=2),
        tracklet(10, 2),
        tracklet(12, 2),
        tracklet(12, 5, points=True),
    ]
    return Split(train, [gallery[row] for row in mars.choose_queries(gallery)], gallery)


@pytest.fixture
def root(split, tmp_path) -> Path:
    mars.write(split, tmp_path / "written")
    return tmp_path / "written"


def rename_array(path: Path, name: str, dtype: type) -> None:
    (array,) = (v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__"))
    scipy.io.savemat(path, {name: array.astype(dtype)})


def change_row(path: Path, row: int, values: list[float]) -> None:
    table = scipy.io.loadmat(path)["track_test_info"]
    table[row] = values
    scipy.io.savemat(path, {"track_test_info": table})


def test_what_is_read_can_be_written_and_read_again(root, tmp_path):
    first = mars.read(root, junk=True)
    mars.write(first, tmp_path / "again")
    assert mars.read(tmp_path / "again", junk=True) == first


def test_what_is_written_comes_back_but_for_jpeg(split, root):
    back = mars.read(root, junk=True)
    for wrote, read in zip(split, back, strict=True):
        assert [(t.person, t.camera) for t in read] == [(t.person, t.camera) for t in wrote]
        for a, b in zip(wrote, read, strict=True):
            difference = load_frames(a, range(len(a))).float() - load_frames(b, range(len(b)))
            assert difference.abs().mean() < 3
            assert (a.points is None) == (b.points is None)
            for mine, theirs in zip(a.points or (), b.points or (), strict=True):
                torch.testing.assert_close(mine, theirs, equal_nan=True)


def test_writing_twice_gives_the_same_bytes(split, root, tmp_path):
    mars.write(split, tmp_path / "twin")
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert Path("points.npz") in files
    for file in files:
        assert (root / file).read_bytes() == (tmp_path / "twin" / file).read_bytes()


def test_jpeg_files_are_copied_byte_for_byte(root, tmp_path):
    mars.write(mars.read(root), tmp_path / "again")
    frame = "bbox_test/0012/0012C2T0001F001.jpg"
    assert (root / frame).read_bytes() == (tmp_path / "again" / frame).read_bytes()


def test_png_files_are_encoded_anew(split, tmp_path):
    image = tmp_path / "frame.png"
    write_png(split.train[0].frames[0], str(image))
    train = [Tracklet([image], 1, 1)]
    mars.write(split._replace(train=train), tmp_path / "again")
    assert (tmp_path / "again/bbox_train/0001/0001C1T0002F006.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_tracklets_out_of_order_are_stored_in_the_order_of_mars(split, root, tmp_path):
    mars.write(Split(split.train[::-1], split.query, split.gallery[::-1]), tmp_path / "mixed")
    people = [(t.person, t.camera) for t in mars.read(tmp_path / "mixed", junk=True).gallery]
    assert people == sorted(people)


def test_the_gallery_holds_the_query_tracklets_themselves(root):
    split = mars.read(root)
    assert all(any(query is entry for entry in split.gallery) for query in split.query)


def test_junk_is_dropped_unless_asked_for(root):
    assert [t.person for t in mars.read(root).gallery][:2] == [0, 0]
    assert [t.person for t in mars.read(root, junk=True).gallery][:2] == [-1, 0]


def test_the_files_are_those_of_mars(root):
    def folders(part):
        return sorted(path.name for path in (root / part).iterdir())

    assert folders("bbox_train") == ["0001", "0003"]
    assert folders("bbox_test") == ["00-1", "0000", "0002", "0010", "0012"]
    assert (root / "bbox_test/00-1/00-1C1T0001F001.jpg").is_file()
    names = (root / "info/test_name.txt").read_bytes().split(b"\r\n")
    assert names[:2] == [b"00-1C1T0001F001.jpg", b"00-1C1T0001F002.jpg"]
    assert names[-1] == b""
    assert not any(b"\n" in name for name in names)


def test_the_lists_are_doubles_that_count_from_one(root):
    train = scipy.io.loadmat(root / "info/tracks_train_info.mat")["track_train_info"]
    query = scipy.io.loadmat(root / "info/query_IDX.mat")["query_IDX"]
    assert train.dtype == query.dtype == np.float64
    assert train.tolist() == [[1, 4, 1, 1], [5, 8, 1, 4], [9, 12, 3, 6], [13, 16, 3, 6]]
    assert query.tolist() == [[5, 6, 8, 9]]


def test_the_last_tracklet_skips_a_number_and_begins_late(root):
    last = mars.read(root).gallery[-1]
    assert mars.parse_name(last.frames[0].name) == mars.Name(12, 5, tracklet=3, frame=6)


def test_a_tracklet_of_999_frames_fits(split, tmp_path):
    longest = Tracklet(split.train[0].frames[:1].expand(999, -1, -1, -1), 3, 6)
    mars.write(split._replace(train=[longest]), tmp_path / "long")
    assert len(mars.read(tmp_path / "long").train[0]) == 999


def test_queries_are_each_persons_last_at_each_camera_if_two_saw_them():
    rows = [(-1, 1), (-1, 2), (0, 1), (0, 2), (2, 1), (2, 1), (2, 3), (5, 4), (5, 4)]
    assert mars.choose_queries([mars.Row(0, 1, *owner) for owner in rows]) == [5, 6]


def test_queries_keep_their_order(split, tmp_path):
    mars.write(split._replace(query=split.query[::-1]), tmp_path / "turned")
    people = [t.person for t in mars.read(tmp_path / "turned").query]
    assert people == [t.person for t in split.query][::-1]


def test_the_order_in_which_the_system_lists_files_does_not_matter(root, backwards):
    names = [path.name for path in mars.read(root).gallery[-1].frames]
    assert names == [f"0012C5T0003F00{frame}.jpg" for frame in (6, 7, 8, 9)]


def test_frames_are_ordered_by_number_whatever_the_name_list_says(root):
    expected = mars.read(root)
    path = root / "info/train_name.txt"
    lines = path.read_text().splitlines()
    lines[:4] = lines[3::-1]
    path.write_text("\n".join(lines))
    assert mars.read(root) == expected


@pytest.mark.parametrize("junk", [".DS_Store", "Thumbs.db", "._0001C1T0001F001.jpg"])
def test_files_of_the_operating_system_are_ignored(root, junk):
    expected = mars.read(root)
    for folder in (root, root / "bbox_train", root / "bbox_train/0001", root / "info"):
        (folder / junk).write_bytes(b"x")
    assert mars.read(root) == expected


def test_boxes_unpacked_one_folder_deeper_are_found(root, tmp_path):
    (root / "points.npz").unlink()
    nested = tmp_path / "nested"
    shutil.copytree(root / "info", nested / "info")
    for part in ("bbox_train", "bbox_test"):
        shutil.copytree(root / part, nested / part / part)
    assert mars.read(nested) == mars.read(root)


def test_the_folder_above_will_do(root, tmp_path):
    expected = mars.read(root)
    root.rename(tmp_path / "MARS")
    back = mars.read(tmp_path)
    assert [t.points is None for t in back.gallery] == [t.points is None for t in expected.gallery]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float64])
def test_names_and_types_of_the_arrays_do_not_matter(root, dtype):
    expected = mars.read(root)
    for file, name in {
        "tracks_train_info": "xmars_tracks_train_info",
        "query_IDX": "xmars_query_IDX",
    }.items():
        rename_array(root / f"info/{file}.mat", name, dtype)
    assert mars.read(root) == expected


def test_line_ends_of_the_name_lists_do_not_matter(root):
    expected = mars.read(root)
    for part in ("train", "test"):
        path = root / f"info/{part}_name.txt"
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    assert mars.read(root) == expected


def test_reading_opens_no_image(root):
    for path in root.rglob("*.jpg"):
        path.write_bytes(b"")
    assert len(mars.read(root).train) == 4


def test_a_missing_frame_is_named_before_any_training(root):
    path = root / "bbox_train/0001/0001C4T0002F003.jpg"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"0001C4T0002F003.jpg.*1 of this tracklet's 4"):
        mars.read(root)


def test_a_missing_folder_is_named(root):
    (root / "bbox_test/0012").rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"bbox_test/0012/0012C2T0001F001.jpg"):
        mars.read(root)


def test_a_corrupt_image_is_named(root):
    train = mars.read(root).train
    train[0].frames[2].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"0001C1T0001F003.jpg is not a readable image"):
        load_frames(train[0], range(4))


def test_a_missing_data_set_names_the_places_and_the_tree(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        mars.read(tmp_path)
    for said in (str(tmp_path / "MARS"), "no bbox_train, bbox_test, info", "query_IDX.mat"):
        assert said in str(error.value)


@pytest.mark.parametrize("file", ["tracks_test_info.mat", "query_IDX.mat"])
def test_a_missing_list_is_named(root, file):
    (root / "info" / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        mars.read(root)


def test_lost_lists_of_names_are_made_anew(root, caplog):
    expected = mars.read(root, junk=True)
    for part in ("train", "test"):
        (root / "info" / f"{part}_name.txt").unlink()
    assert mars.read(root, junk=True) == expected
    assert "train_name.txt does not exist; made anew" in caplog.text


def test_a_lost_list_of_names_is_not_made_of_too_few_images(root):
    (root / "info/train_name.txt").unlink()
    next((root / "bbox_train").rglob("*.jpg")).unlink()
    with pytest.raises(FileNotFoundError, match=r"train_name.txt .* expected 16 .* got 15; copy"):
        mars.read(root)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        ({"track_train_info": np.ones((4, 3))}, r"expected shape \(tracklets, 4\).*\(4, 3\)"),
        ({"a": np.ones((4, 4)), "b": np.ones((4, 4))}, "one array, got several"),
        ({"track_train_info": np.full((4, 4), 1.5)}, "whole numbers"),
        ({"track_train_info": np.full((4, 4), np.nan)}, "whole numbers"),
        ({"track_train_info": "text"}, "array of numbers"),
        ({"track_train_info": np.array([[3, 2, 1, 1]])}, "lines between 1 and 16"),
        ({"track_train_info": np.array([[0, 2, 1, 1]])}, "row 1 .* got 0 to 2"),
        ({"track_train_info": np.array([[1, 17, 1, 1]])}, "got 1 to 17"),
    ],
)
def test_a_wrong_list_of_tracklets_is_explained(root, array, said):
    scipy.io.savemat(root / "info/tracks_train_info.mat", array)
    with pytest.raises(ValueError, match=said):
        mars.read(root)


@pytest.mark.parametrize("content", [b"", b"no matlab file", "half"])
def test_a_damaged_list_is_named(root, content):
    path = root / "info/tracks_train_info.mat"
    path.write_bytes(path.read_bytes()[:200] if content == "half" else content)
    with pytest.raises(ValueError, match=r"tracks_train_info.mat is not a readable MATLAB 5 file"):
        mars.read(root)


@pytest.mark.parametrize(
    ("query", "said"),
    [([[0, 5]], "got 0 to 5"), ([[5, 10]], "rows 1 to 9"), (np.ones((2, 2)), r"\(1, queries\)")],
)
def test_wrong_queries_are_explained(root, query, said):
    scipy.io.savemat(root / "info/query_IDX.mat", {"query_IDX": np.array(query)})
    with pytest.raises(ValueError, match=said):
        mars.read(root)


@pytest.mark.parametrize("owner", [(2, 1), (12, 2)])
def test_a_tracklet_with_anothers_frames_names_the_frame(root, owner):
    path = root / "info/tracks_test_info.mat"
    row = scipy.io.loadmat(path)["track_test_info"][-1]
    change_row(path, -1, [*row[:2], *owner])
    with pytest.raises(ValueError, match=r"0012C5T0003F006.jpg: expected a frame of person"):
        mars.read(root)


def test_an_odd_name_in_the_list_is_named(root):
    path = root / "info/train_name.txt"
    path.write_text(path.read_text().replace("0001C1T0001F002.jpg", "0001C1T1F2.jpg"))
    with pytest.raises(ValueError, match=r"0001C1T1F2.jpg.*bbox_train"):
        mars.read(root)


@pytest.mark.parametrize("part", Split._fields)
def test_an_empty_list_is_not_written(split, tmp_path, part):
    with pytest.raises(ValueError, match=f"got an empty {part}"):
        mars.write(split._replace(**{part: []}), tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_a_set_without_tracklets_is_not_read(root):
    scipy.io.savemat(root / "info/query_IDX.mat", {"query_IDX": np.zeros((1, 0))})
    with pytest.raises(ValueError, match="empty query"):
        mars.read(root)


def test_a_query_outside_the_gallery_is_not_written(split, tracklet, tmp_path):
    with pytest.raises(ValueError, match="query of person 99 at camera 1"):
        mars.write(split._replace(query=[tracklet(99, 1)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("owner", [(10000, 1), (-2, 1), (5, 10)])
def test_numbers_that_fit_no_name_are_not_written(split, tracklet, tmp_path, owner):
    with pytest.raises(ValueError, match="MARS file names hold"):
        mars.write(split._replace(train=[tracklet(*owner)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_data_set_is_never_written_over(split, root):
    with pytest.raises(FileExistsError, match="bbox_train"):
        mars.write(split, root)


@given(
    st.builds(
        mars.Name,
        person=st.integers(-1, 9999),
        camera=st.integers(0, 9),
        tracklet=st.integers(0, 9999),
        frame=st.integers(0, 999),
    )
)
def test_names_are_read_as_they_are_written(name):
    assert mars.parse_name(mars.format_name(name)) == name


@pytest.mark.parametrize(
    "text", ["0001C1T0001F001.png", "00-2C1T0001F001.jpg", "0001C1T0001F0001.jpg", "a.jpg", ""]
)
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match=r"expected a file name like 0001C1T0001F001.jpg"):
        mars.parse_name(text)


@pytest.fixture(scope="module")
def official() -> mars.Info:
    folder = os.environ.get("SSN3D_MARS_INFO")
    if not folder:
        pytest.skip("SSN3D_MARS_INFO does not name the folder of the official .mat files")
    return mars.read_info(Path(folder))


def test_the_official_lists_have_the_counts_of_the_papers(official):
    gallery = [row for row in official.test if row.person != -1]
    assert (len({row.person for row in official.train}), len(official.train)) == (625, 8298)
    assert (len(official.test), len(gallery), len(official.query)) == (12180, 11310, 1980)


def test_the_official_rows_follow_each_other(official):
    for rows in (official.train, official.test):
        assert rows[0].start == 0
        assert all(row.stop == following.start for row, following in pairwise(rows))
        owners = [(row.person, row.camera) for row in rows]
        assert owners == sorted(owners)
    lengths = [row.stop - row.start for row in official.train]
    assert (sum(lengths), min(lengths), max(lengths)) == (509_914, 5, 900)


def test_the_official_queries_are_each_persons_last_at_each_camera(official):
    assert mars.choose_queries(official.test) == official.query


def test_without_the_queries_in_the_gallery_140_official_queries_have_no_answer(official):
    def answerless(gallery):
        return sum(
            not any(
                official.test[row].person == person and official.test[row].camera != camera
                for row in gallery
            )
            for person, camera in [official.test[row][2:] for row in official.query]
        )

    by_person = [row for row, entry in enumerate(official.test) if entry.person > 0]
    assert answerless(by_person) == 0
    assert answerless(sorted(set(by_person) - set(official.query))) == 140
