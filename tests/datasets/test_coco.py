"""COCO's key-point JSON: what comes back, hand-written documents, and damaged ones."""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ssn3d.datasets import coco
from ssn3d.datasets.coco import Labels
from tests.datasets.conftest import with_change

DOCUMENT: dict[str, Any] = {
    "info": {"description": "by hand"},
    "images": [
        {"id": 7, "file_name": "a.png", "width": 60, "height": 120},
        {"id": 9, "file_name": "sub/b.jpg", "width": 200, "height": 100},
        {"id": 12, "file_name": "unlabelled.png", "width": 60, "height": 120},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 3,
            "keypoints": [15, 30, 2, 20.5, 60, 1, 0, 0, 0],
            "num_keypoints": 2,
        },
        {
            "id": 2,
            "image_id": 9,
            "category_id": 3,
            "keypoints": [0, 0, 2, 200, 100, 2, 0, 0, 0],
            "num_keypoints": 2,
        },
        {"id": 3, "image_id": 9, "category_id": 4, "bbox": [0, 0, 5, 5]},
    ],
    "categories": [
        {"id": 3, "name": "person", "keypoints": ["head", "hand", "foot"]},
        {"id": 4, "name": "dog"},
    ],
}


def stored(document: Any, folder: Path) -> Path:
    path = folder / "labels.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


changed = partial(with_change, DOCUMENT)


def points(*rows: tuple[float, float]) -> Tensor:
    return torch.tensor(rows)


NOTHING = (math.nan, math.nan)


def test_a_document_written_by_hand(tmp_path):
    labels = coco.read(stored(DOCUMENT, tmp_path))
    assert labels.parts == ["head", "hand", "foot"]
    assert set(labels.points) == {"a.png", "sub/b.jpg"}
    torch.testing.assert_close(
        labels.points["a.png"], points((0.25, 0.25), NOTHING, NOTHING), equal_nan=True
    )
    torch.testing.assert_close(
        labels.points["sub/b.jpg"], points((0, 0), (1, 1), NOTHING), equal_nan=True
    )


def test_a_byte_order_mark_and_names_of_images_as_ids_are_fine(tmp_path):
    document = changed("images", 0, "id", to="seven")
    document["annotations"][0]["image_id"] = "seven"
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(document), encoding="utf-8-sig")
    assert "a.png" in coco.read(path).points


def test_a_click_just_outside_is_moved_to_the_edge(tmp_path):
    path = stored(changed("annotations", 0, "keypoints", 0, to=-0.5), tmp_path)
    assert coco.read(path).points["a.png"][0].tolist() == [0, 0.25]


sides = st.integers(1, 4000)
shares = st.floats(0, 1, width=32) | st.just(math.nan)


