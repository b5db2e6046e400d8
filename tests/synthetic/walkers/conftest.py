from dataclasses import replace

import pytest

from ssn3d.datasets.keypoints import Points
from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.synthetic.walkers.protocol import PROFILES, Profile, plan
from ssn3d.synthetic.walkers.render import place_camera, render, render_tracklet


def small(name: str, **changes) -> Profile:
    few = {"distractors": 2, "junk": 2} if name == "mars" else {"distractors": 2}
    few = {} if name == "ilids_vid" else few
    profile = replace(PROFILES[name], train_people=4, test_people=4, lengths=(4, 8), **few)
    return replace(profile, **changes)


def drawn(profile: Profile, at: int = 0, seed: int = 0, height: int = 64) -> Tracklet:
    """One tracklet of a person: not of junk, whose boxes do not follow the profile."""
    walk = [walk for walk in plan(profile, seed=seed) if walk.person > 0][at]
    camera = place_camera(profile, walk.camera, seed=seed, height=height)
    return render_tracklet(profile, walk, camera, seed=seed, height=height, width=height // 2)


def points_of(tracklet: Tracklet) -> Points:
    assert tracklet.points is not None
    return tracklet.points


@pytest.fixture(params=sorted(PROFILES))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def tiny() -> dict[str, Split]:
    """The smallest version of each set."""
    return {name: render(small(name), height=16, width=8) for name in PROFILES}
