"""Rendered sets: what the seed and the settings decide, and what every tracklet holds."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from ssn3d.datasets import ilids_vid
from ssn3d.synthetic.walkers import render as renderer
from ssn3d.synthetic.walkers.protocol import plan
from ssn3d.synthetic.walkers.render import place_camera, render, render_tracklet, write
from tests.synthetic.walkers.conftest import drawn, points_of, small


def test_one_seed_renders_one_set(tiny, name):
    profile = small(name)
    for walk in plan(profile)[:10]:
        camera = place_camera(profile, walk.camera, height=16)
        again = render_tracklet(profile, walk, camera, height=16, width=8)
        assert again in [t for tracks in tiny[name] for t in tracks if t.person == walk.person]


def test_another_seed_renders_other_pictures(name):
    first, second = (drawn(small(name, lengths=(6, 6)), seed=seed) for seed in (0, 1))
    assert (first.frames != second.frames).float().mean() > 0.5


def test_label_noise_leaves_pictures_and_truth_alone():
    clean, noisy = (drawn(small("mars", label_noise=level)) for level in (0.0, 2.0))
    torch.testing.assert_close(clean.frames, noisy.frames, rtol=0, atol=0)
    torch.testing.assert_close(
        points_of(clean).truth, points_of(noisy).truth, rtol=0, atol=0, equal_nan=True
    )


def test_jitter_moves_the_box_and_nothing_else():
    steady, shaken = (drawn(small("mars", jitter=jitter, clutter=0.0)) for jitter in (0.0, 0.1))
    a, b = points_of(steady).truth, points_of(shaken).truth
    shift_and_scale = torch.stack([_fit(a[i], b[i]) for i in range(len(a))])
    assert shift_and_scale[:, 0].std() > 0.005
    assert shift_and_scale[:, 1].max() < 1e-4  # nothing but a shift and a scale explains the points


def _fit(a: Tensor, b: Tensor) -> Tensor:
    """Shift in y and the largest error after the best shift and scale of all points."""
    known = (a + b).isfinite().all(dim=-1)
    a, b = a[known], b[known]
    scale = (b - b.mean(0)).norm() / (a - a.mean(0)).norm()
    error = (b - b.mean(0)) - scale * (a - a.mean(0))
    return torch.stack(((b - a).mean(0)[1], error.abs().max()))


def test_more_people_leave_the_others_as_they_are(name):
    few, more = small(name), small(name, train_people=5, test_people=6)
    others = set(plan(more))
    walks = [walk for walk in plan(few) if walk.person <= 8]
    assert others.issuperset(walks)
    for walk in walks[::5]:
        first, second = (
            render_tracklet(p, walk, place_camera(p, walk.camera), height=16, width=8)
            for p in (few, more)
        )
        assert first == second


def test_every_tracklet_is_what_it_promises(tiny, name):
    split = tiny[name]
    lengths = {len(t) for tracks in split for t in tracks}
    assert lengths == {walk.length for walk in plan(small(name))}
    for tracklet in {*split.train, *split.query, *split.gallery}:
        t = len(tracklet)
        assert isinstance(tracklet.frames, Tensor) and tracklet.frames.dtype == torch.uint8
        assert tracklet.frames.shape == (t, 3, 16, 8)
        estimated, truth, visible = points_of(tracklet)
        assert truth.shape == estimated.shape == (t, 9, 2)
        assert visible.shape == (t, 9) and visible.dtype == torch.bool


def test_lists_are_sorted_and_people_of_both_halves_differ(tiny, name):
    split = tiny[name]
    for tracks in split:
        assert [(t.person, t.camera) for t in tracks] == sorted(
            (t.person, t.camera) for t in tracks
        )
    train, test = ({t.person for t in tracks} for tracks in (split.train, split.gallery))
    assert len(train) == 4 and not train & test


def test_ilids_vid_asks_at_camera_1_and_answers_at_camera_2(tiny):
    split = tiny["ilids_vid"]
    assert {t.camera for t in split.query} == {1} and {t.camera for t in split.gallery} == {2}
    assert [t.person for t in split.query] == [t.person for t in split.gallery]
    assert Counter(t.person for t in split.train) == dict.fromkeys([1, 3, 5, 7], 2)


@pytest.mark.parametrize("name", ["mars", "dukemtmc"])
def test_queries_are_in_the_gallery_the_same_objects(tiny, name):
    split = tiny[name]
    assert split.query and all(any(q is g for g in split.gallery) for q in split.query)


def test_a_set_is_written_in_the_layout_of_the_real_one(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(renderer, "render", lambda *_, **__: tiny["ilids_vid"])
    write(tmp_path, profile=small("ilids_vid"), seed=0, height=16, width=8)
    found = ilids_vid.read(tmp_path, 0)
    people = [{tracklet.person for tracklet in part} for part in found]
    assert [len(part) for part in people] == [4, 4, 4]


@pytest.mark.parametrize(("height", "width"), [(15, 8), (64, 7), (0, 0)])
def test_frames_too_small_are_refused(height, width):
    with pytest.raises(ValueError, match=r"at least 16 x 8 pixels.*got"):
        render(small("mars"), height=height, width=width)
