"""Who walks past which camera, for how long, and who is searched for: the protocol of each set."""

from typing import Literal, NamedTuple

import torch

from ssn3d.datasets.tracklets import DISTRACTOR, JUNK
from ssn3d.rng import stream

from .profiles import Profile

Role = Literal["train", "query", "gallery"]


class Walk(NamedTuple):
    """A tracklet before it is rendered."""

    role: Role
    """Queries are in the gallery as well, unless the protocol is that of iLIDS-VID."""
    person: int
    """Number in the data set; all distractors of MARS share theirs, and so does all junk."""
    look: int
    """Number of the person who is drawn: `person`, but for distractors and junk."""
    camera: int
    number: int
    """Which tracklet of this look at this camera, from 0."""
    length: int
    """Frames."""
    badly_framed: bool = False
    """Junk: the box shows parts of a person, or hardly anybody."""


FIRST_DISTRACTOR, FIRST_JUNK = 1 << 32, 2 << 32
"""Looks of people without a number of their own start here: no person's number is as high."""


def plan(profile: Profile, *, seed: int = 0) -> list[Walk]:
    """All tracklets of a data set, sorted by person, camera and number.

    Training and test people take turns in the numbers, so more of either leave all others as they
    are. iLIDS-VID has gaps in its numbers (300 people are 1..319). Roles of the test people:

    - iLIDS-VID: camera 1 asks, camera 2 answers.
    - MARS: the last tracklet of each camera asks, of people seen by two cameras or more.
    - DukeMTMC-VideoReID: the first tracklet of each such person asks.
    """
    walks = []
    for test, people in ((False, profile.train_people), (True, profile.test_people)):
        for order in range(people):
            place = 2 * order + test
            # One number in sixteen is left out, as in the folders of iLIDS-VID.
            person = place + 1 + (place // 15 if profile.protocol == "ilids_vid" else 0)
            one_camera = test and order < profile.one_camera_people
            theirs = _walks_of(profile, seed, person, test=test, one_camera=one_camera)
            if test and order == profile.one_camera_people and profile.shortest is not None:
                theirs[-1] = theirs[-1]._replace(length=profile.shortest)
            walks += theirs

    # Distractors of DukeMTMC-VideoReID are people like all others, with the highest numbers.
    highest = max(5000, *(walk.person for walk in walks))
    numbered = profile.protocol == "dukemtmc"
    for order in range(profile.distractors):
        walk = _walks_of(profile, seed, FIRST_DISTRACTOR + order, test=True, one_camera=True)[0]
        walks.append(walk._replace(person=highest + 1 + order if numbered else DISTRACTOR))
    for order in range(profile.junk):
        walk = _walks_of(profile, seed, FIRST_JUNK + order, test=True, one_camera=True)[0]
        walks.append(walk._replace(person=JUNK, badly_framed=True))
    return sorted(walks, key=lambda walk: (walk.person, walk.camera, walk.look, walk.number))


def _walks_of(
    profile: Profile, seed: int, look: int, *, test: bool, one_camera: bool
) -> list[Walk]:
    dice = stream(profile.name, seed, "plan", look)

    def between(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=dice))

    count = between(*profile.cameras_per_person)
    cameras = sorted((torch.randperm(profile.cameras, generator=dice) + 1).tolist()[:count])
    if one_camera:
        cameras = cameras[:1]

    walks: list[Walk] = []
    for camera in cameras:
        last = between(*profile.tracklets_per_camera) - 1
        for number in range(last + 1):
            asks = {
                "ilids_vid": camera == 1,
                "mars": number == last,
                "dukemtmc": not walks,
            }[profile.protocol]
            role: Role = "gallery"
            if not test:
                role = "train"
            elif asks and len(cameras) > 1:
                role = "query"
            low, high = profile.lengths
            length = round(low * (high / low) ** torch.rand((), generator=dice).item())
            walks.append(Walk(role, look, look, camera, number, length))
    return walks
