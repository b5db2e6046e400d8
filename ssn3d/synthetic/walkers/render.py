"""Rendered people walking past cameras: data sets from a seed, with the body points known.

They stand in for iLIDS-VID, MARS and DukeMTMC-VideoReID (Experiments, "Datasets"), which cannot be
handed on. People are capsules on a skeleton (`walker_bodies`, `walker_limbs`), painted far to near
(`walker_painting`) before the background of a camera (`walker_places`); `walker_scenes` stages each
tracklet, `walker_points` tells where the nine body points are, `walker_plans` who goes where.
"""

from collections.abc import Iterator

import torch

from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.rng import stream

from .camera import Camera, expose, new_camera, see
from .keypoints import estimate, visible_points
from .painting import paint
from .profiles import PROFILES, Profile
from .protocol import Walk, plan
from .scene import new_scene

__all__ = [
    "PROFILES",
    "RENDERER_VERSION",
    "Profile",
    "Walk",
    "place_camera",
    "plan",
    "render",
    "render_tracklet",
    "tracklets",
]

RENDERER_VERSION = 1
"""Raise it when people are drawn, staged or written otherwise; profiles count by themselves."""
SMALLEST_HEIGHT, SMALLEST_WIDTH = 16, 8


def render(
    profile: Profile,
    *,
    seed: int = 0,
    height: int = 64,
    width: int = 32,
    device: torch.device | str = "cpu",
) -> Split:
    """Render a whole data set into memory.

    Args:
        seed: the same seed gives the same people, places and pictures; another `profile.jitter`
            changes only how the boxes lie, another `profile.label_noise` only the estimated points.
        height: of the frames in pixels.
        width: of the frames in pixels; they are shown as half as wide as high whatever it is.
        device: where to draw; the frames come back to the CPU.

    Returns:
        Tracklets with frames uint8 [t 3 H W], in each list sorted by person, camera and number. The
        queries of MARS and DukeMTMC-VideoReID are in the gallery as well, the same objects.

    Raises:
        ValueError: the frames are too small to show a person.
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


def tracklets(
    profile: Profile,
    *,
    seed: int = 0,
    height: int = 64,
    width: int = 32,
    device: torch.device | str = "cpu",
) -> Iterator[tuple[Walk, Tracklet]]:
    """What `render` renders, one tracklet at a time, for sets that do not fit into memory."""
    cameras = {
        number: place_camera(profile, number, seed=seed, height=height)
        for number in range(1, profile.cameras + 1)
    }
    for walk in plan(profile, seed=seed):
        camera = cameras[walk.camera]
        yield (
            walk,
            render_tracklet(
                profile, walk, camera, seed=seed, height=height, width=width, device=device
            ),
        )


def place_camera(profile: Profile, number: int, *, seed: int = 0, height: int = 64) -> Camera:
    """Camera `number` of a data set, for frames of so many pixels in height."""
    if height < SMALLEST_HEIGHT:
        raise _too_small(height, height // 2)
    dice = stream(profile.name, seed, "camera", number)
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
        seed: as in `render`, and so are the others.
        height: in pixels.
        width: in pixels.
        device: where to draw. Sensor noise differs between kinds of devices; all else is the same
            up to rounding.

    Returns:
        A tracklet with frames uint8 [t 3 H W] on the CPU, and points.
    """
    if height < SMALLEST_HEIGHT or width < SMALLEST_WIDTH:
        raise _too_small(height, width)
    key = (walk.look, walk.camera, walk.number)
    scene = new_scene(profile, walk, camera, seed=seed)

    canvas = see(camera, scene.scroll, scene.shift, scene.scale, height, width, device)
    paint(canvas, scene.capsules, softness=camera.softness, sun=camera.sun)
    grain = torch.Generator(device)
    grain.manual_seed(stream(profile.name, seed, "noise", *key).initial_seed())
    frames = expose(canvas, camera, scene.light, grain)

    visible = visible_points(scene.points, scene.capsules)
    dice = stream(profile.name, seed, "labels", *key)
    points = estimate(scene.points, visible, profile.label_noise, dice)
    return Tracklet(frames.cpu(), walk.person, walk.camera, points)


def _too_small(height: int, width: int) -> ValueError:
    return ValueError(
        f"render: frames must be at least {SMALLEST_HEIGHT} x {SMALLEST_WIDTH} pixels (height x "
        f"width), got {height} x {width}; smaller ones do not show limbs, ask for more pixels"
    )
