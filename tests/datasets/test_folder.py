import codecs
import csv
import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from unicodedata import normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ssn3d.datasets import folder
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import JUNK, Split, Tracklet, load_frames

NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=6
).filter(lambda name: not name.startswith((".", "__", "@")))
PEOPLE = st.lists(NAMES, min_size=3, max_size=6, unique_by=lambda name: normalize("NFC", name))


def put(root: Path, *paths: str) -> None:
    """Empty files, as reading a data set opens none."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def places(tracklets: list[Tracklet]) -> list[str]:
    return ["/".join(tracklet.frames[0].parts[-4:-1]) for tracklet in tracklets]


def owners(tracklets: list[Tracklet]) -> list[tuple[int, int, int]]:
    return [(tracklet.person, tracklet.camera, len(tracklet)) for tracklet in tracklets]


def say(root: Path, *rows: str, header: str = "person,role") -> None:
    (root / "split.csv").write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")


@pytest.fixture
def root(tmp_path) -> Path:
    """Four people, of whom Cleo was seen by one camera only and Bo twice by the door's."""
    root = tmp_path / "own"
    for place in ("Anna/door/1", "Anna/yard/1", "Bo/door/2", "Bo/door/10", "Bo/yard/1"):
        put(root, f"{place}/0.jpg", f"{place}/1.jpg")
    for place in ("Cleo/yard/1", "Dan Ö/door/1", "Dan Ö/yard/x"):
        put(root, f"{place}/0.png")
    return root


@pytest.fixture
def split(folder_split) -> Split:
    return folder_split


def test_every_second_person_is_tested_with_and_one_camera_people_are_not(root):
    split = folder.read(root)
    singles, pairs = ["Cleo/yard/1"], ["Anna/door/1", "Anna/yard/1", "Dan Ö/door/1", "Dan Ö/yard/x"]
    assert places(split.train) == sorted(pairs + singles)
    assert places(split.query) == ["Bo/door/2", "Bo/yard/1"]
    assert places(split.gallery) == ["Bo/door/2", "Bo/door/10", "Bo/yard/1"]
    assert owners(split.gallery) == [(2, 1, 2), (2, 1, 2), (2, 2, 2)]
    assert owners(split.train) == [(1, 1, 2), (1, 2, 2), (3, 2, 1), (4, 1, 1), (4, 2, 1)]


def test_a_query_is_the_same_object_in_the_gallery(root):
    split = folder.read(root)
    assert split.query[0] is split.gallery[0]
    assert split.query[1] is split.gallery[2]


def test_one_person_at_two_cameras_among_others_is_tested_with(root):
    shutil.rmtree(root / "Anna/door")
    shutil.rmtree(root / "Dan Ö/door")
    assert {t.person for t in folder.read(root).gallery} == {2}


def test_numbers_in_names_count_as_numbers(tmp_path, backwards):
    for person in ("10", "2", "02", "1", "a"):
        for camera in ("c10", "c9"):
            put(tmp_path, f"{person}/{camera}/1/f1.jpg")
    frames = [f"f{i}.jpg" for i in (2, 11, 100)]
    put(tmp_path, *(f"1/c9/1/{frame}" for frame in frames))
    train, _, gallery = folder.read(tmp_path)
    assert places(gallery) == ["02/c9/1", "02/c10/1", "10/c9/1", "10/c10/1"]
    assert [(t.person, t.camera) for t in gallery] == [(2, 1), (2, 2), (4, 1), (4, 2)]
    assert [frame.name for frame in train[0].frames] == ["f1.jpg", *frames]


def test_endings_count_in_capital_letters_too_and_other_files_do_not(root):
    put(root, *(f"Bo/yard/1/{name}" for name in ("2.JPG", "3.jpeg", "4.PnG", "notes.txt", "5.gif")))
    names = [frame.name for frame in folder.read(root).gallery[-1].frames]
    assert names == ["0.jpg", "1.jpg", "2.JPG", "3.jpeg", "4.PnG"]


def test_what_a_system_left_is_passed_over(root):
    before = folder.read(root)
    for place in (".", "Anna", "Anna/door", "Anna/door/1"):
        put(root, *(f"{place}/{name}" for name in (".DS_Store", "._0.jpg", "Thumbs.db")))
        put(root, *(f"{place}/{name}/x.jpg" for name in ("__MACOSX", "@eaDir", ".thumbs")))
    assert [places(part) for part in folder.read(root)] == [places(part) for part in before]
    assert [owners(part) for part in folder.read(root)] == [owners(part) for part in before]


