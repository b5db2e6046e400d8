import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from ssn3d.evaluation.likeness import likeness


def windows(k: int, n: int, seed: int) -> torch.Tensor:
    return torch.randn(k, n, 3, 2, 2, generator=torch.Generator().manual_seed(seed))


@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 100))
def test_it_is_the_mean_cosine_of_windows_of_different_pictures(k, n, seed):
    looks = windows(k, n, seed)
    within, between = [], []
    for a in range(k):
        for b in range(k):
            for i in range(n):
                for j in range(n):
                    cosine = cosine_similarity(looks[a, i].flatten(), looks[b, j].flatten(), dim=0)
                    if a != b:
                        (within if i == j else between).append(cosine)
    found = likeness(looks, shuffles=1)
    assert found.within == pytest.approx(torch.stack(within).mean().item(), abs=1e-5)
    assert found.between == pytest.approx(torch.stack(between).mean().item(), abs=1e-5)
    assert sum(found.pictures) / k == pytest.approx(found.within - found.between, abs=1e-5)


def test_parts_that_look_the_same_everywhere_are_all_alike():
    looks = windows(1, 3, 0).expand(6, -1, -1, -1, -1)
    found = likeness(looks)
    assert found.within == pytest.approx(1)
    assert max(found.shuffled) < 0.9


def test_noise_is_no_more_alike_within_a_part_than_if_parts_were_drawn():
    found = likeness(windows(40, 5, 1), shuffles=200)
    shuffled = torch.tensor(found.shuffled)
    assert abs(found.within - shuffled.mean()) < 3 * shuffled.std()


def test_a_shuffle_keeps_the_windows_of_each_picture():
    looks = windows(2, 2, 3)
    looks[:, 1] = looks[:, 0]  # any order is the same
    found = likeness(looks, shuffles=5)
    assert found.shuffled == pytest.approx([found.within] * 5)


def test_a_window_without_colour_of_its_own_counts_as_unlike():
    looks = windows(3, 2, 0)
    looks[:, 0] = 0
    assert likeness(looks).between == 0


@pytest.mark.parametrize("shape", [(1, 3, 3, 2, 2), (3, 1, 3, 2, 2), (3, 3, 2)])
def test_too_few_windows_to_compare_are_refused(shape):
    with pytest.raises(ValueError, match="at least two parts in two pictures, got"):
        likeness(torch.zeros(shape))
