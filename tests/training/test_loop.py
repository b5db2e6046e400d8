from itertools import count

import pytest
import torch
from torch import nn

from ssn3d.training import loop


@pytest.fixture
def weight():
    return torch.nn.Parameter(torch.tensor(1.0))


def test_it_minimises_the_total_and_keeps_every_term(weight):
    def terms_of(step):
        return {"half": weight.square() / 2, "total": weight.square()}

    told = []
    optimiser = torch.optim.SGD([weight], lr=0.25)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, 2, 0.1)
    history = loop.run(
        terms_of,
        count,
        3,
        nn.Identity(),
        optimiser,
        schedule,
        on_step=lambda *step: told.append(step),
    )
    assert history == {
        "half": [0.5, 0.125, 0.03125],
        "total": [1.0, 0.25, 0.0625],
        "learning_rate": [0.25, 0.25, pytest.approx(0.025)],
    }
    assert [(done, steps) for done, steps, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[1][2] == {"half": 0.125, "total": 0.25}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_it_before_the_weights_are_spoilt(weight, value):
    def terms_of(step):
        return {"triplet": weight * 1, "ssn": weight * value, "total": weight * value}

    with pytest.raises(FloatingPointError, match=r"at step 1 of 5: .*'ssn': (nan|inf)"):
        loop.run(terms_of, count, 5, nn.Identity(), torch.optim.SGD([weight], lr=1.0))
    assert weight.item() == 1
