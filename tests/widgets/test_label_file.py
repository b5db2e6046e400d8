"""Files of labels that other tools wrote: opened, changed by one point, everything else kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from ssn3d.datasets import coco
from ssn3d.widgets.label_file import HIDDEN, UNLABELLED, VISIBLE, LabelFile, Mark

PARTS = ["head", "hand"]
NOTHING = Mark(0, 0, UNLABELLED)


def document(*annotations: dict[str, Any]) -> dict[str, Any]:
    """As a labelling tool under Windows writes it, ids as strings."""
    return {
        "licenses": [{"name": "none"}],
        "images": [
            {"id": "1", "file_name": "p1\\a.png", "width": 10, "height": 20, "path": "/data/a"},
            {"id": "2", "file_name": ".\\b.png", "width": 10, "height": 20},
        ],
        "annotations": list(annotations),
        "categories": [{"id": "5", "name": "person", "keypoints": PARTS, "supercategory": "x"}],
    }


def annotation(image: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"{image}0", "image_id": image, "category_id": 5, "track": 7, **fields}


def opened(folder: Path, *annotations: dict[str, Any]) -> LabelFile:
    path = folder / "labels.json"
    path.write_text(json.dumps(document(*annotations)), encoding="utf-16")
    return LabelFile(path, PARTS)


def test_pictures_have_their_names_with_forward_slashes(tmp_path):
    labels = opened(tmp_path, annotation(1, keypoints=[5, 5, 2, 1, 1, 1]), annotation(2))
    hidden = Mark(0, 0, HIDDEN)
    assert labels.marks() == {
        "p1/a.png": [Mark(0.5, 0.25, VISIBLE), hidden], "b.png": [NOTHING] * 2
    }  # fmt: skip


@pytest.mark.parametrize("nothing", [{}, {"keypoints": None}, {"keypoints": []}])
def test_an_annotation_without_key_points_gets_them(tmp_path, nothing):
    labels = opened(tmp_path, annotation(1, bbox=[1, 2, 3, 4], **nothing))
    labels.put("p1/a.png", (20, 10), 1, Mark(0.5, 0.5, VISIBLE))
    stored = json.loads(labels.path.read_bytes())
    (kept,) = stored["annotations"]
    assert kept.pop("keypoints") == [0, 0, 0, 5, 10, 2] and kept.pop("num_keypoints") == 1
    assert kept.pop("not_visible") == []
    assert kept == annotation(1, bbox=[1, 2, 3, 4])
    assert {**stored, "annotations": []} == document()


def test_a_crowd_is_left_alone(tmp_path):
    crowd = annotation(2, keypoints=[1, 1, 2, 2, 2, 2], iscrowd=1)
    labels = opened(tmp_path, crowd)
    assert labels.marks() == {}
    labels.put("b.png", (20, 10), 0, Mark(0.5, 0.5, VISIBLE))
    first, new = json.loads(labels.path.read_bytes())["annotations"]
    assert first == crowd
    assert (new["id"], new["image_id"], new["category_id"]) == (21, "2", "5")
    assert set(coco.read(labels.path).points) == {"b.png"}


def test_a_change_goes_to_the_annotation_that_has_the_points(tmp_path):
    empty, full = annotation(1), annotation(1, keypoints=[5, 5, 2, 0, 0, 0])
    labels = opened(tmp_path, empty, full)
    labels.put("p1\\a.png", (20, 10), 1, Mark(0.1, 0.1, VISIBLE))
    first, second = json.loads(labels.path.read_bytes())["annotations"]
    assert first == empty and second["keypoints"] == [5, 5, 2, 1, 2, 2]


def test_a_tool_that_marks_all_points_by_1_finds_its_own_mark_again(tmp_path):
    labels = opened(tmp_path, annotation(1, keypoints=[5, 5, 1, 0, 0, 0]))
    before = labels.marks()["p1/a.png"]
    assert before == [Mark(0.5, 0.25, VISIBLE), NOTHING]
    labels.put("p1/a.png", (20, 10), 1, Mark(0.1, 0.1, VISIBLE))
    labels.put("b.png", (20, 10), 0, Mark(0.2, 0.2, VISIBLE))
    assert labels.marks() == {
        "p1/a.png": [before[0], Mark(0.1, 0.1, VISIBLE)],
        "b.png": [Mark(0.2, 0.2, VISIBLE), NOTHING],
    }
    labels.put("b.png", (20, 10), 0, Mark(0, 0, HIDDEN))
    assert labels.marks()["b.png"] == [Mark(0, 0, HIDDEN), NOTHING]
    assert labels.marks()["p1/a.png"][0] == before[0]
