import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from ssn3d.datasets import dukemtmc, folder, ilids_vid, mars
from ssn3d.datasets.check import PUBLISHED, READERS, Line, check
from ssn3d.datasets.keypoints import PARTS, Points, save
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.synthetic.walkers.protocol import profile_of
from ssn3d.synthetic.walkers.render import write

SPLITS = "train-test people splits/train_test_splits_ilidsvid.mat"
Damage = Callable[[Path], object]


def first(pattern: str, change: Callable[[Path], object]) -> Damage:
    """Does something to the first file or folder that fits."""
    return lambda root: change(min(root.glob(pattern)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scribble(path: Path) -> None:
    path.write_text("no image")


def name_in_letters(path: Path) -> None:
    path.rename(path.with_name("john"))


def clear(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def put(array: list | np.ndarray) -> Callable[[Path], None]:
    return lambda path: scipy.io.savemat(path, {"list": np.array(array)})


def count_from_zero(path: Path) -> None:
    put(scipy.io.loadmat(path)["query_IDX"].astype(int) - 1)(path)


def drop_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def name_others(path: Path) -> None:
    path.write_text(path.read_text().replace("F002.jpg", "F902.jpg", 5))


def ask_for_people_of_one_camera(root: Path) -> None:
    rows = mars.read_info(root / "info").test
    seen = {(row.person, row.camera) for row in rows}
    cameras = Counter(person for person, _ in seen)
    alone = [n for n, row in enumerate(rows, 1) if row.person > 0 and cameras[row.person] == 1]
    put([alone])(root / "info/query_IDX.mat")


def leave_each_query_its_own_camera(root: Path) -> None:
    split = dukemtmc.read(root)
    asked = {(tracklet.person, tracklet.camera) for tracklet in split.query}
    for tracklet in split.gallery:
        if (tracklet.person, tracklet.camera) not in asked:
            shutil.rmtree(tracklet.frames[0].parent)


def lose_a_person(root: Path) -> None:
    for place in root.glob("*/sequences/cam?/person001"):
        shutil.rmtree(place)


DAMAGES: dict[tuple[str, str], tuple[Damage, list[str]]] = {  # the verdict: place and remedy
    ("mars", "no boxes"): (
        first("bbox_test", shutil.rmtree),
        ["COPY (no bbox_test)", "unpack the data set there"],
    ),
    ("mars", "no lists"): (
        first("info", shutil.rmtree),
        ["COPY (no info)", "unpack the data set there"],
    ),
    ("mars", "no queries"): (
        first("info/query*", Path.unlink),
        ["COPY/info/query_IDX.mat does not exist", "copy it from the data set's archive"],
    ),
    ("mars", "half a list"): (
        first("info/tracks_train*", cut),
        ["COPY/info/tracks_train_info.mat is not a readable MATLAB 5 file", "copy it anew"],
    ),
    ("mars", "three columns"): (
        first("info/tracks_test*", put(np.ones((4, 3)))),
        ["COPY/info/tracks_test_info.mat", "(tracklets, 4)", "got (4, 3)", "copy it anew"],
    ),
    ("mars", "queries of another copy"): (
        first("info/query*", put([[1, 999]])),
        ["COPY/info/query_IDX.mat: expected rows 1 to", "999", "take both files from one copy"],
    ),
    ("mars", "a line short"): (
        first("info/train_name.txt", drop_line),
        ["of COPY/info/train_name.txt, got", "take both files from one copy"],
    ),
    ("mars", "names of no files"): (
        first("info/test_name.txt", name_others),
        ["F902.jpg does not exist", "COPY/info/test_name.txt lists it", "unpack the images again"],
    ),
    ("mars", "folder in letters"): (
        first("bbox_train/0*", name_in_letters),
        ["COPY/bbox_train/0", "F001.jpg does not exist", "unpack the images again"],
    ),
    ("mars", "empty image"): (
        first("bbox_train/0*/*", empty),
        ["COPY/bbox_train/0", "not a readable image", "[0 bytes]", "copy the file anew"],
    ),
    ("mars", "no image"): (
        first("bbox_train/0*/*", scribble),
        ["COPY/bbox_train/0", "cannot be identified", "[8 bytes]", "copy the file anew"],
    ),
    ("mars", "half an image"): (
        first("bbox_train/0*/*", cut),
        ["COPY/bbox_train/0", "Truncated", "copy the file anew"],
    ),
    ("mars", "queries from zero"): (
        first("info/query*", count_from_zero),
        ["COPY/info/query_IDX.mat: expected rows of", "if they count from 0, add 1 to each"],
    ),
    ("mars", "a heading"): (
        first("info/train_name.txt", lambda path: path.write_text("name\n" + path.read_text())),
        ["COPY/info/train_name.txt, line 1: expected a file name", "got 'name'; correct the list"],
    ),
    ("mars", "no text"): (
        first("info/test_name.txt", lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n")),
        ["COPY/info/test_name.txt: expected a text in UTF-8", "save it as UTF-8"],
    ),
    ("mars", "a circle"): (
        first("bbox_test", lambda path: (path / "again").symlink_to("..")),
        ["link COPY/bbox_test/again", "leads back to COPY, which holds it", "remove the link"],
    ),
    ("dukemtmc", "a frame linked to itself"): (
        first("train/*/*", lambda path: (path / "0001.jpg").symlink_to("0001.jpg")),
        ["link COPY/train/", "leads nowhere or to itself", "remove the link"],
    ),
    ("mars", "no match"): (
        ask_for_people_of_one_camera,
        ["1 of 1 queries have no match", "COPY/bbox_test/0", "from one copy of the data set"],
    ),
    ("ilids_vid", "a camera gone"): (
        first("*/*/cam2", shutil.rmtree),
        ["COPY/i-LIDS-VID (no sequences/cam2)", "unpack the data set there"],
    ),
    ("ilids_vid", "no splits"): (
        first(SPLITS, Path.unlink),
        [f"COPY/{SPLITS}\n", "put the folder of splits beside i-LIDS-VID"],
    ),
    ("ilids_vid", "splits of others"): (
        first(SPLITS, put([[1, 2, 3]])),
        [f"COPY/{SPLITS}: expected shape (splits, 6)", "got (1, 3)", "restore the missing"],
    ),
    ("ilids_vid", "half the splits"): (
        first(SPLITS, cut),
        [f"COPY/{SPLITS} is not a readable MATLAB 5 file", "copy it anew"],
    ),
    ("ilids_vid", "one camera only"): (
        first("*/*/cam1/person001", shutil.rmtree),
        ["one camera for ['person001']", "restore or remove their folders"],
    ),
    ("ilids_vid", "a person gone"): (
        lose_a_person,
        [f"COPY/{SPLITS}: expected shape (splits, 5)", "restore the missing folders"],
    ),
    ("ilids_vid", "folder in letters"): (
        first("*/*/cam1/person*", name_in_letters),
        ["COPY/i-LIDS-VID/sequences/cam1/john: expected a name like", "rename it"],
    ),
    ("ilids_vid", "no frames"): (
        first("*/*/cam2/person*", clear),
        ["COPY/i-LIDS-VID/sequences/cam2/person", "got none; restore its images"],
    ),
    ("ilids_vid", "half an image"): (
        first("*/*/cam2/person*/*", cut),
        ["COPY/i-LIDS-VID/sequences/cam2/person", "not a readable image", "copy the file anew"],
    ),
    ("dukemtmc", "no gallery"): (
        first("gallery", shutil.rmtree),
        ["COPY (no gallery)", "unpack the data set there"],
    ),
    ("dukemtmc", "empty gallery"): (
        first("gallery", clear),
        ["COPY: expected tracklets", "got an empty gallery", "the data set is incomplete"],
    ),
    ("dukemtmc", "folder in letters"): (
        first("train/*", name_in_letters),
        ["COPY/train/john: expected a name like", "rename it"],
    ),
    ("dukemtmc", "frame in letters"): (
        first("train/*/*/*", lambda path: path.rename(path.with_name("copy.jpg"))),
        ["got 'copy.jpg'; rename it (in COPY/train/"],
    ),
    ("dukemtmc", "no frames"): (
        first("train/*/*", clear),
        ["COPY/train/", "got none; restore its images"],
    ),
    ("dukemtmc", "end of an image"): (
        first("gallery/*/*/*", lambda path: path.write_bytes(path.read_bytes()[:-100])),
        ["COPY/gallery/", "image file is truncated", "copy the file anew"],
    ),
    ("dukemtmc", "empty image"): (
        first("train/*/*/*", empty),
        ["COPY/train/", "[0 bytes]", "copy the file anew"],
    ),
    ("dukemtmc", "no match"): (
        leave_each_query_its_own_camera,
        ["queries have no match", "COPY/", "take queries and gallery from one copy"],
    ),
}


@pytest.fixture(scope="session")
def sets(tmp_path_factory) -> dict[str, Path]:
    """A rendered copy of each, without the body points that only rendered ones have."""
    folder = tmp_path_factory.mktemp("sets")
    roots = {}
    for name in ("mars", "ilids_vid", "dukemtmc"):
        profile = profile_of(name, train_people=3, test_people=3, longest=4)
        roots[name] = folder / name
        write(roots[name], profile=profile, seed=0, height=32, width=16)
        (roots[name] / "points.npz").unlink()
    return roots


@pytest.fixture(scope="session")
def findings(sets, tmp_path_factory) -> dict[tuple[str, str], list[Line]]:
    """What is said of each damaged copy, which is called COPY."""
    found = {}
    for (name, title), (damage, _) in DAMAGES.items():
        root = tmp_path_factory.mktemp("damaged") / "set"
        shutil.copytree(sets[name], root)
        damage(root)
        lines = check(name, root, sample=1000)
        found[name, title] = [
            line._replace(text=line.text.replace(str(root), "COPY")) for line in lines
        ]
    return found


@pytest.fixture
def copy(sets, tmp_path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(sets[name], tmp_path / "copy"))


def texts(lines) -> str:
    return "\n".join(line.text for line in lines)


@pytest.mark.parametrize("name", ["mars", "ilids_vid", "dukemtmc"])
def test_a_whole_copy_is_ready(sets, name):
    *lines, verdict = check(name, sets[name])
    assert verdict == Line("ok", "ready")
    assert "fatal" not in {line.level for line in lines}
    assert "missing" not in texts(lines)
    assert "32x16" in lines[-1].text


@pytest.mark.parametrize(("name", "title"), DAMAGES)
def test_damage_ends_with_its_place_and_remedy(findings, name, title):
    verdict = findings[name, title][-1]
    assert verdict.level == "fatal"
    for said in DAMAGES[name, title][1]:
        assert said in verdict.text


def test_the_verdict_is_the_first_fatal_line(findings):
    for *lines, verdict in findings.values():
        problem = next(line.text for line in lines if line.level == "fatal")
        assert verdict.text == f"not ready: {problem}"


def test_no_two_damages_of_a_set_end_alike(findings):
    verdicts = [(name, lines[-1].text) for (name, _), lines in findings.items()]
    assert len(set(verdicts)) == len(verdicts)


def test_what_is_missing_is_said_beside_what_is_found(findings):
    lines = findings["mars", "no boxes"]
    assert Line("ok", "bbox_train: found at COPY/bbox_train") in lines
    assert Line("warning", "bbox_test: missing, expected at COPY/bbox_test") in lines


def test_all_missing_frames_are_counted_and_three_named(findings):
    (line,) = [line for line in findings["mars", "names of no files"] if "named in" in line.text]
    assert line.text.startswith("named in COPY/info/test_name.txt but not in the folders of COPY")
    assert ": 5 frames, such as " in line.text
    assert line.text.count("F902.jpg") == 3


def test_every_undecodable_frame_is_named(copy):
    root = copy("ilids_vid")
    broken = sorted(root.rglob("cam1_*.png"))[::3]
    for path in broken:
        scribble(path)
    lines = [line for line in check("ilids_vid", root, sample=1000) if line.level == "fatal"]
    assert len(lines) == len(broken) + 1
    assert all(str(path) in texts(lines) for path in broken)


def test_the_first_frame_of_each_list_is_opened_whatever_the_sample(copy):
    root = copy("mars")
    scribble(mars.read(root).query[0].frames[0])
    assert list(check("mars", root, sample=0))[-1].level == "fatal"


def test_a_sample_is_spread_over_all_frames(copy):
    root = copy("ilids_vid")
    split = ilids_vid.read(root)
    kept = {part[0].frames[0] for part in split}
    for path in root.rglob("*.png"):
        if path not in kept:
            scribble(path)
    said = texts(check("ilids_vid", root, sample=4))
    folders = [Path(name).parent for name in re.findall(r"(\S+png) is not", said)]
    assert len(set(folders)) == 4


def nest_set(root: Path) -> None:
    root.rename(root.with_name("inner"))
    root.mkdir()
    root.with_name("inner").rename(root / "MARS")


def nest_boxes(root: Path) -> None:
    for part in ("bbox_train", "bbox_test"):
        (root / part).rename(root / "moved")
        (root / part).mkdir()
        (root / "moved").rename(root / part / part)


def plain_line_ends(root: Path) -> None:
    for path in (root / "info").glob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))


def splits_as_json(root: Path) -> None:
    names = sorted(path.name for path in (root / "i-LIDS-VID/sequences/cam1").iterdir())
    (root / SPLITS).unlink()
    (root / "splits.json").write_text(json.dumps([{"train": names[:3], "test": names[3:]}] * 10))


def bare_names(root: Path) -> None:
    for path in list(root.rglob("*.jpg")):
        path.rename(path.with_name(path.name.replace("_", "")))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("mars", lambda root: None, "train_name.txt end in CRLF"),
        ("mars", plain_line_ends, "train_name.txt end in LF"),
        ("mars", nest_set, "a variant, the set lies in COPY/MARS"),
        ("mars", nest_boxes, "a variant, the images lie in COPY/bbox_test/bbox_test"),
        ("ilids_vid", splits_as_json, "train and test people: found at COPY/splits.json"),
        ("dukemtmc", bare_names, "frames are files like COPY/train/0001/0001/0001C"),
    ],
)
def test_a_variant_is_ready_and_named(copy, name, change, said):
    root = copy(name)
    change(root)
    *lines, verdict = check(name, root)
    assert said in texts(lines).replace(str(root), "COPY")
    assert verdict == Line("ok", "ready")


