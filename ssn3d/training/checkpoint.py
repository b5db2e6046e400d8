"""A training's progress on disk, so that a killed one goes on where it was, to the same bit."""

import hashlib
import json
import logging
import time
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from .loop import History

EVERY = 5.0
"""Seconds of training between two savings, at least."""
SHARE = 0.01
"""Of the time that saving may take, whatever a network's size."""

log = logging.getLogger(__name__)


class Progress:
    """One file that always holds the last state saved: it is replaced whole, or not at all.

    What is saved: weights and running statistics, the optimiser's moments, the schedule, the
    history, and torch's random state; all else that a step draws has a stream of its own.
    """

    def __init__(
        self,
        file: Path,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    ):
        """file: in a folder that exists.  The others are what is saved and restored."""
        self.file, self.network = file, network
        self.optimiser, self.schedule = optimiser, schedule
        self.due = time.monotonic() + EVERY

    def resume(self) -> History:
        """Restore what is saved and return its history, empty if there is nothing.

        A damaged file counts as nothing, with a warning.

        Raises:
            ValueError: it is whole, but of another network.
        """
        try:
            state, tensors = _unpacked(self.file.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            log.warning("%s cannot be resumed from (%s); training starts anew", self.file, error)
            return {}
        try:
            self._restore(state, tensors)
        except (ValueError, KeyError, IndexError, RuntimeError) as error:
            raise ValueError(
                f"{self.file} is the progress of another network ({error}); delete it"
            ) from None
        history: History = state["history"]
        log.info("goes on after step %d", len(history["total"]))
        return history

    def save(self, history: History) -> None:
        """Save now; if that fails, as on a full disk, training goes on with a warning."""
        draft = self.file.with_name(f".{self.file.name}.draft")
        try:
            draft.write_bytes(_packed(*self._state(history)))
            draft.replace(self.file)
        except OSError as error:
            draft.unlink(missing_ok=True)
            log.warning("progress could not be saved (%s); training goes on", error)

    def offer(self, history: History) -> None:
        """Save if it is time to, to be called after each step."""
        started = time.monotonic()
        if started >= self.due:
            self.save(history)
            now = time.monotonic()
            self.due = now + max(EVERY, (now - started) / SHARE)

    def _state(self, history: History) -> tuple[dict, dict[str, Tensor]]:
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        for place, weight in enumerate(self._weights()):
            for name, value in self.optimiser.state[weight].items():
                tensors[f"optimiser.{place}.{name}"] = value
        tensors["random"] = torch.get_rng_state()
        rates = [group["lr"] for group in self.optimiser.param_groups]
        schedule = self.schedule.state_dict() if self.schedule else {}
        return {"history": history, "rates": rates, "schedule": schedule}, tensors

    def _restore(self, state: dict, tensors: dict[str, Tensor]) -> None:
        weights = self._weights()
        own: dict[str, Tensor] = {}
        moments: list[dict[str, Tensor]] = [{} for _ in weights]
        for key, value in tensors.items():
            side, _, name = key.partition(".")
            if side == "network":
                own[name] = value
            if side == "optimiser":
                place, _, name = name.partition(".")
                # laid out in memory as the weight is, on which the optimiser's kernels rely, and
                # where the weight is: fused ones want the number of steps there too
                weight = weights[int(place)]
                like = weight if value.ndim else weight.new_empty((), dtype=value.dtype)
                moments[int(place)][name] = torch.empty_like(like).copy_(value)
        self.network.load_state_dict(own)
        for weight, known in zip(weights, moments, strict=True):
            if known:
                self.optimiser.state[weight] = known
        for group, rate in zip(self.optimiser.param_groups, state["rates"], strict=True):
            group["lr"] = rate
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(tensors["random"])

    def _weights(self) -> list[Tensor]:
        return [weight for group in self.optimiser.param_groups for weight in group["params"]]


def _packed(state: dict, tensors: dict[str, Tensor]) -> bytes:
    """A digest of all that follows, then one safetensors file."""
    content = save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {"state": json.dumps(state)},
    )
    return hashlib.sha256(content).digest() + content


def _unpacked(content: bytes) -> tuple[dict, dict[str, Tensor]]:
    digest, content = content[:32], content[32:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("it is not as it was written")
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["state"]), load(content)
