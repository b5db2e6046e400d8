import math

import pytest
import torch
from einops import reduce
from torch.nn.functional import avg_pool2d
from torch.testing import assert_close

from ssn3d.datasets.images import read_folder
from ssn3d.synthetic import amber
from ssn3d.synthetic.amber import KINDS, PARAMETERS, REACH, draw_elements

SIZE = {"height": 30, "width": 40}
SMALL = {"count": 3, "seed": 0} | SIZE
PLAIN = [0.0] * PARAMETERS
shapes = pytest.mark.parametrize("shape", [kind.shape for kind in KINDS], ids=lambda s: s.__name__)


def at(shape, u, v, parameters=PLAIN):
    return shape(torch.tensor(float(u)), torch.tensor(float(v)), parameters).item()


def elements_of(number):
    return draw_elements(4 / 3, torch.Generator().manual_seed(number))


@pytest.mark.parametrize("size", [(480, 640), (30, 40), (40, 30), (7, 50), (1, 1)], ids=str)
def test_a_work_has_the_size_that_was_asked_for(size):
    work = amber.paint(0, height=size[0], width=size[1])
    assert (work.dtype, work.shape) == (torch.uint8, (3, *size))


def test_a_work_is_as_large_as_the_paper_s_by_default():
    assert amber.paint(1).shape == (3, 480, 640)


def test_a_work_is_the_same_whatever_was_painted_and_drawn_before():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, state = amber.paint(3, **SIZE), torch.get_rng_state()
        amber.paint(4, **SIZE)
        torch.manual_seed(2)
        assert torch.equal(amber.paint(3, **SIZE), first)
        torch.manual_seed(1)
        assert torch.equal(torch.get_rng_state(), state)


def test_a_work_does_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    first = amber.paint(0, height=120, width=160)
    torch.set_num_threads(2)
    try:
        assert torch.equal(amber.paint(0, height=120, width=160), first)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_other_numbers_and_series_are_other_works():
    works = [amber.paint(number, seed=seed, **SIZE) for number in range(4) for seed in range(3)]
    for i, one in enumerate(works):
        for other in works[:i]:
            assert (one.float() - other.float()).abs().mean() > 10


def test_a_work_is_the_same_at_every_size():
    for number in range(3):
        large = avg_pool2d(amber.paint(number, height=240, width=320).float(), 4)
        small = amber.paint(number, height=60, width=80).float()
        assert (large - small).abs().mean() < 6


def test_the_series_is_amber_with_some_blue():
    works = torch.stack([amber.paint(number, **SIZE) for number in range(24)]).float()
    red, _, blue = works.unbind(dim=1)
    amber_share = (red > blue + 50).float().mean(dim=(1, 2))
    blue_share = (blue > red + 50).float().mean(dim=(1, 2))
    assert amber_share.mean() > 0.7
    assert 0.02 < blue_share.mean() < 0.25
    assert (blue_share > 0.005).float().mean() > 0.7


def test_every_colour_comes_from_the_palette():
    palette = torch.tensor([list(bytes.fromhex(row)) for row in amber.PALETTE])
    brightest, darkest = (reduce(palette, "hue (tone c) -> c", how, c=3) for how in ("max", "min"))
    for number in range(4):
        colours = amber.paint(number, **SIZE).flatten(1)
        assert (colours.amax(dim=1) <= brightest).all()
        assert (colours.amin(dim=1) >= darkest).all()


def test_nothing_is_put_in_the_same_place_in_every_work():
    works = torch.stack([amber.paint(number, **SIZE) for number in range(24)]).float()
    assert works.std(dim=0).amin() > 15


def test_elements_are_as_many_and_as_large_as_their_kind_says():
    counts = {kind: set() for kind in KINDS}
    for number in range(60):
        elements = elements_of(number)
        for kind in KINDS:
            counts[kind].add(sum(element.kind is kind for element in elements))
        assert all(e.kind.size[0] <= e.size <= e.kind.size[1] for e in elements)
    for kind, seen in counts.items():
        assert seen == set(range(kind.number[0], kind.number[1] + 1))