def test_the_inner_folder_of_ilids_vid_will_do(sets):
    root = sets["ilids_vid"] / "i-LIDS-VID"
    lines = list(check("ilids_vid", root))
    assert f"found at {sets['ilids_vid'] / SPLITS}" in texts(lines)
    assert lines[-1].text == "ready"


def test_counts_stand_beside_the_published_ones(sets):
    lines = {line.text.split(":")[0]: line for line in check("dukemtmc", sets["dukemtmc"])}
    assert lines["train"].level == "warning"
    assert lines["train"].text.startswith("train: people 3, tracklets ")
    assert "differs from the published people 702, tracklets 2,196" in lines["train"].text
    assert "unasked 408" in lines["gallery"].text


def test_published_counts_are_called_so(sets, monkeypatch):
    counts = {"people": 3, "tracklets": 6, "median": 4}
    monkeypatch.setitem(PUBLISHED, "ilids_vid train", counts)
    (line,) = [line for line in check("ilids_vid", sets["ilids_vid"]) if "train: " in line.text]
    assert (line.level, line.text.endswith("; as published")) == ("ok", True)


def test_a_query_without_a_match_is_a_warning(copy):
    root = copy("mars")
    ask = [row + 1 for row in mars.read_info(root / "info").query]
    ask_for_people_of_one_camera(root)
    alone = scipy.io.loadmat(root / "info/query_IDX.mat")["list"].ravel()
    put([[*ask, *alone]])(root / "info/query_IDX.mat")
    *lines, verdict = check("mars", root)
    (line,) = [line for line in lines if "no match" in line.text]
    assert line.level == "warning"
    assert f"first that of {root / 'bbox_test'}" in line.text
    assert verdict.text == "ready"


