"""The annotator without a browser: what clicks do to the file, and what is refused."""

import json
import os
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ssn3d.datasets import coco
from ssn3d.synthetic import pedestrians
from ssn3d.widgets import annotator
from ssn3d.widgets.annotator import Annotator
from ssn3d.widgets.label_file import HIDDEN, UNLABELLED, VISIBLE

PARTS = ("head", "hand", "foot")
NOTHING = [0, 0, UNLABELLED]
WIDTH, HEIGHT = 30, 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, each of another grey."""
    for n, name in enumerate(("b.png", "a.png", "deeper/c.png")):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (50 * n, 50 * n, 50 * n)).save(path)
    return tmp_path / "pictures"


def stored(folder: Path) -> dict[str, list[list[float]]]:
    points = coco.read(folder / "labels.json").points
    return {name: torch.nan_to_num(each, -1).tolist() for name, each in points.items()}


def click(one: Annotator, **wish: object) -> None:
    """What a page sends when somebody clicks in it."""
    one._handle_custom_msg({"index": one.index} | wish, [])


def all_marks(one: Annotator) -> list[list[list[float]]]:
    """Of every picture."""
    marks = []
    for place in range(one.count):
        one.go(place)
        marks.append(one.marks)
    return marks


def grey(one: Annotator) -> int:
    return int(np.array(Image.open(BytesIO(one.picture)))[0, 0, 0])


def test_a_point_is_in_the_file_that_training_reads_at_once(folder):
    one = Annotator(folder, PARTS)
    one.put(1, 0.5, 0.25)
    assert stored(folder) == {"a.png": [[-1, -1], [0.5, 0.25], [-1, -1]]}
    material = pedestrians.read(folder, height=HEIGHT, width=WIDTH)
    assert material.names == ["a.png", "b.png", "deeper/c.png"]
    assert material.parts == list(PARTS)
    assert material.labels.isfinite().all(-1).nonzero().tolist() == [[0, 1]]


def test_pictures_are_shown_in_the_order_of_their_names_and_no_further_than_the_last(folder):
    one = Annotator(folder, PARTS)
    seen = []
    for step in (0, 1, 1, 1, -9):
        one.go(one.index + step)
        seen.append((one.index, one.name, grey(one)))
    assert seen == [
        (0, "a.png", 50),
        (1, "b.png", 0),
        (2, "deeper/c.png", 100),
        (2, "deeper/c.png", 100),
        (0, "a.png", 50),
    ]


def test_only_the_pictures_asked_for_are_shown(folder):
    one = Annotator(folder, PARTS, names=["deeper/c.png", "a.png"])
    assert (one.name, one.count) == ("deeper/c.png", 2)
    one.go(1)
    assert one.name == "a.png"


def test_a_picture_is_labelled_when_every_part_is_set_or_said_not_to_be_visible(folder):
    one = Annotator(folder, PARTS)
    counts = [one.labelled]
    for act in (
        lambda: one.put(0, 0, 1),
        lambda: one.hide(1),
        lambda: one.put(2, 1, 1),
        lambda: one.hide(2),
        one.undo,
        one.undo,
    ):
        act()
        counts.append(one.labelled)
    assert counts == [0, 0, 0, 1, 1, 1, 0]
    assert repr(one) == "Annotator(3 parts, 0 of 3 labelled)"


def test_work_goes_on_where_it_was_left(folder):
    one = Annotator(folder, PARTS)
    one.put(0, 0.1, 0.2)
    one.hide(1)
    one.put(2, 0.3, 0.4)
    one.go(1)
    one.put(2, 0.5, 0.5)

    again = Annotator(folder, PARTS)
    assert (again.name, again.labelled) == ("b.png", 1)  # the first that is not finished
    assert again.marks == [NOTHING, NOTHING, [0.5, 0.5, VISIBLE]]
    again.go(0)
    assert again.marks == [[0.1, 0.2, VISIBLE], [0, 0, HIDDEN], [0.3, 0.4, VISIBLE]]


def test_undo_goes_back_through_pictures_and_then_does_nothing(folder):
    one = Annotator(folder, PARTS)
    one.put(0, 0.25, 0.5)
    one.put(0, 0.75, 0.5)
    one.go(2)
    one.hide(1)
    one.go(1)
    states = []
    for _ in range(4):
        one.undo()
        states.append((one.name, one.marks))
    assert states == [
        ("deeper/c.png", [NOTHING] * 3),
        ("a.png", [[0.25, 0.5, VISIBLE], NOTHING, NOTHING]),
        ("a.png", [NOTHING] * 3),
        ("a.png", [NOTHING] * 3),
    ]
    assert {v for points in stored(folder).values() for point in points for v in point} == {-1}


CHANGES = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 2), st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.just("hide"), st.integers(0, 2)),
    st.tuples(st.just("go"), st.integers(-1, 3)),
)


@settings(max_examples=20)
@given(before=st.lists(CHANGES, max_size=4), after=st.lists(CHANGES, max_size=6))
def test_undoing_all_changes_restores_the_file(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("undo")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    one = Annotator(folder, PARTS)
    for name, *arguments in before:
        getattr(one, name)(*arguments)
    then = Annotator(folder, PARTS)
    kept = all_marks(then)
    for name, *arguments in after:
        getattr(then, name)(*arguments)
    for _ in after:
        then.undo()
    np.testing.assert_allclose(all_marks(then), kept, atol=1e-4)  # pixels are kept to 4 decimals


def test_what_other_tools_wrote_stays_in_the_file(folder):
    document = {
        "info": {"by": "another tool"},
        "images": [
            {"id": "x", "file_name": "b.png", "width": WIDTH, "height": HEIGHT, "camera": 3},
            {"id": 7, "file_name": "elsewhere.png", "width": 9, "height": 9},
        ],
        "annotations": [
            {"id": 5, "image_id": "x", "category_id": 2, "keypoints": [3, 6, 2, 9, 9, 1, 0, 0, 0]},
            {"id": 6, "image_id": 7, "category_id": 2, "keypoints": [1, 1, 2] * 3},
            {"id": 8, "image_id": "x", "category_id": 4, "bbox": [0, 0, 5, 5]},
        ],
        "categories": [{"id": 4, "name": "dog"}, {"id": 2, "keypoints": list(PARTS)}],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    one = Annotator(folder, PARTS)
    one.go(1)
    assert one.marks == [[0.1, 0.1, VISIBLE], [0, 0, HIDDEN], NOTHING]
    one.put(2, 0.5, 1)
    one.go(0)
    one.put(0, 0.5, 0.5)

    now = json.loads((folder / "labels.json").read_text())
    assert now["info"] == document["info"]
    assert now["categories"] == document["categories"]
    assert now["images"][:2] == document["images"]
    assert now["images"][2] == {"id": 8, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    assert now["annotations"][0]["keypoints"] == [3, 6, 2, 9, 9, 1, 15, 60, 2]
    assert now["annotations"][1:3] == document["annotations"][1:3]
    assert now["annotations"][3]["keypoints"] == [15, 30, 2, 0, 0, 0, 0, 0, 0]
    assert len({entry["id"] for entry in now["annotations"]}) == 4


def test_two_annotators_of_one_file_keep_each_others_points(folder):
    one, two = Annotator(folder, PARTS), Annotator(folder, PARTS)
    one.put(0, 0.5, 0.5)
    two.put(1, 0.5, 0.5)
    assert stored(folder) == {"a.png": [[0.5, 0.5], [0.5, 0.5], [-1, -1]]}
    assert two.marks[0] == [0.5, 0.5, VISIBLE]


def test_a_page_does_by_messages_what_python_does_by_calls(folder):
    one = Annotator(folder, PARTS)
    click(one, do="put", part=0, x=0.2, y=0.4)
    click(one, do="hide", part=1)
    assert one.marks == [[0.2, 0.4, VISIBLE], [0, 0, HIDDEN], NOTHING]
    click(one, do="undo")
    assert one.marks == [[0.2, 0.4, VISIBLE], NOTHING, NOTHING]
    click(one, do="go", step=1)
    assert one.name == "b.png"


def test_a_click_on_a_picture_that_was_gone_when_it_arrived_counts_for_none(folder):
    one = Annotator(folder, PARTS)
    one.go(1)
    click(one, index=0, do="put", part=0, x=0.2, y=0.4)
    assert stored(folder) == {}
    click(one, index=0, do="go", step=1)  # pressed twice, faster than pictures travel
    assert one.index == 2


def test_a_page_is_told_why_a_point_was_not_kept_and_what_is_true(folder):
    one = Annotator(folder, PARTS)
    (folder / "labels.json").write_text("{")
    for _ in range(2):
        told = []
        one.observe(lambda change, told=told: told.append(change.new), "problem")
        click(one, do="put", part=0, x=0.2, y=0.4)
        assert "labels.json" in told[-1]
    assert told[0] == ""  # told anew the second time
    assert one.marks == [NOTHING] * 3
    (folder / "labels.json").unlink()
    Annotator(folder, PARTS)
    click(one, do="put", part=0, x=0.2, y=0.4)
    assert one.problem == ""
    assert one.marks[0] == [0.2, 0.4, VISIBLE]


def test_nothing_of_a_change_is_kept_that_cannot_be_written(folder, monkeypatch):
    one = Annotator(folder, PARTS)
    before = (folder / "labels.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match=r"cannot be written to .*No space left"):
            one.put(0, 0.5, 0.5)
    assert (folder / "labels.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.png", "b.png", "deeper", "labels.json",
    ]  # fmt: skip
    one.undo()
    assert one.marks == [NOTHING] * 3


def test_a_large_picture_is_sent_smaller(folder):
    Image.new("RGB", (2400, 600)).save(folder / "a.png")
    one = Annotator(folder, PARTS)
    assert Image.open(BytesIO(one.picture)).size == (1200, 300)
    one.put(0, 0.5, 0.5)
    document = json.loads((folder / "labels.json").read_text())
    assert document["annotations"][0]["keypoints"][:3] == [1200, 300, 2]


def test_the_page_is_one_file_of_the_package_that_fetches_nothing():
    source = Path(annotator.__file__).with_name("keypoints.js").read_text()
    assert "innerHTML" not in source
    assert not re.search(r"https?:|fetch\(|import |url\(|XMLHttpRequest", source)


def test_parts_beyond_those_with_a_colour_of_their_own_get_one_again(folder):
    colours = Annotator(folder, [f"part {n}" for n in range(11)]).colours
    assert len(colours) == 11
    assert colours[9:] == colours[:2]


def test_what_cannot_be_labelled_is_refused_before_the_first_click(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    cases = {
        "does not exist": lambda: Annotator(tmp_path / "none", PARTS),
        "expected pictures .* got none": lambda: Annotator(tmp_path / "empty", PARTS),
        "got 'd.png', which is not there": lambda: Annotator(folder, PARTS, names=["d.png"]),
        "names of key points, each once": lambda: Annotator(folder, ["head", "head"]),
        "cannot be written": lambda: Annotator(folder, PARTS, tmp_path / "no" / "labels.json"),
    }
    for message, make in cases.items():
        with pytest.raises((OSError, ValueError), match=message):
            make()
    assert not (folder / "labels.json").exists()


def test_a_file_of_other_parts_or_a_damaged_one_is_left_alone(folder):
    Annotator(folder, PARTS)
    whole = (folder / "labels.json").read_bytes()
    with pytest.raises(ValueError, match=r"expected key points called \['head'\], got \['head', "):
        Annotator(folder, ["head"])
    assert (folder / "labels.json").read_bytes() == whole
    (folder / "labels.json").write_bytes(whole[:50])
    with pytest.raises(ValueError, match=r"labels\.json: .*export the labels again"):
        Annotator(folder, PARTS)
    assert (folder / "labels.json").read_bytes() == whole[:50]


def test_a_write_protected_file_is_refused(folder, monkeypatch):
    Annotator(folder, PARTS)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "labels.json")
    with pytest.raises(PermissionError, match="cannot be written"):
        Annotator(folder, PARTS)


def test_there_is_no_such_part_or_place(folder):
    one = Annotator(folder, PARTS)
    for part, x, message in ((3, 0.5, "expected 0 to 2, got 3"), (0, 1.2, r"within 0\.\.1")):
        with pytest.raises(ValueError, match=message):
            one.put(part, x, 0.5)
    assert stored(folder) == {}
