"""The state of a training on disk, so that a killed one resumes where it was, to the same bit."""

import logging
import time
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ssn3d.atomic import write_file

History = dict[str, list[float]]
"""One list a loss term and one for the learning rate, an entry for every step."""

EVERY = 5.0
"""Seconds of training between two savings, at least."""
SHARE = 0.01
"""Of the time that saving may take, whatever a network's size."""

log = logging.getLogger(__name__)


class Checkpoint:
    """One file that always holds the last state saved: it is replaced whole, or not at all.

    What is saved: weights and running statistics, the optimiser's moments, the schedule, the
    history, and torch's random state; all else that a step draws has a random stream of its own.
    """

    def __init__(
        self,
        file: Path,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    ):
        """file: in a folder that exists.  The others are what is saved and restored."""
        self.file = file
        self.parts: dict[str, Any] = {"network": network, "optimiser": optimiser}
        if schedule:
            self.parts["schedule"] = schedule
        self.due = time.monotonic() + EVERY

    def resume(self) -> History:
        """Restore what is saved and return its history, empty if there is nothing.

        A damaged file counts as nothing, with a warning.

        Raises:
            ValueError: it is whole, but of another network.
        """
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return {}
        if content[:32] != sha256(content[32:]).digest():
            log.warning("%s is damaged and cannot be resumed from; training starts anew", self.file)
            return {}
        state = torch.load(BytesIO(content[32:]), map_location="cpu", weights_only=True)
        try:
            for name, part in self.parts.items():
                part.load_state_dict(state[name])
            torch.set_rng_state(state["random"])
        except (ValueError, KeyError, IndexError, RuntimeError, TypeError) as error:
            raise ValueError(
                f"{self.file} is the checkpoint of another network ({error}); delete it"
            ) from None
        log.info("resumed after step %d", len(state["history"]["total"]))
        return state["history"]

    def save(self, history: History) -> None:
        """Save now; if that fails, as on a full disk, training goes on with a warning."""
        state = {name: part.state_dict() for name, part in self.parts.items()}
        stored = BytesIO()
        torch.save({**state, "history": history, "random": torch.get_rng_state()}, stored)
        try:
            write_file(self.file, sha256(stored.getbuffer()).digest() + stored.getvalue())
        except OSError as error:
            log.warning("no checkpoint could be saved (%s); training goes on", error)

    def offer(self, history: History) -> None:
        """Save if it is time to, to be called after each step."""
        started = time.monotonic()
        if started >= self.due:
            self.save(history)
            now = time.monotonic()
            self.due = now + max(EVERY, (now - started) / SHARE)
