import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from threading import Event
from time import sleep
from typing import Any

import ipywidgets as W
import pytest
import torch
from PIL import Image

from ssn3d import data
from ssn3d.config import RunConfig, StudyConfig
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.runs import Run, sweep
from ssn3d.widgets import explorer
from ssn3d.widgets.explorer import Explorer
from ssn3d.widgets.explorer_view import WIDTH


@pytest.fixture(scope="module")
def finished(tiny_config, own_folders) -> list[Run[Any]]:
    """Runs of all strategies on one data set, and one on another."""
    return sweep(
        [
            tiny_config,
            replace(tiny_config, strategy="unsupervised", parts=12),
            replace(tiny_config, strategy="supervised"),
            replace(tiny_config, shared=False),
            replace(tiny_config, data_seed=7),
        ]
    )


@pytest.fixture
def shown(finished) -> Explorer:
    return Explorer(finished)


@pytest.fixture
def computed(monkeypatch) -> Iterator[list[int]]:
    """The frames whose clips went through a network."""
    frames = []
    real = explorer.parts_in_clip

    def watched(config, model, tracklet, frame):
        frames.append(frame)
        return real(config, model, tracklet, frame)

    monkeypatch.setattr(explorer, "parts_in_clip", watched)
    return frames


def choose(control: W.Dropdown, title: str) -> None:
    control.value = dict(control.options)[title]


def longest(shown: Explorer) -> None:
    """Go to the longest tracklet of all people of the list."""
    places = []
    for _, person in shown.person.options:
        shown.person.value = person
        for _, number in shown.tracklet.options:
            shown.tracklet.value = number
            places.append((shown.frame.max, person, number))
    _, shown.person.value, shown.tracklet.value = max(places)


def size(shown: Explorer) -> tuple[int, int]:
    return Image.open(BytesIO(shown.image.value)).size


def test_it_shows_the_first_run_at_once(shown):
    assert isinstance(shown, W.DOMWidget)
    assert shown.message.value == ""
    assert size(shown)[0] == WIDTH
    assert shown.run.label == "semi-supervised, seed 0"
    assert shown.side.value == "query"
    assert len(shown.parts.value) == 9


def test_every_control_changes_the_picture(shown):
    longest(shown)
    for control, value in [
        (shown.frame, 2),
        (shown.frame, shown.frame.max),
        (shown.parts, (0, 5)),
        (shown.opacity, 0.3),
        (shown.truth, True),
        (shown.person, shown.person.options[0][1]),
        (shown.side, "gallery"),
        (shown.side, "train"),
        (shown.run, dict(shown.run.options)["supervised, seed 0"]),
        (shown.other, dict(shown.other.options)["unsupervised, seed 0, parts=12"]),
        (shown.dataset, shown.dataset.options[1]),
    ]:
        if control.value == value:
            control.value = next(v for _, v in control.options if v != value)
        before = shown.image.value
        control.value = value
        assert shown.message.value == ""
        assert shown.image.value != before, control.description


def test_two_runs_stand_one_above_the_other_on_the_same_frame(shown):
    alone = size(shown)
    choose(shown.other, "unsupervised, seed 0, parts=12")
    assert size(shown) == (alone[0], 2 * alone[1])
    choose(shown.other, "none")
    assert size(shown) == alone


def test_a_run_is_compared_with_others_of_its_data_only(shown):
    assert shown.dataset.options == ("iLIDS-VID", "iLIDS-VID, data_seed=7")
    titles = [title for title, _ in shown.run.options]
    assert titles == [
        "semi-supervised, seed 0",
        "unsupervised, seed 0, parts=12",
        "supervised, seed 0",
        "semi-supervised, seed 0, shared=False",
    ]
    assert [title for title, _ in shown.other.options] == ["none", *titles[1:]]
    shown.dataset.value = "iLIDS-VID, data_seed=7"
    assert [title for title, _ in shown.run.options] == ["semi-supervised, seed 0"]
    assert [title for title, _ in shown.other.options] == ["none"]


def test_runs_of_the_same_settings_are_told_apart_by_their_ids(finished):
    twin = replace(finished[0], folder=finished[0].folder.with_name("the-same-elsewhere"))
    titles = [title for title, _ in Explorer([finished[0], twin]).run.options]
    assert titles == [f"semi-supervised, seed 0 ({run.id})" for run in (finished[0], twin)]


def test_choosing_the_compared_run_ends_the_comparison(shown):
    choose(shown.other, "supervised, seed 0")
    choose(shown.run, "supervised, seed 0")
    assert shown.other.label == "none"
    assert shown.message.value == ""


def test_parts_have_the_names_that_labels_teach(shown):
    assert [name for name, _ in shown.parts.options][:2] == ["head", "body"]
    choose(shown.run, "unsupervised, seed 0, parts=12")
    assert shown.parts.options == tuple((f"part {n + 1}", n) for n in range(12))
    shown.parts.value = (2, 11)
    choose(shown.other, "supervised, seed 0")
    assert (len(shown.parts.options), shown.parts.value) == (12, (2, 11))
    choose(shown.run, "semi-supervised, seed 0")
    assert (len(shown.parts.options), shown.parts.value) == (9, (2,))


