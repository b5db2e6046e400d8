from dataclasses import replace

import numpy as np
import pytest
import torch

from ssn3d.datasets.keypoints import PARTS
from ssn3d.datasets.tracklets import load_frames
from ssn3d.training.inference import find_parts
from ssn3d.training.reid import build
from ssn3d.widgets.clip_parts import ClipParts, mean_distance, parts_in_clip

CLIP = ClipParts(
    images=np.zeros((6, 32, 16, 3), np.uint8),
    maps=np.full((6, 9, 16, 8), 1 / 128),
    points=np.full((6, 9, 2), 0.5),
    truth=np.full((6, 9, 2), 0.25),
    names=PARTS,
    named=True,
    source="attention",
    window=3,
    first=0,
)


def test_parts_are_what_the_network_finds(tiny_config, tiny_split, trained):
    tracklet = max(tiny_split.query, key=len)
    model, _ = trained
    clip = parts_in_clip(tiny_config, model, tracklet, 3)
    expected = find_parts(tiny_config, model, tracklet, range(8)).maps[0]
    assert clip.first == 0
    assert clip.images.shape == (8, 32, 16, 3)
    assert np.allclose(clip.maps, expected, atol=1e-6)
    assert (clip.images[5] == load_frames(tracklet, [5])[0].permute(1, 2, 0).numpy()).all()
    assert clip.truth is not None and clip.truth.shape == (8, 9, 2)


def test_the_last_clip_of_a_tracklet_has_no_repeated_frames(tiny_config, tiny_split, trained):
    tracklet = next(t for t in tiny_split.query + tiny_split.gallery if len(t) % 8 in (1, 2, 3, 5))
    clip = parts_in_clip(tiny_config, trained[0], tracklet, len(tracklet) - 1)
    assert clip.first == len(tracklet) // 8 * 8
    assert len(clip.images) == len(clip.maps) == len(clip.points) == len(tracklet) % 8


def test_without_weight_sharing_each_frame_is_judged_in_its_place(tiny_config, tiny_split):
    config = replace(tiny_config, shared=False)
    torch.manual_seed(0)
    model = build(config)
    tracklet = max(tiny_split.query, key=len)
    clip = parts_in_clip(config, model, tracklet, 0)
    for start in (0, 1):  # snippets of every second of the 8 frames, as when tested
        expected = find_parts(config, model, tracklet, range(start, 8, 2)).maps[0]
        assert np.allclose(clip.maps[start::2], expected, atol=1e-6)


def test_the_full_protocol_takes_the_clip_as_it_is(tiny_config, tiny_split, trained):
    tracklet = max(tiny_split.query, key=len)
    config = replace(tiny_config, test_protocol="full")
    split, full = (parts_in_clip(each, trained[0], tracklet, 0) for each in (tiny_config, config))
    assert np.allclose(split.maps, full.maps, atol=1e-6)


def test_supervised_parts_are_where_the_estimator_says(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    tracklet = max(tiny_split.query, key=len)
    clip = parts_in_clip(config, trained[0], tracklet, 0)
    said = tracklet.points.estimated[:8].numpy()
    inside = ((said > 0) & (said < 1)).all(axis=-1)
    assert clip.source == "estimated points"
    assert inside.any() and (np.abs(clip.points - said)[inside] <= (1 / 4, 1 / 8)).all()
    assert np.isnan(clip.points[np.isnan(said).any(axis=-1)]).all()


def test_supervised_runs_need_points(tiny_config, tiny_split, trained):
    config = replace(tiny_config, strategy="supervised")
    with pytest.raises(ValueError, match=r"this tracklet has none; add them \(`ssn3d label`"):
        parts_in_clip(config, trained[0], replace(tiny_split.query[0], points=None), 0)


def test_distance_is_a_share_of_the_height():
    assert mean_distance(CLIP, 2, [0, 1]) == pytest.approx(np.hypot(0.125, 0.25))


def test_there_is_no_distance_where_parts_stand_for_no_points():
    assert np.isnan(mean_distance(replace(CLIP, named=False), 2, [0]))
    assert np.isnan(mean_distance(replace(CLIP, truth=None), 2, [0]))
    assert np.isnan(mean_distance(replace(CLIP, points=np.full((6, 9, 2), np.nan)), 2, [0]))
