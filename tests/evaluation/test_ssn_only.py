import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from ssn3d import data, runs
from ssn3d.config import StudyConfig
from ssn3d.config.ssn_only import WITHOUT_LABELS
from ssn3d.evaluation.ssn_only import best_windows, pedestrian_metrics, similarity
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
    metrics = pedestrian_metrics(CONFIG, Oracle(), people)
    assert metrics["pck"] == 1
    assert metrics["people"]["correct"] == [1.0] * 4
    assert metrics["distinctness"] == 1
    assert metrics["extent"] == pytest.approx([1 / 32] * 2)
    assert metrics["spread"]["people"] == pytest.approx(0, abs=1e-6)
    assert metrics["prior"]["pck"] < 1


def test_labelled_pictures_do_not_count(people):
    people.truth[:2] = 0.5  # wrong, if anybody looked
    assert pedestrian_metrics(CONFIG, Oracle(), people)["pck"] == 1


def test_unsupervised_parts_are_matched_to_points_on_the_labelled_pictures(people):
    swapped = people._replace(
        labels=people.labels.flip(1), truth=people.truth.flip(1), tracks=None, tracks_truth=None
    )
    free = replace(CONFIG, **WITHOUT_LABELS)
    metrics = pedestrian_metrics(free, Oracle(), swapped)
    assert (metrics["parts"], metrics["pck"]) == ([1, 0], 1)
    assert pedestrian_metrics(CONFIG, Oracle(), swapped)["pck"] < 1


def test_without_truth_only_what_needs_none_is_measured(people):
    metrics = pedestrian_metrics(CONFIG, Oracle(), people._replace(truth=None))
    assert set(metrics) == {"parts", "distinctness", "extent"}


def test_unsupervised_parts_are_matched_to_labels_without_truth_too(people):
    swapped = people._replace(labels=people.labels.flip(1), truth=None)
    assert pedestrian_metrics(replace(CONFIG, **WITHOUT_LABELS), Oracle(), swapped)["parts"] == [
        1,
        0,
    ]


def test_the_best_window_is_where_the_map_is_highest(store):
    config = SMOKE["amber"]
    frames = data.pictures_of(config).frames
    network = runs.load_or_train(config).model()
    found = best_windows(config, network, frames)
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
    assert 0 < found.confidence.min() <= found.confidence.max() < 1


def random_windows(k: int, n: int, seed: int) -> torch.Tensor:
    return torch.randn(k, n, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 100))
def test_it_is_the_mean_cosine_of_windows_of_different_pictures(k, n, seed):
    shown = random_windows(k, n, seed)
    within, between = [], []
    for a in range(k):
        for b in range(k):
            for i in range(n):
                for j in range(n):
                    cosine = cosine_similarity(shown[a, i].flatten(), shown[b, j].flatten(), dim=0)
                    if a != b:
                        (within if i == j else between).append(cosine)
    found = similarity(shown, shuffles=1)
    assert found.within == pytest.approx(torch.stack(within).mean().item(), abs=1e-5)
    assert found.between == pytest.approx(torch.stack(between).mean().item(), abs=1e-5)
    assert sum(found.pictures) / k == pytest.approx(found.within - found.between, abs=1e-5)


def test_parts_that_look_the_same_everywhere_are_all_alike():
    shown = random_windows(1, 3, 0).expand(6, -1, -1, -1, -1)
    found = similarity(shown)
    assert found.within == pytest.approx(1)
    assert max(found.shuffled) < 0.9


def test_noise_is_no_more_alike_within_a_part_than_if_parts_were_drawn():
    found = similarity(random_windows(40, 5, 1), shuffles=200)
    shuffled = torch.tensor(found.shuffled)
    assert abs(found.within - shuffled.mean()) < 3 * shuffled.std()


def test_a_shuffle_keeps_the_windows_of_each_picture():
    shown = random_windows(2, 2, 3)
    shown[:, 1] = shown[:, 0]  # any order is the same
    found = similarity(shown, shuffles=5)
    assert found.shuffled == pytest.approx([found.within] * 5)


def test_a_window_without_colour_of_its_own_counts_as_unlike():
    shown = random_windows(3, 2, 0)
    shown[:, 0] = 0
    assert similarity(shown).between == 0


@pytest.mark.parametrize("shape", [(1, 3, 3, 2, 2), (3, 1, 3, 2, 2), (3, 3, 2)])
def test_too_few_windows_to_compare_are_refused(shape):
    with pytest.raises(ValueError, match="at least two parts in two pictures, got"):
        similarity(torch.zeros(shape))
