import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from torchvision.io import write_png

from ssn3d.datasets import mars
from ssn3d.datasets.tracklets import Split, Tracklet


@pytest.fixture
def split(mars_split) -> Split:
    return mars_split


@pytest.fixture
def root(split, tmp_path) -> Path:
    mars.write(split, tmp_path / "written")
    return tmp_path / "written"


def rename_array(path: Path, name: str, dtype: type) -> None:
    (array,) = (v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__"))
    scipy.io.savemat(path, {name: array.astype(dtype)})


def owner_and_names(tracklet: Tracklet) -> tuple[int, int, list[str]]:
    return tracklet.person, tracklet.camera, [frame.stem for frame in tracklet.frames]


def change_row(path: Path, row: int, values: list[float]) -> None:
    table = scipy.io.loadmat(path)["track_test_info"]
    table[row] = values
    scipy.io.savemat(path, {"track_test_info": table})


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


def test_the_lists_count_from_one_in_the_types_of_the_official_ones(root):
    train = scipy.io.loadmat(root / "info/tracks_train_info.mat")["track_train_info"]
    query = scipy.io.loadmat(root / "info/query_IDX.mat")["query_IDX"]
    assert (train.dtype, query.dtype) == (np.int32, np.uint16)
    assert train.tolist() == [[1, 4, 1, 1], [5, 8, 1, 4], [9, 12, 3, 6], [13, 16, 3, 6]]
    assert query.tolist() == [[5, 6, 8, 9]]


def test_the_last_tracklet_skips_a_number_and_begins_late(root):
    last = mars.read(root).gallery[-1]
    assert mars.parse_name(last.frames[0].name) == mars.Name(12, 5, tracklet=3, frame=6)


def test_a_tracklet_of_999_frames_fits(split, tmp_path):
    longest = Tracklet(split.train[0].frames[:1, :, :2, :2].expand(999, -1, -1, -1), 3, 6)
    mars.write(split._replace(train=[longest]), tmp_path / "long")
    assert len(mars.read(tmp_path / "long").train[0]) == 999


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


def test_boxes_unpacked_one_folder_deeper_are_found(root, tmp_path):
    (root / "points.npz").unlink()
    nested = tmp_path / "nested"
    shutil.copytree(root / "info", nested / "info")
    for part in ("bbox_train", "bbox_test"):
        shutil.copytree(root / part, nested / part / part)
    assert mars.read(nested) == mars.read(root)


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


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", " \n"])
@pytest.mark.parametrize("before", ["", "bbox_train\\0001\\", "./bbox_train/0001/", "C:\\a b\\"])
def test_name_lists_of_other_tools_are_read(root, encoding, end, before):
    expected = [owner_and_names(t) for t in mars.read(root).train]
    path = root / "info/train_name.txt"
    lines = [before + name for name in path.read_text().splitlines()]
    path.write_bytes(end.join([*lines, "", ""]).encode(encoding))
    assert [owner_and_names(t) for t in mars.read(root).train] == expected


@pytest.mark.parametrize(
    ("line", "text"),
    [(1, "name"), (3, ""), (16, "0001C1T0001F001.jpg,1,1"), (2, "one two"), (1, "\ufeff\ufeff")],
)
def test_a_line_that_is_no_name_is_named_and_not_a_picture(root, line, text):
    path = root / "info/train_name.txt"
    lines = path.read_text().splitlines()
    lines.insert(line - 1, text)
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"^\S+/train_name.txt, line {line}: expected a file name"
    ):
        mars.read(root)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"0001C1T0001F001.jpg\r\n\xd6\r\n"])
def test_a_name_list_that_is_no_text_is_named(root, content):
    path = root / "info/train_name.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^\S+/train_name.txt: expected a text in UTF-8"):
        mars.read(root)


@pytest.mark.parametrize("ending", [".JPG", ".Jpeg", ".png", ".WebP"])
def test_frames_of_another_ending_than_the_listed_are_found(root, ending):
    expected = mars.read(root)
    for path in list(root.rglob("*.jpg")):
        path.rename(path.with_suffix(ending))
    back = mars.read(root)
    assert {frame.suffix for t in back.train for frame in t.frames} == {ending}
    assert [owner_and_names(t) for t in back.gallery] == [
        owner_and_names(t) for t in expected.gallery
    ]
    assert [t.points is None for t in back.gallery] == [t.points is None for t in expected.gallery]


def test_the_listed_ending_goes_before_others_and_two_others_are_refused(root):
    path = root / "bbox_train/0001/0001C1T0001F002.jpg"
    path.with_suffix(".png").touch()
    assert mars.read(root).train[0].frames[1] == path
    path.rename(path.with_suffix(".JPEG"))
    with pytest.raises(ValueError, match=r"got 0001C1T0001F002.JPEG and 0001C1T0001F002.png; rem"):
        mars.read(root)


@pytest.mark.parametrize("nowhere", [True, False])
def test_a_frame_that_is_a_link_to_nothing_is_refused(root, nowhere):
    path = root / "bbox_train/0001/0001C1T0001F002.jpg"
    path.unlink()
    path.symlink_to("gone.jpg" if nowhere else path.name)
    with pytest.raises(ValueError, match=f"link {path}: .* leads nowhere or to itself"):
        mars.read(root)


def test_frames_may_be_links(root, tmp_path):
    path = root / "bbox_train/0001/0001C1T0001F002.jpg"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert len(mars.read(root).train[0]) == 4