@given(
    sizes=st.lists(st.tuples(sides, sides), min_size=1, max_size=3),
    places=st.lists(st.tuples(shares, shares), min_size=6, max_size=6),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_comes_back(tmp_path, sizes, places):
    names = {f"{n}/bild ä.png": size for n, size in enumerate(sizes)}
    known = Labels(
        ["knee 1", "knee 2"],
        dict(zip(names, torch.tensor(places).reshape(3, 2, 2), strict=False)),
    )
    coco.write(known, tmp_path / "x.json", names)
    again = coco.read(tmp_path / "x.json")
    assert again.parts == known.parts and set(again.points) == set(known.points)
    for name, (height, width) in names.items():
        pixels = torch.tensor([width, height])
        wanted, got = known.points[name], again.points[name]
        wanted = wanted.where(wanted.isfinite().all(-1, keepdim=True), torch.nan)
        torch.testing.assert_close(got * pixels, wanted * pixels, atol=1e-3, rtol=0, equal_nan=True)


def test_tools_find_the_fields_they_expect(tmp_path):
    labels = Labels(["head", "hand"], {"a.png": points((0.5, 0.25), NOTHING)})
    coco.write(labels, tmp_path / "x.json", {"a.png": (120, 60), "b.png": (10, 20)})
    document = json.loads((tmp_path / "x.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.png", "b.png"]
    assert (document["images"][1]["width"], document["images"][1]["height"]) == (20, 10)
    (annotation,) = document["annotations"]
    assert annotation["keypoints"] == [30, 30, 2, 0, 0, 0]
    assert annotation["num_keypoints"] == 1
    assert annotation["bbox"] == [0, 0, 60, 120]
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    labels = Labels(["head"], {"a.png": points((0.5, 0.5))})
    coco.write(labels, path, {"a.png": (10, 10)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk is full"):
        coco.write(labels, path, {"a.png": (20, 20)})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("labels", "size", "message"),
    [
        (Labels(["head"], {"b.png": points((0, 0))}), (9, 9), "'b.png': expected the size"),
        (Labels(["head"], {"a.png": points((0, 1.1))}), (9, 9), r"'a.png': expected shares"),
        (Labels(["head"], {"a.png": points((0, math.inf))}), (9, 9), r"'a.png': expected shares"),
        (Labels(["head"], {"a.png": torch.zeros(2, 2)}), (9, 9), r"expected \[1 2\], got \[2, 2\]"),
        (Labels(["a", "a"], {}), (9, 9), "each once"),
        (Labels([], {}), (9, 9), "names of key points"),
        (Labels(["head"], {}), (0, 9), "'a.png': expected a width and a height"),
    ],
)
def test_labels_that_fit_no_file_are_refused(tmp_path, labels, size, message):
    with pytest.raises(ValueError, match=message):
        coco.write(labels, tmp_path / "x.json", {"a.png": size})
    assert not list(tmp_path.iterdir())


KEYPOINTS = ("annotations", 0, "keypoints")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "line 1"),
        ("", "line 1"),
        ("[" * 100_000, "recursion"),
        (
            "[]",
            "expected an object with images, .* got a list, as estimators write .* Label Studio",
        ),
        ("7", "the document: expected an object"),
        ("9" * 5000, "digits"),
        (changed("images", to=...), "'images' as list, got None"),
        (changed("annotations", to={}), "'annotations' as list"),
        (changed("categories", to=[]), "expected one with key points, got 0"),
        (changed("categories", 1, "keypoints", to=["x"]), "got 2: person, dog"),
        (changed("categories", 0, "keypoints", to=["head", "head", "x"]), "each once"),
        (changed("categories", 0, "keypoints", to=["head", 4, "x"]), "names of key points"),
        (changed("categories", 0, "id", to=[]), "a category: expected 'id'"),
        (changed("images", 0, to=None), "an image: expected an object in braces, got None"),
        (changed("images", 0, "id", to=True), "an image: expected 'id' as int"),
        (changed("images", 0, "id", to=9), "'sub/b.jpg': expected an id and a name of its own"),
        (changed("images", 0, "file_name", to="sub/b.jpg"), "a name of its own"),
        (changed("images", 0, "file_name", to=5), "image 7: expected 'file_name' as str, got 5"),
        (changed("images", 0, "width", to=0), "'a.png': expected a width and a height"),
        (changed("images", 0, "height", to=-3), "'a.png': expected a width and a height"),
        (changed("images", 0, "height", to=...), "'a.png': expected a width and a height"),
        (changed("images", 0, "width", to="60"), "'a.png': expected a width and a height"),
        (
            changed("annotations", 0, "image_id", to=8),
            "expected the id of an image, got image_id 8",
        ),
        (
            changed("annotations", 0, "image_id", to=9),
            r"'sub/b.jpg': expected one annotation .* second one \(ids 1 and 2\)",
        ),
        (changed("annotations", 0, "category_id", to=...), "'category_id' as int"),
        (changed(*KEYPOINTS, to={"x": 1}), "annotation of 'a.png': expected 'keypoints' as list"),
        (
            changed(*KEYPOINTS, to=[1, 2, 2]),
            "x, y, v of 3 key points, 9 numbers in one list, got 3",
        ),
        (changed(*KEYPOINTS, 0, to="1"), "head of 'a.png': expected a number of .*, got '1'"),
        (changed(*KEYPOINTS, 0, to=math.nan), "head of 'a.png': expected a number of .*, got nan"),
        (changed(*KEYPOINTS, 4, to=math.inf), "hand of 'a.png': expected a number of .*, got inf"),
        (changed(*KEYPOINTS, 2, to=True), "head of 'a.png': expected a number of .*, got True"),
        (changed(*KEYPOINTS, 2, to=0.87), "expected v to be 0, 1 or 2, got 0.87"),
        (changed(*KEYPOINTS, 1, to=10**400), "head of 'a.png': expected a number"),
        (changed(*KEYPOINTS, 1, to=10**7), "head of 'a.png': expected a number of at most 1e"),
        (changed(*KEYPOINTS, 2, to=3), "head of 'a.png': expected v to be 0, 1 or 2, got 3"),
        (changed(*KEYPOINTS, 0, to=90), r"x within 0..60 and y within 0..120, got \(90, 30\)"),
        (changed(*KEYPOINTS, 1, to=-9), r"x within 0..60 and y within 0..120, got \(15, -9\)"),
    ],
)
def test_damage_is_named(tmp_path, document, message):
    with pytest.raises(ValueError, match=rf"(?s)labels\.json: .*{message}.*; \w"):
        coco.read(stored(document, tmp_path))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_files_as_windows_saves_them_are_read(tmp_path, encoding):
    path = tmp_path / "labels.json"
    text = json.dumps(changed("images", 0, "file_name", to="Bär.png"), ensure_ascii=False)
    path.write_bytes(text.replace(", ", ",\r\n").encode(encoding))
    assert "Bär.png" in coco.read(path).points