def test_places_turns_and_order_are_spread_over_all_there_are():
    works = [elements_of(number) for number in range(60)]
    x, y, angle = (
        torch.tensor([getattr(element, name) for work in works for element in work])
        for name in ("x", "y", "angle")
    )
    for values, low, high in ((x, -0.05, 4 / 3 + 0.05), (y, -0.05, 1.05), (angle, 0, 2 * math.pi)):
        counts = torch.histc(values, 4, low, high)
        assert counts.sum() == len(values)
        assert (counts / len(values) - 0.25).abs().max() < 0.06
    assert len({work[0].kind for work in works}) > 3


@shapes
def test_a_shape_has_an_inside_and_stays_within_its_reach(shape):
    circle = torch.linspace(0, 2 * math.pi, 361)
    rings = torch.tensor([[REACH], [1.6], [2.5]])
    line = torch.linspace(-1, 1, 101)
    for seed in range(40):
        parameters = torch.rand(PARAMETERS, generator=torch.Generator().manual_seed(seed)).tolist()
        assert shape(rings * circle.cos(), rings * circle.sin(), parameters).min() > 0
        inside = shape(line.expand(101, 101), line[:, None].expand(101, 101), parameters)
        assert inside.isfinite().all()
        assert inside.min() < 0


@shapes
def test_a_shape_leaves_its_places_as_they_are(shape):
    u, v = torch.rand(2, 50, generator=torch.Generator().manual_seed(0)).unbind()
    before = u.clone(), v.clone()
    shape(u, v, PLAIN)
    assert_close((u, v), before, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("shape", "place", "parameters", "distance"),
    [
        ("pebble", (0, 0), [1], -1),
        ("pebble", (0.6, 0.8), [1], 0),
        ("pebble", (3, 0), [1], 2),
        ("pebble", (0, 0.5), [0], 0),
        ("block", (0, 0), [0, 0], -0.35),
        ("block", (1.15, 0), [0, 0], 0.3),
        ("block", (0.82 + 0.6, 0.32 + 0.8), [0, 0], 1 - 0.03),
        ("diamond", (1, 1), [1, 0], 1 / math.sqrt(2)),
        ("band", (0, -0.12), [0, 0, 0.5], -0.05),
        ("band", (3, 0), [0, 0.5, 0.5], 2),
        ("finger", (1.5, 0), [0, 0, 0, 0.5], 0.5),
        ("finger", (-1.5, 0), [0, 0, 0, 0.5], 0.5),
        ("bubbles", (-0.75, -0.6), [0], -0.05),
        ("bubbles", (-0.75, -1.6), [0], 0.95),
        ("thread", (0, 0), [0, 1], -0.04),
        ("thread", (0, 2.2), [0, 1], 1.2),
    ],
)
def test_distances_to_plain_shapes(shape, place, parameters, distance):
    parameters = (parameters + PLAIN)[:PARAMETERS]
    found = at(getattr(amber, shape), *place, parameters)
    assert_close(found, float(distance), atol=3e-4, rtol=0)


def test_four_balls_that_meet_are_one_blob():
    near = [0.5] * 4 + [0.0] * 4 + [1.0] * 4
    assert at(amber.blob, 0, 0, near) < 0
    assert at(amber.blob, 0.55, 0, near) < 0 < at(amber.blob, 1.3, 0, near)


def test_works_are_written_as_numbered_pictures(tmp_path):
    amber.write(tmp_path, **SMALL)
    frames, names = read_folder(tmp_path, **SIZE)
    assert names == ["001.png", "002.png", "003.png"]
    assert torch.equal(frames, torch.stack([amber.paint(number, **SIZE) for number in range(3)]))


def test_the_bytes_of_the_files_do_not_change(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        amber.write(tmp_path / name, **SMALL)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("count", [0, -1, 1000])
def test_a_count_that_cannot_be_numbered_is_refused(tmp_path, count):
    with pytest.raises(ValueError, match=f"1 to 999 works, got count={count}"):
        amber.write(tmp_path, **SMALL | {"count": count})
