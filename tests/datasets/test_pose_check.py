"""Orders and scales of a set's key points: each found on bodies drawn by hand, or refused."""

import math

import pytest
import torch
from torch import Tensor

from ssn3d.datasets.openpose import ORDERS, Layout
from ssn3d.datasets.pose_check import check_scale, order_of
from tests.datasets.conftest import walker

WIDTH, HEIGHT = 64, 128
LAYOUTS = list(ORDERS)
HEAD = {"Nose", "LEye", "REye", "LEar", "REar", "HeadTop", "UpperNeck"}
LEGS = {name for name in ORDERS["body25"] if name.endswith(("Knee", "Ankle", "Toe", "Heel"))}


def people(layout: Layout, count: int = 20, *, noise: float = 1.5) -> Tensor:
    """[m k 3] people of several widths and turns, as inexact as an estimator, in pixels."""
    random = torch.Generator().manual_seed(0)
    found = walker(layout).repeat(count, 1, 1)
    turn = torch.linspace(-1, 1, count)[:, None]  # from their back over the side to their front
    found[..., 0] = 0.5 + (found[..., 0] - 0.5) * turn
    found[..., :2] *= torch.tensor([WIDTH, HEIGHT])
    found[..., :2] += noise * torch.randn(found[..., :2].shape, generator=random)
    return found


def without(found: Tensor, layout: Layout, names: set[str]) -> Tensor:
    """OpenPose writes 0, 0, 0 for what it has not found."""
    keep = torch.tensor([name not in names for name in ORDERS[layout]])
    return found * keep[:, None]


def sizes(found: Tensor) -> Tensor:
    return torch.tensor([WIDTH, HEIGHT]).expand(len(found), 2)


layouts = pytest.mark.parametrize("layout", LAYOUTS)


@layouts
@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("hidden", [set(), LEGS, {"Nose", "LEye", "REye"}, {"RWrist", "LWrist"}])
def test_bodies_tell_their_order(layout, count, hidden):
    found = without(people(layout, count, noise=0.5), layout, hidden)
    assert order_of(found) == layout


@pytest.mark.parametrize("layout", ["body25", "body25b"])
def test_a_few_wrong_people_do_not_change_the_order(layout):
    found = people(layout)
    found[::4] = found[::4].flip(1)
    assert order_of(found) == layout


@pytest.mark.parametrize("layout", ["body25", "body25b"])
@pytest.mark.parametrize("hidden", [HEAD | {"Neck", "MidHip"}, {*ORDERS["body25"]} - {"Nose"}])
def test_too_few_points_tell_no_order_of_25_but_the_user_can(layout, hidden):
    found = without(people(layout), layout, hidden | {"UpperNeck", "HeadTop"})
    with pytest.raises(ValueError, match=r"to tell body25 from body25b, got too few .*; say which"):
        order_of(found)
    assert order_of(found, layout) == layout


@pytest.mark.parametrize("layout", ["coco18", "coco17"])
def test_few_points_in_the_only_order_of_their_number_are_in_it(layout):
    assert order_of(torch.zeros(3, len(ORDERS[layout]), 3)) == layout


@layouts
def test_bodies_in_an_unknown_order_are_refused(layout):
    shuffled = people(layout)[
        :, torch.randperm(len(ORDERS[layout]), generator=torch.Generator().manual_seed(1))
    ]
    with pytest.raises(ValueError, match=rf"expected {len(ORDERS[layout])} key .*another order; "):
        order_of(shuffled)


def test_an_order_of_another_number_of_points_is_refused():
    with pytest.raises(ValueError, match=r"one of 18 key points, coco18, got 'body25'; choose"):
        order_of(people("coco18"), "body25")


@layouts
@pytest.mark.parametrize("hidden", [set(), LEGS, HEAD])
def test_points_of_the_frames_are_in_their_scale(layout, hidden):
    found = without(people(layout), layout, hidden)
    check_scale(found, sizes(found), layout)


@layouts
@pytest.mark.parametrize(
    ("across", "down"), [(1.5, 1.5), (0.5, 0.5), (0.75, 0.75), (4, 2), (1, 0.5), (1.5625, 0.78125)]
)
def test_another_scale_is_refused_and_named(layout, across, down):
    found = people(layout)
    found[..., :2] *= torch.tensor([across, down])
    with pytest.raises(ValueError, match=r"as if .* times as wide .*; run .* divide x by") as error:
        check_scale(found, sizes(found), layout)
    named = str(error.value).split("divide x by ")[1].split(" and y by ")
    assert [float(each) for each in named] == pytest.approx([across, down], rel=0.1)


def test_frames_of_several_sizes_that_were_enlarged_to_one_are_refused():
    found = people("coco18")
    scales = torch.linspace(1, 3, len(found))[:, None]
    within = (sizes(found) / scales).round()
    with pytest.raises(ValueError, match=r"outside, as if .* about \d\.\d times as wide"):
        check_scale(found, within, "coco18")


def test_places_in_the_film_from_which_frames_were_cut_are_refused():
    found = people("coco18")
    found[..., :2] += torch.tensor([500, 300])
    with pytest.raises(ValueError, match=r"outside, as if counted in a larger .*; .*the corner of"):
        check_scale(found, sizes(found), "coco18")


def test_stray_points_outside_are_no_other_scale():
    found = people("coco18")
    found[::3, 4, 0] = -5  # 7 of 360
    check_scale(found, sizes(found), "coco18")
    alone = found[1:2]
    alone[0, :4, :2] = 500
    check_scale(alone, sizes(alone), "coco18")


def test_unsure_points_count_for_nothing():
    found = people("coco18")
    wild = found * torch.tensor([9, 9, 0.1])
    check_scale(torch.cat((found, wild)), sizes(torch.cat((found, wild))), "coco18")
    assert order_of(torch.cat((found, wild.flip(1)))) == "coco18"


def test_a_few_points_anywhere_in_their_frames_are_in_scale():
    found = torch.zeros(2, 18, 3)
    found[:, 0] = torch.tensor([3, 5, 0.9])
    check_scale(found, sizes(found), "coco18")
    found[:, 0, 0] = math.ulp(0)
    check_scale(found, sizes(found), "coco18")
