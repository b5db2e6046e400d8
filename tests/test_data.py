import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest
import torch

from ssn3d import data
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.datasets import coco, contents, folder, ilids_vid, keypoints
from ssn3d.datasets.images import write_image
from ssn3d.datasets.keypoints import PARTS, Points
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames
from ssn3d.synthetic import amber, pedestrians
from ssn3d.synthetic.walkers import render


@pytest.fixture
def split(monkeypatch) -> Split:
    """What is rendered, whatever was asked for."""

    def tracklet(person: int, camera: int) -> Tracklet:
        shade = torch.full((2, 3, 32, 16), 10 * person + camera, dtype=torch.uint8)
        return Tracklet(shade, person, camera)

    split = Split([tracklet(1, 1), tracklet(1, 2)], [tracklet(2, 1)], [tracklet(2, 2)])
    monkeypatch.setattr(render, "render", lambda *_, **__: split)
    return split


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_data_live_where_the_variable_says(elsewhere):
    assert data.data_folder() == elsewhere


@pytest.mark.parametrize("unset", [None, ""])
def test_data_live_in_the_project_unless_told_otherwise(monkeypatch, unset):
    if unset is None:
        monkeypatch.delenv("SSN3D_DATA")
    else:
        monkeypatch.setenv("SSN3D_DATA", unset)
    assert data.data_folder() == data.project_folder() / "data"
    assert (data.project_folder() / "pyproject.toml").exists()


def test_a_split_is_what_was_rendered(tiny_config, split, elsewhere):
    assert data.split_of(tiny_config) == split
    root = data.root_of(tiny_config)
    assert root == elsewhere / "generated" / data.identity_of(tiny_config)


def test_rendered_data_are_as_many_people_as_asked_for(tiny_split):
    counts = [len({tracklet.person for tracklet in part}) for part in tiny_split]
    assert counts == [4, 3, 3]


def test_the_rendered_set_does_not_depend_on_the_number_of_threads(
    tiny_config, split, elsewhere, monkeypatch
):
    threads = torch.get_num_threads()
    seen = []
    monkeypatch.setattr(
        render, "render", lambda *_, **__: seen.append(torch.get_num_threads()) or split
    )
    torch.set_num_threads(2)
    try:
        data.root_of(tiny_config)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    "change",
    [
        {"data_seed": 1},
        {"height": 64},
        {"width": 32},
        {"train_people": 5},
        {"test_people": 5},
        {"longest_tracklet": 6},
        {"jitter": 0.2},
        {"label_noise": 0.0},
        {"dataset": "mars"},
    ],
    ids=str,
)
def test_other_data_have_another_identity(tiny_config, change):
    assert data.identity_of(replace(tiny_config, **change)) != data.identity_of(tiny_config)


NAMES = {
    "mars-64x32-seed0-09a81237": RunConfig.preset("demo", "mars"),
    "ilids_vid-64x32-seed0-1dc95a9a": RunConfig.preset("demo", "ilids_vid"),
    "dukemtmc-64x32-seed0-100a6ae0": RunConfig.preset("demo", "dukemtmc"),
    "amber-480x640-seed0-eea3ec2a": StudyConfig.preset("demo", "amber"),
    "pedestrians-120x60-seed0-eac3339a": StudyConfig.preset("demo", "pedestrians"),
    "random_maps-uniform-v1": StudyConfig.preset("demo", "random_maps", distribution="uniform"),
}
"""Names of what `make figures` renders: runs are found by them, so no change of the code may change
them, unless other pixels come out."""


@pytest.mark.parametrize("name", NAMES)
def test_rendered_data_keep_their_names(name):
    assert data.identity_of(NAMES[name]) == name


@pytest.mark.parametrize("study", ["amber", "pedestrians"])
@pytest.mark.parametrize("change", [{"data_seed": 1}, {"pictures": 64}], ids=str)
def test_other_pictures_have_another_identity(study, change):
    config = StudyConfig.preset("smoke", study)
    assert data.identity_of(replace(config, **change)) != data.identity_of(config)


@pytest.mark.parametrize("change", [{"labelled": 7}, {"height": 64}, {"width": 32}], ids=str)
def test_other_labels_and_sizes_of_pedestrians_have_another_identity(change):
    config = StudyConfig.preset("smoke", "pedestrians")
    assert data.identity_of(replace(config, **change)) != data.identity_of(config)