@pytest.fixture
def own(sets, tmp_path) -> Path:
    split = dukemtmc.read(sets["dukemtmc"])
    split = split._replace(train=[with_points(t, 0.5) for t in split.train])
    folder.write(split, tmp_path / "own")
    return tmp_path / "own"


def with_points(tracklet: Tracklet, place: float) -> Tracklet:
    """Each point but the head is found, and lies at (place, place)."""
    places = torch.full((len(tracklet), len(PARTS), 2), place)
    places[:, 0] = torch.nan
    return replace(tracklet, points=Points(places, places, places[..., 0].isfinite()))


def test_a_folder_of_ones_own_is_ready_and_counted(own):
    *lines, verdict = check("folder", own)
    assert verdict == Line("ok", "ready")
    assert {line.level for line in lines} == {"ok"}
    for said in (
        f"{own / 'split.csv'}: read",
        f"files like {own}/person",
        "train: people 3, tracklets ",
        "query: people 3, ",
        "0 of 3 queries have no match",
        "of 20 tracklets have body points; found of each part: head 0%, body 100%, crotch 100%",
        "points.npz: 0% of the points lie outside their frames",
        "32x16",
    ):
        assert said in re.sub(r"of \d+ tracklets", "of 20 tracklets", texts(lines)), said
    assert "published" not in texts(lines)


