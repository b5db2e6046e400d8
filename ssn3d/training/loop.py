"""Gradient descent, step by step, with every loss term kept.  "Experimental Setting"."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

History = dict[str, list[float]]
"""One list a loss term and one for the learning rate, an entry for every step."""
OnStep = Callable[[int, int, dict[str, float]], None]
"""Called after each step with the steps done, the steps in all, and the loss terms."""


def descend(
    terms_of: Callable[[int], dict[str, Tensor]],
    steps: int,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
    *,
    history: History | None = None,
    keep: Callable[[History], None] | None = None,
    on_step: OnStep | None = None,
) -> History:
    """Minimise the term "total".

    Args:
        terms_of: the loss terms of a step, counted from 1.
        steps: how many, those of `history` included.
        optimiser: of the weights that the terms depend on.
        schedule: of the learning rate, asked after each step.
        history: of steps that were taken before; this one continues it.
        keep: offered the history after each step, to save what must not be lost.
        on_step: for progress.

    Raises:
        FloatingPointError: a loss became infinite or NaN; says at which step and which term.
    """
    history = {name: list(values) for name, values in (history or {}).items()}
    for step in range(len(history.get("total", [])) + 1, steps + 1):
        terms = terms_of(step)
        optimiser.zero_grad()
        terms["total"].backward()
        # all at once and only now: an accelerator works on while they are waited for
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
        if keep:
            keep(history)
        if on_step:
            on_step(step, steps, values)
    return history
