import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from ssn3d.losses import batch_hard_triplet, objective, ssn_loss

IDS = torch.tensor([4, 4, 9, 9])


@pytest.fixture
def logits() -> torch.Tensor:
    """[f n m] for 4 frames of 5 parts."""
    return torch.randn(4, 5, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def present() -> torch.Tensor:
    """[f n]: one frame with all parts, two with some, one with none."""
    return torch.tensor([[1, 1, 1, 1, 1], [0, 1, 1, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()


def test_ssn_loss_is_log_n_when_nothing_is_known():
    assert_close(ssn_loss(torch.zeros(3, 9, 9)).item(), math.log(9))


def test_ssn_loss_is_zero_when_every_part_is_certain():
    assert ssn_loss(100 * torch.eye(9)[None]) == 0


def test_ssn_loss_of_two_parts_equals_the_one_found_by_hand():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 3.0]]])
    by_hand = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))) / 2
    assert_close(ssn_loss(logits).item(), by_hand)


def test_ssn_loss_compares_the_classes_of_a_part_not_the_parts_of_a_class():
    logits = torch.tensor([[[5.0, 5.0], [0.0, 0.0]]])
    assert_close(ssn_loss(logits).item(), math.log(2))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_ssn_loss_equals_a_loop_over_frames_and_parts(logits, present, reduction):
    entropies = [
        [
            math.log(sum(math.exp(x) for x in scores)) - scores[n]
            for n, scores in enumerate(frame)
            if present[f, n]
        ]
        for f, frame in enumerate(logits.tolist())
    ]
    flat = [entropy for frame in entropies for entropy in frame]
    count = len(flat) if reduction == "mean" else sum(bool(frame) for frame in entropies)
    assert_close(ssn_loss(logits, present, reduction).item(), sum(flat) / count)


def test_the_sum_over_parts_is_n_times_their_mean(logits):
    assert_close(ssn_loss(logits, reduction="sum"), 5 * ssn_loss(logits))


def test_all_parts_present_is_the_default(logits):
    everything = torch.ones(4, 5, dtype=torch.bool)
    for reduction in ("mean", "sum"):
        assert_close(ssn_loss(logits, everything, reduction), ssn_loss(logits, reduction=reduction))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_what_is_said_of_parts_that_are_not_present_does_not_count(logits, present, reduction):
    other = logits.masked_fill(~present[..., None], 50.0) + 7 * ~present[..., None]
    assert_close(ssn_loss(other, present, reduction), ssn_loss(logits, present, reduction))
    ssn_loss(logits.requires_grad_(), present, reduction).backward()
    assert torch.equal(logits.grad.any(-1), present)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_ssn_loss_is_zero_where_no_part_is_present(logits, reduction):
    loss = ssn_loss(logits.requires_grad_(), torch.zeros(4, 5, dtype=torch.bool), reduction)
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_ssn_loss_of_half_precision_is_computed_in_full(logits):
    half = logits.bfloat16()
    assert ssn_loss(half).dtype == torch.float32
    assert_close(ssn_loss(half), ssn_loss(half.float()))


def test_ssn_loss_wants_as_many_classes_as_parts():
    with pytest.raises(ValueError, match=r"n = m, got \(2, 5, 4\)"):
        ssn_loss(torch.zeros(2, 5, 4))


def test_ssn_loss_refuses_an_unknown_reduction(logits):
    with pytest.raises(ValueError, match='must be "mean" or "sum", got \'none\''):
        ssn_loss(logits, reduction="none")


def test_the_triplet_loss_of_points_on_a_line_equals_the_one_found_by_hand():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    # farthest of the same person, nearest of the other: (1, 3), (1, 2), (4, 2), (4, 6)
    by_hand = (0 + 0 + (0.3 + 4 - 2) + 0) / 4
    assert_close(batch_hard_triplet(line, IDS, margin=0.3).item(), by_hand)
    by_hand = ((2.5 + 1 - 3) + (2.5 + 1 - 2) + (2.5 + 4 - 2) + (2.5 + 4 - 6)) / 4
    assert_close(batch_hard_triplet(line, IDS, margin=2.5).item(), by_hand)