def test_folders_may_be_named_like_images(root):
    (root / "Bo").rename(root / "Bo.jpg")
    assert places(folder.read(root).query) == ["Bo.jpg/door/2", "Bo.jpg/yard/1"]


def test_links_to_folders_elsewhere_are_followed(root, tmp_path):
    (root / "Bo").rename(tmp_path / "elsewhere")
    (root / "Bo").symlink_to(tmp_path / "elsewhere")
    assert places(folder.read(root).query) == ["Bo/door/2", "Bo/yard/1"]


@settings(max_examples=15)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_any_names_are_numbered_alike_in_any_order_of_the_file_system(people, shuffler):
    scandir = os.scandir

    def shuffled(path):
        with scandir(path) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        shuffler.shuffle(listed)
        return nullcontext(listed)

    with TemporaryDirectory() as own, pytest.MonkeyPatch.context() as patch:
        for person in people:
            put(Path(own), *(f"{person}/{camera}/1/1.jpg" for camera in "ab"))
        patch.setattr(os, "scandir", shuffled)
        split, again = folder.read(Path(own)), folder.read(Path(own))
    assert [places(part) for part in split] == [places(part) for part in again]
    number = {t.frames[0].parts[-4]: t.person for part in split for t in part}
    assert sorted(number.values()) == list(range(1, len(people) + 1))
    assert sorted(number) == sorted(people)


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.integers(0, 20), st.sets(st.sampled_from("abc"), min_size=1), min_size=3, max_size=6
    )
)
def test_people_are_divided_so_that_tested_ones_can_be_found(seen):
    several = [person for person, cameras in seen.items() if len(cameras) > 1]
    assume(several and len(seen) - max(1, len(several) // 2) > 1)
    with TemporaryDirectory() as own:
        for person, cameras in seen.items():
            put(Path(own), *(f"{person}/{c}/{i}/1.jpg" for c in cameras for i in (1, 2)))
        train, query, gallery = folder.read(Path(own))
    assert len(train) + len(gallery) == 2 * sum(map(len, seen.values()))
    assert not {t.person for t in train} & {t.person for t in gallery}
    assert len({t.person for t in gallery}) == max(1, len(several) // 2)
    assert {(t.person, t.camera) for t in query} == {(t.person, t.camera) for t in gallery}
    assert len(gallery) == 2 * len(query)
    for each in query:
        assert any((t.person == each.person) and (t.camera != each.camera) for t in gallery)


def test_the_split_file_decides_and_a_more_precise_row_wins(root):
    rows = ("Bo,yard,1,gallery", "Bo,door,,query-only", "Bo,,,ignore", "Bo,door,10,query")
    others = ("Cleo,,,gallery", "Anna,,,test", "Dan Ö,,,train", "Eve,,,train", "Eve,yard,,ignore")
    put(root, "Eve/door/1/1.png", "Eve/yard/1/1.png")
    say(root, *rows, *others, header="person,camera,tracklet,role")
    split = folder.read(root)
    assert places(split.train) == ["Dan Ö/door/1", "Dan Ö/yard/x", "Eve/door/1"]
    assert places(split.query) == ["Anna/door/1", "Anna/yard/1", "Bo/door/2", "Bo/door/10"]
    expected = ["Anna/door/1", "Anna/yard/1", "Bo/door/10", "Bo/yard/1", "Cleo/yard/1"]
    assert places(split.gallery) == expected
    assert {t.person for t in split.train} == {4, 5}


def test_the_first_tracklet_that_is_left_to_test_with_is_a_query(root):
    rows = ("Anna,,,train", "Cleo,,,train", "Dan Ö,,,train", "Bo,,,test", "Bo,door,2,gallery")
    say(root, *rows, header="person,camera,tracklet,role")
    assert places(folder.read(root).query) == ["Bo/door/10", "Bo/yard/1"]


def test_ignored_people_keep_their_numbers(root):
    say(root, "Anna,ignore", "Bo,test", "Cleo,train", "Dan Ö,train")
    assert {t.person for part in folder.read(root) for t in part} == {2, 3, 4}


def test_columns_stand_in_any_order_and_blank_lines_do_not_count(root):
    say(root, "train,Cleo", "", '"test","Anna"', "train,Bo", "test,Dan Ö", header="role,person")
    assert {t.person for t in folder.read(root).train} == {2, 3}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_the_split_file_of_another_system_is_understood(root, form, mark):
    text = normalize(form, "person,role\r\nAnna,train\r\nBo,train\r\nCleo,train\r\nDan Ö,test\r\n")
    (root / "split.csv").write_bytes(mark + text.encode())
    assert {t.person for t in folder.read(root).gallery} == {4}


@settings(max_examples=15)
@given(PEOPLE, st.data())
def test_people_of_any_name_can_be_listed(people, data):
    tested = data.draw(st.sets(st.sampled_from(people), min_size=1, max_size=len(people) - 2))
    with TemporaryDirectory() as own:
        for person in people:
            put(Path(own), *(f"{person}/{camera}/1/1.jpg" for camera in "ab"))
        with (Path(own) / "split.csv").open("w", encoding="utf-8", newline="") as file:
            roles = [(person, "test" if person in tested else "train") for person in people]
            csv.writer(file).writerows([("person", "role"), *roles])
        split = folder.read(Path(own))
    assert {t.frames[0].parts[-4] for t in split.query} == tested
    assert {t.frames[0].parts[-4] for t in split.train} == set(people) - tested


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Eve,,,train", "line 3: expected the person .* of a folder, got 'Eve'"),
        ("Bo,roof,,train", "got 'Bo/roof'"),
        ("Bo,yard,9,train", "got 'Bo/yard/9'"),
        ("Bo,,1,train", "got 'Bo/1'"),
        ("..,,,train", r"got '\.\.'"),
        ("Bo,..,..,train", r"got 'Bo/\.\./\.\.'"),
        ("/etc,,,train", "got '/etc'"),
        (",,,train", "got ''"),
        ("Bo,,,probe", "line 3: expected a role of train, test, .*, got 'probe'"),
        ("Bo,,,", "got ''"),
        ("Anna,,,test", "line 3: expected one row for 'Anna', got a second one"),
        ("Bo,train", "line 3: expected 4 values, got another number"),
        ("Bo,,,train,", "line 3: expected 4 values, got another number"),
        ("Bo,,,train", "expected a role for 'Cleo/yard/1' or its person, got none"),
        ('"Bo,,,train', "unexpected end of data"),
    ],
)
def test_a_wrong_row_is_named(root, row, message):
    say(root, "Anna,,,train", row, header="person,camera,tracklet,role")
    with pytest.raises(ValueError, match=f"split.csv: .*{message}.*; correct it"):
        folder.read(root)


@pytest.mark.parametrize(
    "header",
    ["Anna", "person", "person|role", "person,role,role", "person,role,age", "Person,role"],
)
def test_wrong_columns_are_named(root, header):
    say(root, "Anna,train", header=header)
    with pytest.raises(ValueError, match=r"split.csv: expected columns person,role.*got \["):
        folder.read(root)


def test_an_empty_split_file_is_no_split_file(root):
    (root / "split.csv").touch()
    with pytest.raises(ValueError, match=r"expected columns .*got \[\]"):
        folder.read(root)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_split_file_of_a_spreadsheet_is_read(root, encoding, comma, end):
    rows = ["Person ,role".lower(), "Anna,train ", "Bo,train", "Cleo,train", "Dan Ö ,test", ",", ""]
    text = end.join(rows).replace(",", comma)
    (root / "split.csv").write_bytes(text.encode(encoding))
    assert {t.person for t in folder.read(root).gallery} == {4}


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_comma_in_a_name_is_no_comma_between_columns(root, end):
    (root / "Bo").rename(root / "Bo, jr")
    text = "person;role Anna;train Bo,_jr;test Cleo;train Dan_Ö;train ".replace(" ", end)
    (root / "split.csv").write_bytes(text.replace("_", " ").encode())
    assert places(folder.read(root).query) == ["Bo, jr/door/2", "Bo, jr/yard/1"]


def test_a_split_file_in_an_encoding_of_one_country_is_named(root):
    (root / "split.csv").write_text("person,role\nDan Ö,test\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"split.csv: expected a text in UTF-8.*; save it as"):
        folder.read(root)


def test_files_that_are_no_images_are_counted_and_named_once(root, caplog):
    put(root, "Bo/yard/1/2.heic", "Bo/yard/1/notes.txt", "Anna/door/1/walk.mp4")
    put(root, *(f"Bo/yard/1/{name}" for name in ("Thumbs.db", "desktop.ini", "@eaDir/x.jpg")))
    put(root, *(f"Bo/yard/1/{name}" for name in ("labels.json", "points.npz", "split.csv")))
    folder.read(root)
    (said,) = caplog.messages
    assert "skipped 3 files that are not read as images" in said
    assert all(name in said for name in ("2.heic", "notes.txt", "walk.mp4"))


def test_a_tracklet_of_unread_images_only_names_one(root):
    put(root, "Eve/door/1/a.heic")
    with pytest.raises(ValueError, match=r"Eve/door/1: expected images, got none, but a.heic"):
        folder.read(root)


@pytest.mark.parametrize("place", ["up", "Anna/up", "Anna/door/up"])
@pytest.mark.parametrize("target", [".", "..", "../.."])
def test_a_link_that_goes_in_a_circle_is_refused(root, place, target):
    (root / place).symlink_to(target)
    with pytest.raises(ValueError, match=f"link .*{place}: .* leads back to .*; remove the link"):
        folder.read(root)


def test_two_links_that_lead_to_each_other_are_refused(root, tmp_path):
    (tmp_path / "other").mkdir()
    (root / "Anna/other").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(root / "Anna")
    with pytest.raises(ValueError, match=r"link .*Anna/other/back: .* leads back to .*Anna"):
        folder.read(root)


@pytest.mark.parametrize("place", ["Anna/door/1/3.jpg", "Anna/door/3", "Eve"])
@pytest.mark.parametrize("nowhere", [True, False])
def test_a_link_that_leads_nowhere_or_to_itself_is_refused(root, place, nowhere):
    path = root / place
    path.symlink_to("gone" if nowhere else path.name)
    with pytest.raises(ValueError, match=f"link .*{place}: .* nowhere or to itself; restore"):
        folder.read(root)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        (("test", "ignore", "train"), "two people or more to train with, got 1; add people"),
        (("test", "train", "test"), "two people or more to train with, got 1; add people"),
        (("train", "train", "train"), "a query whose person another camera shows .* got none"),
        (("train", "gallery", "train"), "a query whose person another camera shows .* got none"),
        (("train", "train", "ignore"), "a query whose person another camera shows .* got none"),
    ],
)
def test_a_split_that_nobody_could_work_with_is_refused(root, roles, message):
    shutil.rmtree(root / "Dan Ö")
    say(root, *(f"{p},{role}" for p, role in zip(("Anna", "Bo", "Cleo"), roles, strict=True)))
    with pytest.raises(ValueError, match=f"own: expected {message}"):
        folder.read(root)


