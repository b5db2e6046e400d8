import math

import pytest
import torch

from ssn3d.synthetic.random_maps import draw

SIZE = (8, 16, 16)


@pytest.mark.parametrize(
    ("distribution", "mean", "variance"),
    [
        ("normal", 0, 1),
        ("uniform", 0.5, 1 / 12),
        ("centred", 0, 1 / 12),
        ("standardised", 0, 1),
        ("ones", 1, 0),
    ],
)
def test_maps_are_distributed_as_said(distribution, mean, variance):
    maps = draw(distribution, 64, 1, seed=0, size=SIZE)
    assert maps.shape == (64, *SIZE)
    assert maps.mean().item() == pytest.approx(mean, abs=0.01)
    assert maps.var().item() == pytest.approx(variance, abs=0.01)


def test_uniform_maps_differ_by_mean_and_scale_alone():
    uniform, centred, standardised = (
        draw(name, 4, 7, seed=3, size=SIZE) for name in ("uniform", "centred", "standardised")
    )
    assert torch.equal(centred, uniform - 0.5)
    assert torch.equal(standardised, (uniform - 0.5) * math.sqrt(12))
    assert 0 <= uniform.min() < 0.01 < 0.99 < uniform.max() < 1


def test_each_step_and_seed_has_maps_of_its_own_whatever_was_drawn_before():
    first = draw("normal", 4, 1, seed=0, size=SIZE)
    others = [draw("normal", 4, 2, seed=0, size=SIZE), draw("normal", 4, 1, seed=1, size=SIZE)]
    assert torch.equal(first, draw("normal", 4, 1, seed=0, size=SIZE))
    assert not any(torch.equal(first, other) for other in others)
