import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ssn3d.models.aggregators.recurrent import Recurrent

CHANNELS, EMBEDDING = 5, 7


@pytest.fixture
def model() -> Recurrent:
    torch.manual_seed(1)
    return Recurrent(CHANNELS, embedding=EMBEDDING).double()


@pytest.fixture
def features(generator) -> Tensor:
    return torch.randn(3, 6, CHANNELS, 4, 2, generator=generator, dtype=torch.float64)


def test_it_is_the_mean_of_what_goes_into_the_states_of_a_plain_recurrent_network(model, features):
    network = nn.RNN(CHANNELS, EMBEDDING, batch_first=True).double()
    network.load_state_dict(
        {
            "weight_ih_l0": model.to_embedding.weight,
            "bias_ih_l0": model.to_embedding.bias,
            "weight_hh_l0": model.from_state.weight,
            "bias_hh_l0": torch.zeros(EMBEDDING),
        }
    )
    states, _ = network(features.amax(dim=(3, 4)))
    assert_close(model(features).embedding, states.atanh().mean(dim=1))


def test_one_frame_alone_is_its_maximum_over_space(model, features):
    expected = model.to_embedding(features[:, 0].amax(dim=(2, 3)))
    assert_close(model(features[:, :1]).embedding, expected)


def test_what_it_says_of_a_frame_depends_on_the_frames_before(model, features):
    again = features[:, [0, 0]]
    assert (model(again).embedding - model(features[:, :1]).embedding).abs().min() > 1e-3
