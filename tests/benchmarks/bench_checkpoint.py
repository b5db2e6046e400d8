"""What checkpoints cost of the time of training, at demo scale; and one saving of a ResNet."""

import tempfile
from functools import partial
from pathlib import Path
from statistics import quantiles
from unittest import mock

import torch

from ssn3d import data
from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.training import checkpoint
from ssn3d.training import reid as train
from ssn3d.training.checkpoint import Checkpoint
from tests.benchmarks.harness import race, seconds, start, verdict

CONFIG = RunConfig.preset("demo", "ilids_vid", epochs=1, steps_per_epoch=160)
"""About fifteen seconds; only the number of steps is not that of `make figures`."""
LARGE = RunConfig.preset("paper", "mars", pretrained=False)
ROUNDS = 5


def training(tracklets: list[Tracklet], file: Path | None) -> None:
    """One, from its first step, with checkpoints in a file or without."""
    if file:
        file.unlink(missing_ok=True)
    train.fit(CONFIG, tracklets, checkpoint=file)


def share_of_saving(tracklets: list[Tracklet], file: Path) -> tuple[float, int]:
    """What part of a training is spent on checkpoints, and how often it is saved."""
    spent, savings = 0.0, 0
    offer, save = Checkpoint.offer, Checkpoint.save

    def timed(self: Checkpoint, history: dict) -> None:
        nonlocal spent
        spent += seconds(lambda: offer(self, history))

    def counted(self: Checkpoint, history: dict) -> None:
        nonlocal savings
        savings += 1
        save(self, history)

    with mock.patch.multiple(Checkpoint, offer=timed, save=counted):
        whole = seconds(lambda: training(tracklets, file))
    return spent / whole, savings


def one_saving(config: RunConfig, file: Path) -> tuple[float, float]:
    """Seconds and megabytes of one saving of a network that has been trained for a step."""
    network = train.build(config)
    optimiser = torch.optim.Adam(network.parameters())
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    saved = Checkpoint(file, network, optimiser)
    saved.save({"total": [0.0]})  # the first makes the file
    return seconds(lambda: saved.save({"total": [0.0]})), file.stat().st_size / 1e6


def main() -> None:
    torch.set_num_threads(1)
    start(f"checkpoints: {CONFIG.steps_per_epoch} steps at demo scale, {CONFIG.dataset}")
    tracklets = data.split_of(CONFIG).train
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "one.checkpoint")
        with_it, without = (partial(training, tracklets, place) for place in (file, None))
        race("a training with it against one without", with_it, without, rounds=ROUNDS, cost=1.03)
        shares, savings = zip(
            *(share_of_saving(tracklets, file) for _ in range(ROUNDS)), strict=True
        )
        line = f"by the clock inside, {min(savings)} to {max(savings)} savings a training"
        verdict(line, [1 + share for share in quantiles(shares, n=4)], "the time", at_most=1.03)
        for scale, config in (("demo", CONFIG), ("paper", LARGE)):
            long, megabytes = one_saving(config, file)
            wait = max(checkpoint.EVERY, long / checkpoint.SHARE)
            print(
                f"one saving, {scale}: {long:.3g} s for {megabytes:.0f} MB, the next one after "
                f"{wait:.0f} s at the soonest: {long / (wait + long):.2%} of the time at most"
            )


if __name__ == "__main__":
    main()
