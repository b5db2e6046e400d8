"""Build and train a network for person re-identification.  "Training and testing protocols".

Settings, data, models and losses meet only here.
"""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ssn3d import losses
from ssn3d.config import RunConfig
from ssn3d.config.base import nearest
from ssn3d.datasets.clips import Clip
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.models import AGGREGATORS
from ssn3d.models import backbone as backbones
from ssn3d.models.reid import ReID
from ssn3d.rng import one_thread

from . import loop
from .batches import TrainingBatches
from .checkpoint import History
from .loop import OnStep


def build(config: RunConfig) -> ReID:
    """Make the network of a configuration; its weights come from torch's global random state.

    Args:
        config: names backbone and aggregator, and holds their settings.

    Raises:
        ValueError: see `aggregator_named` and `models.backbone.make`.
        ConnectionError: see `models.backbone.make`.
    """
    aggregator = aggregator_named(config.aggregator)
    backbone = backbones.make(
        config.backbone,
        stride=config.stride or (4 if config.backbone == "small" else 16),
        size=(config.height, config.width),
        pretrained=config.pretrained,
    )
    settings = {
        "parts": config.parts,
        "window": config.window,
        "padding": config.padding,
        "hidden": config.hidden,
        "frames": None if config.shared else config.clip_frames,
        "width": config.block_width,
        "block": config.block,
        "embedding": config.embedding,
    }
    wanted = signature(aggregator).parameters  # each names the settings that concern it
    chosen = {name: value for name, value in settings.items() if name in wanted}
    return ReID(backbone, aggregator(backbone.channels, **chosen))


def aggregator_named(name: str) -> type[nn.Module]:
    """The class of an aggregator.

    Args:
        name: its name in `models.AGGREGATORS`.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in AGGREGATORS:
        raise ValueError(
            f"aggregator must be one of {', '.join(AGGREGATORS)}; got {name!r}"
            + nearest(name, AGGREGATORS)
        )
    return AGGREGATORS[name]


def fit(
    config: RunConfig,
    train: Sequence[Tracklet],
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    on_step: OnStep | None = None,
    start: ReID | None = None,
) -> tuple[ReID, History]:
    """Train a network on tracklets.

    Args:
        config: settings of the network and the training.
        train: tracklets of the training people.
        device: where to compute; on a CPU with one thread, so that results do not depend on the
            number of cores.
        checkpoint: see `loop.run`.
        on_step: see `loop.run`.
        start: a network with the same backbone, whose weights the new one's backbone begins with;
            None leaves it the random ones, or ImageNet's.

    Returns:
        The trained network in evaluation mode, and its history.

    Raises:
        FloatingPointError: see `loop.run`.
        ValueError: see `batches.TrainingBatches` and `Checkpoint.resume`.
    """
    batches = TrainingBatches(config, train)
    with one_thread(device):
        model, optimiser = loop.start(build, config, device=device)
        if start is not None:
            model.backbone.load_state_dict(start.backbone.state_dict())
        schedule = torch.optim.lr_scheduler.StepLR(
            optimiser, config.decay_every * batches.steps, config.decay
        )
        history = loop.run(
            lambda batch: loss_terms(config, model, batch),
            lambda taken: batches.after(taken, device),
            config.epochs * batches.steps,
            model,
            optimiser,
            schedule,
            checkpoint=checkpoint,
            on_step=on_step,
        )
    return model.eval(), history


def loss_terms(config: RunConfig, model: ReID, batch: Clip) -> dict[str, Tensor]:
    """Compute the loss of one batch, Eq. (6).

    Args:
        config: settings of the run.
        model: its network, in training mode.
        batch: clips from `batches.TrainingBatches`.

    Returns:
        The loss terms of `losses.objective`.
    """
    with loop.autocast(config.precision, batch.frames.device):
        supervised = config.strategy == "supervised"
        output = model(batch.frames, batch.points if supervised else None)
        logits, present = None, None
        # Not in the paper: the paper does not say whether L_SSN counts when points replace the
        # attention.  Here it does not: there is no map to train.
        if output.parts is not None and output.parts.logits is not None and not supervised:
            logits = rearrange(output.parts.logits, "b t n m -> (b t) n m")
        if logits is not None and config.strategy == "semi-supervised":
            labels = rearrange(batch.labels, "b l n xy -> (b l) n xy")
            frames = rearrange(batch.labelled, "b l c h w -> (b l) c h w")
            anchors = model.anchor(frames, labels)
            # without weight sharing, k classifiers judge every labelled frame: each counts 1/k
            known = (~labels.isnan().any(-1)).float() / len(anchors)
            known = repeat(known, "f n -> (k f) n", k=len(anchors))
            present = torch.cat([known.new_ones(logits.shape[:2]), known])
            logits = torch.cat([logits, rearrange(anchors, "k f n m -> (k f) n m")])
    return losses.objective(
        output.embedding,
        torch.as_tensor(batch.person),
        logits,
        present,
        output.loss,
        margin=config.margin,
        ssn_weight=config.ssn_weight,
        reduction=config.ssn_reduction,
    )
