"""Build, train and use the SSN alone, without re-identification.  Section "Study on SSN"."""

from itertools import count
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from ssn3d.config import StudyConfig
from ssn3d.losses import ssn_loss
from ssn3d.models import backbone as backbones
from ssn3d.models.reid import PartFinder
from ssn3d.models.ssn import SSN, Parts
from ssn3d.rng import one_thread, stream
from ssn3d.synthetic import random_maps

from . import augmentation, loop
from .checkpoint import History
from .loop import OnStep


def build(config: StudyConfig) -> PartFinder:
    """Make the network of a configuration; its weights come from torch's global random state.

    Args:
        config: names the backbone, and holds the settings of the SSN.

    Raises:
        ValueError: see `models.backbone.make`.
        ConnectionError: see `models.backbone.make`.
    """
    backbone: nn.Module = nn.Identity()
    channels = config.channels if config.study == "random_maps" else 3
    if config.backbone != "none":
        backbone = backbones.make(
            config.backbone,
            stride=config.stride,
            size=(config.height, config.width),
            pretrained=config.pretrained,
        )
        channels = backbone.channels  # type: ignore[assignment]
    ssn = SSN(channels, config.parts, config.window, config.hidden, config.padding)
    return PartFinder(backbone, ssn)


def fit(
    config: StudyConfig,
    frames: Tensor | None = None,
    labels: Tensor | None = None,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
) -> tuple[PartFinder, History]:
    """Train an SSN: `labelled_steps` on labelled pictures, then `steps` on unlabelled ones.

    Args:
        config: settings of the network and the training.
        frames: [k 3 H W] uint8 pictures; None: random maps, drawn anew at each step.
        labels: [k n 2] as (x, y) in 0..1, NaN where not labelled; needed for `labelled_steps`.
        device: where to compute; on a CPU with one thread.
        checkpoint: see `loop.run`.
        on_step: see `loop.run`.

    Returns:
        The trained network in evaluation mode, and its history.

    Raises:
        FloatingPointError: see `loop.run`.
        ValueError: frames or labels are missing, or do not fit the configuration.
    """
    _check(config, frames, labels)
    with one_thread(device):
        network, optimiser = loop.start(build, config, device=device)

        def terms_of(step: int) -> dict[str, Tensor]:
            with loop.autocast(config.precision, device):
                loss = ssn_loss(*_second_round(config, network, frames, labels, step, device))
            return {"ssn": loss, "total": loss}

        history = loop.run(
            terms_of,
            lambda taken: count(taken + 1),
            config.labelled_steps + config.steps,
            network,
            optimiser,
            checkpoint=checkpoint,
            on_step=on_step,
        )
    return network.eval(), history


def find_parts(network: PartFinder, frames: Tensor, *, at_once: int = 16) -> Parts:
    """Find the parts in pictures with a trained network.

    Args:
        network: in evaluation mode, on the CPU.
        frames: [k 3 H W] uint8.
        at_once: how many pictures go through the network together.

    Returns:
        `Parts` with b = k and t = 1, float32.
    """
    with one_thread(), torch.inference_mode():
        found = [network(batch) for batch in frames.split(at_once)]
    return Parts(*(torch.cat(field) for field in zip(*found, strict=True)))


def _second_round(
    config: StudyConfig,
    network: PartFinder,
    frames: Tensor | None,
    labels: Tensor | None,
    step: int,
    device: torch.device | str,
) -> tuple[Tensor, Tensor | None]:
    """2nd round logits [f n m] for the loss of a step, and which count [f n], or None for all."""
    if frames is None:
        size = (config.channels, config.height, config.width)
        maps = random_maps.draw(
            config.distribution, config.batch, step, seed=config.seed, size=size
        )
        parts = network.in_maps(maps.to(device))
        return rearrange(parts.logits, "b 1 n m -> b n m"), None  # type: ignore[return-value]

    if labels is None or not config.labelled_steps:
        return _attended(network, _batch(config, step, frames).to(device)), None
    known = ~labels.isnan().all(-1).all(-1)
    rounds = []
    if step > config.labelled_steps:
        logits = _attended(network, _batch(config, step, frames[~known]).to(device))
        rounds.append((logits, torch.ones_like(logits[..., 0])))
    if step <= config.labelled_steps or config.keep_labels:
        shown, points = augmentation.augment(
            _batch(config, step, frames[known]),
            _batch(config, step, labels[known]),
            stream("study", config.seed, "augmentation", step),
            shift=config.shift,
            colour=config.colour_jitter,
        )
        points = points.to(device)
        features = network.features(shown.to(device))
        [logits] = network.ssn.anchor(features, points)
        rounds.append((logits, (~points.isnan().any(-1)).to(logits)))
    every, present = (torch.cat(both) for both in zip(*rounds, strict=True))
    return every, present


def _attended(network: PartFinder, frames: Tensor) -> Tensor:
    """2nd round logits [f n m] of pictures, from the windows that the attention finds."""
    return rearrange(network(frames).logits, "b 1 n m -> b n m")


def _batch(config: StudyConfig, step: int, rows: Tensor) -> Tensor:
    """The rows [batch ...] of a step, out of [k ...]; each pass over all rows has its own order."""
    first, size = (step - 1) * config.batch, len(rows)
    orders = {
        turn: torch.randperm(size, generator=stream("study", config.seed, size, turn))
        for turn in range(first // size, (first + config.batch - 1) // size + 1)
    }
    wanted = range(first, first + config.batch)
    return rows[[int(orders[place // size][place % size]) for place in wanted]]


def _check(config: StudyConfig, frames: Tensor | None, labels: Tensor | None) -> None:
    if (frames is None) != (config.study == "random_maps"):
        raise ValueError(
            f"{config.study}: expected {'no ' * (config.study == 'random_maps')}pictures, got "
            f"{None if frames is None else tuple(frames.shape)}"
        )
    if not config.labelled_steps:
        return
    if labels is None or labels.isnan().any(-1).all():
        raise ValueError("labelled_steps need labelled pictures, got none; set them to 0")
    if labels.shape[1] != config.parts:
        raise ValueError(
            f"the labels name {labels.shape[1]} parts, but parts is {config.parts}; set "
            f"parts={labels.shape[1]}"
        )
    if config.steps and not labels.isnan().any(-1).all(-1).any():
        raise ValueError(
            "every picture is labelled, none is left to learn from without labels; add some, or "
            "set steps=0"
        )
