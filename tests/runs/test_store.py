import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ssn3d.runs import store
from ssn3d.training import inference
from ssn3d.training import reid as train

FILES = ("config.json", "history.json", "metrics.json", "made.json", store.WEIGHTS)
METRICS = {"top1": 0.1 + 0.2, "skipped": 0, "queries": {"person": [1, 2], "ap": [1.0, 1 / 3]}}
MADE = {
    "kind": "reid",
    "data": "tiny",
    "commit": "c0de",
    "device": "a CPU",
    "seconds": {"train": 0.5},
    "versions": {"ssn3d": "0", "torch": "0"},
}


@pytest.fixture
def folder(tiny_config, trained, tmp_path) -> Path:
    """A run on disk."""
    folder = tmp_path / "runs" / "abc"
    folder.parent.mkdir()
    store.write(folder, tiny_config, *trained, METRICS, MADE)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_read_is_what_was_written(folder, tiny_config, trained):
    run = store.read(folder)
    assert (run.id, run.folder, run.config) == ("abc", folder, tiny_config)
    assert run.history == trained[1]
    assert run.metrics == METRICS
    assert run.made.items() > MADE.items()


def test_a_folder_that_is_not_there_holds_no_run(tmp_path):
    assert store.read(tmp_path / "nothing") is None


def test_a_run_has_exactly_the_files_it_should(folder):
    assert names_in(folder) == sorted((*FILES, store.CARD))
    assert names_in(folder.parent) == ["abc"]


def test_others_may_read_a_run_as_far_as_usual(folder):
    assert folder.stat().st_mode == folder.parent.stat().st_mode


def test_two_writings_of_one_run_are_the_same_bytes(folder, tiny_config, trained):
    again = folder.with_name("again")
    store.write(again, tiny_config, *trained, METRICS, MADE)
    for name in FILES:
        assert (again / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_damage(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=r"runs/abc holds a damaged run"):
        store.read(folder)


@pytest.mark.parametrize("name", FILES[:4])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_truncated_file_is_damage(folder, name, share):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="holds a damaged run"):
        store.read(folder)


@pytest.mark.parametrize("name", FILES[:3])
def test_a_changed_number_is_damage(folder, name):
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace("0", "1"))
    assert (folder / name).read_text() != text
    with pytest.raises(ValueError, match=r"holds a damaged run.*digests differ"):
        store.read(folder)


@pytest.mark.parametrize("content", ["[]", "{}", "3", "null", '{"sha256": {}}', '{"sha256": 3}'])
def test_a_record_without_digests_is_damage(folder, content):
    (folder / "made.json").write_text(content)
    with pytest.raises(ValueError, match="holds a damaged run"):
        store.read(folder)


def test_a_run_of_other_settings_than_there_are_is_damage(folder):
    settings = json.loads((folder / "config.json").read_text()) | {"momentum": 0.9}
    changed = (json.dumps(settings, indent=1) + "\n").encode()
    (folder / "config.json").write_bytes(changed)
    made = json.loads((folder / "made.json").read_text())
    made["sha256"]["config.json"] = store._sha256(changed)
    del made["seal"]
    made["seal"] = store._sha256(store._json(made))
    (folder / "made.json").write_text(json.dumps(made))
    with pytest.raises(ValueError, match=r"damaged run.*momentum"):
        store.read(folder)


def test_the_network_comes_back_as_it_was(folder, tiny_config, tiny_split, trained):
    network = store.read(folder).model()
    assert not network.training
    expected = inference.embed(tiny_config, trained[0], tiny_split.query)
    assert torch.equal(inference.embed(tiny_config, network, tiny_split.query), expected)


def test_a_network_needs_no_imagenet_weights_to_come_back(
    folder, tiny_config, trained, monkeypatch
):
    config = replace(tiny_config, backbone="resnet34", pretrained=True)
    network = train.build(replace(config, pretrained=False))
    store.write(folder, config, network, trained[1], METRICS, MADE)
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", None)
    assert store.read(folder).model()


def test_a_network_on_a_backbone_of_timm_comes_back_without_its_weights(
    folder, tiny_config, trained, monkeypatch
):
    pytest.importorskip("timm")
    config = replace(tiny_config, backbone="timm:tf_efficientnet_lite0", pretrained=True)
    network = train.build(replace(config, pretrained=False)).eval()
    store.write(folder, config, network, trained[1], METRICS, MADE)
    monkeypatch.setattr("ssn3d.models.lite0_weights.read", None)
    monkeypatch.setattr("timm.models._builder.load_pretrained", None)
    again = store.read(folder).model()
    frames = torch.zeros(1, 3, tiny_config.height, tiny_config.width, dtype=torch.uint8)
    assert torch.equal(again.features(frames), network.features(frames))


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "rendered data only", "ImageNet"),
        ({"backbone": "resnet34", "pretrained": True}, "started from ImageNet", "seen rendered"),
        ({"dataset": "folder", "source": "real"}, "pictures of real people", "rendered data only"),
    ],
)
def test_the_card_says_what_the_network_has_seen(
    folder, tiny_config, trained, changes, said, unsaid
):
    config = replace(tiny_config, **changes)
    store.write(folder, config, *trained, METRICS, MADE)
    card = (folder / store.CARD).read_text()
    assert said in card
    assert unsaid not in card


@pytest.mark.parametrize("where", [0, -1])
def test_changed_weights_are_noticed(folder, where):
    content = bytearray((folder / store.WEIGHTS).read_bytes())
    content[where] ^= 1
    (folder / store.WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.safetensors was damaged.*delete the folder"):
        store.read(folder).model()


def test_a_crash_while_writing_leaves_nothing(tiny_config, trained, tmp_path, monkeypatch):
    write_bytes, written = Path.write_bytes, []

    def full_after_two(path, content):
        if len(written) == 2:
            raise OSError("the disk is full")
        written.append(path)
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", full_after_two)
    with pytest.raises(OSError, match="the disk is full"):
        store.write(tmp_path / "abc", tiny_config, *trained, METRICS, MADE)
    assert len(written) == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", ["save", "_json"])
def test_a_crash_before_writing_leaves_nothing(
    tiny_config, trained, tmp_path, monkeypatch, function
):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, function, interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.write(tmp_path / "abc", tiny_config, *trained, METRICS, MADE)
    assert not list(tmp_path.iterdir())


def test_a_crash_while_replacing_keeps_what_was_there(folder, tiny_config, trained, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store, "save", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.write(folder, tiny_config, *trained, {}, MADE)
    assert store.read(folder).metrics == METRICS
    assert names_in(folder.parent) == ["abc"]


def test_a_run_takes_the_place_of_what_is_left_of_a_damaged_one(folder, tiny_config, trained):
    (folder / "made.json").unlink()
    (folder / "litter").touch()
    store.write(folder, tiny_config, *trained, METRICS, MADE)
    assert store.read(folder).metrics == METRICS
    assert names_in(folder) == sorted((*FILES, store.CARD))


def test_runs_live_where_the_variable_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "elsewhere"))
    assert store.store_folder() == tmp_path / "elsewhere"


def test_runs_live_with_the_data_unless_told_otherwise(monkeypatch, own_folders):
    monkeypatch.delenv("SSN3D_RUNS")
    assert store.store_folder() == own_folders / "runs"
