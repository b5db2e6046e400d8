"""Checkpoints: a killed training resumes from the last one and ends with the same bits."""

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
"""One list for each loss term and one for the learning rate, with an entry for every step."""

EVERY = 5.0
"""Shortest time between two checkpoints, in seconds."""
SHARE = 0.01
"""Largest share of the time that saving may take."""

log = logging.getLogger(__name__)


class Checkpoint:
    """A file with the last saved state of a training; it is replaced as a whole, or not at all.

    It holds weights and running statistics, the optimiser's moments, the schedule, the history, and
    torch's random state.  Other random draws have streams of their own, which need no state.
    """

    def __init__(
        self,
        file: Path,
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    ):
        """Say which file holds what.

        Args:
            file: in a folder that exists.
            network: its weights and running statistics are saved.
            optimiser: its moments are saved.
            schedule: of the learning rate, if there is one.
        """
        self.file = file
        self.parts: dict[str, Any] = {"network": network, "optimiser": optimiser}
        if schedule:
            self.parts["schedule"] = schedule
        self.due = time.monotonic() + EVERY

    def resume(self) -> History:
        """Restore the saved state.

        Returns:
            Its history; empty if there is no file, or, with a warning, if the file is damaged.

        Raises:
            ValueError: the file is the checkpoint of another network.
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
        """Save now; if that fails (a full disk), warn and let training go on.

        Args:
            history: of all steps so far.
        """
        state = {name: part.state_dict() for name, part in self.parts.items()}
        stored = BytesIO()
        torch.save({**state, "history": history, "random": torch.get_rng_state()}, stored)
        try:
            write_file(self.file, sha256(stored.getbuffer()).digest() + stored.getvalue())
        except OSError as error:
            log.warning("no checkpoint could be saved (%s); training goes on", error)

    def offer(self, history: History) -> None:
        """Save if it is time to (`EVERY`, `SHARE`); called after each step.

        Args:
            history: of all steps so far.
        """
        started = time.monotonic()
        if started >= self.due:
            self.save(history)
            now = time.monotonic()
            self.due = now + max(EVERY, (now - started) / SHARE)
