import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ssn3d.datasets import ilids_vid
from ssn3d.datasets.tracklets import Split
from ssn3d.synthetic import materialise as rendered
from ssn3d.synthetic.walkers.render import PROFILES

PROFILE = replace(PROFILES["ilids_vid"], train_people=2, test_people=2)
SIZE = {"seed": 0, "height": 32, "width": 16}


@pytest.fixture
def split(tracklet) -> Split:
    return Split(
        [tracklet(1, 1, points=True), tracklet(1, 2, points=True)],
        [tracklet(2, 1, points=True)],
        [tracklet(2, 2, points=True)],
    )


@pytest.fixture
def renderings(split, monkeypatch) -> list:
    """Puts a tiny split in place of what is rendered, and lists what was asked for."""
    asked = []

    def render(profile, **settings):
        asked.append((profile, settings))
        time.sleep(0.05)  # so that others who ask come in between
        return split

    monkeypatch.setattr(rendered, "render", render)
    return asked


def test_a_set_is_written_in_its_layout(renderings, split, tmp_path):
    root = rendered.materialise("ilids_vid", PROFILE, tmp_path / "new", **SIZE)
    assert ilids_vid.read(root, 0) == split
    assert renderings == [(PROFILE, SIZE)]
    assert root == tmp_path / "new" / rendered.identity("ilids_vid", PROFILE, **SIZE)


def test_a_set_is_rendered_once(renderings, tmp_path):
    first = rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE)
    second = rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE)
    assert first == second
    assert len(renderings) == 1


def test_whoever_asks_while_another_renders_waits_for_it(renderings, tmp_path):
    start = threading.Barrier(4)

    def ask(_):
        start.wait()
        root = rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE)
        return len(ilids_vid.read(root, 0).train)

    with ThreadPoolExecutor(4) as askers:
        assert list(askers.map(ask, range(4))) == [2, 2, 2, 2]
    assert len(renderings) == 1


@pytest.mark.parametrize("broken", ["render", "write"])
def test_a_failure_leaves_nothing_behind_and_can_be_repeated(
    renderings, tmp_path, monkeypatch, broken
):
    def fail(split, root=None, **_):
        if root:
            (root / "half").mkdir()
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(rendered if broken == "render" else ilids_vid, broken, fail)
        with pytest.raises(OSError, match="the disk is full"):
            rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE).is_dir()


def test_others_may_read_a_set_as_far_as_usual(renderings, tmp_path):
    (tmp_path / "usual").mkdir()
    root = rendered.materialise("ilids_vid", PROFILE, tmp_path, **SIZE)
    assert root.stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize(
    "knob",
    [
        {"train_people": 3},
        {"test_people": 3},
        {"jitter": 0.2},
        {"label_noise": 0.0},
        {"clutter": 0.1},
        {"lengths": (24, 41)},
    ],
    ids=str,
)
def test_another_knob_is_another_set(knob):
    changed = rendered.identity("ilids_vid", replace(PROFILE, **knob), **SIZE)
    assert changed != rendered.identity("ilids_vid", PROFILE, **SIZE)


@pytest.mark.parametrize("size", [{"seed": 1}, {"height": 64}, {"width": 32}], ids=str)
def test_another_seed_or_size_is_another_set(size):
    changed = rendered.identity("ilids_vid", PROFILE, **(SIZE | size))
    assert changed != rendered.identity("ilids_vid", PROFILE, **SIZE)


def test_another_renderer_is_another_set(monkeypatch):
    before = rendered.identity("ilids_vid", PROFILE, **SIZE)
    monkeypatch.setattr(rendered, "RENDERER_VERSION", 99)
    assert rendered.identity("ilids_vid", PROFILE, **SIZE) != before


@pytest.mark.parametrize("dataset", PROFILES)
def test_what_is_none_stays_as_the_profile_says(dataset):
    assert rendered.profile_of(dataset) == PROFILES[dataset]


def test_what_is_given_replaces_the_profile_even_zero():
    changed = rendered.profile_of("mars", train_people=7, jitter=0.0, label_noise=0.0)
    assert changed == replace(PROFILES["mars"], train_people=7, jitter=0.0, label_noise=0.0)


@pytest.mark.parametrize("longest", [1, 25, 1000])
def test_no_tracklet_is_longer_than_asked_for(longest):
    low, high = PROFILES["ilids_vid"].lengths
    profile = rendered.profile_of("ilids_vid", longest=longest)
    assert profile.lengths == (min(low, longest), min(high, longest))


@pytest.mark.parametrize("dataset", PROFILES)
@pytest.mark.parametrize("times", [1, 2])
def test_nobody_in_particular_scales_with_the_test_people(dataset, times):
    whole = PROFILES[dataset]
    profile = rendered.profile_of(dataset, test_people=times * whole.test_people)
    assert profile.distractors == times * whole.distractors
    assert profile.junk == times * whole.junk


@pytest.mark.parametrize("dataset", PROFILES)
def test_a_small_set_keeps_one_of_each_kind_of_nobody(dataset):
    profile = rendered.profile_of(dataset, test_people=2)
    assert profile.distractors == min(1, PROFILES[dataset].distractors)
    assert profile.junk == min(1, PROFILES[dataset].junk)
