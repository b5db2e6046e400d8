"""The protocol: who is searched for in each set, its profile, and profiles that are refused."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from ssn3d.datasets.tracklets import DISTRACTOR, JUNK
from ssn3d.synthetic.walkers.protocol import PROFILES, plan, profile_of
from tests.synthetic.walkers.conftest import small


def test_ilids_vid_has_300_people_numbered_to_319_with_gaps():
    people = {walk.person for walk in plan(PROFILES["ilids_vid"])}
    assert (len(people), min(people), max(people)) == (300, 1, 319)


def test_mars_asks_with_the_last_tracklet_of_every_camera():
    walks = plan(PROFILES["mars"])
    last, cameras = {}, defaultdict(set)
    for walk in walks:
        if walk.role != "train" and walk.person > 0:
            last[walk.person, walk.camera] = walk
            cameras[walk.person].add(walk.camera)
    expected = [walk for walk in last.values() if len(cameras[walk.person]) > 1]
    assert [walk for walk in walks if walk.role == "query"] == expected


def test_mars_has_every_oddity_of_the_real_set():
    walks = plan(PROFILES["mars"])
    test = [walk for walk in walks if walk.role != "train"]
    cameras = defaultdict(set)
    for walk in test:
        cameras[walk.person].add(walk.camera)
    assert [walk.length for walk in test if walk.length < 4] == [3]
    assert sum(len(cameras[person]) == 1 for person in cameras if person > 0) == 1
    assert Counter(walk.person for walk in test)[DISTRACTOR] == PROFILES["mars"].distractors
    assert Counter(walk.person for walk in test)[JUNK] == PROFILES["mars"].junk


def test_dukemtmc_asks_once_per_person_and_never_for_distractors():
    profile = PROFILES["dukemtmc"]
    walks = plan(profile)
    queries = [walk.person for walk in walks if walk.role == "query"]
    others = {walk.person for walk in walks if walk.role == "gallery"} - set(queries)
    assert len(queries) == len(set(queries)) == profile.test_people
    assert len(others) == profile.distractors and min(others) > max(queries)
    assert [walk.length for walk in walks].count(1) == 1


def test_sets_are_small_enough_for_two_cores(name):
    assert 15_000 < sum(walk.length for walk in plan(PROFILES[name])) < 45_000


@pytest.mark.parametrize("dataset", PROFILES)
def test_what_is_none_stays_as_the_profile_says(dataset):
    assert profile_of(dataset) == PROFILES[dataset]


def test_what_is_given_replaces_the_profile_even_zero():
    changed = profile_of("mars", train_people=7, jitter=0.0, label_noise=0.0)
    assert changed == replace(PROFILES["mars"], train_people=7, jitter=0.0, label_noise=0.0)


@pytest.mark.parametrize("longest", [1, 25, 1000])
def test_no_tracklet_is_longer_than_asked_for(longest):
    low, high = PROFILES["ilids_vid"].lengths
    profile = profile_of("ilids_vid", longest=longest)
    assert profile.lengths == (min(low, longest), min(high, longest))


@pytest.mark.parametrize("dataset", PROFILES)
@pytest.mark.parametrize("times", [1, 2])
def test_nobody_in_particular_scales_with_the_test_people(dataset, times):
    whole = PROFILES[dataset]
    profile = profile_of(dataset, test_people=times * whole.test_people)
    assert profile.distractors == times * whole.distractors
    assert profile.junk == times * whole.junk


@pytest.mark.parametrize("dataset", PROFILES)
def test_a_small_set_keeps_one_of_each_kind_of_nobody(dataset):
    profile = profile_of(dataset, test_people=2)
    assert profile.distractors == min(1, PROFILES[dataset].distractors)
    assert profile.junk == min(1, PROFILES[dataset].junk)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_people": 1}, "train_people must be at least 2, got 1"),
        ({"test_people": 0}, "test_people must be at least 2, got 0"),
        ({"cameras": 1}, "cameras must be at least 2, got 1"),
        ({"lengths": (8, 4)}, r"lengths must be .* got \(8, 4\)"),
        ({"lengths": (0, 4)}, r"lengths must be .* got \(0, 4\)"),
        ({"cameras_per_person": (2, 9)}, r"cameras_per_person must be .* got \(2, 9\)"),
        ({"jitter": -0.1}, "jitter must be within 0..0.5, got -0.1"),
        ({"label_noise": float("nan")}, "label_noise must be within"),
        ({"one_camera_people": 4}, "one_camera_people must be within"),
        ({"protocol": "viper"}, "protocol must be"),
    ],
)
def test_impossible_profiles_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        small("mars", **changes)


def test_ilids_vid_is_refused_a_third_camera():
    with pytest.raises(ValueError, match="one tracklet at each of two cameras"):
        small("ilids_vid", cameras=3)