def test_another_tracklet_begins_at_its_first_frame_and_another_run_stays(shown):
    longest(shown)
    shown.frame.value = 3
    choose(shown.run, "supervised, seed 0")
    assert shown.frame.value == 3
    shown.side.value = "train"
    length = int(shown.tracklet.label.split()[-2])
    assert shown.frame.value == 1
    assert shown.frame.max == shown.play.max == length


def test_junk_and_distractors_are_offered_last(shown, finished, monkeypatch, tiny_split):
    people = [replace(t, person=p) for t, p in zip(tiny_split.gallery, (-1, 5, 0), strict=False)]
    monkeypatch.setattr(data, "split_of", lambda _: tiny_split._replace(gallery=people))
    shown.side.value = "gallery"
    assert shown.person.options == (("5", 5), ("junk", -1), ("distractors", 0))


def test_a_clip_goes_through_the_network_once(computed, finished):
    shown = Explorer(finished)
    longest(shown)
    computed.clear()
    for frame in (2, 3, 8, 1):
        shown.frame.value = frame
        shown.opacity.value = frame / 10
    assert computed == []
    shown.frame.value = 9
    shown.frame.value = 1
    shown.frame.value = 10
    assert computed == [8]


def test_no_change_is_lost_when_two_controls_change_at_once(finished, monkeypatch):
    shown = Explorer(finished)
    alone = size(shown)
    started, go = Event(), Event()
    real = explorer.parts_in_clip

    def slow(*arguments):
        started.set()
        assert go.wait(10)
        return real(*arguments)

    monkeypatch.setattr(explorer, "parts_in_clip", slow)
    with ThreadPoolExecutor(2) as threads:  # JupyterLab's messages come in several
        one = threads.submit(choose, shown.run, "supervised, seed 0")
        assert started.wait(10)
        other = threads.submit(choose, shown.other, "unsupervised, seed 0, parts=12")
        while not shown.other.value:
            sleep(0.01)
        go.set()
        one.result()
        other.result()
    assert size(shown) == (alone[0], 2 * alone[1])


def test_the_caption_says_how_far_parts_are_from_the_truth(shown):
    said = r"semi-supervised, seed 0: \d+% of the frame&#x27;s height from the true points"
    assert re.match(said, shown.caption.value)
    choose(shown.run, "unsupervised, seed 0, parts=12")
    assert shown.caption.value == ""


def test_every_control_says_what_it_is(shown):
    assert all(control.description for control in (*shown._controls, shown.play))


def test_a_damaged_frame_is_named_and_the_others_are_shown(finished, monkeypatch, tmp_path):
    files = [tmp_path / f"{name}.png" for name in ("good", "<b>bad")]
    for file in files:
        write_image(torch.zeros(3, 32, 16, dtype=torch.uint8), file)
    files[1].write_bytes(b"no picture")
    tracklets = [Tracklet([file] * 4, person, camera=0) for person, file in enumerate(files, 1)]
    monkeypatch.setattr(data, "split_of", lambda _: Split([], tracklets, tracklets))
    shown = Explorer(finished[:1])
    assert shown.message.value == ""
    shown.person.value = 2
    assert "&lt;b&gt;bad.png is not a readable image" in shown.message.value
    assert "<b>" not in shown.message.value
    assert shown.image.layout.display == "none"
    shown.person.value = 1
    assert shown.message.value == ""
    assert shown.image.layout.display == ""


def test_damaged_weights_are_named(finished, tmp_path):
    folder = shutil.copytree(finished[0].folder, tmp_path / "0123456789ab")
    (folder / "weights.safetensors").write_bytes(b"nothing")
    shown = Explorer([replace(finished[0], folder=folder)])
    assert "weights.safetensors was damaged" in shown.message.value


def test_pictures_that_a_run_did_not_learn_from_are_not_shown(finished):
    other = finished[0].made | {"data": "ilids_vid-of-old"}
    shown = Explorer([replace(finished[0], made=other)])
    assert "learned from the data ilids_vid-of-old" in shown.message.value
    assert "train it again" in shown.message.value


def test_no_runs_are_refused():
    with pytest.raises(ValueError, match="expected finished runs, got none"):
        Explorer([])


@pytest.mark.parametrize(
    "config",
    [
        RunConfig.preset("smoke", "mars", aggregator="average", strategy="unsupervised"),
        StudyConfig.preset("smoke", "amber"),
    ],
)
def test_runs_that_know_no_parts_are_refused(finished, config):
    with pytest.raises(ValueError, match=r'expected runs with aggregator="ssn3d".*leave it out'):
        Explorer([finished[0], replace(finished[0], config=config)])
