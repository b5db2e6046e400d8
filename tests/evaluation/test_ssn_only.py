import json
from dataclasses import replace

import pytest
import torch

from ssn3d import data, runs
from ssn3d.config import StudyConfig
from ssn3d.evaluation import ssn_only as study_metrics
from ssn3d.synthetic.pedestrians import Pedestrians

SMOKE = {
    name: StudyConfig.preset("smoke", name) for name in ("random_maps", "amber", "pedestrians")
}


@pytest.mark.parametrize("name", SMOKE)
def test_every_study_goes_through_the_store(name, store):
    made = runs.load_or_train(SMOKE[name])
    found = runs.find(SMOKE[name])
    assert found == made
    assert made.made["kind"] == "ssn_only"
    assert len(made.history["ssn"]) == SMOKE[name].labelled_steps + SMOKE[name].steps
    again = made.model().state_dict()
    assert all(torch.equal(again[key], value) for key, value in made.model().state_dict().items())
    json.dumps(made.metrics, allow_nan=False)


def test_a_study_and_a_reid_run_live_in_one_store(tiny_config, store):
    runs.load_or_train(SMOKE["random_maps"])
    reid = runs.load_or_train(tiny_config)
    assert runs.find(tiny_config) == reid
    assert runs.find(SMOKE["random_maps"]).config == SMOKE["random_maps"]


def test_sweeps_train_studies_of_several_kinds_in_order(store):
    wanted = [SMOKE["random_maps"], SMOKE["amber"], replace(SMOKE["random_maps"], seed=1)]
    assert [run.config for run in runs.sweep(wanted)] == wanted


class Oracle(torch.nn.Module):
    """Sees every part where the first pixels of a picture say, on a grid of 8 x 4 cells."""

    def forward(self, frames):
        from ssn3d.models.ssn import Parts

        cells = frames[:, 0, 0, :2].long()  # [k n]
        maps = torch.nn.functional.one_hot(cells, 32).float().reshape(-1, 1, 2, 8, 4)
        return Parts(maps, maps, maps[..., 0, 0])


@pytest.fixture
def people():
    """Six people of 16 x 8 pixels with two parts; the first two are labelled."""
    cells = torch.tensor([[0, 31], [1, 30], [2, 29], [4, 20], [9, 17], [12, 13]])
    frames = torch.zeros(6, 3, 16, 8, dtype=torch.uint8)
    frames[:, 0, 0, :2] = cells
    points = torch.stack([cells % 4 + 0.5, cells // 4 + 0.5], -1) / torch.tensor([4, 8])
    labels = points.clone()
    labels[2:] = torch.nan
    return Pedestrians(frames, [], labels, points, frames[2:, None], points[2:, None], ["a", "b"])


CONFIG = StudyConfig.preset("smoke", "pedestrians", height=16, width=8, parts=2)


def test_parts_that_are_where_they_should_be_are_accurate_and_distinct(people):
    metrics = study_metrics.pedestrian_metrics(CONFIG, Oracle(), people)
    assert metrics["pck"] == 1
    assert metrics["people"]["correct"] == [1.0] * 4
    assert metrics["distinctness"] == 1
    assert metrics["extent"] == pytest.approx([1 / 32] * 2)
    assert metrics["spread"]["people"] == pytest.approx(0, abs=1e-6)
    assert metrics["prior"]["pck"] < 1


def test_labelled_pictures_do_not_count(people):
    people.truth[:2] = 0.5  # wrong, if anybody looked
    assert study_metrics.pedestrian_metrics(CONFIG, Oracle(), people)["pck"] == 1


def test_unsupervised_parts_are_matched_to_points_on_the_labelled_pictures(people):
    swapped = people._replace(
        labels=people.labels.flip(1), truth=people.truth.flip(1), tracks=None, tracks_truth=None
    )
    free = replace(CONFIG, strategy="unsupervised", labelled_steps=0)
    metrics = study_metrics.pedestrian_metrics(free, Oracle(), swapped)
    assert (metrics["parts"], metrics["pck"]) == ([1, 0], 1)
    assert study_metrics.pedestrian_metrics(CONFIG, Oracle(), swapped)["pck"] < 1


def test_without_truth_only_what_needs_none_is_measured(people):
    metrics = study_metrics.pedestrian_metrics(CONFIG, Oracle(), people._replace(truth=None))
    assert set(metrics) == {"distinctness", "extent"}


def test_the_best_window_is_where_the_map_is_highest(store):
    config = SMOKE["amber"]
    frames = data.pictures_of(config).frames
    network = runs.load_or_train(config).model()
    found = study_metrics.best_windows(config, network, frames)
    k, n, window = len(frames), config.parts, config.window
    assert found.pixels.shape == (k, n, 3, window, window)
    with torch.inference_mode():
        maps = network(frames).maps[:, 0]
    for picture in (0, k - 1):
        for part in (0, n - 1):
            best = maps[picture, part].flatten().argmax().item()
            top, left = divmod(best, maps.shape[-1])
            cut = frames[picture, :, top : top + window, left : left + window].float() / 255
            assert torch.equal(found.pixels[picture, part], cut)
            x, y = found.points[picture, part].tolist()
            assert (x * config.width, y * config.height) == pytest.approx(
                (left + window / 2, top + window / 2)
            )
    assert 0 < found.surety.min() <= found.surety.max() < 1
