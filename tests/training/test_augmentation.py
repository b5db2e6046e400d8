import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from ssn3d.rng import stream
from ssn3d.training.augmentation import augment, move, recolour


def pictures(k: int = 4) -> torch.Tensor:
    return torch.randint(0, 256, (k, 3, 12, 8), generator=stream("pictures"), dtype=torch.uint8)


def test_a_move_by_hand():
    frame = torch.tensor([[[[1, 2, 3], [4, 5, 6]]]])
    points = torch.tensor([[[0.5, 0.25], [0.9, 0.25], [0.1, 0.9], [torch.nan, torch.nan]]])
    moved, places = move(frame, points, torch.tensor([[1, 1]]))
    assert moved.tolist() == [[[[1, 1, 2], [1, 1, 2]]]]
    out = [torch.nan, torch.nan]
    assert_close(places[0], torch.tensor([[5 / 6, 0.75], out, out, out]), equal_nan=True)


@given(st.integers(0, 11), st.integers(0, 7), st.integers(-12, 12), st.integers(-12, 12))
def test_a_point_stays_on_what_it_marked(row, column, right, down):
    frame = torch.zeros(1, 1, 12, 8)
    frame[..., row, column] = 1
    points = torch.tensor([[[(column + 0.5) / 8, (row + 0.5) / 12]]])
    moved, places = move(frame, points, torch.tensor([[right, down]]))
    if 0 <= row + down < 12 and 0 <= column + right < 8:
        x, y = places[0, 0].tolist()
        assert moved[0, 0, int(y * 12), int(x * 8)] == 1
    else:
        assert places.isnan().all()


def test_recolouring_by_hand():
    frames = torch.tensor([100, 200], dtype=torch.uint8).reshape(1, 1, 1, 2).expand(1, 3, 1, 2)
    changed = recolour(frames, contrast=torch.tensor([0.5]), gains=torch.tensor([[1.0, 0.5, 2.0]]))
    expected = torch.tensor([[125, 175], [50, 100], [255, 255]]) / 255
    assert_close(changed[0, :, 0], expected)


def test_without_shift_and_colour_nothing_changes():
    frames, points = pictures(), torch.rand(4, 5, 2)
    same, places = augment(frames, points, stream("any"), shift=0, colour=0.0)
    assert same is frames
    assert places is points


def test_pictures_change_each_in_its_own_way_and_the_same_for_one_stream():
    frames = pictures(1).repeat(3, 1, 1, 1)
    points = torch.full((3, 1, 2), 0.5)
    once, again, other = (
        augment(frames, points, stream(key), shift=3, colour=0.3) for key in (1, 1, 2)
    )
    assert torch.equal(once[0], again[0])
    assert torch.equal(once[1], again[1])
    assert not torch.equal(once[0], other[0])
    assert len(once[1].flatten(1).unique(dim=0)) == 3


@pytest.mark.parametrize(("shift", "colour"), [(2, 0.0), (0, 0.3), (2, 0.3)])
def test_changes_stay_within_their_bounds(shift, colour):
    frames, points = pictures(64), torch.full((64, 1, 2), 0.5)
    changed, places = augment(frames, points, stream("bounds"), shift=shift, colour=colour)
    pixels = (places - points).abs() * torch.tensor([8, 12])
    assert pixels.max().item() == pytest.approx(shift)
    if colour:
        assert 0 <= changed.min() and changed.max() <= 1
    else:
        assert changed.dtype == torch.uint8
