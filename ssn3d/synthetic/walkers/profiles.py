"""What each rendered data set is like: how many people and cameras, how well framed, how crowded.

The numbers say what the pictures and the protocol of the real sets are like, and are not tuned to
suit a method.
"""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Profile:
    """What a rendered data set is like; `dataclasses.replace` makes others, smaller ones too."""

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
    """How busy the places are, 0..1: background, things and people in front and behind."""
    distractors: int = 0
    """Tracklets of people nobody asks for, in the gallery."""
    junk: int = 0
    """Badly detected tracklets in the gallery."""
    one_camera_people: int = 0
    """So many of the test people are seen by one camera only."""
    shortest: int | None = None
    """Frames of the one tracklet that is shorter than all others, if there is one."""

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
                f"{self.one_camera_people} of {self.test_people}; somebody must be left to ask for"
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
