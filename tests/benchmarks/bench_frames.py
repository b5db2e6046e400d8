"""From JPEG files to the model at 256 x 128: ours against the usual Pillow loop, on one core."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.data import profile_of
from ssn3d.datasets.clips import resized_frames
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.synthetic.walkers.render import render
from tests.benchmarks.harness import race, start

MEAN, STD = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))


def usual(paths: list[Path]) -> Tensor:
    """Open, convert, resize, to float, normalise, in the process that reads."""
    frames = []
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((128, 256), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        frames.append((pixels - MEAN) / STD)
    return torch.stack(frames)


def main() -> None:
    torch.set_num_threads(1)
    start("frames to the model, 256 x 128 JPEG; ours leaves floats to the accelerator")
    config = RunConfig.preset("paper", "mars", train_people=8, test_people=2, longest_tracklet=16)
    split = render(profile_of(config), seed=0, height=256, width=128)
    frames = torch.cat([t.frames for t in split.train if isinstance(t.frames, Tensor)])[:256]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{place}.jpg") for place in range(len(frames))]
        for frame, path in zip(frames, paths, strict=True):
            write_image(frame, path)
        tracklet = Tracklet(paths, 1, 1)
        ours = resized_frames(tracklet, range(len(paths)), (256, 128)).float() / 255
        torch.testing.assert_close((ours - MEAN) / STD, usual(paths), rtol=0, atol=1e-6)
        race(
            f"{len(paths)} frames of {sum(p.stat().st_size for p in paths) // len(paths)} bytes",
            lambda: resized_frames(tracklet, range(len(paths)), (256, 128)),
            lambda: usual(paths),
            faster=2.5,
        )


if __name__ == "__main__":
    main()
