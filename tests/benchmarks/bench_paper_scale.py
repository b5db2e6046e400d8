"""SSN3D at the paper's scale on one device: how fast it trains, what it waits for, what comes out.

Walkers are rendered at 256 x 128 in MARS's layout; there are no ImageNet weights.  On a GPU:

    python -m tests.benchmarks.bench_paper_scale --epochs 150 --out figures/paper_scale

measures the speed, then trains and tests, and writes tables, curves and where they are from.  A
training that was cut off goes on when it is asked for again.  Without a GPU, small batches.
"""

import argparse
import gc
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any
from unittest import mock

import pandas as pd
import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, schedule

from ssn3d import data, runs
from ssn3d.config import RunConfig
from ssn3d.datasets.clips import Clip
from ssn3d.datasets.tracklets import Split
from ssn3d.evaluation import complexity
from ssn3d.paper import tables
from ssn3d.plots import style
from ssn3d.reproduce import results
from ssn3d.rng import one_thread
from ssn3d.training import batches as training_batches
from ssn3d.training import reid as train
from tests.benchmarks.bench_scaling import STEPS, cost
from tests.benchmarks.harness import seconds

VARIANTS: dict[str, dict[str, Any]] = {
    "32 bits": {"precision": "float32"},
    "16 bits": {},
    "16 bits, kernels tried out": {},
}
"""What each changes of the configuration.  cuDNN tries kernels out, and in 32 bits uses TF32."""
SMALL = {
    "ids_per_batch": 2,
    "clips_per_id": 2,
    "train_people": 8,
    "test_people": 8,
    "longest_tracklet": 32,
}
"""For a CPU: four clips."""
METRICS = {"top1": "top-1", "top5": "top-5", "mean_ap": "mAP", "mean_inp": "mINP"}


class Watched(training_batches.TrainingBatches):
    """Batches that keep how long each was waited for."""

    waited: list[float]

    def after(self, *arguments: Any, **options: Any) -> Iterator[Clip]:
        """As those of a training."""
        Watched.waited = []
        batches = super().after(*arguments, **options)
        while True:
            begin = perf_counter()
            batch = next(batches)
            Watched.waited.append(perf_counter() - begin)
            yield batch


def measured(
    config: RunConfig, split: Split, device: torch.device, *, warm: int, steps: int
) -> dict[str, float]:
    """Speed, memory and waiting of `train.fit` itself, over `steps` steps after the warm ones.

    The losses of a step are read at its end, so the device has by then done all but the update.
    """
    if device.type == "cuda":
        gc.collect()  # of the variant before
        torch.cuda.reset_peak_memory_stats(device)
    ends = [perf_counter()]
    short = replace(config, epochs=1, steps_per_epoch=warm + steps)
    with mock.patch.object(train, "TrainingBatches", Watched):
        train.fit(short, split.train, device=device, on_step=lambda *_: ends.append(perf_counter()))
    times = [after - before for before, after in pairwise(ends[warm:])]
    low, middle, high = quantiles(times, n=4)
    per_step = cost(config).training / (config.epochs * STEPS["mars"])
    return {
        "steps a second": 1 / middle,
        "slower quartile": 1 / high,
        "faster quartile": 1 / low,
        "waiting for data": sum(Watched.waited[warm:]) / sum(times),
        "10^12 operations a second": per_step / middle / 1e12,
        "GiB": complexity.peak_memory(device) / 2**30,
        "first step, seconds": ends[1] - ends[0],
        "150 epochs of MARS, minutes": 150 * STEPS["mars"] * middle / 60,
    }


def product_rate(device: torch.device) -> float:
    """Operations a second of a large product of 16-bit matrices, as far as one will get."""
    size, times = (8192, 100) if device.type == "cuda" else (2048, 10)
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)

    def several() -> None:
        for _ in range(times):
            one @ one
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with one_thread(device):
        several()
        return times * 2 * size**3 / seconds(several)


def frames_read(config: RunConfig, split: Split, device: torch.device, batches: int) -> float:
    """Frames a second that reach the device with no network in the way."""
    reading = training_batches.TrainingBatches(config, split.train).after(0, device)
    for _ in islice(reading, batches):  # what is read ahead at the start is not counted
        pass
    first = next(reading)
    frames = first.frames[:, :, 0, 0, 0].numel() + first.labelled[:, :, 0, 0, 0].numel()

    def read() -> None:
        for batch in islice(reading, batches):
            batch.frames[0, 0, 0, 0, 0].item()  # it is there

    return batches * frames / seconds(read)


