"""Several processes that train one network as one would: each takes a share of every batch.

Under `torchrun`, one process a device.  Embeddings and part scores of all are put together before
the loss, so that hard triplets are found in the whole batch; normalisation counts the whole batch
too, and gradients are added up.  With one process, everything here does nothing.
"""

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

Item = TypeVar("Item")


def start(device: str) -> torch.device:
    """Join the processes that torchrun started, if it did; returns this one's device.

    They wait for each other as long as it takes, a week at most.

    Args:
        device: "cuda", of which each process takes its own, or "cpu".

    Raises:
        ValueError: one device for all processes.
    """
    own = torch.device(device)
    here = os.environ.get("LOCAL_RANK")
    if here is None:
        return own
    if own.index is not None:
        raise ValueError(
            f"under torchrun each process takes a device of its own, got {device!r} for all; "
            f"say {own.type!r}"
        )
    own = torch.device(own.type, int(here)) if own.type == "cuda" else own
    if own.type == "cuda":
        torch.cuda.set_device(own)
    # it takes the default group as it is imported: later, it would keep that from ever ending
    from torch.distributed import nn as _  # noqa: F401

    # where another job makes the run, the first waits until that is done, the others for the first
    dist.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=timedelta(days=7))
    return own


def leave() -> None:
    """Part from the others, as all do at the end, or Python may abort as it ends.

    Not after an error: this would wait for processes that wait themselves; torchrun ends them.
    """
    if dist.is_initialized():
        dist.destroy_process_group()


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def beside() -> int:
    """How many of them this machine has."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def place() -> int:
    """Which one this is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def share(batch: Sequence[Item]) -> Sequence[Item]:
    """This process's part of a batch.

    Raises:
        ValueError: the batch cannot be divided evenly.
    """
    if len(batch) % count():
        raise ValueError(
            f"a batch of {len(batch)} clips cannot be shared evenly by {count()} processes; change "
            "ids_per_batch or clips_per_id, or start another number of processes"
        )
    size = len(batch) // count()
    return batch[place() * size : (place() + 1) * size]


def gathered(rows: Tensor) -> Tensor:
    """The rows of all processes [k ...] -> [k * count ...]; gradients go back to who has them.

    Every process computes the same loss of them, so each takes the gradient of its own rows.
    """
    return rows if count() == 1 else _Gather.apply(rows)


def dealt(items: Sequence[Item]) -> Sequence[Item]:
    """This process's part of any number of items, as cards are dealt: it may be none."""
    return items[place() :: count()]


def collected(rows: Tensor) -> Tensor:
    """The rows [k ...] of all items, of which each process has those of its `dealt` part."""
    if count() == 1:
        return rows
    hands: list[Tensor] = [rows] * count()
    dist.all_gather_object(hands, rows)
    together = hands[0].new_empty(sum(map(len, hands)), *hands[0].shape[1:])
    for place, hand in enumerate(hands):
        if len(hand):
            together[place :: count()] = hand
    return together


def agreed(answer: bool) -> bool:
    """What the first process says."""
    if count() == 1:
        return answer
    said = [answer]
    dist.broadcast_object_list(said)
    return said[0]


def join(network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Make a network normalise over all processes, and its optimiser add up their gradients."""
    if count() == 1:
        return
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    optimiser.register_step_pre_hook(lambda *_: add_up(weights))
    if next(network.parameters()).is_cuda:
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for module in network.modules():  # torch has no such layer for a CPU
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.__class__ = _SharedNorm


def add_up(weights: Iterable[Tensor]) -> None:
    """Add the gradients of all processes, in one message."""
    known = [weight for weight in weights if weight.grad is not None]
    flat = torch.cat([weight.grad.flatten() for weight in known])  # type: ignore[union-attr]
    dist.all_reduce(flat)
    for weight, grad in zip(known, flat.split([w.numel() for w in known]), strict=True):
        weight.grad.copy_(grad.view(weight.shape))  # type: ignore[union-attr]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [
            torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(count())
        ]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.chunk(count())[place()]


class _Sum(torch.autograd.Function):
    """Of all processes; each one's part counts in the outputs of all, and so in their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone()
        dist.all_reduce(total)
        return total


class _SharedNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation whose batch is that of all processes."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        values = input.float()
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [1, -1] + [1] * (input.ndim - 2)
        size = count() * values.numel() // values.shape[1]
        mean = _Sum.apply(values.sum(axes)) / size
        centred = values - mean.view(shape)
        variance = _Sum.apply(centred.square().sum(axes)) / size
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * size / (size - 1), self.momentum)
            self.num_batches_tracked += 1
        normal = centred * torch.rsqrt(variance + self.eps).view(shape)
        scaled = normal * self.weight.view(shape) + self.bias.view(shape)
        return scaled.to(input.dtype)