def test_bytes_of_another_encoding_are_named(tmp_path):
    path = tmp_path / "labels.json"
    path.write_bytes(json.dumps(DOCUMENT).replace("a.png", "Bär.png").encode("latin-1"))
    with pytest.raises(
        ValueError, match=r"labels\.json: expected JSON, .*utf-8.*; .*save the file in UTF-8"
    ):
        coco.read(path)


@pytest.mark.parametrize(
    "name", ["sub\\a.png", "./sub/a.png", ".\\sub\\a.png", "sub//a.png", "sub/a.png"]
)
def test_names_are_paths_with_forward_slashes(tmp_path, name):
    labels = coco.read(stored(changed("images", 0, "file_name", to=name), tmp_path))
    assert set(labels.points) == {"sub/a.png", "sub/b.jpg"}


def test_one_picture_under_two_spellings_of_its_name_is_refused(tmp_path):
    path = stored(changed("images", 0, "file_name", to=".\\sub\\b.jpg"), tmp_path)
    with pytest.raises(ValueError, match=r"'sub/b\.jpg': expected an id and a name of its own"):
        coco.read(path)


@pytest.mark.parametrize("in_images", [str, int])
@pytest.mark.parametrize("in_annotations", [str, int])
@pytest.mark.parametrize("in_categories", [str, int])
def test_ids_may_be_numbers_or_strings(tmp_path, in_images, in_annotations, in_categories):
    document = changed("info", to={})
    for image in document["images"]:
        image["id"] = in_images(image["id"])
    for annotation in document["annotations"]:
        annotation["image_id"] = in_annotations(annotation["image_id"])
    for category in document["categories"]:
        category["id"] = in_categories(category["id"])
    labels = coco.read(stored(document, tmp_path))
    assert set(labels.points) == {"a.png", "sub/b.jpg"}


UNLABELLED = ([], None, ...)


@pytest.mark.parametrize("nothing", UNLABELLED)
def test_an_annotation_without_key_points_is_no_label(tmp_path, nothing):
    labels = coco.read(stored(changed(*KEYPOINTS, to=nothing), tmp_path))
    assert set(labels.points) == {"sub/b.jpg"}


def another(**fields: Any) -> dict[str, Any]:
    """A second annotation of the first image."""
    return {"id": 9, "image_id": 7, "category_id": 3, **fields}


