"""Average pooling, and what it has in common with everything else that SSN3D is compared with."""

from dataclasses import replace
from inspect import signature

import pytest
import torch
from einops import reduce
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.config import RunConfig
from ssn3d.evaluation import reid
from ssn3d.models import AGGREGATORS
from ssn3d.models.aggregators.average import Average
from ssn3d.models.reid import Output
from ssn3d.training import reid as train

CHANNELS, EMBEDDING = 16, 12
BASELINES = [name for name in AGGREGATORS if name != "ssn3d"]
SIZES = {"parts": 3, "window": 3, "hidden": 8, "width": 8, "embedding": EMBEDDING}
every_baseline = pytest.mark.parametrize("name", BASELINES)


def baseline(name: str, *, random: bool = True) -> nn.Module:
    """A small aggregator; `random` also moves the weights that start at 0 or 1."""
    torch.manual_seed(1)
    wanted = signature(AGGREGATORS[name]).parameters
    model = AGGREGATORS[name](CHANNELS, **{k: v for k, v in SIZES.items() if k in wanted})
    with torch.no_grad():
        for weight in model.parameters():
            weight += random * torch.randn_like(weight) / 5
    return model.eval()


@pytest.fixture
def features(generator) -> Tensor:
    return torch.rand(3, 4, CHANNELS, 6, 4, generator=generator)


@pytest.mark.parametrize("frames", [1, 4, 32])
@every_baseline
def test_a_clip_of_any_length_becomes_one_vector_and_always_the_same(name, frames, generator):
    features = torch.rand(2, frames, CHANNELS, 6, 4, generator=generator)
    output = baseline(name)(features)
    assert type(output) is Output
    assert output.parts is None or output.parts.maps.shape == (2, frames, 3, 6, 4)
    assert output.embedding.shape == (2, EMBEDDING)
    assert torch.equal(output.embedding, baseline(name)(features).embedding)


@every_baseline
def test_baselines_go_by_the_clip_itself_and_by_nothing_else(name, features):
    model = baseline(name)
    embedding = model(features).embedding
    assert_close(model(features[1:2]).embedding, embedding[1:2])
    assert torch.equal(model(features, torch.rand(3, 4, 9, 2)).embedding, embedding)
    assert (embedding[0] - embedding[1]).abs().max() > 1e-3


@every_baseline
def test_every_weight_of_a_baseline_learns_from_the_embedding(name, features):
    model = baseline(name).double()
    model(features.double()).embedding.square().sum().backward()
    silent = [n for n, weight in model.named_parameters() if weight.grad.abs().max() < 1e-9]
    # a constant added to all that one cell compares itself with is lost in the softmax
    assert silent == (["block.phi.0.bias"] if name == "non_local" else [])


@pytest.mark.parametrize("brightness", [0, 1, 100])
@pytest.mark.parametrize("training", [False, True])
@every_baseline
def test_baselines_compute_in_bfloat16(name, training, brightness, features):
    model = baseline(name)
    exact = model(brightness * features).embedding
    features = (brightness * features).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model.train(training)(features).embedding
    # attention over a whole clip is the sharper the larger numbers are, if no statistics tame them
    if not training and (name, brightness) != ("mg_rafa", 100):
        assert (rounded - exact).norm() <= 0.05 * exact.norm()
    rounded.float().square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert features.grad.isfinite().all()


@every_baseline
def test_settings_of_a_run_build_a_baseline_that_learns(name, generator):
    config = RunConfig.preset("demo", "mars", aggregator=name, strategy="unsupervised")
    model = train.build(config)
    clips = torch.rand(2, 2, 3, 16, 16, generator=generator)
    output = model(clips)
    assert type(model.aggregator) is AGGREGATORS[name]
    assert output.embedding.shape == (2, 128)
    output.embedding.square().sum().backward()
    assert model.backbone[0].weight.grad.any()


@every_baseline
def test_baselines_train_and_test_like_ssn3d_without_its_loss(name, tiny_config, tiny_split):
    config = replace(tiny_config, aggregator=name, steps_per_epoch=1)
    network, history = train.fit(config, tiny_split.train)
    assert ("own" in history) == (name == "spa_atn")
    own = history.get("own", [0.0])[0]
    assert history["total"] == pytest.approx([history["triplet"][0] + own], rel=1e-6)
    assert "ssn" not in history
    assert reid.evaluate(config, network, tiny_split).cmc[-1] == 1


@pytest.mark.parametrize(
    ("name", "demo", "paper"),
    [
        ("average", 8_320, 1_049_600),
        ("temporal_attention", 45_313, 5_769_217),
        ("recurrent", 24_704, 2_098_176),
        ("stripes", 555_392, 11_806_720),
        ("conv3d", 127_488, 3_346_432),
        ("non_local", 16_800, 3_151_360),
        ("ap3d", 67_592, 2_375_696),
        ("spa_atn", 112_448, 14_175_232),
        ("mg_rafa", 10_352, 1_257_344),
        ("st_gcn", 49_792, 9_446_400),
        ("mgh", 50_048, 9_450_496),
    ],
)
def test_baselines_have_as_many_weights_as_counted_by_hand(name, demo, paper):
    for scale, count in {"demo": demo, "paper": paper}.items():
        config = RunConfig.preset(scale, "mars", aggregator=name, pretrained=False)
        with torch.device("meta"):
            model = train.build(config)
        assert sum(weight.numel() for weight in model.aggregator.parameters()) == count


@pytest.mark.parametrize("name", ["conv3d", "non_local", "ap3d"])
def test_blocks_over_time_start_as_average_pooling(name, features):
    model = baseline(name, random=False)
    average = Average(CHANNELS, embedding=EMBEDDING)
    average.to_embedding = model.to_embedding
    assert_close(model(features).embedding, average(features).embedding)


def test_the_average_of_a_clip_is_the_mean_of_its_frames_embeddings(features):
    model = baseline("average")
    alone = [model(features[:, t : t + 1]).embedding for t in range(4)]
    assert_close(model(features).embedding, torch.stack(alone).mean(dim=0))


def test_the_average_of_one_frame_is_its_maximum_over_space(features):
    model = baseline("average")
    expected = model.to_embedding(reduce(features[:, 0], "b c h w -> b c", "max"))
    assert_close(model(features[:, :1]).embedding, expected)


@pytest.mark.parametrize("name", ["average", "temporal_attention", "non_local"])
def test_the_order_of_frames_does_not_matter_to_those_that_have_no_time(name, features):
    model = baseline(name)
    assert_close(model(features[:, [2, 0, 3, 1]]).embedding, model(features).embedding)


@pytest.mark.parametrize("name", ["recurrent", "stripes", "conv3d", "ap3d"])
def test_the_order_of_frames_matters_to_those_that_have_time(name, features):
    model = baseline(name)
    change = model(features[:, [2, 0, 3, 1]]).embedding - model(features).embedding
    assert change.abs().max() > 1e-3
