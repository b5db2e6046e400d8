"""What a stranger's data set may try: broken files, names that lead elsewhere, odd folders."""

import codecs
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ssn3d.datasets import coco, dukemtmc, folder, ilids_vid, keypoints, mars
from tests.torture import fuzz

LAYOUTS = {"mars": mars, "ilids_vid": ilids_vid, "dukemtmc": dukemtmc, "folder": folder}
ELSEWHERE = ["../../../etc/passwd", "/etc/passwd", "..", "a/../../b", "..\\..\\b", "\0"]


@pytest.fixture(scope="module")
def opened() -> Callable[[], list[Path]]:
    """What was opened or listed since the last call; Python cannot be told to stop noting it."""
    codecs.lookup("utf-16-be")  # else Python opens its own file once a text begins with a NUL
    noted: list[Path] = []

    def note(event: str, arguments: tuple) -> None:
        place = arguments[0] if event in ("open", "os.scandir", "os.listdir") else None
        if isinstance(place, str | bytes):
            noted.append(Path(place.decode() if isinstance(place, bytes) else place))

    sys.addaudithook(note)

    def since() -> list[Path]:
        places = noted.copy()
        noted.clear()
        return places

    return since


@pytest.fixture(scope="module")
def folder_of_sets(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def targets(folder_of_sets) -> list[fuzz.Target]:
    """Tiny sets, in folders called by their layout, and files of every other kind."""
    return [*fuzz.set_targets(folder_of_sets), *fuzz.file_targets(folder_of_sets)]


@pytest.fixture(params=LAYOUTS)
def layout(request) -> str:
    return request.param


@pytest.fixture
def root(layout, folder_of_sets, targets, tmp_path) -> Path:
    """A copy of the set in this layout."""
    return shutil.copytree(folder_of_sets / layout, tmp_path / "a" / "set")


def test_readers_survive_files_changed_at_random(targets):
    found = [f for seed, target in enumerate(targets) for f in fuzz.attack(target, 15, seed)]
    assert not found


@pytest.mark.parametrize("name", ELSEWHERE)
def test_points_under_a_name_that_leads_elsewhere_are_refused(layout, root, opened, name):
    home = keypoints.load(root)
    keypoints.save({name: next(iter(home.values()))}, root)
    opened()
    with pytest.raises(ValueError, match="expected a tracklet that begins with"):
        LAYOUTS[layout].read(root)
    assert all(place.is_relative_to(root) for place in opened())


@pytest.mark.parametrize("layout", ["mars"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_frame_that_lies_elsewhere_is_refused(layout, root, opened, name):
    path = root / "info" / "train_name.txt"
    path.write_text(f"{name}\n" + path.read_text().split("\n", 1)[1])
    opened()
    with pytest.raises(ValueError, match="expected a file name like"):
        LAYOUTS[layout].read(root)
    assert all(place.is_relative_to(root) for place in opened())


@pytest.mark.parametrize("layout", ["folder"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_person_who_lives_elsewhere_is_refused(layout, root, opened, name):
    with (root / "split.csv").open("a") as listed:
        listed.write(f"{name},,,train\n")
    opened()
    with pytest.raises(ValueError, match="expected the person"):
        LAYOUTS[layout].read(root)
    assert all(place.is_relative_to(root) for place in opened())


@pytest.mark.parametrize("layout", ["ilids_vid"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_split_of_people_who_live_elsewhere_is_refused(layout, root, opened, name):
    next(root.rglob("*.mat")).unlink()
    (root / "splits.json").write_text(json.dumps([{"train": [name], "test": []}]))
    opened()
    with pytest.raises(ValueError, match="which is no folder"):
        LAYOUTS[layout].read(root)
    assert all(place.is_relative_to(root) for place in opened())


@pytest.mark.parametrize("name", ELSEWHERE)
def test_names_of_labelled_pictures_are_not_opened(tmp_path, opened, name):
    path = tmp_path / "labels.json"
    coco.write(coco.Labels(["head"], {name: torch.zeros(1, 2)}), path, {name: (20, 10)})
    opened()
    assert [*coco.read(path).points] == [name.replace("\\", "/")]
    assert opened() == [path]


def test_a_set_is_read_the_same_wherever_it_lies(layout, root, tmp_path):
    expected = LAYOUTS[layout].read(root)
    odd = tmp_path / "März 2021 (копия) 数据" / "a set"
    odd.parent.mkdir()
    root.rename(odd)
    link = tmp_path / "linked"
    link.symlink_to(odd.parent, target_is_directory=True)
    for place in (odd, link / "a set"):
        read = LAYOUTS[layout].read(place)
        for mine, theirs in zip(read, expected, strict=True):
            for one, other in zip(mine, theirs, strict=True):
                assert (one.person, one.camera) == (other.person, other.camera)
                assert [p.relative_to(place) for p in one.frames] == [
                    p.relative_to(root) for p in other.frames
                ]
                assert all(frame.is_file() for frame in one.frames)
                if other.points is not None:
                    for found, wanted in zip(one.points, other.points, strict=True):
                        np.testing.assert_array_equal(found, wanted)