@pytest.mark.parametrize("d", [1, 4, 9])
def test_distances_are_divided_by_the_root_of_the_embedding_size(d):
    line = torch.tensor([0.0, 1, 3, 7])[:, None]
    in_every_direction = line.expand(4, d)
    in_one_direction = torch.cat([line * math.sqrt(d), torch.zeros(4, d - 1)], dim=1)
    for embeddings in (in_every_direction, in_one_direction):
        assert_close(batch_hard_triplet(embeddings, IDS, margin=0.3).item(), 2.3 / 4)


def triplet_by_loop(embeddings: list[list[float]], ids: list[int], margin: float) -> float:
    def distance(a: int, b: int) -> float:
        return math.dist(embeddings[a], embeddings[b]) / math.sqrt(len(embeddings[a]))

    losses = []
    for anchor, person in enumerate(ids):
        same = [distance(anchor, k) for k, other in enumerate(ids) if other == person]
        rest = [distance(anchor, k) for k, other in enumerate(ids) if other != person]
        losses.append(max(0.0, margin + max(same) - min(rest)))
    return sum(losses) / len(losses)


@st.composite
def batches(draw) -> tuple[list[list[float]], list[int]]:
    people = draw(st.lists(st.integers(-1, 2000), min_size=2, max_size=4, unique=True))
    ids = [person for person in people for _ in range(draw(st.integers(2, 4)))]
    ids = draw(st.permutations(ids))
    size = draw(st.integers(1, 5))
    number = st.integers(-40, 40).map(lambda x: x / 8)
    row = st.lists(number, min_size=size, max_size=size)
    return draw(st.lists(row, min_size=len(ids), max_size=len(ids))), ids


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(batch=batches(), margin=st.sampled_from([0.0, 0.3, 2.0]))
def test_the_triplet_loss_equals_a_loop_over_anchors(batch, margin):
    embeddings, ids = batch
    loss = batch_hard_triplet(torch.tensor(embeddings), torch.tensor(ids), margin)
    assert_close(loss.item(), triplet_by_loop(embeddings, ids, margin), rtol=1e-5, atol=1e-5)


def test_the_triplet_loss_pulls_the_farthest_of_a_person_and_pushes_the_nearest_other():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]], requires_grad=True)
    batch_hard_triplet(line, IDS).backward()
    # only the anchor at 3 has a loss, (0.3 + |3 - 7| - |3 - 1|) / 4
    assert_close(line.grad, torch.tensor([[0.0], [1.0], [-2.0], [1.0]]) / 4)


def test_equal_embeddings_give_a_loss_of_the_margin_and_finite_gradients():
    embeddings = torch.ones(4, 8, requires_grad=True)
    loss = batch_hard_triplet(embeddings, IDS, margin=0.3)
    loss.backward()
    assert_close(loss.item(), 0.3)
    assert_close(embeddings.grad, torch.zeros(4, 8))


@pytest.mark.parametrize(
    ("ids", "counts"),
    [([3, 3, 3], r"\{3: 3\}"), ([3, 3, 8], r"\{3: 2, 8: 1\}"), ([1, 2], r"\{1: 1, 2: 1\}")],
)
def test_a_batch_without_triplets_is_refused_with_its_counts(ids, counts):
    with pytest.raises(ValueError, match=f"got clips per person {counts}; draw batches with"):
        batch_hard_triplet(torch.zeros(len(ids), 4), torch.tensor(ids))


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="at least two people"):
        batch_hard_triplet(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_objective_is_the_triplet_loss_plus_the_weighted_ssn_loss(logits, present, reduction):
    embeddings = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    terms = objective(
        embeddings, IDS, logits, present, margin=0.5, ssn_weight=0.1, reduction=reduction
    )
    assert set(terms) == {"triplet", "ssn", "total"}
    assert_close(terms["triplet"], batch_hard_triplet(embeddings, IDS, 0.5))
    assert_close(terms["ssn"], ssn_loss(logits, present, reduction))
    assert_close(terms["total"], terms["triplet"] + 0.1 * terms["ssn"])


def test_without_logits_the_objective_is_the_triplet_loss():
    embeddings = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    terms = objective(embeddings, IDS, margin=0.5, ssn_weight=0.1)
    assert set(terms) == {"triplet", "total"}
    assert_close(terms["total"], batch_hard_triplet(embeddings, IDS, 0.5))