@pytest.mark.parametrize(
    "entry",
    [
        another(),
        another(keypoints=[]),
        another(keypoints=None, num_keypoints=0),
        another(keypoints=[0] * 9, num_keypoints=0),
        another(keypoints=[5, 5, 2] * 3, iscrowd=1),
        another(keypoints=[5, 5, 2] * 3, category_id=4),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_of_two_annotations_the_one_with_points_of_a_person_is_taken(tmp_path, entry, first):
    document = changed("info", to={})
    document["annotations"].insert(0 if first else 3, entry)
    found, alone = coco.read(stored(document, tmp_path)), coco.read(stored(DOCUMENT, tmp_path))
    assert set(found.points) == set(alone.points)
    for name, expected in alone.points.items():
        torch.testing.assert_close(found.points[name], expected, equal_nan=True)


def with_marks(*marks: int) -> dict[str, Any]:
    """The document, with these v in the annotations of its two labelled images."""
    document = changed("info", to={})
    for annotation, three in zip(document["annotations"], (marks[:3], marks[3:]), strict=False):
        annotation["keypoints"][2::3] = three
    return document


def test_where_every_labelled_point_has_v_1_they_are_visible(tmp_path, caplog):
    labels = coco.read(stored(with_marks(1, 1, 0, 1, 1, 0), tmp_path))
    assert labels.points["a.png"].isfinite().all(-1).tolist() == [True, True, False]
    assert labels.points["a.png"][0].tolist() == [0.25, 0.25]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "labels.json: every labelled point has v = 1" in caplog.text


def test_beside_a_visible_point_v_1_is_hidden(tmp_path, caplog):
    labels = coco.read(stored(with_marks(1, 1, 0, 1, 2, 0), tmp_path))
    assert labels.points["a.png"].isnan().all() and not caplog.records
    assert labels.points["sub/b.jpg"].isfinite().all(-1).tolist() == [False, True, False]


@pytest.mark.parametrize("marks", [(1, 0, 0, 2, 2, 0), (1, 1, 0, 1, 1, 0)])
def test_a_hidden_point_may_lie_outside_and_a_visible_one_not(tmp_path, marks):
    document = with_marks(*marks)
    document["annotations"][0]["keypoints"][0] = 90
    if 2 in marks:
        assert coco.read(stored(document, tmp_path)).points["a.png"].isnan().all()
    else:
        with pytest.raises(ValueError, match=r"head of 'a\.png': expected x within 0\.\.60"):
            coco.read(stored(document, tmp_path))


def test_names_that_are_not_there_are_counted():
    labels = Labels(["head"], dict.fromkeys(("a.png", "/x/b.png", "c.png"), points((0, 0))))
    assert coco.names_missing_from(["a.png", "/x/b.png", "c.png", "d.png"], labels) is None
    message = coco.names_missing_from(["b.png", "c.png"], labels)
    assert "such as 'b.png'; 2 of the 3 labelled ones are not there, such as '/x/b.png'" in message


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"labels\.json"):
        coco.read(tmp_path / "labels.json")


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-3, 130)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from([10**400, "a.png", "head", 1e-300]),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


def places(value: Any, before: tuple = ()) -> list[tuple]:
    """The paths to everything inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, inner in inside:
        found.append((*before, key))
        if isinstance(inner, dict | list):
            found += places(inner, (*before, key))
    return found


@given(where=st.sampled_from(places(DOCUMENT)), to=anything | st.just(...))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_document_is_read_or_refused(tmp_path, where, to):
    check(stored(changed(*where, to=to), tmp_path))


def check(path: Path) -> None:
    try:
        labels = coco.read(path)
    except ValueError as error:
        assert "labels.json" in str(error) and "; " in str(error)
        return
    for name, known in labels.points.items():
        assert isinstance(name, str) and known.shape == (len(labels.parts), 2)
        assert (known.isnan() | ((known >= 0) & (known <= 1))).all()


def test_labels_are_found_under_the_names_that_files_have():
    long, short = (normalize(form, "é/1.png") for form in ("NFD", "NFC"))
    assert long != short
    at = points((0.5, 0.5))
    for known, written in ((long, short), (short, long), (short, short)):
        sizes = {written: (2.0, 1.0)}
        labels = coco.under_names([known], Labels(["head"], {written: at, "b.png": at}, sizes))
        assert labels.points.keys() == {known, "b.png"}
        assert labels.sizes == {known: (2.0, 1.0)}
    both = coco.under_names([long, short], Labels(["head"], {long: at, short: 0 * at}))
    assert torch.equal(both.points[long], at)
    assert torch.equal(both.points[short], 0 * at)