def profiled(config: RunConfig, split: Split, device: torch.device, steps: int) -> None:
    """Print where the time of a step goes, on the GPU if that is the device."""
    short = replace(config, epochs=1, steps_per_epoch=2 * steps)
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device.type == "cuda")
    begins, ends = [], []
    plan = schedule(wait=steps - 1, warmup=1, active=steps)
    with profile(activities=kinds, schedule=plan, acc_events=True) as watch:

        def on_step(*_: object) -> None:
            ends.append(perf_counter())
            watch.step()  # at the end it takes long itself
            begins.append(perf_counter())

        train.fit(short, split.train, device=device, on_step=on_step)
    own, kind = "self_cpu_time_total", DeviceType.CPU
    if device.type == "cuda":
        own, kind = "self_device_time_total", DeviceType.CUDA
    pieces = watch.key_averages()
    print(pieces.table(sort_by=own, row_limit=15, max_name_column_width=60))
    busy = sum(
        getattr(piece, own)
        for piece in pieces
        if piece.device_type == kind and not piece.is_user_annotation
    )
    share = busy / 1e6 / (ends[-1] - begins[steps - 1])
    print(f"at work for {share:.0%} of the time, under the profiler", flush=True)


def speed(config: RunConfig, split: Split, device: torch.device, out: Path, steps: int) -> None:
    """Measure all variants and write them as a table."""
    rate = product_rate(device)
    reads = frames_read(config, split, device, steps)
    name = runs.device_name(device)
    print(f"{name}: {rate / 1e12:.3g} 10^12 operations/s at most, reads {reads:.0f} frames/s")
    rows = {}
    for variant, changes in VARIANTS.items():
        if "tried out" in variant and device.type == "cpu":
            continue  # by cuDNN alone
        torch.backends.cudnn.benchmark = "tried out" in variant
        rows[variant] = measured(
            replace(config, **changes), split, device, warm=max(2, steps // 3), steps=steps
        )
        rows[variant]["share of the product's rate"] = (
            rows[variant]["10^12 operations a second"] * 1e12 / rate
        )
        print(variant, {key: round(value, 3) for key, value in rows[variant].items()}, flush=True)
    torch.backends.cudnn.benchmark = False
    shown = pd.DataFrame(rows).map(lambda x: f"{x:,.0f}" if x >= 100 else f"{x:.3g}")
    text = tables.markdown(shown)
    clips = config.ids_per_batch * config.clips_per_id
    (out / "speed.md").write_text(
        f"{name}, PyTorch {torch.__version__}: {clips} clips of {config.clip_frames} frames, with "
        f"{config.labelled_per_clip} labelled ones each, {steps} steps. A product of matrices in "
        f"16 bits reaches {rate / 1e12:.3g} 10^12 operations a second; {reads:,.0f} frames a "
        f"second are read where no network asks for them.\n\n{text}\n"
    )
    common = {"device": name, "torch": torch.__version__, "product": rate, "frames read": reads}
    numbers = [common | {"variant": variant} | row for variant, row in rows.items()]
    record(out, "speed", [], numbers, [out / "speed.md"])
    profiled(config, split, device, max(2, steps // 30))


def training(config: RunConfig, device: torch.device, out: Path) -> None:
    """Train and test one network, or find it in the store, and write scores and curves."""
    run = runs.load_or_train(config, device=device)
    scores = {name: run.metrics[name] for name in METRICS}
    row = {METRICS[name]: f"{100 * value:.1f}" for name, value in scores.items()}
    row |= {"epochs": config.epochs, "steps": len(run.history["total"])}
    row |= {f"{name}, seconds": f"{value:.0f}" for name, value in run.made["seconds"].items()}
    text = tables.markdown(pd.DataFrame({"SSN3D": row}).T)
    (out / "training.md").write_text(f"{run.made['device']}, run {run.id}\n\n{text}\n")
    curves = style.learning_curves({config.strategy: [run.history]})
    files = style.save(curves, out / "curves")
    record(out, "training", [run], [scores], [out / "training.md", *files])
    print(text)


def record(out: Path, name: str, made: list, numbers: list[dict], files: list[Path]) -> None:
    """Enter it in results.json of the folder."""
    script = "tests/benchmarks/bench_paper_scale"
    results.record(
        out, name, notebook=script, scale="paper", runs=made, numbers=numbers, files=files
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, help="300, on a CPU 4, to measure; 0: no speed")
    parser.add_argument("--epochs", type=int, default=0, help="of a training; 0: none")
    parser.add_argument("--out", type=Path, default=Path("build/paper_scale"))
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    config = RunConfig.preset("paper", "mars", pretrained=False)
    steps = 300 if arguments.steps is None else arguments.steps
    if device.type == "cpu":
        config = replace(config, **SMALL)
        steps = 4 if arguments.steps is None else steps
    arguments.out.mkdir(parents=True, exist_ok=True)
    taken = seconds(lambda: data.prepare(config))
    split = data.split_of(config)
    print(f"rendered and read in {taken:.0f} s: {[len(part) for part in split]} tracklets")
    if steps:
        speed(config, split, device, arguments.out, max(steps, 2))
    if arguments.epochs:
        training(replace(config, epochs=arguments.epochs), device, arguments.out)


if __name__ == "__main__":
    main()
