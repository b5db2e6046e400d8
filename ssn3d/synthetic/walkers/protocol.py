"""The protocol of a rendered set: its people and cameras, who walks where, who is searched for.

The numbers imitate the pictures and the protocol of the real sets. They are not tuned to suit a
method.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import torch

from ssn3d.datasets.tracklets import DISTRACTOR, JUNK
from ssn3d.rng import stream


@dataclass(frozen=True)
class Profile:
    """The settings of a rendered data set; `dataclasses.replace` makes others, smaller ones too."""

    name: str
    protocol: Literal["ilids_vid", "mars", "dukemtmc"]
    """Which tracklets are queries and which the gallery, see `plan`."""
    cameras: int
    train_people: int
    test_people: int
    lengths: tuple[int, int]
    """Fewest and most frames of a tracklet; short ones are more frequent (log-uniform)."""
    cameras_per_person: tuple[int, int]
    """Fewest and most cameras that see a person."""
    tracklets_per_camera: tuple[int, int] = (1, 1)
    """Fewest and most tracklets of a person at each of them."""
    frame_rate: float = 25.0
    """Frames a second; a gait cycle takes about one second."""
    jitter: float = 0.06
    """Misplacement of the detector's box: nearly all shifts, and changes of scale, stay within this
    share of the box. Half its variance is a shake from frame to frame, half a slow drift."""
    label_noise: float = 1.0
    """Errors of the pose estimator: 0 none, 1 as expected of OpenPose here, 2 twice that."""
    clutter: float = 0.3
    """How busy the places are, 0..1: background, things, and other people in front and behind."""
    distractors: int = 0
    """Tracklets in the gallery of people who are not searched for."""
    junk: int = 0
    """Badly detected tracklets in the gallery."""
    one_camera_people: int = 0
    """How many of the test people are seen by one camera only."""
    shortest: int | None = None
    """Frames of the one tracklet that is shorter than all others; None: there is none."""

    def __post_init__(self) -> None:
        for field, least in (("train_people", 2), ("test_people", 2), ("cameras", 2)):
            if getattr(self, field) < least:
                raise ValueError(
                    f"Profile: {field} must be at least {least}, got {getattr(self, field)}; "
                    "people can only be told apart, and found again at another camera, "
                    "where there are two"
                )
        for field, most in (
            ("lengths", math.inf),
            ("cameras_per_person", self.cameras),
            ("tracklets_per_camera", math.inf),
        ):
            low, high = getattr(self, field)
            if not 1 <= low <= high <= most:
                raise ValueError(
                    f"Profile: {field} must be (fewest, most) with 1 <= fewest <= most <= {most}, "
                    f"got {(low, high)}; give two whole numbers in that order"
                )
        for field, top in (("jitter", 0.5), ("label_noise", 10.0), ("clutter", 1.0)):
            if not 0 <= getattr(self, field) <= top:
                raise ValueError(
                    f"Profile: {field} must be within 0..{top:g}, got {getattr(self, field)}; "
                    "0 switches it off"
                )
        if not 0 <= self.one_camera_people < self.test_people:
            raise ValueError(
                "Profile: one_camera_people must be within 0..test_people - 1, got "
                f"{self.one_camera_people} of {self.test_people}; keep somebody to search for"
            )
        if self.protocol == "ilids_vid" and (
            (self.cameras, *self.cameras_per_person, *self.tracklets_per_camera) != (2, 2, 2, 1, 1)
        ):
            raise ValueError(
                "Profile: with the protocol of iLIDS-VID everybody has one tracklet at each of two "
                f"cameras, got cameras={self.cameras}, "
                f"cameras_per_person={self.cameras_per_person}, "
                f"tracklets_per_camera={self.tracklets_per_camera}; use 2, (2, 2) and (1, 1), or "
                "another protocol"
            )
        if self.protocol not in ("ilids_vid", "mars", "dukemtmc"):
            raise ValueError(
                f"Profile: protocol must be ilids_vid, mars or dukemtmc, got {self.protocol!r}; "
                "it decides which tracklets are queries"
            )


PROFILES: dict[str, Profile] = {
    # Two cameras of an airport hall, cut out by hand, crowded. 300 people as in the real set, their
    # tracklets (real: 22 to 192 frames) cut short to fit a demonstration.
    "ilids_vid": Profile(
        name="ilids_vid",
        protocol="ilids_vid",
        cameras=2,
        train_people=150,
        test_people=150,
        lengths=(24, 40),
        cameras_per_person=(2, 2),
        jitter=0.07,
        clutter=0.8,
    ),
    # Six cameras on a campus, boxes found by a detector and linked by a tracker. Real: 1261 people,
    # 5 to 920 frames a tracklet, median 36, 13 tracklets a person.
    "mars": Profile(
        name="mars",
        protocol="mars",
        cameras=6,
        train_people=200,
        test_people=120,
        lengths=(8, 48),
        cameras_per_person=(2, 4),
        tracklets_per_camera=(1, 2),
        jitter=0.16,
        clutter=0.4,
        distractors=36,
        junk=12,
        one_camera_people=1,
        shortest=3,
    ),
    # Eight cameras on a campus, boxes drawn by hand and interpolated, every twelfth frame of 60 a
    # second. Real: 702 + 702 people and 408 distractors, three tracklets a person, 168 frames each.
    "dukemtmc": Profile(
        name="dukemtmc",
        protocol="dukemtmc",
        cameras=8,
        train_people=250,
        test_people=150,
        lengths=(20, 48),
        cameras_per_person=(2, 3),
        frame_rate=5.0,
        jitter=0.04,
        clutter=0.25,
        distractors=30,
        shortest=1,
    ),
}


def profile_of(
    dataset: str,
    *,
    train_people: int | None = None,
    test_people: int | None = None,
    longest: int | None = None,
    jitter: float | None = None,
    label_noise: float | None = None,
) -> Profile:
    """The profile of a data set, changed where an argument is not None.

    Args:
        dataset: a key of `PROFILES`.
        train_people: how many.
        test_people: how many; distractors and junk become fewer or more in the same proportion.
        longest: frames; no tracklet is longer.
        jitter: see `Profile`.
        label_noise: see `Profile`.
    """
    profile = PROFILES[dataset]
    wanted = {
        "train_people": train_people,
        "test_people": test_people,
        "jitter": jitter,
        "label_noise": label_noise,
    }
    changes: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if test_people is not None:
        share = test_people / profile.test_people
        for name in ("distractors", "junk"):
            changes[name] = round(share * getattr(profile, name) + 0.499)  # one at least, if any
    if longest is not None:
        low, high = profile.lengths
        changes["lengths"] = (min(low, longest), min(high, longest))
    return replace(profile, **changes)


Role = Literal["train", "query", "gallery"]


class Walk(NamedTuple):
    """A tracklet before it is rendered."""

    role: Role
    """Queries are in the gallery as well, except in iLIDS-VID."""
    person: int
    """Number in the data set; all distractors of MARS share one number, and so does all junk."""
    appearance: int
    """Number that decides what the person looks like: `person`, but for distractors and junk."""
    camera: int
    number: int
    """Which tracklet of this appearance at this camera, from 0."""
    length: int
    """Frames."""
    badly_framed: bool = False
    """Junk: the box shows parts of a person, or hardly any."""


FIRST_DISTRACTOR, FIRST_JUNK = 1 << 32, 2 << 32
"""First appearances of people without a number of their own; no person's number is as high."""


