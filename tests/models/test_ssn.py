import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.testing import assert_close

from ssn3d.losses import ssn_loss
from ssn3d.models.ssn import SSN, AttentionClassifier, attention, pool_windows

CHANNELS, PARTS, HIDDEN = 6, 5, 8


def ssn(**options) -> SSN:
    torch.manual_seed(1)
    return SSN(CHANNELS, PARTS, hidden=HIDDEN, **options).double()


@pytest.fixture
def features(generator) -> Tensor:
    """[b t c h w] in float64."""
    return torch.randn(2, 4, CHANNELS, 6, 5, generator=generator, dtype=torch.float64)


@pytest.fixture
def points(generator) -> Tensor:
    """[b t n 2], one of them missing."""
    points = torch.rand(2, 4, PARTS, 2, generator=generator, dtype=torch.float64)
    points[1, 2, 3] = torch.nan
    return points


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_first_round_at_a_cell_is_the_second_round_of_the_window_cut_there(
    features, padding, window
):
    torch.manual_seed(1)
    classifier = AttentionClassifier(CHANNELS, PARTS, window, HIDDEN, padding).double()
    frames = features[0]
    logits = classifier.first_round(frames)
    lost = 0 if padding == "same" else window - 1
    assert logits.shape == (4, PARTS, 6 - lost, 5 - lost)
    canvas = pad(frames, [(window - 1 - lost) // 2] * 4)
    for h in range(6 - lost):
        for w in range(5 - lost):
            cut = canvas[:, None, :, h : h + window, w : w + window]
            assert_close(classifier.second_round(cut)[:, 0], logits[:, :, h, w])


def test_the_classifier_of_the_paper_has_as_many_parameters_as_counted_by_hand():
    classifier = AttentionClassifier(channels=1024, parts=9)
    assert sum(weight.numel() for weight in classifier.parameters()) == 4_723_721


def test_each_attention_map_sums_to_one(generator):
    maps = attention(10 * torch.randn(3, PARTS, 6, 4, generator=generator))
    assert maps.shape == (3, PARTS, 6, 4)
    assert_close(maps.sum((2, 3)), torch.ones(3, PARTS))
    assert (maps >= 0).all()


def test_attention_does_not_change_if_all_scores_of_a_part_rise_alike(generator):
    logits = torch.randn(3, PARTS, 6, 4, generator=generator)
    rise = torch.randn(3, PARTS, 1, 1, generator=generator)
    assert_close(attention(logits + rise), attention(logits))


def test_attention_is_a_softmax_over_cells_of_one_part(generator):
    logits = torch.randn(1, 2, 2, 3, generator=generator)
    powers = [[math.exp(score) for score in row] for row in logits[0, 1].tolist()]
    by_hand = torch.tensor(powers) / sum(map(sum, powers))
    assert_close(attention(logits)[0, 1], by_hand)


def test_attention_of_enormous_scores_stays_finite():
    logits = torch.tensor([1e30, 0, -1e30, 0]).reshape(1, 1, 2, 2)
    assert_close(attention(logits), torch.tensor([1.0, 0, 0, 0]).reshape(1, 1, 2, 2))


@pytest.mark.parametrize(("padding", "grid"), [("same", (6, 5)), ("valid", (4, 3))])
def test_ssn_says_where_each_part_is_what_it_looks_like_and_which_it_is(features, padding, grid):
    maps, windows, logits = ssn(padding=padding)(features)
    assert maps.shape == (2, 4, PARTS, *grid)
    assert windows.shape == (2, 4, PARTS, CHANNELS, 3, 3)
    assert logits.shape == (2, 4, PARTS, PARTS)


def test_ssn_classifies_attends_pools_and_classifies_again(features):
    model = ssn()
    parts, frames = model(features), features[1]
    (classifier,) = model.classifiers
    maps = attention(classifier.first_round(frames))
    windows = pool_windows(frames, maps)
    assert_close(parts.maps[1], maps)
    assert_close(parts.features[1], windows)
    assert_close(parts.logits[1], classifier.second_round(windows))


def test_frames_do_not_see_each_other(features):
    model = ssn()
    whole = model(features)
    alone = model(features[:, 2:3])
    for field, field_alone in zip(whole, alone, strict=True):
        assert_close(field[:, 2:3], field_alone)


@pytest.mark.parametrize("with_points", [False, True])
def test_classifiers_of_each_frame_with_the_same_weights_equal_a_shared_one(
    features, points, with_points
):
    shared, unshared = ssn(), ssn(frames=4)
    for classifier in unshared.classifiers:
        classifier.load_state_dict(shared.classifiers[0].state_dict())
    told = points if with_points else None
    for one, other in zip(shared(features, told), unshared(features, told), strict=True):
        assert_close(one, other)


def test_each_frame_position_has_a_classifier_of_its_own(features):
    model = ssn(frames=4)
    model(features).logits[:, 2].square().sum().backward()
    used = [
        any(weight.grad is not None and weight.grad.any() for weight in classifier.parameters())
        for classifier in model.classifiers
    ]
    assert used == [False, False, True, False]
    starts = [classifier.to_parts.bias for classifier in model.classifiers]
    assert not any(torch.equal(one, other) for one, other in pairwise(starts))


def test_clips_of_another_length_than_there_are_classifiers_are_refused(features):
    with pytest.raises(ValueError, match=r"SSN has 4 classifiers.*clips have 3 frames; cut"):
        ssn(frames=4)(features[:, :3])


def test_a_shared_classifier_takes_clips_of_any_length(features):
    assert ssn()(features.repeat(1, 3, 1, 1, 1)).maps.shape[1] == 12


def test_renaming_the_parts_permutes_what_ssn_says(features):
    model, order = ssn(), torch.tensor([3, 0, 4, 1, 2])
    before = model(features)
    with torch.no_grad():
        for weight in model.classifiers[0].to_parts.parameters():
            weight.copy_(weight[order])
    after = model(features)
    assert_close(after.maps, before.maps[:, :, order])
    assert_close(after.features, before.features[:, :, order])
    assert_close(after.logits, before.logits[:, :, order][..., order])


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_points_bypass_the_attention(features, points, padding):
    model = ssn(padding=padding)
    parts = model(features, points)
    known = (~points.isnan().any(-1)).double()
    assert_close(parts.maps.sum((-1, -2)), known)
    assert_close(parts.maps.amax((-1, -2)), known)
    for b, t in [(0, 0), (1, 2)]:
        pooled = pool_windows(features[b, t, None], parts.maps[b, t, None], padding=padding)
        assert_close(parts.features[b, t, None], pooled)
        assert_close(parts.logits[b, t, None], model.classifiers[0].second_round(pooled))


def test_a_missing_point_gives_finite_gradients(features, points):
    model = ssn()
    features.requires_grad_()
    model(features, points).logits.square().sum().backward()
    gradients = [features.grad, *(weight.grad for weight in model.parameters())]
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_an_anchor_is_the_second_round_of_the_windows_at_its_points(features, points, padding):
    model = ssn(padding=padding)
    anchors = model.anchor(features.flatten(0, 1), points.flatten(0, 1))
    assert anchors.shape == (1, 8, PARTS, PARTS)
    assert_close(anchors[0], model(features, points).logits.flatten(0, 1))


def test_an_anchor_is_judged_by_the_classifier_of_every_frame_position(features, points):
    model = ssn(frames=4)
    anchors = model.anchor(features[:, 1], points[:, 1])
    assert anchors.shape == (4, 2, PARTS, PARTS)
    for position in range(4):
        there = features[:, 1:2].expand(-1, 4, -1, -1, -1)
        logits = model(there, points[:, 1:2].expand(-1, 4, -1, -1)).logits[:, position]
        assert_close(anchors[position], logits)


def test_parts_of_featureless_frames_cannot_be_told_apart(features):
    blank = torch.ones_like(features)
    logits = ssn(padding="valid")(blank).logits
    assert_close(logits, logits[:, :, :1].expand_as(logits))
    assert ssn_loss(logits.flatten(0, 1)) > math.log(PARTS)
    borders_show = ssn(padding="same")(blank).logits
    assert (borders_show - borders_show[:, :, :1]).abs().max() > 1e-4


@pytest.mark.parametrize(("padding", "can_learn"), [("valid", False), ("same", True)])
def test_from_featureless_frames_only_their_borders_can_be_learned(padding, can_learn):
    model, blank = ssn(padding=padding), torch.ones(1, 1, CHANNELS, 6, 5, dtype=torch.float64)
    for _ in range(60):
        loss = ssn_loss(model(blank).logits[0])
        weights = tuple(model.parameters())
        with torch.no_grad():
            for weight, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight -= 0.3 * slope
    if can_learn:
        assert loss < math.log(PARTS) / 2
    else:
        assert_close(loss.item(), math.log(PARTS), rtol=1e-5, atol=0)