@pytest.mark.parametrize(
    ("renderer", "config"),
    [
        (render, RunConfig.preset("smoke", "mars")),
        (render, StudyConfig.preset("smoke", "pedestrians")),
        (pedestrians, StudyConfig.preset("smoke", "pedestrians")),
        (amber, StudyConfig.preset("smoke", "amber")),
    ],
)
def test_another_renderer_has_another_identity(monkeypatch, renderer, config: Settings):
    before = data.identity_of(config)
    monkeypatch.setattr(renderer, "RENDERER_VERSION", 99)
    assert data.identity_of(config) != before


def test_pictures_are_rendered_when_they_are_asked_for(elsewhere):
    for study in ("amber", "pedestrians"):
        config = StudyConfig.preset("smoke", study, pictures=2, labelled=1, height=32, width=16)
        assert not data.is_ready(config)
        found = data.pictures_of(config)
        assert found is not None and found.frames.shape == (2, 3, 32, 16)
        assert data.is_ready(config)


@pytest.fixture
def pictures(tmp_path, elsewhere) -> StudyConfig:
    """Two pictures of one's own, one of them labelled."""
    for number in (1, 2):
        write_image(torch.full((3, 8, 4), number, dtype=torch.uint8), tmp_path / f"{number}.png")
    label(tmp_path / "labels.json", 0.5)
    return StudyConfig.preset("smoke", "pedestrians", folder=str(tmp_path))


def label(path: Path, place: float) -> None:
    coco.write(coco.Labels(["head"], {"1.png": torch.full((1, 2), place)}), path, {"1.png": (8, 4)})


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write_image(torch.zeros(3, 8, 4, dtype=torch.uint8), folder / "2.png"),
        lambda folder: (folder / "2.png").rename(folder / "3.png"),
        lambda folder: (folder / "2.png").unlink(),
        lambda folder: label(folder / "labels.json", 0.25),
        lambda folder: label(folder / "truth.json", 0.5),
    ],
    ids=["pixels", "name", "fewer", "labels", "truth"],
)
def test_a_users_pictures_are_identified_by_what_they_are_now(tmp_path, pictures, change):
    assert data.is_ready(pictures) and data.root_of(pictures) == tmp_path
    before = data.identity_of(pictures)
    assert data.identity_of(pictures) == before
    change(tmp_path)
    assert data.identity_of(pictures) != before


def test_what_is_not_read_beside_a_users_pictures_does_not_count(tmp_path, pictures):
    abstract = StudyConfig.preset("smoke", "amber", folder=str(tmp_path), pictures=1)
    before = data.identity_of(pictures), data.identity_of(abstract)
    for name in ("notes.txt", "Thumbs.db", "@eaDir/1.png/thumb.jpg", "__MACOSX/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"any")
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(json.loads(labels.read_text()), indent=4))  # says the same
    assert (data.identity_of(pictures), data.identity_of(abstract)) == before
    label(labels, 0.25)
    (tmp_path / "2.png").write_bytes(b"of one picture at most, it is not read")
    assert data.identity_of(abstract) == before[1] and data.identity_of(pictures) != before[0]


def test_settings_that_are_not_of_the_data_leave_their_identity(tiny_config):
    changed = replace(tiny_config, seed=5, aggregator="average", epochs=3, split=4)
    assert data.identity_of(changed) == data.identity_of(tiny_config)


@pytest.mark.parametrize(
    ("dataset", "folder"),
    [("ilids_vid", "iLIDS-VID"), ("mars", "MARS"), ("dukemtmc", "DukeMTMC-VideoReID")],
)
@pytest.mark.parametrize("ask", [data.split_of, data.identity_of])
def test_a_real_set_that_is_not_there_is_named_with_its_place(
    tiny_config, elsewhere, dataset, folder, ask
):
    with pytest.raises(FileNotFoundError, match=str(elsewhere / folder)):
        ask(replace(tiny_config, dataset=dataset, source="real"))


def test_a_real_set_is_read_and_identified_by_its_files(tiny_config, split, elsewhere):
    config = replace(tiny_config, source="real")
    rendered_root = data.root_of(tiny_config)
    rendered_root.rename(elsewhere / "iLIDS-VID")
    assert data.split_of(config) == split
    assert data.identity_of(config) != data.identity_of(tiny_config)


