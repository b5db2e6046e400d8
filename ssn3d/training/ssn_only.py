"""Build, train and use the SSN alone, without people to tell apart.  Section "Study on SSN"."""

from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from ssn3d.config import StudyConfig
from ssn3d.losses import ssn_loss
from ssn3d.models.backbone import ResNetTrunk, SmallTrunk
from ssn3d.models.reid import PartFinder
from ssn3d.models.ssn import SSN, Parts
from ssn3d.rng import one_thread, stream
from ssn3d.synthetic import random_maps

from .checkpoint import Progress
from .loop import History, OnStep, descend


def build(config: StudyConfig) -> PartFinder:
    """The network that a configuration describes, with weights from torch's global random state."""
    backbone: nn.Module = nn.Identity()
    channels = config.channels if config.study == "random_maps" else 3
    if config.backbone == "small":
        backbone, channels = SmallTrunk((16, 32, 64, 128), strides=(2, 2, 2, 1)), 128
    elif config.backbone == "resnet34":
        backbone, channels = ResNetTrunk("resnet34", 3, config.pretrained), 128
    ssn = SSN(channels, config.parts, config.window, config.hidden, config.padding)
    return PartFinder(backbone, ssn)


def fit(
    config: StudyConfig,
    frames: Tensor | None = None,
    labels: Tensor | None = None,
    *,
    device: torch.device | str = "cpu",
    progress: Path | None = None,
    on_step: OnStep | None = None,
) -> tuple[PartFinder, History]:
    """Train an SSN: on labelled pictures first if the strategy says so, then without labels.

    Args:
        config: what to train and how.
        frames: [k 3 H W] uint8 pictures; None for random maps, which are drawn.
        labels: [k n 2] as (x, y) in 0..1, NaN where not labelled; for labelled steps.
        device: where to compute; on a CPU with one thread.
        progress: a file to save the state in every few seconds, and to go on from if it is there.
        on_step: told of each step.

    Returns:
        The trained network in evaluation mode, and its history.

    Raises:
        FloatingPointError: see `descend`.
        ValueError: the labels do not fit the parts, or there are none to begin with.
    """
    _check(config, frames, labels)
    with one_thread(device), torch.random.fork_rng():
        torch.manual_seed(config.seed)  # for the weights; all else has streams of its own
        network = build(config).to(device)
        network.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.Adam(
            network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )

        def terms_of(step: int) -> dict[str, Tensor]:
            with _mixed_precision(config, device):
                loss = ssn_loss(*_second_round(config, network, frames, labels, step, device))
            return {"ssn": loss, "total": loss}

        saved = Progress(progress, network, optimiser) if progress else None
        history = descend(
            terms_of,
            config.labelled_steps + config.steps,
            optimiser,
            history=saved.resume() if saved else None,
            keep=saved.offer if saved else None,
            on_step=on_step,
        )
    return network.eval(), history


def find_parts(network: PartFinder, frames: Tensor, *, at_once: int = 16) -> Parts:
    """Where a trained network sees its parts.

    Args:
        network: in evaluation mode, on the CPU.
        frames: [k 3 H W] uint8.
        at_once: how many are in memory as float.

    Returns:
        `Parts` with b = k and t = 1, float32.
    """
    with one_thread(), torch.inference_mode():
        looks = [network(some) for some in frames.split(at_once)]
    return Parts(*(torch.cat(field) for field in zip(*looks, strict=True)))


def _second_round(
    config: StudyConfig,
    network: PartFinder,
    frames: Tensor | None,
    labels: Tensor | None,
    step: int,
    device: torch.device | str,
) -> tuple[Tensor, Tensor | None]:
    """Scores [f n m] of the parts that a step learns from, and which of them count [f n]."""
    if frames is None:
        size = (config.channels, config.height, config.width)
        maps = random_maps.draw(
            config.distribution, config.batch, step, seed=config.seed, size=size
        )
        return rearrange(network.in_maps(maps.to(device)).logits, "b 1 n m -> b n m"), None

    if labels is None or not config.labelled_steps:
        return _attended(network, _batch(config, step, frames).to(device)), None
    known = ~labels.isnan().all(-1).all(-1)
    looks = []
    if step > config.labelled_steps:
        logits = _attended(network, _batch(config, step, frames[~known]).to(device))
        looks.append((logits, torch.ones_like(logits[..., 0])))
    if step <= config.labelled_steps or config.keep_labels:
        points = _batch(config, step, labels[known]).to(device)
        features = network.features(_batch(config, step, frames[known]).to(device))
        [logits] = network.ssn.anchor(features, points)
        looks.append((logits, (~points.isnan().any(-1)).to(logits)))
    every, present = (torch.cat(both) for both in zip(*looks, strict=True))
    return every, present


def _attended(network: PartFinder, frames: Tensor) -> Tensor:
    return rearrange(network(frames).logits, "b 1 n m -> b n m")


def _batch(config: StudyConfig, step: int, rows: Tensor) -> Tensor:
    """What a step looks at [batch ...] of rows [k ...]: pass after pass, each in another order."""
    first, count = (step - 1) * config.batch, len(rows)
    orders = {
        turn: torch.randperm(count, generator=stream("study", config.seed, count, turn))
        for turn in range(first // count, (first + config.batch - 1) // count + 1)
    }
    wanted = range(first, first + config.batch)
    return rows[[int(orders[place // count][place % count]) for place in wanted]]


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
            "every picture is labelled, none is left to learn from without labels; set steps=0"
        )


def _mixed_precision(config: StudyConfig, device: torch.device | str) -> torch.autocast:
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=config.precision == "bfloat16"
    )
