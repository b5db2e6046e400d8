"""Rendered data sets: what the seed and the knobs decide, where points lie, who is asked for."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice

import pytest
import torch
from torch import Tensor

from ssn3d.datasets.keypoints import MIRRORED, PARTS, mirror
from ssn3d.datasets.tracklets import DISTRACTOR, JUNK, Split, Tracklet
from ssn3d.synthetic.walkers import limbs as walker_limbs
from ssn3d.synthetic.walkers import painting as walker_painting
from ssn3d.synthetic.walkers import person as walker_bodies
from ssn3d.synthetic.walkers.keypoints import to_shares, true_points, visible_points
from ssn3d.synthetic.walkers.render import (
    PROFILES,
    Profile,
    place_camera,
    plan,
    render,
    render_tracklet,
    tracklets,
)


def small(name: str, **changes) -> Profile:
    few = {"distractors": 2, "junk": 2} if name == "mars" else {"distractors": 2}
    few = {} if name == "ilids_vid" else few
    profile = replace(PROFILES[name], train_people=4, test_people=4, lengths=(4, 8), **few)
    return replace(profile, **changes)


def drawn(profile: Profile, at: int = 0, seed: int = 0, height: int = 64) -> Tracklet:
    """One tracklet of a person: not of junk, whose boxes do not follow the profile."""
    walk = [walk for walk in plan(profile, seed=seed) if walk.person > 0][at]
    camera = place_camera(profile, walk.camera, seed=seed, height=height)
    return render_tracklet(profile, walk, camera, seed=seed, height=height, width=height // 2)


def points_of(tracklet: Tracklet):
    assert tracklet.points is not None
    return tracklet.points


@pytest.fixture(params=sorted(PROFILES))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def tiny() -> dict[str, Split]:
    """The smallest version of each set."""
    return {name: render(small(name), height=16, width=8) for name in PROFILES}


# What decides the pictures


def test_one_seed_renders_one_set(tiny, name):
    again = tracklets(small(name), height=16, width=8)
    for walk, tracklet in islice(again, 10):
        theirs = [t for tracks in tiny[name] for t in tracks if t.person == walk.person]
        assert tracklet in theirs


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


def test_people_differ_in_looks_but_share_colours():
    people = [walker_bodies.new_person(torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert len({(p.shirt, p.bottom, p.shoes, p.hair, p.bag, p.legwear) for p in people}) > 150
    assert max(Counter((p.shirt, p.bottom) for p in people).values()) > 5


# Where the points are


def test_the_limb_lies_under_its_point():
    person = replace(
        _somebody(),
        shirt="red",
        second_shirt="red",
        pattern="plain",
        long_sleeves=True,
        bottom="yellow",
        legwear="trousers",
        bag="none",
    )
    expected = dict.fromkeys(("body", "left elbow", "right elbow"), "red")
    expected |= dict.fromkeys(("left knee", "right knee"), "yellow")
    for yaw in (0.0, 0.8, 1.6, 2.5, 3.14, -1.6):
        frames, points, visible = _painted(person, yaw)
        for part, cloth in expected.items():
            n = PARTS.index(part)
            for i in visible[:, n].nonzero()[:, 0].tolist():
                assert _nearest_cloth(_colour_at(frames[i], points[i, n])) == cloth, (part, yaw, i)


def test_shoes_lie_at_the_feet():
    person = replace(_somebody(), shoes="red", bottom="black", legwear="trousers", bag="none")
    rows = torch.arange(128) / 128
    for yaw in (0.4, 1.6, 2.7):
        frames, points, visible = _painted(person, yaw)
        red = (frames[:, 0] > 0.4) & (frames[:, 1] < 0.3)
        for i, side in visible[:, -2:].nonzero().tolist():
            x, y = points[i, 7 + side].tolist()
            near = (rows[:, None] - y).square() + (rows[None, :64] - x / 2).square() < 0.04**2
            assert (red[i] & near).any()


def test_the_head_is_drawn_at_its_point():
    person = replace(_somebody(), hair="grey", skin="dark")
    for yaw in (0.4, 1.6, 2.7):
        frames, points, _ = _painted(person, yaw)
        heads = torch.stack([_colour_at(f, p[0]) for f, p in zip(frames, points, strict=True)])
        assert (heads.amax(dim=-1) < 0.7).all()  # the canvas is white


def _nearest_cloth(colour: Tensor) -> str:
    """The cloth of the same hue, however dark the shade makes it."""
    return min(
        ("red", "yellow", "green", "white"),
        key=lambda name: (_direction(walker_bodies.CLOTH[name]) - _direction(colour)).norm().item(),
    )


def _somebody() -> walker_bodies.Person:
    return walker_bodies.new_person(torch.Generator().manual_seed(3))


def _painted(person: walker_bodies.Person, yaw: float, phase: float = 0.3):
    t = 6
    joints = walker_bodies.skeleton(person, phase + torch.arange(t) * 2 * torch.pi / t)
    pose = walker_painting.Pose(
        yaw=torch.full((t,), yaw), tilt=0.15, size=0.86, x=torch.zeros(t), y=torch.full((t,), 0.93)
    )
    scene = walker_painting.capsules(walker_limbs.body_limbs(person, joints), pose)
    canvas = torch.ones(t, 3, 128, 64)
    walker_painting.paint(canvas, scene, softness=0.0, sun=0.0)
    points = true_points(joints, pose, torch.zeros(t, 2), torch.ones(t))
    return canvas, to_shares(points), visible_points(points, scene)


def _colour_at(frame: Tensor, point: Tensor) -> Tensor:
    height, width = frame.shape[-2:]
    x, y = (point * torch.tensor([width, height])).long().tolist()
    return frame[:, min(y, height - 1), min(x, width - 1)]


def _direction(colour) -> Tensor:
    colour = torch.as_tensor(colour)
    return colour / colour.norm()


def test_a_person_turned_round_is_the_mirror_image():
    person = replace(_somebody(), bag="none")
    frames, points, _ = _painted(person, 0.7, phase=0.3)
    turned, turned_points, _ = _painted(person, -0.7, phase=0.3 + torch.pi)
    torch.testing.assert_close(turned.flip(-1), frames, rtol=0, atol=2e-3)
    torch.testing.assert_close(mirror(turned_points), points)


def test_faces_show_from_the_front_and_not_from_behind():
    person = replace(_somebody(), hair="black", skin="fair", long_hair=False)
    brightness = {}
    for yaw in (0.0, torch.pi):
        frames, points, _ = _painted(person, yaw)
        brightness[yaw] = torch.stack(
            [_colour_at(f, p[0]) for f, p in zip(frames, points, strict=True)]
        ).mean()
    assert brightness[0.0] > 0.5 > 0.3 > brightness[torch.pi]


def test_left_is_the_persons_own_left():
    left, right = PARTS.index("left elbow"), PARTS.index("right elbow")
    facing, away = (_painted(_somebody(), yaw)[1] for yaw in (0.0, torch.pi))
    assert (facing[:, left, 0] > facing[:, right, 0]).all()
    assert (away[:, left, 0] < away[:, right, 0]).all()


def test_arms_swing_against_legs_and_feet_stay_above_ground():
    joints = walker_bodies.skeleton(_somebody(), torch.linspace(0, 6.28, 40))
    leg = joints["left foot"][:, 0] - joints["right foot"][:, 0]
    arm = joints["left hand"][:, 0] - joints["right hand"][:, 0]
    assert torch.corrcoef(torch.stack((leg, arm)))[0, 1] < -0.8
    lowest = torch.minimum(joints["left toe"][:, 2], joints["right toe"][:, 2])
    assert lowest.min() > 0 and lowest.max() < 0.06


def test_a_hidden_limb_is_not_visible():
    _, _, visible = _painted(replace(_somebody(), bag="none"), torch.pi / 2)
    seen = visible.float().mean(0)
    left, right = PARTS.index("left elbow"), PARTS.index("right elbow")
    assert seen[right] == 1  # who faces the right edge shows us the right side
    assert seen[left] < 1


def test_points_and_pictures_agree_across_sizes():
    profile = small("ilids_vid")
    low, high = drawn(profile, height=64), drawn(profile, height=256)
    for a, b in zip(points_of(low), points_of(high), strict=True):
        torch.testing.assert_close(a, b, equal_nan=True)
    shrunk = torch.nn.functional.interpolate(high.frames.float(), (64, 32), mode="area")
    assert (shrunk - low.frames.float()).abs().mean() < 12  # of 255, most of it sensor noise


def test_jitter_spreads_the_head():
    spread = {}
    for jitter in (0.0, 0.2):
        profile = small("dukemtmc", jitter=jitter, lengths=(40, 40), shortest=None)
        x = points_of(drawn(profile)).truth[:, 0, 0]
        spread[jitter] = x[x.isfinite()].std()
    assert spread[0.0] < 0.02 < 0.05 < spread[0.2]


def test_points_are_shares_of_the_frame_or_unknown():
    for at in range(6):
        estimated, truth, visible = points_of(drawn(small("mars", jitter=0.4), at, height=16))
        for field in (truth, estimated):
            known = field[field.isfinite()]
            assert ((known >= 0) & (known <= 1)).all()
        assert truth[visible].isfinite().all()


# What a pose estimator says


def test_without_label_noise_the_estimate_is_the_truth():
    for at in range(6):
        points = points_of(drawn(small("mars", label_noise=0.0), at, height=16))
        torch.testing.assert_close(points.estimated, points.truth, equal_nan=True)


def _labels(level: float) -> tuple[Tensor, Tensor]:
    """Truth and estimate in 360 frames of people nobody hides."""
    profile = small("dukemtmc", lengths=(60, 60), shortest=None, clutter=0.0, label_noise=level)
    points = [points_of(drawn(profile, at, height=16)) for at in range(6)]
    return torch.cat([p.truth for p in points]), torch.cat([p.estimated for p in points])


def test_more_label_noise_makes_more_and_larger_errors():
    missed, errors = [], []
    for level in (0.0, 0.5, 1.0, 2.0):
        truth, estimated = _labels(level)
        missed.append(estimated.isnan().float().mean().item())
        errors.append((estimated - truth).norm(dim=-1).nanmean().item())
    assert missed == sorted(set(missed)) and errors == sorted(set(errors))


def test_some_estimates_swap_left_and_right():
    truth, estimated = _labels(1.0)
    other = truth[:, list(MIRRORED)]
    apart = (truth - other).norm(dim=-1) > 0.3
    nearer_to_other = (estimated - other).norm(dim=-1) < (estimated - truth).norm(dim=-1)
    assert 0.03 < nearer_to_other[apart].float().mean() < 0.25


# Who is asked for


def test_ilids_vid_asks_at_camera_1_and_answers_at_camera_2(tiny):
    split = tiny["ilids_vid"]
    assert {t.camera for t in split.query} == {1} and {t.camera for t in split.gallery} == {2}
    assert [t.person for t in split.query] == [t.person for t in split.gallery]
    assert Counter(t.person for t in split.train) == dict.fromkeys([1, 3, 5, 7], 2)


def test_ilids_vid_has_300_people_numbered_to_319_with_gaps():
    people = {walk.person for walk in plan(PROFILES["ilids_vid"])}
    assert (len(people), min(people), max(people)) == (300, 1, 319)


def test_mars_asks_with_the_last_tracklet_of_every_camera():
    walks = plan(PROFILES["mars"])
    last, cameras = {}, defaultdict(set)
    for walk in walks:
        if walk.role != "train" and walk.person > 0:
            last[walk.person, walk.camera] = walk
            cameras[walk.person].add(walk.camera)
    expected = [walk for walk in last.values() if len(cameras[walk.person]) > 1]
    assert [walk for walk in walks if walk.role == "query"] == expected


def test_mars_has_every_oddity_of_the_real_set():
    walks = plan(PROFILES["mars"])
    test = [walk for walk in walks if walk.role != "train"]
    cameras = defaultdict(set)
    for walk in test:
        cameras[walk.person].add(walk.camera)
    assert [walk.length for walk in test if walk.length < 4] == [3]
    assert sum(len(cameras[person]) == 1 for person in cameras if person > 0) == 1
    assert Counter(walk.person for walk in test)[DISTRACTOR] == PROFILES["mars"].distractors
    assert Counter(walk.person for walk in test)[JUNK] == PROFILES["mars"].junk


def test_dukemtmc_asks_once_per_person_and_never_for_distractors():
    profile = PROFILES["dukemtmc"]
    walks = plan(profile)
    queries = [walk.person for walk in walks if walk.role == "query"]
    others = {walk.person for walk in walks if walk.role == "gallery"} - set(queries)
    assert len(queries) == len(set(queries)) == profile.test_people
    assert len(others) == profile.distractors and min(others) > max(queries)
    assert [walk.length for walk in walks].count(1) == 1


@pytest.mark.parametrize("name", ["mars", "dukemtmc"])
def test_queries_are_in_the_gallery_the_same_objects(tiny, name):
    split = tiny[name]
    assert split.query and all(any(q is g for g in split.gallery) for q in split.query)


def test_lists_are_sorted_and_people_of_both_halves_differ(tiny, name):
    split = tiny[name]
    for tracks in split:
        assert [(t.person, t.camera) for t in tracks] == sorted(
            (t.person, t.camera) for t in tracks
        )
    train, test = ({t.person for t in tracks} for tracks in (split.train, split.gallery))
    assert len(train) == 4 and not train & test


def test_sets_are_small_enough_for_two_cores(name):
    assert 15_000 < sum(walk.length for walk in plan(PROFILES[name])) < 45_000


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


# What is refused


@pytest.mark.parametrize(("height", "width"), [(15, 8), (64, 7), (0, 0)])
def test_frames_too_small_are_refused(height, width):
    with pytest.raises(ValueError, match=r"at least 16 x 8 pixels.*got"):
        render(small("mars"), height=height, width=width)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_people": 1}, "train_people must be at least 2, got 1"),
        ({"test_people": 0}, "test_people must be at least 2, got 0"),
        ({"cameras": 1}, "cameras must be at least 2, got 1"),
        ({"lengths": (8, 4)}, r"lengths must be .* got \(8, 4\)"),
        ({"lengths": (0, 4)}, r"lengths must be .* got \(0, 4\)"),
        ({"cameras_per_person": (2, 9)}, r"cameras_per_person must be .* got \(2, 9\)"),
        ({"jitter": -0.1}, "jitter must be within 0..0.5, got -0.1"),
        ({"label_noise": float("nan")}, "label_noise must be within"),
        ({"one_camera_people": 4}, "one_camera_people must be within"),
        ({"protocol": "viper"}, "protocol must be"),
    ],
)
def test_impossible_profiles_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small("mars", **changes)


def test_ilids_vid_is_refused_a_third_camera():
    with pytest.raises(ValueError, match="one tracklet at each of two cameras"):
        small("ilids_vid", cameras=3)