def test_a_person_to_train_and_to_test_with_is_named(root):
    rows = ("Anna,,,train", "Bo,,,train", "Bo,yard,,gallery", "Cleo,,,train", "Dan Ö,,,test")
    say(root, *rows, header="person,camera,tracklet,role")
    with pytest.raises(ValueError, match="train or to test with, got 'Bo' for both; choose one"):
        folder.read(root)


def test_one_camera_is_not_enough(tmp_path):
    put(tmp_path, *(f"{person}/door/{i}/1.jpg" for person in "abcd" for i in (1, 2)))
    with pytest.raises(ValueError, match="expected two cameras or more, as a match must come"):
        folder.read(tmp_path)


def test_people_seen_by_one_camera_each_are_no_test(tmp_path):
    put(tmp_path, "a/door/1/1.jpg", "b/yard/1/1.jpg", "c/door/1/1.jpg")
    with pytest.raises(ValueError, match="expected a query whose person another camera shows"):
        folder.read(tmp_path)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (".", "own: expected folders of people"),
        ("Anna", "own/Anna: expected folders of cameras"),
        ("Anna/door", "own/Anna/door: expected folders of tracklets"),
    ],
)
def test_images_that_lie_too_high_are_named(root, place, expected):
    put(root, f"{place}/stray.jpg")
    with pytest.raises(ValueError, match=rf"{expected}, got stray.jpg; (.|\n)*anna/entrance/1"):
        folder.read(root)