def test_a_folder_without_lists_is_ready(own):
    for file in ("split.csv", "points.npz"):
        (own / file).unlink()
    *lines, verdict = check("folder", own)
    assert verdict == Line("ok", "ready")
    assert f"{own / 'split.csv'}: none, so every second person" in texts(lines)
    assert "points.npz: none" in texts(lines)


@pytest.mark.parametrize("place", [-0.1, 1.5])
def test_points_that_lie_outside_their_frames_are_fatal(own, place):
    tracklet = folder.read(own).train[0]
    key = tracklet.frames[0].relative_to(own).as_posix()
    points = with_points(tracklet, place).points
    assert points is not None
    save({key: points}, own)
    verdict = list(check("folder", own))[-1].text
    assert verdict.startswith("not ready: points.npz: 100% of the points lie outside their frames")
    assert "--overwrite" in verdict


def test_a_damaged_folder_ends_with_its_place_and_remedy(own):
    path = folder.read(own).query[0].frames[0]
    scribble(path)
    assert re.match(
        f"not ready: {path} is not a readable image", list(check("folder", own))[-1].text
    )
    path.unlink()
    path.symlink_to("..", target_is_directory=True)
    verdict = list(check("folder", own))[-1].text
    assert verdict.startswith(f"not ready: link {path}: ") and "goes in a circle" in verdict
    shutil.rmtree(own)
    own.mkdir()
    assert f"not ready: {own}: expected folders of people, got none" in texts(check("folder", own))


