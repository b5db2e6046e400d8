"""Build a network, fit it, embed tracklets with it, and measure how well people are found.

The one place where settings, data, models and losses meet.  "Training and testing protocols".
"""

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from ssn3d import losses, parallel
from ssn3d.config.reid import RunConfig, nearest
from ssn3d.datasets.clips import Clip
from ssn3d.datasets.tracklets import Split, Tracklet
from ssn3d.evaluation import retrieval
from ssn3d.evaluation.reranking import rerank
from ssn3d.models import AGGREGATORS
from ssn3d.models.backbone import trunk
from ssn3d.models.reid import ReID
from ssn3d.models.ssn import SSN, Parts
from ssn3d.rng import one_thread

from .batches import TrainingBatches, load_clips, test_batches
from .checkpoint import Progress
from .loop import History, OnStep, descend


def build(config: RunConfig) -> ReID:
    """The network that a configuration describes, with weights from torch's global random state.

    Raises:
        ValueError: see `aggregator_named`.
    """
    aggregator = aggregator_named(config.aggregator)
    backbone = trunk(config.backbone, pretrained=config.pretrained)
    settings = {
        "parts": config.parts,
        "window": config.window,
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
    """What joins the frames of a clip, by its name in `models.AGGREGATORS`.

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
    progress: Path | None = None,
    loaders: int | None = None,
    on_step: OnStep | None = None,
) -> tuple[ReID, History]:
    """Train a network on tracklets; under torchrun, together with the other processes.

    Args:
        config: what to train and how.
        train: tracklets of the training people.
        device: where to compute; on a CPU with one thread, so that results do not depend on the
            machine's number of cores.
        progress: a file to save the state in every few seconds, and to go on from if it is there.
        loaders: processes that read frames ahead; see `loading.loaders_for`.
        on_step: told of each step.

    Returns:
        The trained network in evaluation mode, and its history.

    Raises:
        FloatingPointError: see `descend`.
        ValueError: see `loading.TrainingBatches` and `Progress.resume`.
    """
    batches = TrainingBatches(config, train)
    with one_thread(device), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)  # for the weights; all else has streams of its own
        model = build(config).to(device)
        model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.Adam(
            model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.StepLR(
            optimiser, config.decay_every * batches.steps, config.decay
        )
        parallel.join(model, optimiser)
        learner = model
        if config.compiled:  # the trunk alone, where most of the work is
            trunk = torch.compile(model.backbone, dynamic=False)
            learner = ReID(trunk, model.aggregator).to(device)  # type: ignore[arg-type]
        saved = Progress(progress, model, optimiser, schedule) if progress else None
        before = saved.resume() if saved else {}
        clips = batches.after(len(before.get("total", [])), device, loaders)
        history = descend(
            lambda step: loss_terms(config, learner, next(clips)),
            config.epochs * batches.steps,
            optimiser,
            schedule,
            history=before,
            keep=saved.offer if saved and parallel.place() == 0 else None,
            on_step=on_step,
        )
    return model.eval(), history


def loss_terms(config: RunConfig, model: ReID, batch: Clip) -> dict[str, Tensor]:
    """Eq. (6) on one batch.

    Args:
        config: of the run.
        model: in training mode.
        batch: clips as `loading.TrainingBatches` gives them.

    Returns:
        See `losses.objective`.
    """
    with _mixed_precision(config, batch.frames.device):
        supervised = config.strategy == "supervised"
        output = model(batch.frames, batch.points if supervised else None)
        logits, present = None, None
        # Not in the paper: whether L_SSN counts when points stand in for attention.  There is no
        # map to train then, so it does not.
        if output.parts is not None and not supervised:
            logits = rearrange(output.parts.logits, "b t n m -> (b t) n m")
        if logits is not None and config.strategy == "semi-supervised":
            labels = rearrange(batch.labels, "b l n xy -> (b l) n xy")
            frames = rearrange(batch.labelled, "b l c h w -> (b l) c h w")
            ssn: SSN = model.aggregator.ssn  # type: ignore[assignment]
            anchors = ssn.anchor(model.features(frames), labels)
            # without weight sharing each of k classifiers judges every labelled frame: 1/k each
            known = (~labels.isnan().any(-1)).float() / len(anchors)
            known = repeat(known, "f n -> (k f) n", k=len(anchors))
            present = torch.cat([known.new_ones(logits.shape[:2]), known])
            logits = torch.cat([logits, rearrange(anchors, "k f n m -> (k f) n m")])
    # of all processes, if there are several: hard triplets are sought in the whole batch
    return losses.objective(
        parallel.gathered(output.embedding),
        parallel.gathered(torch.as_tensor(batch.person)),
        None if logits is None else parallel.gathered(logits),
        None if present is None else parallel.gathered(present),
        margin=config.margin,
        ssn_weight=config.ssn_weight,
        reduction=config.ssn_reduction,
    )


def embed(
    config: RunConfig,
    model: ReID,
    tracklets: Sequence[Tracklet],
    *,
    device: torch.device | str = "cpu",
    clips_per_batch: int | None = None,
    loaders: int | None = None,
) -> Tensor:
    """One vector a tracklet: the mean over the snippets of its test clips, which cover all frames.

    Under torchrun each process embeds its part of the tracklets, and all get all vectors.

    Args:
        config: of the run.
        model: the trained network.
        tracklets: whom to embed.
        device: where to compute.
        clips_per_batch: see `loading.test_batches`, as is the next.
        loaders: processes that read frames ahead.

    Returns:
        [k d] float32 on the CPU, in the order of `tracklets`.

    Raises:
        ValueError: there are no tracklets, or none of the points that the strategy goes by.
    """
    if not tracklets:
        raise ValueError("embed: expected at least one tracklet, got none")
    _check_points(config, tracklets)
    own = parallel.dealt(tracklets)
    vectors, owners = [torch.empty(0)], []
    with one_thread(device), torch.inference_mode(), _mixed_precision(config, device):
        for batch in test_batches(
            config, own, clips_per_batch=clips_per_batch, device=device, loaders=loaders
        ):
            vectors.append(model(batch.frames, batch.points).embedding.float().cpu())
            owners += batch.owners
    snippets, rows = torch.cat(vectors), torch.tensor(owners, dtype=torch.long)
    totals = snippets.new_zeros(len(own), *snippets.shape[1:]).index_add_(0, rows, snippets)
    return parallel.collected(totals / rows.bincount()[:, None])


def evaluate(
    config: RunConfig,
    model: ReID,
    split: Split,
    *,
    device: torch.device | str = "cpu",
) -> retrieval.Retrieval:
    """How well the people of the query list are found in the gallery.

    Raises:
        ValueError: see `check`.
    """
    return score(config, split, *embed_lists(config, model, split, device=device))


def embed_lists(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Embeddings of the query list [q d] and of the gallery [g d], on the CPU.

    Raises:
        ValueError: see `check`.
    """
    check(config, split)
    tracklets = list({id(t): t for t in (*split.query, *split.gallery)}.values())
    place = {id(tracklet): row for row, tracklet in enumerate(tracklets)}
    vectors = embed(config, model, tracklets, device=device)
    query, gallery = ([place[id(t)] for t in side] for side in (split.query, split.gallery))
    return vectors[query], vectors[gallery]


def score(
    config: RunConfig, split: Split, query: Tensor, gallery: Tensor, *, reranked: bool = False
) -> retrieval.Retrieval:
    """Scores of embeddings from `embed_lists`, as they are or after k-reciprocal re-ranking."""
    distances = None
    if reranked:
        distances = query.new_zeros(len(query), len(gallery))
        kept = torch.tensor([tracklet.person != retrieval.JUNK for tracklet in split.gallery])
        others = len(query) + int(kept.sum()) - 1
        distances[:, kept] = rerank(
            query, gallery[kept], k1=min(20, others), k2=min(6, others), metric=config.metric
        )
    people, cameras = (
        [torch.tensor([getattr(t, field) for t in side]) for side in (split.query, split.gallery)]
        for field in ("person", "camera")
    )
    return retrieval.evaluate(
        query, gallery, *people, *cameras, metric=config.metric, distances=distances
    )


def check(config: RunConfig, split: Split) -> None:
    """Raise what would keep `evaluate` from scoring a split; worth asking before a long training.

    Raises:
        ValueError: no query has a match in the gallery, or the points a strategy needs are missing.
    """
    _check_points(config, (*split.query, *split.gallery))
    alike = torch.zeros(len(split.query), 1), torch.zeros(len(split.gallery), 1)
    score(config, split, *alike)


def find_parts(config: RunConfig, model: ReID, tracklet: Tracklet, indices: Sequence[int]) -> Parts:
    """Where a trained network sees the parts in some frames of a tracklet, taken as one clip.

    Args:
        config: of the run; under the supervised strategy the parts are at the estimated points.
        model: the trained network.
        tracklet: whose frames to look at.
        indices: t frames of it; `clip_frames` of them if the classifier is not shared.

    Returns:
        `Parts` with b = 1, float32.
    """
    return find_parts_of(config, model, [(tracklet, list(indices))])


def find_parts_of(
    config: RunConfig, model: ReID, clips: Sequence[tuple[Tracklet, list[int]]]
) -> Parts:
    """As `find_parts`, in several clips of one length: b of them, on the CPU."""
    device = next(model.parameters()).device
    with one_thread(device), torch.inference_mode():
        frames, points = load_clips(config, clips)
        points = None if points is None else points.to(device)
        parts = model.eval()(frames.to(device), points).parts
    if parts is None:
        raise ValueError(f"the aggregator {config.aggregator!r} knows no parts")
    return Parts(*(field.cpu() for field in parts))


def measure(
    config: RunConfig, model: ReID, split: Split, *, device: torch.device | str = "cpu"
) -> dict[str, Any]:
    """All scores as they are stored, shares in 0..1: each query's too, and those re-ranked.

    Raises:
        ValueError: see `check`.
    """
    vectors = embed_lists(config, model, split, device=device)
    result = score(config, split, *vectors)
    queries = {
        "position": result.queries.tolist(),
        "person": [split.query[row].person for row in result.queries.tolist()],
        "first_rank": result.first_rank.tolist(),
        "ap": [round(value, 6) for value in result.ap.tolist()],
        "shown": result.shown.tolist(),
    }
    reranked = summary(score(config, split, *vectors, reranked=True))
    return {**summary(result), "reranked": reranked, "queries": queries}


def summary(result: retrieval.Retrieval) -> dict[str, float]:
    """Scores over all queries, as shares in 0..1."""
    top = {f"top{k}": float(result.cmc[min(k, len(result.cmc)) - 1]) for k in (1, 5, 10)}
    return top | {
        "mean_ap": result.mean_ap,
        "mean_ap_trapezoid": result.mean_ap_trapezoid,
        "mean_inp": result.mean_inp,
        "skipped": result.skipped,
    }


def _check_points(config: RunConfig, tracklets: Sequence[Tracklet]) -> None:
    missing = sum(tracklet.points is None for tracklet in tracklets)
    if missing and config.strategy == "supervised":
        raise ValueError(
            "the supervised strategy takes parts from body points, also at test time, but "
            f"{missing} of {len(tracklets)} tracklets have none; add them (points.npz), or choose "
            "another strategy"
        )


def _mixed_precision(config: RunConfig, device: torch.device | str) -> torch.autocast:
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=config.precision == "bfloat16"
    )
