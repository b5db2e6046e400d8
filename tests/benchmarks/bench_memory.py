"""Memory of evaluation at 256 x 128: a tracklet of 9,324 frames against one of 32."""

import subprocess
import sys

from tests.benchmarks.harness import start, verdict

EMBED = """
import resource, sys, tempfile
from pathlib import Path
import torch
torch.set_num_threads(1)
from ssn3d.config import RunConfig
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.training.inference import embed
from ssn3d.training.reid import build

length = int(sys.argv[1])
config = RunConfig.preset("paper", "dukemtmc", backbone="small", pretrained=False)
with tempfile.TemporaryDirectory() as folder:
    random = torch.Generator().manual_seed(0)
    paths = [Path(folder, f"{place}.jpg") for place in range(min(length, 64))]
    for path in paths:
        write_image(torch.randint(256, (3, 256, 128), generator=random, dtype=torch.uint8), path)
    frames = [paths[place % len(paths)] for place in range(length)]
    embed(config, build(config).eval(), [Tracklet(frames, 1, 1)])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(length: int) -> float:
    """Megabytes of a process that embeds one tracklet of `length` frames."""
    command = [sys.executable, "-c", EMBED, str(length)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    start("peak memory of embedding one tracklet, 256 x 128, with the small backbone")
    short, long = peak(32), peak(9324)
    line = f"9,324 frames: {long:.0f} MB, 32 frames: {short:.0f} MB"
    verdict(line, [long / short] * 3, "the memory", at_most=1.5)


if __name__ == "__main__":
    main()
