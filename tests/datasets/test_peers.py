"""Rendered sets opened as the loaders of torchreid and AP3D open the official ones.

The functions below follow their indexing: they use the arrays as scipy gives them and probe for
files as they do. What they find is compared with what we read.
"""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from ssn3d.datasets import dukemtmc, ilids_vid, mars
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.synthetic.walkers.protocol import profile_of
from ssn3d.synthetic.walkers.render import write

Found = list[tuple[list[str], int, int]]
"""File names, person and camera of each tracklet; cameras count from 0 there."""


@pytest.fixture(scope="module")
def root(request, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("peers") / "set"
    profile = profile_of(request.param, train_people=4, test_people=4, longest=4)
    write(root, profile=profile, seed=0, height=16, width=8)
    return root


def ours(tracklets: list[Tracklet]) -> Found:
    return [([path.name for path in t.frames], t.person, t.camera - 1) for t in tracklets]


def mars_tracklets(root: Path, part: str, rows: np.ndarray) -> Found:
    names = [line.rstrip() for line in (root / f"info/{part}_name.txt").read_text().splitlines()]
    found = []
    for i in range(rows.shape[0]):
        start, end, person, camera = rows[i, ...]
        if person == -1:
            continue
        assert 1 <= camera <= 6
        images = names[start - 1 : end]
        (folder,) = {name[:4] for name in images}
        assert {name[5] for name in images} == {str(camera)}
        assert all((root / f"bbox_{part}" / folder / name).is_file() for name in images)
        found.append((images, person, camera - 1))
    return found


@pytest.mark.parametrize("root", ["mars"], indirect=True)
def test_mars_is_opened_with_the_stored_arrays_as_indices(root):
    info = root / "info"
    train = scipy.io.loadmat(info / "tracks_train_info.mat")["track_train_info"]
    test = scipy.io.loadmat(info / "tracks_test_info.mat")["track_test_info"]
    asked = scipy.io.loadmat(info / "query_IDX.mat")["query_IDX"].squeeze()
    asked -= 1
    others = [i for i in range(test.shape[0]) if i not in asked]
    split = mars.read(root)
    assert mars_tracklets(root, "train", train) == ours(split.train)
    assert mars_tracklets(root, "test", test[asked, :]) == ours(split.query)
    queries = {id(tracklet) for tracklet in split.query}
    gallery = [tracklet for tracklet in split.gallery if id(tracklet) not in queries]
    assert mars_tracklets(root, "test", test[others, :]) == ours(gallery)


@pytest.mark.parametrize("root", ["ilids_vid"], indirect=True)
@pytest.mark.parametrize("number", range(10))
def test_ilids_vid_is_opened_by_the_places_of_sorted_folders(root, number):
    table = scipy.io.loadmat(root / ilids_vid.SPLIT_FILES[0])["ls_set"]
    splits, people = table.shape
    assert splits == 10
    sequences = root / "i-LIDS-VID/sequences"
    folders = sorted(path.name for path in (sequences / "cam1").iterdir())
    test, train = (
        [folders[place] for place in sorted(half - 1)]
        for half in (table[number, : people // 2], table[number, people // 2 :])
    )
    read = ilids_vid.read(root, number)
    for people_of, tracklets in ((train, read.train), (test, read.query), (test, read.gallery)):
        assert people_of == sorted({t.frames[0].parent.name for t in tracklets})
        for tracklet in tracklets:
            folder = sequences / f"cam{tracklet.camera}/person{tracklet.person:03}"
            assert len(list(folder.glob("*.png"))) == len(tracklet)


def duke_tracklets(folder: Path) -> Found:
    found = []
    for person in sorted(folder.glob("*")):
        for place in sorted(person.glob("*")):
            images = []
            for number in range(len(list(place.glob("*.jpg")))):
                images += list(place.glob(f"*F{number + 1:04}*.jpg"))[:1]
            camera = int(images[0].name[6 if "_" in images[0].name else 5]) - 1
            found.append(([path.name for path in images], int(person.name), camera))
    return found


@pytest.mark.parametrize("root", ["dukemtmc"], indirect=True)
def test_dukemtmc_is_opened_but_for_the_last_frame_of_tracklets_that_begin_late(root):
    for part, tracklets in dukemtmc.read(root)._asdict().items():
        expected = [
            (names[:-1] if dukemtmc.parse_name(names[0]).frame > 1 else names, person, camera)
            for names, person, camera in ours(tracklets)
        ]
        assert duke_tracklets(root / part) == expected