@pytest.mark.parametrize("name", ["mars", "ilids_vid", "dukemtmc", "folder"])
def test_files_that_are_no_images_are_counted_and_named(copy, own, name):
    root = own if name == "folder" else copy(name)
    place = READERS[name].read(root).query[0].frames[0].parent
    for file in ("a.heic", "notes.txt", "b.mp4", "c.gif", "Thumbs.db", ".DS_Store", "points.npz"):
        (place / file).touch()
    *lines, verdict = check(name, root)
    assert verdict.text == "ready"
    (line,) = [line for line in lines if "skipped" in line.text]
    assert line.level == "warning"
    assert line.text.startswith(
        f"skipped 4 files that are not read as images, such as {place}/a.heic,"
    )


@pytest.mark.parametrize("name", ["mars", "ilids_vid", "dukemtmc"])
def test_a_set_in_another_format_is_ready(copy, name):
    root = copy(name)
    for path in [*root.rglob("*.jpg"), *root.rglob("*.png")]:
        path.rename(path.with_suffix(".JPEG" if path.suffix == ".jpg" else ".PNG"))
    *lines, verdict = check(name, root)
    assert verdict.text == "ready"
    assert "not in the folders" not in texts(lines)


def test_another_data_set_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match="expected one of mars, ilids_vid, dukemtmc, folder, got 'market'"
    ):
        list(check("market", tmp_path))
