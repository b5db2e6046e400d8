import shutil
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import ssn3d
from ssn3d import runs
from ssn3d.config import StudyConfig
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import load_frames
from ssn3d.runs import trained
from ssn3d.training import inference


@pytest.fixture
def run(tiny_config, store):
    return runs.load_or_train(tiny_config)


@pytest.fixture
def tracklet(tiny_split):
    return tiny_split.query[0]


def test_a_run_embeds_a_tracklet_as_training_would(run, tiny_config, tracklet):
    frames = load_frames(tracklet, range(len(tracklet)))
    [expected] = inference.embed(tiny_config, run.model(), [tracklet])
    model = ssn3d.load(run.id)
    assert_close(model.embed(frames), expected)


def test_image_files_are_embedded_as_their_frames_are(run, tracklet, tmp_path):
    files = [tmp_path / f"{place}.png" for place in range(len(tracklet))]
    for frame, file in zip(tracklet.frames, files, strict=True):
        write_image(frame, file)
    model = ssn3d.load(run.id)
    assert_close(model.embed(files), model.embed(tracklet.frames))


def test_a_run_is_found_wherever_it_was_moved(run, tracklet, tmp_path):
    moved = shutil.move(run.folder, tmp_path / "elsewhere")
    assert trained.load(moved).embed(tracklet.frames).isfinite().all()
    with pytest.raises(FileNotFoundError, match=f"no run '{run.id}'.*in the store"):
        trained.load(run.id)


def test_frames_of_any_size_and_number_are_taken(run):
    model = trained.load(run.folder)
    for count, height, width in ((1, 8, 8), (70, 50, 20)):
        frames = torch.randint(256, (count, 3, height, width), dtype=torch.uint8)
        assert model.embed(frames).shape == (16,)


def test_the_supervised_strategy_asks_for_points(tiny_config, tracklet, store):
    config = replace(tiny_config, strategy="supervised")
    model = trained.load(runs.load_or_train(config).id)
    [expected] = inference.embed(config, model.network, [tracklet])
    assert_close(model.embed(tracklet.frames, tracklet.points.estimated), expected)
    with pytest.raises(ValueError, match="body points"):
        model.embed(tracklet.frames)


@pytest.mark.parametrize("sides", ["image", "person"])
def test_points_are_named_as_the_network_learned_them(tiny_config, tracklet, store, sides):
    config = replace(tiny_config, strategy="supervised", sides=sides)
    model = trained.load(runs.load_or_train(config).id)
    own = torch.full((len(tracklet), 9, 2), 0.5)
    own[..., 0] = torch.tensor([0.5, 0.5, 0.5, 0.9, 0.1, 0.8, 0.2, 0.7, 0.3])  # seen from the front
    own[..., 1] = torch.tensor([0.1, 0.3, 0.5, 0.4, 0.4, 0.7, 0.7, 0.9, 0.9])
    named = own[:, [0, 1, 2, 4, 3, 6, 5, 8, 7]]
    one, other = model.embed(tracklet.frames, own), model.embed(tracklet.frames, named)
    assert torch.equal(one, other) == (sides == "image")


@pytest.mark.parametrize(
    ("frames", "points", "message"),
    [
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), None, "got none"),
        (torch.zeros(2, 3, 8, 8), None, "of uint8, got .* of torch.float32"),
        (torch.zeros(2, 8, 8, 3, dtype=torch.uint8), None, r"\[t 3 H W\]"),
        (
            torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
            torch.zeros(3, 9, 2),
            r"shape \(2, 9, 2\), got \(3, 9, 2\)",
        ),
    ],
)
def test_what_is_no_tracklet_is_refused(run, frames, points, message):
    with pytest.raises(ValueError, match=message):
        trained.load(run.id).embed(frames, points)


def test_a_study_embeds_nobody(store):
    study = StudyConfig.preset("smoke", "random_maps")
    with pytest.raises(ValueError, match="embeds nobody"):
        trained.load(runs.load_or_train(study).id)


def test_a_card_lies_beside_the_weights_and_may_be_edited(run, tiny_config):
    card = run.folder / "README.md"
    text = card.read_text()
    assert f"Model card: {run.id}" in text
    assert f'ssn3d.load("path/to/{run.id}")' in text
    assert "rendered data only" in text
    card.write_text(text + "My notes.\n")
    assert runs.find(tiny_config).id == run.id
