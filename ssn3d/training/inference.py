"""A trained network in use: embed tracklets, find parts in their frames, classify windows."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.models.reid import ReID
from ssn3d.models.ssn import Parts
from ssn3d.rng import one_thread

from .batches import check_points, load_clips, test_batches
from .loop import autocast


def embed(
    config: RunConfig,
    model: ReID,
    tracklets: Sequence[Tracklet],
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Embed tracklets: each gets the mean embedding of the snippets that cover its frames.

    Args:
        config: settings of the run.
        model: its trained network, in evaluation mode.
        tracklets: to embed.
        device: where to compute.

    Returns:
        [k d] float32 on the CPU, in the order of `tracklets`.

    Raises:
        ValueError: there are no tracklets, or they lack the points that the strategy needs.
    """
    if not tracklets:
        raise ValueError("embed: expected at least one tracklet, got none")
    check_points(config, tracklets)
    vectors: list[Tensor] = []
    owners: list[int] = []
    with one_thread(device), torch.inference_mode(), autocast(config.precision, device):
        for batch in test_batches(config, tracklets, device=device):
            vectors.append(model(batch.frames, batch.points).embedding.float().cpu())
            owners += batch.owners
    snippets, rows = torch.cat(vectors), torch.tensor(owners)
    totals = snippets.new_zeros(len(tracklets), *snippets.shape[1:]).index_add_(0, rows, snippets)
    return totals / rows.bincount()[:, None]


def find_parts(config: RunConfig, model: ReID, tracklet: Tracklet, indices: Sequence[int]) -> Parts:
    """Find the parts in some frames of a tracklet, taken as one clip.

    Args:
        config: of the run; under the supervised strategy the parts are at the estimated points.
        model: the trained network.
        tracklet: whose frames to look at.
        indices: t frames of it; `clip_frames` of them if the classifier is not shared.

    Returns:
        `Parts` with b = 1, float32.
    """
    parts = find_parts_of(config, model, [(tracklet, list(indices))])
    if parts is None:
        raise ValueError(f"the aggregator {config.aggregator!r} knows no parts")
    return parts


def find_parts_of(
    config: RunConfig, model: ReID, clips: Sequence[tuple[Tracklet, list[int]]]
) -> Parts | None:
    """Find the parts in b clips of equal length, on the CPU; None if the network knows no parts.

    Maps cover the whole frame: where "valid" windows have none at the border, they are 0.

    Args:
        config: see `find_parts`.
        model: see `find_parts`.
        clips: for each clip its tracklet, and the numbers of its frames there.

    Raises:
        ValueError: a tracklet lacks the points that the strategy takes parts from.
    """
    device = next(model.parameters()).device
    with one_thread(device), torch.inference_mode():
        frames, points = load_clips(config, clips)
        points = None if points is None else points.to(device)
        parts = model.eval()(frames.to(device), points).parts
    if parts is None:
        return None
    inside = config.padding == "valid" and parts.logits is not None  # of the SSN alone
    edge = config.window // 2 if inside else 0
    maps = F.pad(parts.maps.cpu(), [edge] * 4)
    return Parts(maps, parts.features.cpu(), None if parts.logits is None else parts.logits.cpu())


def classify_points(
    config: RunConfig, model: ReID, clips: Sequence[tuple[Tracklet, list[int]]], points: Tensor
) -> Tensor | None:
    """2nd round of the windows at given points in b clips, on the CPU.

    Args:
        config: see `find_parts`.
        model: see `find_parts`.
        clips: see `find_parts_of`.
        points: [b t n 2] where to look.

    Returns:
        logits [k b t n m] of k classifiers, see `SSN.anchor`; None if the network has none.
    """
    if not hasattr(model.aggregator, "anchor"):
        return None
    device = next(model.parameters()).device
    with one_thread(device), torch.inference_mode():
        frames, _ = load_clips(config, clips)
        frames, flat = (rearrange(x, "b t ... -> (b t) ...").to(device) for x in (frames, points))
        logits = model.eval().anchor(frames, flat).cpu()
    return rearrange(logits, "k (b t) n m -> k b t n m", b=len(clips))
