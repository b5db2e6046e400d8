"""Build a network, fit it, embed tracklets with it, and measure how well people are found.

The one place where settings, data, models and losses meet.  "Training and testing protocols".
"""

from collections.abc import Iterator, Sequence
from inspect import signature
from itertools import groupby, islice
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor, nn
from torch.utils.data import DataLoader

from . import losses, retrieval
from .config import RunConfig, nearest
from .datasets.clips import Clip, Clips, IdentitySampler, chunks, covering_clips, resized_frames
from .datasets.streams import one_thread
from .datasets.tracklets import Split, Tracklet
from .descent import History, OnStep, descend
from .models import AGGREGATORS
from .models.backbone import trunk
from .models.reid import ReID
from .models.ssn import SSN, Parts
from .reranking import rerank

DENSE = {"ilids_vid": (32, 64), "dukemtmc": (64, 64)}
"""Step and span of AP3D's training chunks; MARS trains on its tracklets as they are."""


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
    on_step: OnStep | None = None,
) -> tuple[ReID, History]:
    """Train a network on tracklets.

    Args:
        config: what to train and how.
        train: tracklets of the training people.
        device: where to compute; on a CPU with one thread, so that results do not depend on the
            machine's number of cores.
        on_step: for progress.

    Returns:
        The trained network in evaluation mode, and its history.

    Raises:
        FloatingPointError: see `descend`.
    """
    if config.dense_chunks and config.dataset in DENSE:
        train = [chunk for tracklet in train for chunk in chunks(tracklet, *DENSE[config.dataset])]
    clips = Clips(
        train,
        frames=config.clip_frames,
        stride=config.clip_stride,
        size=(config.height, config.width),
        flip=config.flip,
        points=config.strategy == "supervised",
        labelled=config.labelled_frames if config.strategy == "semi-supervised" else 0,
        labelled_per_clip=config.labelled_per_clip,
    )
    sampler = IdentitySampler(
        [tracklet.person for tracklet in train],
        config.ids_per_batch,
        config.clips_per_id,
        config.seed,
    )
    epoch = config.steps_per_epoch or len(sampler.one_pass(0))
    steps = config.epochs * epoch
    loader = DataLoader(
        clips,
        batch_sampler=sampler,  # type: ignore[arg-type]
        generator=torch.Generator(),  # never needed, but without one the global one is moved
    )
    batches = iter(loader)
    with one_thread(device), torch.random.fork_rng():
        torch.manual_seed(config.seed)  # for the weights; all else has streams of its own
        model = build(config).to(device)
        model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.Adam(
            model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.StepLR(
            optimiser, config.decay_every * epoch, config.decay
        )

        def terms_of(step: int) -> dict[str, Tensor]:
            batch = Clip(*(field.to(device) for field in next(batches)))
            return _loss_terms(config, model, batch)

        history = descend(terms_of, steps, optimiser, schedule, on_step=on_step)
    return model.eval(), history


def _loss_terms(config: RunConfig, model: ReID, batch: Clip) -> dict[str, Tensor]:
    """Eq. (6) on one batch."""
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
    return losses.objective(
        output.embedding,
        torch.as_tensor(batch.person),
        logits,
        present,
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
    clips_per_batch: int = 8,
) -> Tensor:
    """One vector a tracklet: the mean over the snippets of its test clips, which cover all frames.

    No more than `clips_per_batch` clips are in memory at a time, however long a tracklet is.

    Returns:
        [k d] float32 on the CPU, in the order of `tracklets`.

    Raises:
        ValueError: there are no tracklets, or none of the points that the strategy goes by.
    """
    if not tracklets:
        raise ValueError("embed: expected at least one tracklet, got none")
    _check_points(config, tracklets)
    split = config.test_protocol == "split"
    clips = [
        (owner, taken)
        for owner, tracklet in enumerate(tracklets)
        for taken in covering_clips(
            len(tracklet), config.test_frames, multiple=config.clip_frames if split else 1
        )
    ]
    vectors, owners = [], []
    with one_thread(device), torch.inference_mode(), _mixed_precision(config, device):
        for batch in _batched_by_length(clips, clips_per_batch):
            frames, points = _load_clips(
                config, [(tracklets[owner], taken) for owner, taken in batch]
            )
            if split:  # strided snippets, as in training: i, i + 8, i + 16, i + 24 of 32 frames
                pattern, t = "k (t s) ... -> (k s) t ...", config.clip_frames
                frames = rearrange(frames, pattern, t=t)
                points = None if points is None else rearrange(points, pattern, t=t)
            output = model(frames.to(device), points if points is None else points.to(device))
            vectors.append(output.embedding.float().cpu())
            owners += [owner for owner, _ in batch for _ in range(len(frames) // len(batch))]
    snippets, rows = torch.cat(vectors), torch.tensor(owners)
    totals = snippets.new_zeros(len(tracklets), snippets.shape[1]).index_add_(0, rows, snippets)
    return totals / rows.bincount()[:, None]


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
    with one_thread(), torch.inference_mode():
        frames, points = _load_clips(config, [(tracklet, list(indices))])
        parts = model.eval()(frames, points).parts
    if parts is None:
        raise ValueError(f"the aggregator {config.aggregator!r} knows no parts")
    return parts


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


def _batched_by_length(
    clips: list[tuple[int, list[int]]], size: int
) -> Iterator[list[tuple[int, list[int]]]]:
    """Clips with equal numbers of frames, at most `size` together."""
    by_length = sorted(clips, key=lambda clip: len(clip[1]))
    for _, alike in groupby(by_length, key=lambda clip: len(clip[1])):
        while batch := list(islice(alike, size)):
            yield batch


def _load_clips(
    config: RunConfig, clips: Sequence[tuple[Tracklet, list[int]]]
) -> tuple[Tensor, Tensor | None]:
    """Frames [k t 3 H W] of clips of one length, and points [k t n 2] if the strategy has them."""
    size = (config.height, config.width)
    frames = torch.stack([resized_frames(tracklet, taken, size) for tracklet, taken in clips])
    if config.strategy != "supervised":
        return frames, None
    points = [tracklet.points.estimated[taken] for tracklet, taken in clips if tracklet.points]
    return frames, torch.stack(points)


def _mixed_precision(config: RunConfig, device: torch.device | str) -> torch.autocast:
    return torch.autocast(
        torch.device(device).type, torch.bfloat16, enabled=config.precision == "bfloat16"
    )
