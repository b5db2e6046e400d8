"""Rendered people walking past cameras: data sets of any size from a seed, with the body points known.

They stand in for iLIDS-VID, MARS and DukeMTMC-VideoReID (Experiments, "Datasets"), which cannot be
downloaded freely. Each profile copies the protocol of its set and what its pictures are like: how
many cameras, how long and how well framed the tracklets, how crowded the place. The settings say
what the real sets look like and are not tuned to suit a method.
"""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from .tracklets import DISTRACTOR, JUNK, Split, Tracklet
from .walker_bodies import Person, new_person, skeleton, stride_length
from .walker_limbs import Limb, body_limbs
from .walker_painting import Capsule, Pose, capsules, paint, through_box
from .walker_places import Camera, expose, new_camera, new_obstacle, see
from .walker_points import estimate, true_points, visible_points

SMALLEST_HEIGHT, SMALLEST_WIDTH = 16, 8


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
    """Errors of the pose estimator: 0 none, 1 as expected of OpenPose on such pictures, 2 twice that."""
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
        train_people=100,
        test_people=100,
        lengths=(8, 84),
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
        train_people=100,
        test_people=100,
        lengths=(24, 64),
        cameras_per_person=(2, 3),
        frame_rate=5.0,
        jitter=0.04,
        clutter=0.25,
        distractors=30,
        shortest=1,
    ),
}


class Walk(NamedTuple):
    """A tracklet before it is rendered."""

    role: Literal["train", "query", "gallery"]
    """Queries are in the gallery as well, unless the protocol is that of iLIDS-VID."""
    person: int
    """Number in the data set; distractors and junk of MARS share theirs."""
    look: int
    """Number of the person who is drawn, the same as `person` but for distractors and junk."""
    camera: int
    index: int
    """Number among the tracklets of this look at this camera."""
    length: int


class _Stream:
    """Purposes of random numbers: each has its own generator, so that none disturbs another."""

    PLAN, PERSON, CAMERA, WALK, SCENE, BOX, LABELS, NOISE = range(8)


_NOBODY = 1 << 32
"""Looks from here on belong to distractors, from twice this on to junk: no person's number is as high."""


def generator(profile: Profile, seed: int, *keys: int) -> torch.Generator:
    """A generator of its own for every combination of keys, by the splitmix64 finaliser."""
    state = zlib.crc32(profile.name.encode())
    for key in (seed, *keys):
        state = (state + key + 0x9E3779B97F4A7C15) % (1 << 64)
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % (1 << 64)
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB % (1 << 64)
        state ^= state >> 31
    return torch.Generator().manual_seed(state)


def plan(profile: Profile, *, seed: int = 0) -> list[Walk]:
    """Who walks past which camera, and for how long, sorted by person, camera and index.

    Person numbers: iLIDS-VID has gaps (300 people are 1..319). Training and test people alternate,
    so that more of either leave the others' numbers as they are. Roles:

    - iLIDS-VID: camera 1 of the test people asks, camera 2 answers.
    - MARS: the last tracklet of each camera asks, for people seen by two cameras or more.
    - DukeMTMC-VideoReID: the first tracklet of each person asks.
    """
    walks = []
    for test in (False, True):
        for order in range(profile.test_people if test else profile.train_people):
            place = 2 * order + test
            # One number in sixteen is left out, as in the folders of iLIDS-VID.
            person = place + 1 + (place // 15 if profile.protocol == "ilids_vid" else 0)
            one_camera = test and order < profile.one_camera_people
            short = test and order == max(profile.one_camera_people, 1) and profile.shortest
            walks += _walks_of(profile, seed, person, test=test, one_camera=one_camera,
                               last_length=short or None)  # fmt: skip
    highest = max(walk.person for walk in walks)
    for order in range(profile.distractors + profile.junk):
        bad = order >= profile.distractors
        look = 2 * _NOBODY + order - profile.distractors if bad else _NOBODY + order
        number = JUNK if bad else DISTRACTOR
        if profile.protocol == "dukemtmc" and not bad:
            number = max(highest, 5000) + 1 + order
        [walk, *_] = _walks_of(profile, seed, look, test=True, one_camera=True, last_length=None)
        walks.append(walk._replace(person=number, role="gallery"))
    return sorted(walks, key=lambda walk: (walk.person, walk.camera, walk.look, walk.index))


def _walks_of(
    profile: Profile, seed: int, look: int, *, test: bool, one_camera: bool, last_length: int | None
) -> list[Walk]:
    dice = generator(profile, seed, _Stream.PLAN, look)

    def between(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=dice))

    count = between(*profile.cameras_per_person)
    cameras = sorted((torch.randperm(profile.cameras, generator=dice) + 1).tolist()[:count])
    places = [
        (camera, index)
        for camera in (cameras[:1] if one_camera else cameras)
        for index in range(between(*profile.tracklets_per_camera))
    ]
    low, high = profile.lengths
    walks = []
    for number, (camera, index) in enumerate(places):
        share = torch.rand((), generator=dice).item()
        length = round(low * (high / low) ** share)
        if last_length is not None and number == len(places) - 1:
            length = last_length
        asks = {
            "ilids_vid": camera == 1,
            "mars": places[number + 1 : number + 2] != [(camera, index + 1)],
            "dukemtmc": number == 0,
        }[profile.protocol]
        role: Literal["train", "query", "gallery"] = (
            "train"
            if not test
            else "query"
            if asks and len(cameras) > 1 and not one_camera
            else "gallery"
        )
        walks.append(Walk(role, look, look, camera, index, length))
    return walks