def test_images_that_lie_too_deep_are_named(root):
    put(root, "Anna/door/1/crops/1.jpg")
    with pytest.raises(
        ValueError, match=r"Anna/door/1: expected images, got crops; .*folder below"
    ):
        folder.read(root)


@pytest.mark.parametrize("place", ["Eve", "Anna/roof", "Anna/door/3"])
def test_an_empty_folder_is_named(root, place):
    (root / place).mkdir()
    with pytest.raises(ValueError, match=f"{place}: expected .*, got none; restore"):
        folder.read(root)


def test_an_empty_data_set_says_what_is_expected(tmp_path):
    with pytest.raises(ValueError, match=r"folders of people, got none(.|\n)*split.csv"):
        folder.read(tmp_path)


def test_a_missing_data_set_names_the_place_and_the_tree(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no nowhere(.|\n)*anna/entrance/1/0001.jpg"):
        folder.read(tmp_path / "nowhere")


def test_what_is_written_comes_back_renumbered(split, tmp_path):
    folder.write(split, tmp_path / "new")
    people, cameras = {0: 1, 1: 2, 2: 3, 8: 4, 12: 5}, {2: 1, 5: 2, 16: 3}
    expected = Split(
        *(
            [
                Tracklet(t.frames, people[t.person], cameras[t.camera], t.points)
                for t in part
                if t.person != JUNK
            ]
            for part in split
        )
    )
    assert folder.read(tmp_path / "new") == expected


def test_the_files_are_those_of_the_tree(split, tmp_path):
    folder.write(split, tmp_path / "new")
    assert (tmp_path / "new/person0001/camera5/tracklet0002/000001.png").is_file()
    rows = (tmp_path / "new/split.csv").read_text().splitlines()
    assert rows[:2] == ["person,camera,tracklet,role", "person0000,camera2,tracklet0001,gallery"]
    assert [row.split(",")[-1] for row in rows[2:]] == [
        *("train", "train", "query", "gallery", "query", "train", "query-only", "gallery")
    ]


def test_image_files_are_copied_byte_for_byte(split, tmp_path):
    frames = [tmp_path / "a.JPG", tmp_path / "b.png", tmp_path / "c.bmp"]
    for frame, image in zip(frames, split.train[0].frames, strict=False):
        write_image(image, frame.with_suffix(frame.suffix.lower()))
    frames[0].with_suffix(".jpg").rename(frames[0])
    mixed = Tracklet(frames, 1, 5)
    folder.write(split._replace(train=[mixed, *split.train[1:]]), tmp_path / "new")
    back = folder.read(tmp_path / "new").train[0]
    assert [f.name for f in back.frames] == ["000001.JPG", "000002.png", "000003.bmp"]
    assert [f.read_bytes() for f in back.frames] == [f.read_bytes() for f in frames]
    assert (load_frames(back, range(3)) == load_frames(mixed, range(3))).all()


def test_a_set_written_in_part_is_not_read(split, tmp_path):
    gone = Tracklet([tmp_path / "gone"], 12, 16)
    with pytest.raises(FileNotFoundError, match="gone"):
        folder.write(split._replace(gallery=[*split.gallery, gone]), tmp_path / "new")
    (last,) = (tmp_path / "new").glob("*/*/tracklet0010")
    with pytest.raises(ValueError, match="tracklet0010: expected images, got none"):
        folder.read(tmp_path / "new")
    last.rmdir()
    with pytest.raises(ValueError, match="of a folder, got 'person0012/camera16/tracklet0010'"):
        folder.read(tmp_path / "new")


def test_nothing_is_written_where_something_is(split, tmp_path):
    (tmp_path / "person0001").mkdir()
    with pytest.raises(FileExistsError, match="person0001 exists already"):
        folder.write(split, tmp_path)


def test_a_split_that_could_not_be_read_is_not_written(split, tracklet, tmp_path):
    both = split._replace(train=[*split.train, tracklet(2, 16)])
    with pytest.raises(ValueError, match="got 'person0002' for both"):
        folder.write(both, tmp_path / "new")
    assert not (tmp_path / "new").exists()
