"""Body points: they lie where people are drawn, and a pose estimator errs as often as said."""

from collections import Counter
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ssn3d.datasets.keypoints import MIRRORED, PARTS, mirror
from ssn3d.synthetic.walkers.keypoints import to_shares, true_points, visible_points
from ssn3d.synthetic.walkers.painting import Pose, capsules, paint
from ssn3d.synthetic.walkers.person import CLOTH, Person, body_limbs, new_person, skeleton
from tests.synthetic.walkers.conftest import drawn, points_of, small


def test_people_differ_in_looks_but_share_colours():
    people = [new_person(torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert len({(p.shirt, p.bottom, p.shoes, p.hair, p.bag, p.legwear) for p in people}) > 150
    assert max(Counter((p.shirt, p.bottom) for p in people).values()) > 5


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
        key=lambda name: (_direction(CLOTH[name]) - _direction(colour)).norm().item(),
    )


def _somebody() -> Person:
    return new_person(torch.Generator().manual_seed(3))


def _painted(person: Person, yaw: float, phase: float = 0.3):
    t = 6
    joints = skeleton(person, phase + torch.arange(t) * 2 * torch.pi / t)
    pose = Pose(
        yaw=torch.full((t,), yaw), tilt=0.15, size=0.86, x=torch.zeros(t), y=torch.full((t,), 0.93)
    )
    scene = capsules(body_limbs(person, joints), pose)
    canvas = torch.ones(t, 3, 128, 64)
    paint(canvas, scene, softness=0.0, sun=0.0)
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
    joints = skeleton(_somebody(), torch.linspace(0, 6.28, 40))
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


# What a pose estimator finds


def test_without_label_noise_the_estimate_is_the_truth():
    for at in range(6):
        points = points_of(drawn(small("mars", label_noise=0.0), at, height=16))
        torch.testing.assert_close(points.estimated, points.truth, equal_nan=True)


@cache
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