def place_camera(profile: Profile, number: int, *, seed: int = 0, height: int = 64) -> Camera:
    """Camera `number` of a data set, for frames of so many pixels in height."""
    dice = generator(profile, seed, _Stream.CAMERA, number)
    return new_camera(dice, clutter=profile.clutter, height=height)


def render_tracklet(
    profile: Profile,
    walk: Walk,
    camera: Camera,
    *,
    seed: int = 0,
    height: int = 64,
    width: int = 32,
    device: torch.device | str = "cpu",
) -> Tracklet:
    """Draw one tracklet.

    Args:
        walk: one of `plan(profile, seed=seed)`.
        camera: `place_camera(profile, walk.camera, seed=seed, height=height)`, made once for all
            walks past it.
        height, width: of the frames in pixels. People and poses are the same at every size; frames
            are shown as half as wide as high.
        device: where to draw. The frames come back to the CPU. Sensor noise differs between kinds
            of devices, all else is the same up to rounding.

    Returns:
        A tracklet with frames uint8 [t 3 H W] and points.
    """
    if height < SMALLEST_HEIGHT or width < SMALLEST_WIDTH:
        raise ValueError(
            f"render: frames must be at least {SMALLEST_HEIGHT} x {SMALLEST_WIDTH} pixels (height x "
            f"width), got {height} x {width}; smaller ones do not show limbs, ask for more pixels"
        )
    key = (walk.look, walk.camera, walk.index)
    person = new_person(generator(profile, seed, _Stream.PERSON, walk.look))
    pose, phase, light = _pose(
        profile, person, camera, walk.length, generator(profile, seed, _Stream.WALK, *key)
    )
    joints = skeleton(person, phase)
    shift, scale = _box(profile, walk, generator(profile, seed, _Stream.BOX, *key))

    dice = generator(profile, seed, _Stream.SCENE, *key)
    # As fast as the feet go, so that they do not slide over the ground.
    pace = stride_length(person) * pose.size * person.cadence / profile.frame_rate
    start = 4 * torch.rand((), generator=dice)
    scroll = start + (pace * pose.yaw.sin()).cumsum(dim=0)
    scene = [
        *capsules([*_shadow(joints), *body_limbs(person, joints)], pose),
        *_others(profile, pose, scroll, dice),
    ]
    scene = [through_box(capsule, shift, scale) for capsule in scene]

    canvas = see(camera, scroll.to(device), shift.to(device), scale.to(device), height, width)
    paint(canvas, scene, softness=camera.softness, sun=camera.sun)
    grain = torch.Generator(device).manual_seed(
        generator(profile, seed, _Stream.NOISE, *key).initial_seed()
    )
    noise = torch.randn(canvas.shape, generator=grain, device=device)

    points = true_points(joints, pose, shift, scale)
    solid = [capsule for capsule in scene if capsule.opacity == 1]
    return Tracklet(
        frames=expose(canvas, camera, light, noise).cpu(),
        person=walk.person,
        camera=walk.camera,
        points=estimate(
            points,
            visible_points(points, solid),
            profile.label_noise,
            generator(profile, seed, _Stream.LABELS, *key),
        ),
    )


def _pose(
    profile: Profile, person: Person, camera: Camera, length: int, dice: torch.Generator
) -> tuple[Pose, Tensor, float]:
    """How a person walks past: pose, gait phase [t] and light."""
    start, back, light = torch.rand(3, generator=dice).tolist()
    aside, turn = torch.randn(2, generator=dice).tolist()
    time = torch.arange(length) / profile.frame_rate
    # Most people take the usual path, three in ten come from the other end; few walk quite straight.
    yaw = (
        camera.heading
        + (math.pi if back < 0.3 else 0)
        + 0.4 * aside
        + 0.1 * turn * time.clamp(max=8)
    )
    # Boxes are fitted to people, so little is left of how tall they are.
    size = 0.86 * (person.stature / 1.73) ** 0.4
    pose = Pose(yaw=yaw, tilt=camera.tilt, size=size, x=0 * time, y=0 * time + 0.5 + 0.5 * size)
    return pose, 2 * math.pi * (start + person.cadence * time), 0.88 + 0.24 * light


