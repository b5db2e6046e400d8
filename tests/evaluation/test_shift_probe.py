from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from ssn3d.evaluation.shift_probe import crossings, displacement, shifted
from ssn3d.training.batches import load_clips

heights = st.lists(st.integers(-5, 5), min_size=3, max_size=3)


def test_every_other_frame_moves_to_the_right():
    clips = torch.arange(2 * 4 * 3 * 2 * 5).reshape(2, 4, 3, 2, 5)
    moved = shifted(clips, 2)
    assert torch.equal(moved[:, ::2], clips[:, ::2])
    assert torch.equal(moved[:, 1::2, ..., 2:], clips[:, 1::2, ..., :3])
    assert torch.equal(moved[:, 1::2, ..., :2], clips[:, 1::2, ..., :1].expand(2, 2, 3, 2, 2))
    assert torch.equal(shifted(clips, 0), clips)


@pytest.mark.parametrize("pixels", [-1, 5])
def test_a_frame_is_not_moved_out_of_itself(pixels):
    with pytest.raises(ValueError, match="0 to 4"):
        shifted(torch.zeros(1, 4, 3, 2, 5), pixels)


def test_displacement_is_a_share_of_the_distance_to_the_nearest_other_person(
    tiny_config, tiny_split, trained
):
    cells = [0, 1, 2]
    found = displacement(tiny_config, trained[0], tiny_split.query, cells)
    assert found[0] == 0
    assert min(found[1:]) > 0
    people = {tracklet.person for tracklet in tiny_split.query}
    assert len(people) > 1
    frames, _ = load_clips(
        tiny_config,
        [
            (t, [i * (len(t) // tiny_config.clip_frames) for i in range(tiny_config.clip_frames)])
            for t in tiny_split.query
        ],
    )
    with torch.inference_mode():
        still = trained[0](frames).embedding
        moved = trained[0](shifted(frames, 4)).embedding
    shares = []
    for row, here in enumerate(still):
        nearest = min((here - there).norm() for i, there in enumerate(still) if i != row)
        shares.append((moved[row] - here).norm() / nearest)
    assert_close(found[1], float(torch.stack(shares).mean()), rtol=1e-4, atol=1e-6)


def test_one_person_has_nobody_to_be_compared_with(tiny_config, tiny_split, trained):
    with pytest.raises(ValueError, match=r"two people .* got 1"):
        displacement(tiny_config, trained[0], tiny_split.query[:1], [1])


def test_lines_cross_between_two_levels():
    one, other = {0.0: 10.0, 0.1: 6.0, 0.2: 2.0}, {0.0: 9.0, 0.1: 7.0, 0.2: 5.0}
    assert crossings(one, other) == pytest.approx([0.05])
    assert crossings(one, one) == [0.0, 0.1, 0.2]


@given(heights, heights)
def test_crossings_do_not_depend_on_who_comes_first(one, other):
    one, other = (dict(zip((0.0, 1.0, 2.0), line, strict=True)) for line in (one, other))
    found = crossings(one, other)
    assert found == pytest.approx(crossings(other, one))
    gaps = [one[place] - other[place] for place in (0.0, 1.0, 2.0)]
    if all(gaps):
        assert len(found) == sum(a * b < 0 for a, b in pairwise(gaps))