def plan(profile: Profile, *, seed: int = 0) -> list[Walk]:
    """All tracklets of a data set, sorted by person, camera and number.

    Training people have odd places in the numbering and test people even ones, so more of either
    do not change the others. iLIDS-VID has gaps in its numbers (300 people are 1..319). Queries:

    - iLIDS-VID: the tracklets of camera 1; those of camera 2 are the gallery.
    - MARS: the last tracklet of each camera, of people seen by two cameras or more.
    - DukeMTMC-VideoReID: the first tracklet of each such person.

    Args:
        profile: of the data set.
        seed: the same seed gives the same tracklets.
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

    # Distractors of DukeMTMC-VideoReID have numbers like all people, the highest ones.
    highest = max(5000, *(walk.person for walk in walks))
    numbered = profile.protocol == "dukemtmc"
    for order in range(profile.distractors):
        walk = _walks_of(profile, seed, FIRST_DISTRACTOR + order, test=True, one_camera=True)[0]
        walks.append(walk._replace(person=highest + 1 + order if numbered else DISTRACTOR))
    for order in range(profile.junk):
        walk = _walks_of(profile, seed, FIRST_JUNK + order, test=True, one_camera=True)[0]
        walks.append(walk._replace(person=JUNK, badly_framed=True))
    return sorted(walks, key=lambda walk: (walk.person, walk.camera, walk.appearance, walk.number))


def _walks_of(
    profile: Profile, seed: int, appearance: int, *, test: bool, one_camera: bool
) -> list[Walk]:
    rng = stream(profile.name, seed, "plan", appearance)

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=rng))

    count = whole(*profile.cameras_per_person)
    cameras = sorted((torch.randperm(profile.cameras, generator=rng) + 1).tolist()[:count])
    if one_camera:
        cameras = cameras[:1]

    walks: list[Walk] = []
    for camera in cameras:
        last = whole(*profile.tracklets_per_camera) - 1
        for number in range(last + 1):
            asked = {
                "ilids_vid": camera == 1,
                "mars": number == last,
                "dukemtmc": not walks,
            }[profile.protocol]
            role: Role = "gallery"
            if not test:
                role = "train"
            elif asked and len(cameras) > 1:
                role = "query"
            low, high = profile.lengths
            length = round(low * (high / low) ** torch.rand((), generator=rng).item())
            walks.append(Walk(role, appearance, appearance, camera, number, length))
    return walks
