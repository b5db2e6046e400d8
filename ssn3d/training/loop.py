"""The training loop: Adam, with every loss term kept.  "Experimental Setting"."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ssn3d.config import RunConfig, StudyConfig
from ssn3d.models.backbone import FrameEncoder

from .checkpoint import Checkpoint, History

OnStep = Callable[[int, int, dict[str, float]], None]
"""Called after each step with the number of steps done, of all steps, and the loss terms."""
Config = TypeVar("Config", RunConfig, StudyConfig)
Network = TypeVar("Network", bound=FrameEncoder)
Batch = TypeVar("Batch")


def start(
    build: Callable[[Config], Network], config: Config, *, device: torch.device | str = "cpu"
) -> tuple[Network, torch.optim.Optimizer]:
    """Make the untrained network of a configuration, and its optimiser (Adam).

    Args:
        build: makes the network; draws its weights from torch's global random state.
        config: of the run.
        device: device of the network.

    Returns:
        The network, its backbone in the memory format "channels last", and the optimiser.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # for the weights; all else has random streams of its own
        network = build(config).to(device)
    network.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return network, optimiser


def run(
    terms_of: Callable[[Batch], dict[str, Tensor]],
    batches_after: Callable[[int], Iterator[Batch]],
    steps: int,
    network: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    *,
    history: History | None = None,
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
) -> History:
    """Minimise the loss term "total".

    Args:
        terms_of: gives the loss terms of a batch.
        batches_after: gives the batches that follow the first k steps; its argument is k.
        steps: number of steps in all, including those of `history`.
        network: the network that `terms_of` uses.
        optimiser: of its weights.
        schedule: of the learning rate; advanced after each step.
        history: of earlier steps, which this training continues.
        checkpoint: a file; the state is saved to it every few seconds, and restored from it at the
            start if it exists.
        on_step: called after each step, for progress bars.

    Returns:
        The history of all steps.

    Raises:
        FloatingPointError: a loss became infinite or NaN; the message names step and term.
        ValueError: see `Checkpoint.resume`.
    """
    saved = Checkpoint(checkpoint, network, optimiser, schedule) if checkpoint else None
    before = (saved.resume() if saved else None) or history or {}
    history = {name: list(values) for name, values in before.items()}
    taken = len(history.get("total", []))
    batches = batches_after(taken)
    for step in range(taken + 1, steps + 1):
        terms = terms_of(next(batches))
        optimiser.zero_grad()
        terms["total"].backward()
        # one transfer for all terms, after `backward` was queued: a GPU does not wait
        values = dict(zip(terms, torch.stack([*terms.values()]).tolist(), strict=True))
        if not all(map(math.isfinite, values.values())):
            raise FloatingPointError(
                f"the loss is not finite at step {step} of {steps}: {values}; "
                "lower learning_rate, or look for broken frames in the data"
            )
        optimiser.step()
        rate = float(optimiser.param_groups[0]["lr"])
        for name, value in (values | {"learning_rate": rate}).items():
            history.setdefault(name, []).append(value)
        if schedule:
            schedule.step()
        if saved:
            saved.offer(history)
        if on_step:
            on_step(step, steps, values)
    return history


def autocast(precision: str, device: torch.device | str) -> torch.autocast:
    """Mixed precision where a run computes in "bfloat16"; weights stay float32."""
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16"
    )