def test_a_folder_of_ones_own_is_where_the_environment_says(split, tmp_path, monkeypatch):
    root = tmp_path / "mine"
    more = [replace(tracklet, person=3) for tracklet in split.train]
    folder.write(split._replace(train=[*split.train, *more]), root)
    sizes = {"height": 32, "width": 16, "ids_per_batch": 2}
    config = RunConfig.preset("smoke", "folder", **sizes)
    with pytest.raises(FileNotFoundError, match="SSN3D_FOLDER"):
        data.identity_of(config)
    monkeypatch.setenv("SSN3D_FOLDER", str(root))
    assert data.split_of(config).query == folder.read(root).query


@pytest.fixture
def own(split, tmp_path, elsewhere, monkeypatch) -> Iterator[Path]:
    """The folder of a set of one's own, with points of two tracklets, old enough to be trusted."""
    monkeypatch.setattr(contents, "UNSURE", 20_000_000)
    root = tmp_path / "mine"
    points = Points(*torch.rand(2, 2, len(PARTS), 2), torch.ones(2, len(PARTS), dtype=torch.bool))
    more = [replace(tracklet, person=3, points=points) for tracklet in split.train]
    folder.write(split._replace(train=[*split.train, *more]), root)
    monkeypatch.setenv("SSN3D_FOLDER", str(root))
    sleep(0.03)
    return root


OWN = RunConfig.preset("smoke", "folder", height=32, width=16, ids_per_batch=2, sides="person")


def frames_of(root: Path) -> list[Path]:
    return sorted(root.rglob("*.png"))


