"""Rendered tracklets: frames a second, and the time as a multiple of encoding them as JPEG.

The baseline does not depend on the renderer: Pillow encodes the same frames, in memory, with the
quality that data sets are written with.
"""

from io import BytesIO

from einops import rearrange
from PIL import Image
from torch import Tensor

from ssn3d.datasets.images import JPEG_QUALITY
from ssn3d.rng import one_thread
from ssn3d.synthetic.walkers.protocol import PROFILES, plan
from ssn3d.synthetic.walkers.render import place_camera, render_tracklet
from tests.benchmarks.harness import race, seconds, start

TRACKLETS = 4
"""Of each data set, from all over it."""


def compare(name: str, height: int, width: int) -> None:
    """Render some tracklets of a data set against encoding their frames."""
    profile = PROFILES[name]
    everyone = plan(profile)
    walks = everyone[:: len(everyone) // TRACKLETS][:TRACKLETS]
    cameras = {walk.camera: place_camera(profile, walk.camera, height=height) for walk in walks}

    def render() -> list[Tensor]:
        drawn = (
            render_tracklet(profile, walk, cameras[walk.camera], height=height, width=width)
            for walk in walks
        )
        return [tracklet.frames for tracklet in drawn if isinstance(tracklet.frames, Tensor)]

    frames = [
        frame.numpy()
        for tracklet in render()
        for frame in rearrange(tracklet, "t c h w -> t h w c").contiguous()
    ]

    def encode() -> None:
        for frame in frames:
            Image.fromarray(frame).save(BytesIO(), "JPEG", quality=JPEG_QUALITY)

    rate = len(frames) / min(seconds(render) for _ in range(2))
    race(f"{name} {height} x {width}, {rate:.0f} frames a second", render, encode, rounds=3)


def main() -> None:
    """Every data set at both sizes."""
    with one_thread():
        start("rendering against JPEG encoding")
        for name in PROFILES:
            for height, width in ((64, 32), (256, 128)):
                compare(name, height, width)


if __name__ == "__main__":
    main()
