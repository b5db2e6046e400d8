from dataclasses import replace

import numpy as np
import pytest
import torch

from ssn3d.datasets.clips import resized_frames
from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.reproduce import tour
from ssn3d.training.reid import build


def tracklet(truth: torch.Tensor, visible: torch.Tensor | None = None) -> Tracklet:
    """A tracklet of grey frames whose points are known."""
    frames = torch.full((len(truth), 3, 32, 16), 128, dtype=torch.uint8)
    seen = torch.ones(truth.shape[:2], dtype=torch.bool) if visible is None else visible
    return Tracklet(frames, 1, 1, Points(truth, truth, seen))


@pytest.fixture
def clip(tiny_config, tiny_split) -> torch.Tensor:
    size = (tiny_config.height, tiny_config.width)
    taken = tour.evenly_spaced(tiny_split.query[0], tiny_config.clip_frames)
    return resized_frames(tiny_split.query[0], taken, size)


def test_frames_are_evenly_spaced_and_repeated_where_there_are_too_few():
    ten = tracklet(torch.zeros(10, 9, 2))
    assert tour.evenly_spaced(ten, 4) == [0, 2, 5, 7]
    assert tour.evenly_spaced(tracklet(torch.zeros(2, 9, 2)), 4) == [0, 0, 1, 1]


def test_who_steps_to_and_fro_strays_by_half_the_way():
    truth = torch.full((4, 9, 2), 0.5)
    truth[::2, :, 0], truth[1::2, :, 0] = 0.4, 0.6
    assert tour.rms_displacement(tracklet(truth)) == pytest.approx(0.1)
    truth[0, 3] = torch.nan  # one point of many
    assert tour.rms_displacement(tracklet(truth)) == pytest.approx(0.1)


def test_limbs_that_swing_against_each_other_are_no_straying():
    truth = torch.full((4, 2, 2), 0.5)
    truth[::2, 0, 0], truth[::2, 1, 0] = 0.3, 0.7
    assert tour.rms_displacement(tracklet(truth)) == pytest.approx(0.0, abs=1e-6)


def test_of_whom_nothing_is_known_does_not_stray():
    assert tour.rms_displacement(replace(tracklet(torch.zeros(4, 9, 2)), points=None)) == 0
    assert tour.rms_displacement(tracklet(torch.full((4, 9, 2), torch.nan))) == 0


def test_a_patch_is_cut_around_its_point_and_black_beyond_the_border():
    frames = torch.arange(2 * 3 * 8 * 4).reshape(2, 3, 8, 4).byte()
    patches = tour.cut_patches(frames, torch.tensor([[0.6, 0.6], [0.0, 0.0]]), 3)
    inside = frames[0, :, 3:6, 1:4].permute(1, 2, 0)  # around row 4 and column 2
    np.testing.assert_array_equal(patches[0], inside)
    assert not patches[1, 0].any()
    assert not patches[1, :, 0].any()
    np.testing.assert_array_equal(patches[1, 1, 1], frames[1, :, 0, 0])


def test_parts_count_as_found_within_a_tenth_of_the_height(tiny_config, trained):
    model, _ = trained
    unseen = torch.ones(4, 9, dtype=torch.bool)
    unseen[2, 5] = False
    places, _ = tour.locate_parts(tiny_config, model, tracklet(torch.zeros(4, 9, 2)), range(4))
    down = places + torch.tensor([0.0, 0.09])
    right = tour.locate_parts(tiny_config, model, tracklet(down, unseen), range(4))[1]
    assert right[2, 5].isnan()
    assert (right[unseen] == 1).all()
    across = places + torch.tensor([0.21, 0.0])  # of the width, which is half the height
    assert not tour.locate_parts(tiny_config, model, tracklet(across), range(4))[1].any()


def test_without_points_nothing_can_be_found_right(tiny_config, trained):
    bare = replace(tracklet(torch.zeros(4, 9, 2)), points=None)
    with pytest.raises(ValueError, match="expected a tracklet with body points"):
        tour.locate_parts(tiny_config, trained[0], bare, range(4))


def test_the_forward_pass_step_by_step_is_the_networks_own(trained, clip):
    model, _ = trained
    seen = tour.forward(model, clip)
    with torch.inference_mode():
        output = model(clip[None])
    close = {"rtol": 1e-4, "atol": 1e-5}
    np.testing.assert_allclose(seen.embedding, output.embedding[0], **close)
    for mine, own in zip((seen.maps, seen.windows, seen.judged), output.parts, strict=True):
        np.testing.assert_allclose(mine, own[0], **close)
    scores = torch.from_numpy(seen.scores)
    np.testing.assert_allclose(scores.flatten(2).softmax(-1).view_as(scores), seen.maps, **close)
    assert seen.hidden == 16


def test_the_training_to_watch_is_that_of_the_package(tiny_config, tiny_split, trained, clip):
    snapshots = list(tour.watch_training(tiny_config, tiny_split.train, clip, steps=2, every=1))
    assert [one.step for one in snapshots] == [0, 1, 2]
    assert snapshots[0].history == {}
    _, history = trained
    assert set(snapshots[-1].history) == set(history)
    for name, values in snapshots[-1].history.items():
        assert values == pytest.approx(history[name][:2], rel=1e-4), name


def test_a_snapshot_shows_the_network_as_it_is_then(tiny_config, tiny_split, clip):
    first, last = tour.watch_training(tiny_config, tiny_split.train, clip, steps=2, every=2)
    assert len(last.history["total"]) == 2
    with torch.random.fork_rng():
        torch.manual_seed(tiny_config.seed)
        fresh = build(tiny_config)
    np.testing.assert_allclose(first.maps, tour.forward(fresh.eval(), clip).maps, atol=1e-6)
    np.testing.assert_allclose(last.maps.sum(axis=(2, 3)), 1, rtol=1e-5)
    assert not np.allclose(first.maps, last.maps, atol=1e-7)


def test_watching_a_training_moves_no_random_state_and_repeats(tiny_config, tiny_split, clip):
    before = torch.get_rng_state()
    one, other = (
        list(tour.watch_training(tiny_config, tiny_split.train, clip, steps=2, every=1))
        for _ in range(2)
    )
    assert torch.equal(before, torch.get_rng_state())
    assert one[-1].history == other[-1].history
    np.testing.assert_array_equal(one[-1].maps, other[-1].maps)
