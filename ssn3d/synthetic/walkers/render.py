"""Rendered people walking past cameras: data sets from a seed, whose body points are known.

They stand in for iLIDS-VID, MARS and DukeMTMC-VideoReID (Experiments, "Datasets"), which must not
be redistributed. `protocol` says who walks past which camera. `scene` puts a person (`person`) into
the scene of a camera (`camera`), `painting` draws it, and `keypoints` says where the nine body
points are.
"""

from importlib import import_module
from pathlib import Path

from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.rng import stream

from .camera import Camera, background_behind, expose, new_camera
from .keypoints import estimate, visible_points
from .painting import paint
from .protocol import Profile, Walk, plan
from .scene import new_scene

RENDERER_VERSION = 1
"""Raise it when the same profile and seed give other frames, points or files."""
SMALLEST_HEIGHT, SMALLEST_WIDTH = 16, 8


def render(profile: Profile, *, seed: int = 0, height: int = 64, width: int = 32) -> Split:
    """Render a whole data set into memory.

    Args:
        profile: of the data set.
        seed: the same seed gives the same people, places and pictures; another `profile.jitter`
            changes only the boxes, another `profile.label_noise` only the estimated points.
        height: of the frames in pixels.
        width: of the frames in pixels; the scene shown is half as wide as high whatever it is.

    Returns:
        Tracklets with frames uint8 [t 3 H W], in each list sorted by person, camera and number. The
        queries of MARS and DukeMTMC-VideoReID are in the gallery as well, as the same objects.

    Raises:
        ValueError: the frames are too small to show a person.
    """
    cameras = {
        number: place_camera(profile, number, seed=seed, height=height)
        for number in range(1, profile.cameras + 1)
    }
    split = Split([], [], [])
    for walk in plan(profile, seed=seed):
        camera = cameras[walk.camera]
        tracklet = render_tracklet(profile, walk, camera, seed=seed, height=height, width=width)
        if walk.role == "train":
            split.train.append(tracklet)
        if walk.role == "query":
            split.query.append(tracklet)
        if walk.role == "gallery" or (walk.role == "query" and profile.protocol != "ilids_vid"):
            split.gallery.append(tracklet)
    return split


def write(root: Path, *, profile: Profile, seed: int, height: int, width: int) -> None:
    """Render a data set into a folder, in the layout of the real set.

    Args:
        root: an empty folder.
        profile: as in `render`, and so are the others.
        seed: of the data set.
        height: of the frames in pixels.
        width: of the frames in pixels.
    """
    layout = import_module(f"ssn3d.datasets.{profile.protocol}")
    layout.write(render(profile, seed=seed, height=height, width=width), root)


def place_camera(profile: Profile, number: int, *, seed: int = 0, height: int = 64) -> Camera:
    """A camera of a data set.

    Args:
        profile: of the data set.
        number: of the camera, from 1.
        seed: of the data set.
        height: of the frames in pixels.

    Raises:
        ValueError: the frames are too small to show a person.
    """
    if height < SMALLEST_HEIGHT:
        raise _too_small(height, height // 2)
    rng = stream(profile.name, seed, "camera", number)
    return new_camera(rng, clutter=profile.clutter, height=height)


def render_tracklet(
    profile: Profile,
    walk: Walk,
    camera: Camera,
    *,
    seed: int = 0,
    height: int = 64,
    width: int = 32,
) -> Tracklet:
    """Render one tracklet.

    Args:
        profile: of the data set.
        walk: one of `plan(profile, seed=seed)`.
        camera: `place_camera(profile, walk.camera, seed=seed, height=height)`, made once for all
            walks past it.
        seed: of the data set.
        height: of the frames in pixels.
        width: of the frames in pixels.

    Returns:
        A tracklet with frames uint8 [t 3 H W], and points.

    Raises:
        ValueError: the frames are too small to show a person.
    """
    if height < SMALLEST_HEIGHT or width < SMALLEST_WIDTH:
        raise _too_small(height, width)
    key = (walk.appearance, walk.camera, walk.number)
    scene = new_scene(profile, walk, camera, seed=seed)

    canvas = background_behind(camera, scene.scroll, scene.shift, scene.scale, height, width)
    paint(canvas, scene.capsules, softness=camera.softness, sun=camera.sun)
    frames = expose(canvas, camera, scene.light, stream(profile.name, seed, "noise", *key))

    visible = visible_points(scene.points, scene.capsules)
    labels = stream(profile.name, seed, "labels", *key)
    points = estimate(scene.points, visible, profile.label_noise, labels)
    return Tracklet(frames, walk.person, walk.camera, points)


def _too_small(height: int, width: int) -> ValueError:
    return ValueError(
        f"render: frames must be at least {SMALLEST_HEIGHT} x {SMALLEST_WIDTH} pixels (height x "
        f"width), got {height} x {width}; smaller ones do not show limbs, ask for more pixels"
    )
