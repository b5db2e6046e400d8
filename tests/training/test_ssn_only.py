import math
from dataclasses import replace

import pytest
import torch

from ssn3d.config import StudyConfig
from ssn3d.config.ssn_only import WITHOUT_LABELS
from ssn3d.models.ssn import SSN
from ssn3d.training import ssn_only

RANDOM = StudyConfig.preset("smoke", "random_maps", steps=40, learning_rate=1e-2, parts=3)


def final_loss(config, *material):
    _, history = ssn_only.fit(config, *material)
    return sum(history["ssn"][-5:]) / 5


@pytest.mark.parametrize("parts", [3, 9])
def test_maps_of_ones_teach_nothing_but_chance(parts):
    config = replace(RANDOM, distribution="ones", parts=parts, steps=150)
    assert final_loss(config) == pytest.approx(math.log(parts), abs=1e-4)


def test_zeros_around_them_give_maps_of_ones_parts():
    config = replace(RANDOM, distribution="ones", padding="same", steps=150)
    assert final_loss(config) < 0.5 * math.log(3)


def test_noise_is_told_apart():
    assert final_loss(replace(RANDOM, steps=150)) < 0.2 * math.log(3)


def test_the_same_seed_trains_the_same_network_whatever_the_global_state():
    config = replace(RANDOM, steps=5)
    torch.manual_seed(5)
    one, history = ssn_only.fit(config)
    torch.manual_seed(6)
    other, again = ssn_only.fit(config)
    assert history == again
    assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    assert ssn_only.fit(replace(config, seed=1))[1] != history


def test_every_step_sees_other_noise():
    config = replace(RANDOM, learning_rate=0.0, weight_decay=0.0, steps=4)
    _, history = ssn_only.fit(config)
    assert len(set(history["ssn"])) == 4


SQUARES = StudyConfig.preset(
    "smoke", "pedestrians", height=16, width=16, backbone="none", parts=2, hidden=16,
    batch=4, labelled=4, strategy="semi-supervised", labelled_steps=60, steps=0,
)  # fmt: skip


@pytest.fixture
def squares():
    """Grey pictures with a bright and a dark square of 3 x 3 pixels, and their middles."""
    rng = torch.Generator().manual_seed(0)
    frames = torch.full((8, 3, 16, 16), 128, dtype=torch.uint8)
    points = torch.empty(8, 2, 2)
    for frame, places in zip(frames, points, strict=True):
        for n, value in enumerate((255, 0)):
            x = int(torch.randint(1, 15, (), generator=rng))
            y = int(torch.randint(8 * n + 1, 8 * n + 7, (), generator=rng))
            frame[:, y - 1 : y + 2, x - 1 : x + 2] = value
            places[n] = torch.tensor([x + 0.5, y + 0.5]) / 16
    return frames, points


def peaks(network, frames):
    maps = ssn_only.find_parts(network, frames).maps[:, 0].flatten(2)
    best = maps.argmax(-1)
    return torch.stack([best % 16 + 0.5, best // 16 + 0.5], dim=-1) / 16


def test_labels_say_which_part_is_which(squares):
    frames, points = squares
    labels = points.clone()
    labels[4:] = torch.nan
    network, _ = ssn_only.fit(SQUARES, frames, labels)
    assert torch.allclose(peaks(network, frames), points)


@pytest.mark.parametrize(("keep_labels", "anchored"), [(False, 3), (True, 5)])
def test_labels_come_first_and_then_stay_or_go(squares, monkeypatch, keep_labels, anchored):
    frames, points = squares
    points[4:] = torch.nan
    calls = []
    monkeypatch.setattr(SSN, "anchor", watched(SSN.anchor, calls))
    monkeypatch.setattr(SSN, "forward", watched(SSN.forward, calls))
    config = replace(SQUARES, labelled_steps=3, steps=2, keep_labels=keep_labels)
    ssn_only.fit(config, frames, points)
    assert calls[:3] == ["anchor"] * 3
    assert (calls.count("anchor"), calls.count("forward")) == (anchored, 2)


def watched(method, calls):
    def call(*arguments):
        calls.append(method.__name__)
        return method(*arguments)

    return call


def test_missing_points_do_not_count(squares):
    frames, points = squares
    points[:, 1] = torch.nan  # no picture has a label of part 2
    points[4:] = torch.nan
    network, history = ssn_only.fit(replace(SQUARES, labelled_steps=60), frames, points)
    assert history["ssn"][-1] < 0.1
    assert torch.isfinite(torch.cat([w.flatten() for w in network.parameters()])).all()


def test_without_steps_the_network_is_untrained():
    network, history = ssn_only.fit(replace(RANDOM, steps=0))
    assert history == {}
    with torch.random.fork_rng():
        torch.manual_seed(RANDOM.seed)
        fresh = ssn_only.build(RANDOM)
    assert all(map(torch.equal, network.state_dict().values(), fresh.state_dict().values()))


def test_batches_go_through_all_pictures_before_any_comes_again():
    config = replace(SQUARES, batch=3)
    seven = torch.arange(7)
    seen = torch.cat([ssn_only._batch(config, step, seven) for step in range(1, 8)]).tolist()
    assert all(sorted(seen[i : i + 7]) == list(range(7)) for i in (0, 7, 14))
    assert seen[:7] != seen[7:14]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": 3}, "the labels name 2 parts, but parts is 3; set parts=2"),
        ({"steps": 5}, "every picture is labelled"),
        (WITHOUT_LABELS | {"study": "random_maps"}, "no pictures"),
    ],
)
def test_material_that_does_not_fit_is_refused(squares, change, message):
    with pytest.raises(ValueError, match=message):
        ssn_only.fit(replace(SQUARES, **change), *squares)