def test_a_missing_frame_is_named_before_any_training(root):
    path = root / "bbox_train/0001/0001C4T0002F003.jpg"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"0001C4T0002F003.jpg.*1 of this tracklet's 4"):
        mars.read(root)


def test_a_missing_folder_is_named(root):
    (root / "bbox_test/0012").rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"bbox_test/0012/0012C2T0001F001.jpg"):
        mars.read(root)


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
        ({"track_train_info": np.full((4, 4), 1.5)}, "whole numbers"),
        ({"track_train_info": np.array([[3, 2, 1, 1]])}, "lines between 1 and 16"),
        ({"track_train_info": np.array([[0, 2, 1, 1]])}, "row 1 .* got 0 to 2"),
        ({"track_train_info": np.array([[1, 17, 1, 1]])}, "got 1 to 17"),
    ],
)
def test_a_wrong_list_of_tracklets_is_explained(root, array, said):
    scipy.io.savemat(root / "info/tracks_train_info.mat", array)
    with pytest.raises(ValueError, match=said):
        mars.read(root)


def test_a_damaged_list_is_named(root):
    path = root / "info/tracks_train_info.mat"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"tracks_train_info.mat is not a readable MATLAB 5 file"):
        mars.read(root)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([[0, 5]], "got 0 to 5"),
        ([[5, 10]], "rows 1 to 9"),
        (np.ones((2, 2)), r"\(1, queries\)"),
        ([[5, 6, 8, 9, 6]], "each row .* once, got row 6 2 times"),
    ],
)
def test_wrong_queries_are_explained(root, query, said):
    scipy.io.savemat(root / "info/query_IDX.mat", {"query_IDX": np.array(query)})
    with pytest.raises(ValueError, match=said):
        mars.read(root)


@pytest.mark.parametrize(
    ("query", "who"),
    [([[3, 5]], "row 3 of person 0"), ([[1, 5]], "row 1 of person -1")],
)
def test_a_query_that_shows_nobody_is_refused(root, query, who):
    scipy.io.savemat(root / "info/query_IDX.mat", {"query_IDX": np.array(query)})
    with pytest.raises(ValueError, match=f"query_IDX.mat: .*got {who}.*from 0, add 1 to each"):
        mars.read(root)


def test_queries_that_count_from_zero_are_refused(root):
    path = root / "info/query_IDX.mat"
    stored = scipy.io.loadmat(path)["query_IDX"]
    scipy.io.savemat(path, {"query_IDX": stored - 1})  # rows 4 and 5 are of one person and camera
    with pytest.raises(ValueError, match=r"query_IDX.mat: .*if they count from 0, add 1 to each"):
        mars.read(root)


@given(st.lists(st.sampled_from(range(3, 9)), min_size=1, unique=True))
def test_no_other_choice_of_queries_is_taken_for_one_that_counts_from_zero(rows):
    owners = [(0, 2), (0, 5), (-1, 1), (2, 1), (2, 1), (2, 3), (10, 2), (12, 2), (12, 5)]
    test = [mars.Row(n, n + 1, *owner) for n, owner in enumerate(owners)]
    assert mars._counted_from_zero(rows, test) == (sorted(rows) == [3, 4, 6, 7])


def test_tracklets_that_count_from_zero_are_refused(root):
    path = root / "info/tracks_train_info.mat"
    table = scipy.io.loadmat(path)["track_train_info"] - np.array([1, 1, 0, 0])
    scipy.io.savemat(path, {"track_train_info": table})
    with pytest.raises(ValueError, match=r"row 1 of \S+tracks_train_info.mat: .*0, add 1 to each"):
        mars.read(root)


@pytest.mark.parametrize("person", [0, -1])
def test_a_query_of_nobody_is_not_written(split, tmp_path, person):
    query = [next(t for t in split.gallery if t.person == person)]
    with pytest.raises(ValueError, match=f"query: expected a person from 1 on, got {person}"):
        mars.write(split._replace(query=query), tmp_path / "new")


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
    with pytest.raises(ValueError, match=r"train_name.txt, line 2: expected .*0001C1T1F2.jpg"):
        mars.read(root)


def test_a_set_without_tracklets_is_not_read(root):
    scipy.io.savemat(root / "info/query_IDX.mat", {"query_IDX": np.zeros((1, 0))})
    with pytest.raises(ValueError, match="empty query"):
        mars.read(root)


def test_a_query_outside_the_gallery_is_not_written(split, tracklet, tmp_path):
    with pytest.raises(ValueError, match="query of person 99 at camera 1"):
        mars.write(split._replace(query=[tracklet(99, 1)]), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text", ["0001C1T0001F001.txt", "00-2C1T0001F001.jpg", "0001C1T0001F0001.jpg", "a.jpg", ""]
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


def test_the_official_queries_counted_from_zero_are_noticed(official):
    assert not mars._counted_from_zero(official.query, official.test)
    assert mars._counted_from_zero([row - 1 for row in official.query], official.test)


def test_the_official_rows_follow_each_other(official):
    for rows in (official.train, official.test):
        assert rows[0].start == 0
        assert all(row.stop == following.start for row, following in pairwise(rows))
        owners = [(row.person, row.camera) for row in rows]
        assert owners == sorted(owners)
    lengths = [row.stop - row.start for row in official.train]
    assert (sum(lengths), min(lengths), max(lengths)) == (509_914, 5, 900)


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