def replace_frame(path: Path) -> None:
    """Put other pixels in its place, in a file of the same size and time of writing."""
    before = path.stat()
    other = 255 - int(load_frames(Tracklet([path], 0, 0), [0]).max())
    write_image(torch.full((3, 32, 16), other, dtype=torch.uint8), path)
    content = path.read_bytes()
    path.write_bytes(content + b"\0" * (before.st_size - len(content)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def asked_elsewhere() -> str:
    """The identity that another process finds."""
    ask = (
        "from ssn3d import data; from ssn3d.config import RunConfig; print(data.identity_of("
        "RunConfig.preset('smoke', 'folder', height=32, width=16, ids_per_batch=2)))"
    )
    return subprocess.check_output([sys.executable, "-c", ask], text=True).strip()


def test_other_frames_of_equal_name_size_and_time_are_other_data(own):
    before = asked_elsewhere()  # which keeps the digests
    shown = data.split_of(OWN)
    assert data.identity_of(OWN) == before
    states = [path.stat() for path in frames_of(own)]
    for path in frames_of(own):
        replace_frame(path)
    for path, state in zip(frames_of(own), states, strict=True):
        assert path.stat().st_mtime_ns == state.st_mtime_ns
    assert data.identity_of(OWN) != before
    again = data.split_of(OWN)
    assert again == folder.read(own)
    assert again.train != shown.train


def rename_all(root: Path) -> None:
    """The points are found by the names of frames, so they have other names here as well."""
    known = keypoints.load(root)
    renamed = {key.replace("000001.png", "frame 000001.PNG"): known[key] for key in known}
    keypoints.save(renamed, root)
    for path in frames_of(root):
        path.rename(path.with_name(f"frame {path.stem}.PNG"))


def add_what_nobody_reads(root: Path) -> None:
    for name in ("Thumbs.db", "labels.json", "@eaDir/a.png", "__MACOSX/a.png", ".DS_Store"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"any")
    place = frames_of(root)[-1].parent
    for name in ("Thumbs.db", "labels.json", "notes.txt"):
        (place / name).write_bytes(b"any")


def rewrite_list(root: Path) -> None:
    listing = root / "split.csv"
    listing.write_bytes(b"\xef\xbb\xbf" + listing.read_bytes().replace(b"\n", b"\r\n"))


def touch_all(root: Path) -> None:
    for path in frames_of(root):
        path.touch()


def damage_digests(root: Path) -> None:
    [kept] = data._generated().glob("*.digests")
    for content in (b"", b"foreign", kept.read_bytes()[:-1], kept.read_bytes()[:-1] + b"!"):
        kept.write_bytes(content)
        contents._here.clear()
        data.identity_of(OWN)


@pytest.mark.parametrize(
    "change",
    [rename_all, add_what_nobody_reads, rewrite_list, touch_all, damage_digests],
    ids=lambda change: change.__name__,
)
def test_what_changes_no_pixel_leaves_the_identity_and_the_frames_readable(own, change):
    before, shown = data.identity_of(OWN), data.split_of(OWN)
    change(own)
    assert data.identity_of(OWN) == before
    assert data.split_of(OWN) == shown == folder.read(own)


def change_points(root: Path) -> None:
    known = keypoints.load(root)
    first = min(known)
    known[first] = known[first]._replace(visible=~known[first].visible)
    keypoints.save(known, root)


def change_role(root: Path) -> None:
    listing = root / "split.csv"
    listing.write_text(listing.read_text().replace(",query-only\n", ",query\n"))


def take_a_frame(root: Path) -> None:
    frames_of(root)[1].unlink()


@pytest.mark.parametrize(
    "change",
    [
        change_points,
        lambda root: (root / "points.npz").unlink(),
        lambda root: replace_frame(frames_of(root)[3]),
        take_a_frame,
    ],
    ids=["points", "no points", "one frame", "a frame less"],
)
def test_each_thing_that_a_reader_returns_counts(own, change):
    before = data.identity_of(OWN)
    change(own)
    assert data.identity_of(OWN) != before


def test_the_order_of_frames_counts(own):
    replace_frame(frames_of(own)[0])
    before = data.identity_of(OWN)
    one, other = frames_of(own)[:2]
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert data.identity_of(OWN) != before


def test_the_roles_of_people_count(own):
    before = data.identity_of(OWN)
    change_role(own)
    assert data.identity_of(OWN) != before


def test_a_copy_elsewhere_is_the_same_set(own, tmp_path, monkeypatch):
    before = data.identity_of(OWN)
    shutil.copytree(own, tmp_path / "copied" / "to a longer name")
    monkeypatch.setenv("SSN3D_FOLDER", str(tmp_path / "copied" / "to a longer name"))
    assert data.identity_of(OWN) == before


def test_frames_are_hashed_once(own, monkeypatch):
    before = data.identity_of(OWN)
    contents._here.clear()  # as in another process
    monkeypatch.setattr(contents, "_content", lambda _: pytest.fail("hashed again"))
    assert data.identity_of(OWN) == before


def test_a_set_that_takes_long_to_look_at_is_looked_at_once_a_minute(own, monkeypatch):
    looks, clock = [], iter(range(0, 10_000, 5))
    read = data._split_in
    monkeypatch.setattr(data, "_split_in", lambda *at: looks.append(at) or read(*at))
    monkeypatch.setattr(data, "monotonic", lambda: next(clock))
    monkeypatch.setattr(data, "_slow_looks", {})
    for _ in range(6):
        data.identity_of(OWN)
    assert len(looks) == 2  # the first one hashed
    for _ in range(10):
        data.identity_of(OWN)
    assert len(looks) == 3


@pytest.mark.parametrize("source", ["rendered", "real"])
def test_sides_are_told_apart_in_every_list_of_a_set_and_frames_are_shared(
    tiny_config, tmp_path, monkeypatch, source
):
    if source == "real":
        shutil.copytree(data.root_of(tiny_config), tmp_path / "iLIDS-VID")
        monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    config = replace(tiny_config, source=source)
    assert config.sides == "image"
    own, placed = data.split_of(replace(config, sides="person")), data.split_of(config)
    known, found = [*own.train, *own.query, *own.gallery], [*placed.train, *placed.query]
    found += placed.gallery
    changed = 0
    for before, after in zip(known, found, strict=True):
        both = before.points.labels(), before.points.estimated
        crossed = any(keypoints.swaps(points).any() for points in both)
        assert (before != after) == crossed
        assert torch.equal(before.frames, after.frames)
        for points in (after.points.labels(), after.points.estimated):
            assert not keypoints.swaps(points).any()
        changed += crossed
    assert changed
    assert len(set(map(id, found))) == len(set(map(id, known)))
    assert data.identity_of(config) == data.identity_of(replace(config, sides="person"))


def test_the_splits_of_a_set_share_their_frames(tiny_config, tmp_path, monkeypatch):
    shutil.copytree(data.root_of(tiny_config), tmp_path / "iLIDS-VID")
    monkeypatch.setenv("SSN3D_DATA", str(tmp_path))
    real = replace(tiny_config, source="real", sides="person")
    configs = [replace(real, split=number) for number in (0, 1)]
    for number, config in enumerate(configs):
        found, read = data.split_of(config), ilids_vid.read(tmp_path / "iLIDS-VID", number)
        assert (found.query, found.gallery) == (read.query, read.gallery)
    assert len({data.identity_of(config) for config in configs}) == 2
    assert len([*(tmp_path / "generated").glob("*.frames")]) == 1