def _box(profile: Profile, walk: Walk, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """Shift [t 2] in frame heights and scale [t] of the detector's box."""
    shake = torch.randn(walk.length, 3, generator=dice)
    drift = torch.randn(walk.length, 3, generator=dice)
    # A random walk that is drawn back to the middle, at its usual distance from the first frame on.
    memory = 0.92
    for i in range(1, walk.length):
        drift[i] = memory * drift[i - 1] + math.sqrt(1 - memory**2) * drift[i]
    # Junk is what a bad detector leaves: parts of a person, or hardly anybody.
    jitter = profile.jitter if walk.look < 2 * _NOBODY else max(0.5, 3 * profile.jitter)
    error = (jitter / 2) * ((shake + drift) / math.sqrt(2)).clamp(-2.5, 2.5)
    return error[:, :2] * error.new_tensor((0.5, 1.0)), error[:, 2].exp()


def _shadow(joints: dict[str, Tensor]) -> list[Limb]:
    """The dark patch below a person."""
    feet = [
        joints[f"{side} foot"] * joints["hips"].new_tensor((1, 1, 0)) for side in ("left", "right")
    ]
    return [
        Limb(foot, feet[0].lerp(feet[1], 0.5), (0.03, 0.035), (0.05, 0.05, 0.06), "shadow",
             lift=-0.9, wide=1.6, opacity=0.35)
        for foot in feet
    ]  # fmt: skip


def _others(profile: Profile, pose: Pose, scroll: Tensor, dice: torch.Generator) -> list[Capsule]:
    """What else there is to see: people behind, things and people in front."""
    chances = torch.rand(4, generator=dice).tolist()
    scene: list[Capsule] = []
    for chance, rate, depth in (
        (chances[0], 0.6, -2.0),
        (chances[1], 0.3, -1.8),
        (chances[2], 0.25, 2.0),
    ):
        if chance < rate * profile.clutter:
            scene += _passer_by(profile, pose, scroll, depth, dice)
    if chances[3] < 0.45 * profile.clutter:
        scene.append(new_obstacle(dice, scroll))
    return scene


def _passer_by(
    profile: Profile, pose: Pose, scroll: Tensor, depth: float, dice: torch.Generator
) -> list[Capsule]:
    """Another person, who crosses the frame at some time; behind with a negative depth."""
    other = new_person(dice)
    start, moment, near, along = torch.rand(4, generator=dice).tolist()
    size = pose.size * (1.02 + 0.12 * near if depth > 0 else 0.72 + 0.22 * near)
    time = torch.arange(len(scroll)) / profile.frame_rate
    yaw = torch.full_like(time, (math.pi / 2) * (1 if along < 0.5 else -1) + 0.5 * (near - 0.5))
    pace = stride_length(other) * size * other.cadence
    place = scroll + pace * yaw.sin() * time - 2 * (scroll - scroll[0])
    x = place - place[int(moment * (len(place) - 1))] + 0.3 * (near - 0.5)
    # Who is farther away stands higher in the picture of a camera that looks down.
    y = pose.y + (0.02 + 0.05 * near if depth > 0 else -0.25 * pose.tilt - 0.05 * (1 - near))
    there = Pose(yaw=yaw, tilt=pose.tilt, size=size, x=x, y=y, depth=depth)
    joints = skeleton(other, 2 * math.pi * (start + other.cadence * time))
    return [
        capsule._replace(group="somebody else")
        for capsule in capsules([*_shadow(joints), *body_limbs(other, joints)], there)
    ]


def tracklets(profile: Profile, *, seed: int = 0, height: int = 64, width: int = 32,
              device: torch.device | str = "cpu") -> Iterator[tuple[Walk, Tracklet]]:  # fmt: skip
    """All tracklets of a data set one after the other, for sets that do not fit into memory."""
    cameras = {
        number: place_camera(profile, number, seed=seed, height=height)
        for number in range(1, profile.cameras + 1)
    }
    for walk in plan(profile, seed=seed):
        yield (
            walk,
            render_tracklet(
                profile,
                walk,
                cameras[walk.camera],
                seed=seed,
                height=height,
                width=width,
                device=device,
            ),
        )


def render(
    profile: Profile, *, seed: int = 0, height: int = 64, width: int = 32,
    device: torch.device | str = "cpu",
) -> Split:  # fmt: skip
    """Render a whole data set into memory.

    Args:
        seed: the same seed gives the same people, places and pictures; changing `profile.jitter` or
            `profile.label_noise` changes only boxes or estimated points.
        height, width: of the frames in pixels.
        device: where to draw; the frames come back to the CPU.

    Returns:
        Training and gallery tracklets sorted by person, camera and index.
    """
    split = Split([], [], [])
    for walk, tracklet in tracklets(profile, seed=seed, height=height, width=width, device=device):
        if walk.role == "train":
            split.train.append(tracklet)
        if walk.role == "query":
            split.query.append(tracklet)
        if walk.role == "gallery" or (walk.role == "query" and profile.protocol != "ilids_vid"):
            split.gallery.append(tracklet)
    return split