def test_labelled_steps_need_labels(squares):
    with pytest.raises(ValueError, match="need labelled pictures"):
        ssn_only.fit(SQUARES, squares[0])
    with pytest.raises(ValueError, match="need labelled pictures"):
        ssn_only.fit(SQUARES, squares[0], torch.full((8, 2, 2), torch.nan))


def test_the_paper_scale_has_the_papers_shapes():
    config = StudyConfig.preset("paper", "pedestrians", pretrained=False)
    network = ssn_only.build(config).eval()
    features = network.features(torch.zeros(1, 3, 120, 60))
    assert features.shape == (1, 128, 15, 8)
    demo = ssn_only.build(StudyConfig.preset("demo", "pedestrians")).eval()
    assert demo.features(torch.zeros(1, 3, 120, 60)).shape == (1, 128, 15, 8)
    amber = ssn_only.build(StudyConfig.preset("paper", "amber"))
    assert amber.ssn.classifiers[0].to_hidden.weight.shape == (512, 3, 19, 19)
    maps = ssn_only.build(StudyConfig.preset("paper", "random_maps"))
    assert maps.in_maps(torch.zeros(1, 128, 16, 16)).maps.shape == (1, 1, 9, 14, 14)


def test_labelled_pictures_are_augmented_and_no_others(squares, monkeypatch):
    frames, points = squares
    points[4:] = torch.nan
    seen = []

    def watched(shown, labels, rng, **settings):
        seen.append((shown, settings))
        return shown, labels

    monkeypatch.setattr(ssn_only.augmentation, "augment", watched)
    config = replace(
        SQUARES, labelled_steps=2, steps=2, keep_labels=True, shift=3, colour_jitter=0.2
    )
    ssn_only.fit(config, frames, points)
    assert len(seen) == 4
    assert all(settings == {"shift": 3, "colour": 0.2} for _, settings in seen)
    labelled = {frame.numpy().tobytes() for frame in frames[:4]}
    assert {frame.numpy().tobytes() for shown, _ in seen for frame in shown} == labelled


def test_augmented_steps_are_drawn_anew_and_again_the_same(squares):
    frames, points = squares
    config = replace(SQUARES, labelled_steps=3, shift=2, colour_jitter=0.2)
    _, history = ssn_only.fit(config, frames, points)
    assert ssn_only.fit(config, frames, points)[1] == history
    assert ssn_only.fit(replace(config, shift=0), frames, points)[1] != history


def test_figure_4_can_be_made_with_a_backbone_of_timm():
    pytest.importorskip("timm")
    config = StudyConfig.preset("demo", "pedestrians", backbone="timm:tf_efficientnet_lite0")
    network = ssn_only.build(config).eval()
    assert network.features(torch.zeros(1, 3, 120, 60)).shape == (1, 40, 15, 8)
    assert network.mean.flatten().tolist() == [0.5, 0.5, 0.5]
