"""Training of the small network: as it is done here, against the plain way, at equal accuracy.

The plain way is one process with two threads, 32 bits, channels first.  Here it is two processes
with a thread each, 16 bits, channels last.  The same steps of the same run, steps a second.
"""

import argparse
import os
import subprocess
import sys
from statistics import mean, median, quantiles

import torch

from ssn3d.config import RunConfig
from ssn3d.data import split_of
from ssn3d.runs import sweep
from ssn3d.training import reid as train
from ssn3d.training.batches import TrainingBatches
from tests.benchmarks.harness import seconds, start, verdict

CONFIG = RunConfig.preset("demo", "mars")
STEPS, ROUNDS = 60, 3


def steps_a_second(precision: str, layout: str, threads: int) -> float:
    """Of a training whose first ten steps do not count."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = RunConfig.preset("demo", "mars", precision=precision)
    model = train.build(config)
    model.backbone.to(memory_format=getattr(torch, layout))
    optimiser = torch.optim.Adam(model.parameters(), config.learning_rate, fused=True)
    clips = TrainingBatches(config, split_of(config).train).after(0)

    def steps(count: int) -> None:
        for _ in range(count):
            loss = train.loss_terms(config, model, next(clips))["total"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    steps(10)
    return STEPS / seconds(lambda: steps(STEPS))


def together(processes: int, *arguments: object) -> float:
    """Steps a second of several processes side by side, added up."""
    code = f"from {__spec__.name} import *; print(steps_a_second{arguments})"
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments[-1])}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(processes)
    ]
    return sum(float(process.communicate()[0]) for process in started)


def race(name: str, ours: tuple, theirs: tuple, faster: float | None = None) -> None:
    """Take turns, and print the ratio of steps a second."""
    rates = [(together(*ours), together(*theirs)) for _ in range(ROUNDS)]
    one, other = map(median, zip(*rates, strict=True))
    spread = quantiles([fast / slow for fast, slow in rates], n=4)
    verdict(f"{name}: {one:.1f} against {other:.1f} steps/s", spread, "faster", at_least=faster)


def accuracy() -> None:
    """Three seeds in each precision."""
    print("seed: top-1, mAP with 32 bits | with 16 bits")
    precisions = ("float32", "bfloat16")
    wanted = [
        RunConfig.preset("demo", "mars", precision=precision, seed=seed)
        for seed in range(3)
        for precision in precisions
    ]
    scores = [[run.metrics[name] for name in ("top1", "mean_ap")] for run in sweep(wanted)]
    for seed in range(3):
        pair = scores[2 * seed : 2 * seed + 2]
        print(f"{seed}: " + " | ".join(f"{100 * a:.1f}, {100 * b:.1f}" for a, b in pair))
    means = [[mean(column) for column in zip(*scores[k::2], strict=True)] for k in range(2)]
    print("mean: " + " | ".join(f"{100 * a:.1f}, {100 * b:.1f}" for a, b in means))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accuracy", action="store_true", help="train three seeds each way")
    if parser.parse_args().accuracy:
        return accuracy()
    start(f"training the small network, {STEPS} steps")
    split_of(CONFIG)
    plain = (1, "float32", "contiguous_format", 2)
    race("as it is done here", (2, "bfloat16", "channels_last", 1), plain, 2.0)
    race("  two processes alone", (2, "float32", "contiguous_format", 1), plain)
    race("  and channels last", (2, "float32", "channels_last", 1), plain)
    return None


if __name__ == "__main__":
    main()
