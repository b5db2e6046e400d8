from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssn3d import data
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.datasets import folder
from ssn3d.datasets.tracklets import Split, Tracklet
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


def test_a_users_pictures_are_identified_by_what_they_are_now(tmp_path):
    config = StudyConfig.preset("smoke", "pedestrians", folder=str(tmp_path))
    assert data.is_ready(config) and data.root_of(config) == tmp_path
    before = data.identity_of(config)
    (tmp_path / "labels.json").write_text("{}")
    assert data.identity_of(config) != before


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
    before = data.identity_of(config)
    listing = root / "split.csv"
    listing.write_text(listing.read_text() + "\n")
    data._folder_digest.cache_clear()
    assert data.identity_of(config) != before
