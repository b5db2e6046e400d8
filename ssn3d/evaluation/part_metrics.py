"""How well parts are found: accurate, stable, distinct, not confused.  Section "Study on SSN".

Not in the paper, which wants parts "distinct within a frame and stable across multiple frames" and
finds unsupervised ones not "as stable or accurate" as semi-supervised ones by looking at pictures.

Axis letters: f frames, p people, t frames of one tracklet, n parts, m points, h w rows and columns
of a map.  Points are (x, y) in 0..1 of the frame, NaN where unknown; `found` is where parts were
found and `truth` where they are.  Distances are in frame heights: differences in x are multiplied
by `aspect`, the frame's width / height.  Maps are weights >= 0 of any sum, such as Eq. (2) gives.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from einops import pack, rearrange, unpack
from scipy.optimize import linear_sum_assignment
from torch import Tensor

PCK_THRESHOLD = 0.1
"""How far from its point a correct part may be, in frame heights."""
PERSON_ASPECT = 0.5
"""Width / height of a person's frame, in which re-identification measures, whatever the pixels."""


class Spread(NamedTuple):
    """How much found - truth varies, in frame heights; see `spread`."""

    frames: Tensor
    """[n] between the frames of a person."""
    people: Tensor
    """[n] between people."""


def locate(maps: Tensor) -> Tensor:
    """Where each part is: the heaviest cell of its map, moved to the weighted mean of 3 x 3 cells.

    At the border only the cells that exist count, so a blurred peak there moves inwards, by up to
    half a cell.  Where several cells are equally heavy, their mean place is taken; the first of
    them would favour the top left.  So an even map gives the middle of the frame, and a map with
    two equal peaks gives the middle between them.  Such a place is only a guess; `extent` shows
    which maps are even.

    Args:
        maps: [... n h w] whose cells cover the whole frame; maps made with "valid" padding first
            need their border back (`F.pad` with zeros).

    Returns:
        [... n 2], the centre of cell (i, j) being ((j + 0.5) / w, (i + 0.5) / h); NaN if all is 0.
    """
    _expect(maps.ndim > 2 and 0 not in maps.shape[-2:], "maps [... n h w] with cells", maps)
    weights, leading = pack([_weights(maps)], "* h w")
    weights = weights / weights.amax(dim=(1, 2), keepdim=True)  # NaN where all is 0
    h, w = maps.shape[-2:]
    x = (torch.arange(w, device=maps.device) + 0.5) / w
    y = (torch.arange(h, device=maps.device) + 0.5) / h
    moments = torch.stack((weights, weights * x, weights * y[:, None]), dim=1)
    moments = F.avg_pool2d(moments, 3, stride=1, padding=1)
    means = moments[:, 1:] / moments[:, :1]
    heaviest = (weights == 1)[:, None]
    found = means.where(heaviest, 0.0).sum(dim=(2, 3)) / heaviest.sum(dim=(2, 3))
    return unpack(found, leading, "* xy")[0]


def distances(found: Tensor, truth: Tensor, aspect: float) -> Tensor:
    """How far each part was found from its true point, in frame heights.

    Args:
        found: [... n 2].
        truth: [... n 2].
        aspect: width / height of the frame.

    Returns:
        [... n]; NaN where the true point is unknown, infinite where it is known but was not found.
    """
    remedy = "pick parts with assign, repeat one guess for all frames with expand_as(truth)"
    _expect(found.shape == truth.shape, f"found and truth [... n 2] ({remedy})", found, truth)
    return _distances(found, truth, aspect)


def pck(found: Tensor, truth: Tensor, *, aspect: float, threshold: float = PCK_THRESHOLD) -> Tensor:
    """Accuracy: the percentage of correct key points (PCK) of each part, as a share in 0..1.

    The share of the frames with a known point n where part n is within `threshold` of it; a part
    that was not found there is wrong.  After Yang and Ramanan, "Articulated Human Detection with
    Flexible Mixtures of Parts", TPAMI 2013, who measure in max(h, w) of the box around the
    person's parts; here the height of the frame, an upright crop of a person, stands for that.

    Args:
        found: [f n 2].
        truth: [f n 2].
        aspect: width / height of the frame.
        threshold: how far a correct part may be, in frame heights, inclusive.

    Returns:
        [n]; NaN for a part whose true point is never known.
    """
    _expect(found.ndim == 3, "found [f n 2] (flatten clips to f)", found)
    distance = distances(found, truth, aspect)
    return (distance <= threshold).sum(dim=0) / (~distance.isnan()).sum(dim=0)


def accuracy(found: Tensor, truth: Tensor, *, aspect: float) -> dict[str, Any]:
    """`pck` as a run stores it: "pck", the mean over parts, and "pck_parts", of each part.

    Args:
        found: [f n 2].
        truth: [f n 2].
        aspect: width / height of the frame.
    """
    parts = pck(found, truth, aspect=aspect)
    return {"pck": parts.nanmean().item(), "pck_parts": parts.tolist()}


def centre_prior(labels: Tensor) -> Tensor:
    """Mean labelled place of each part: a guess that ignores the picture.

    Args:
        labels: [k n 2] of k frames, not those that are measured.

    Returns:
        [n 2], for `pck(centre_prior(labels).expand_as(truth), ...)`; NaN if never labelled.
    """
    _expect(labels.ndim == 3 and labels.shape[-1] == 2, "labels [k n 2]", labels)
    return labels.where(_known(labels)[..., None], torch.nan).nanmean(dim=0)


def assign(found: Tensor, truth: Tensor, *, aspect: float) -> Tensor:
    """Assign one part to each point, with the least sum of mean distances.

    cost_mn = mean over the frames where point m is known of min(distance_fmn, frame diagonal): a
    part that was not found is as far away as possible.  It is for parts learned without labels,
    whose order means nothing.  Assign on some frames and measure on others: the best of all
    assignments on the measured frames flatters parts that found nothing.

    Args:
        found: [f n 2].
        truth: [f m 2] with m <= n.
        aspect: width / height of the frame.

    Returns:
        [m] indices of parts, for `found[:, assign(...)]`; a point that is never known takes one
        that the others leave.
    """
    same_frames = found.ndim == truth.ndim == 3 and len(found) == len(truth)
    _expect(same_frames, "found [f n 2] and truth [f m 2] of the same frames", found, truth)
    n, m = found.shape[1], truth.shape[1]
    _expect(n >= m, "at least as many parts as points (leave points out)", found, truth)
    parts, points = rearrange(found, "f n xy -> f 1 n xy"), rearrange(truth, "f m xy -> f m 1 xy")
    diagonal = (1 + aspect**2) ** 0.5
    cost = _distances(parts, points, aspect).clamp(max=diagonal).nanmean(dim=0)  # [m n]
    _, chosen = linear_sum_assignment(cost.nan_to_num(0.0).cpu().numpy())
    return torch.from_numpy(chosen).to(found.device)


def spread(found: Tensor, truth: Tensor, *, aspect: float) -> Spread:
    """Stability: how much the offset found - truth varies; 0 if it is always the same.

    With offsets o_pt in the T_p frames of person p where both points are known, and their mean o_p:
        frames^2 = sum_pt |o_pt - o_p|^2 / sum_p (T_p - 1)
        people^2 = sum_p |o_p - mean_p o_p|^2 / (people - 1)
    A person with a single such frame does not count in `frames`.  In `people` each person has the
    same weight, and the noise of their means is included: frames^2 / T of people^2 if all T_p = T
    and frames are independent.  Frames where a part was not found are left out: read it beside
    `pck`.  Compare it with the spread of a part that never moves, which is that of its point.

    Args:
        found: [p t n 2], one tracklet a person, shorter ones filled up with NaN.
        truth: [p t n 2].
        aspect: width / height of the frame.

    Returns:
        NaN in `frames` if no person has two frames, in `people` if fewer than two have one.
    """
    same_shape = found.ndim == 4 and found.shape == truth.shape
    _expect(same_shape, "found and truth [p t n 2] (fill up with NaN)", found, truth)
    offsets = _offsets(found, truth, aspect)
    frames = _known(offsets).sum(dim=1)  # [p n]
    means = offsets.nanmean(dim=1)  # [p n 2]
    in_person = (offsets - means[:, None]).square().sum(dim=-1)  # [p t n]
    of_person = (means - means.nanmean(dim=0)).square().sum(dim=-1)  # [p n]
    return Spread(
        frames=(in_person.nansum(dim=(0, 1)) / (frames - 1).clamp(min=0).sum(dim=0)).sqrt(),
        people=(of_person.nansum(dim=0) / ((frames > 0).sum(dim=0) - 1).clamp(min=0)).sqrt(),
    )


def mean_spread(found: Tensor, truth: Tensor, *, aspect: float) -> dict[str, float]:
    """`spread` as a run stores it: the means over parts of "frames" and "people".

    Args:
        found: [p t n 2].
        truth: [p t n 2].
        aspect: width / height of the frame.
    """
    parts = spread(found, truth, aspect=aspect)._asdict()
    return {name: values.nanmean().item() for name, values in parts.items()}


def overlap(maps: Tensor) -> Tensor:
    """How much the maps of two parts overlap: sum_hw min(map_n, map_m), mean over frames.

    Args:
        maps: [f n h w]; each is divided by its sum first.

    Returns:
        [n n] symmetric, 0 for disjoint and 1 for equal maps.  Frames where one of the two maps is
        all 0 do not count; NaN if there is none left.
    """
    shares = _shares(maps)
    # for shares, sum min(a, b) = 1 - sum |a - b| / 2, which needs no [f n n hw]
    return (1 - torch.cdist(shares, shares, p=1) / 2).clamp(min=0).nanmean(dim=0)


def distinctness(maps: Tensor) -> float:
    """1 - the mean `overlap` of two different parts: 1 if all are disjoint, 0 if all are the same.

    Args:
        maps: [f n h w].

    Returns:
        NaN if no two parts have maps in one frame.
    """
    overlaps = overlap(maps)
    others = ~torch.eye(len(overlaps), dtype=torch.bool, device=maps.device)
    return 1 - overlaps[others].nanmean().item()


def extent(maps: Tensor) -> Tensor:
    """Share of the frame that a part covers: exp(entropy) of its map / (h w), mean over frames.

    exp(entropy) is the number of cells in an even patch of that entropy.

    Args:
        maps: [f n h w]; each is divided by its sum first.

    Returns:
        [n] from 1 / (h w) for a single cell to 1 for an even map, which overlaps little with peaked
        ones yet means nothing.  Frames where the map is all 0 do not count; NaN if there is none.
    """
    shares = _shares(maps)
    return (torch.special.entr(shares).sum(dim=-1).exp() / shares.shape[-1]).nanmean(dim=0)


def at_border(maps: Tensor) -> Tensor:
    """Share of a part's map that lies in the outermost cells, mean over frames.

    Args:
        maps: [f n h w]; each is divided by its sum first.

    Returns:
        [n]; an even map has the outermost cells' share of all cells.  Frames where the map is all 0
        do not count; NaN if there is none left.
    """
    h, w = maps.shape[-2:]
    outermost = torch.ones(h, w, device=maps.device)
    outermost[1:-1, 1:-1] = 0
    return (_shares(maps) * outermost.flatten()).sum(dim=-1).nanmean(dim=0)


def confusion(logits: Tensor, known: Tensor) -> Tensor:
    """Which part the attention classifier takes the window at each true point for, in shares.

    Parts of equal scores share the window evenly: a classifier that cannot tell two parts apart
    takes half of them for the other one.

    Args:
        logits: [k ... n m] scores of k classifiers for the window at point n as part m.
        known: [... n] bool, whether the place of point n is known.

    Returns:
        [n m], each row summing to 1; NaN for a point that is never known.
    """
    same = logits.shape[1:-1] == known.shape
    _expect(same, "logits [k ... n m] and known [... n]", logits, known)
    best = (logits == logits.amax(dim=-1, keepdim=True)).float()
    best = (best / best.sum(dim=-1, keepdim=True)).mean(dim=0) * known[..., None]
    count = rearrange(known, "... n -> (...) n").sum(dim=0)
    return rearrange(best, "... n m -> (...) n m").sum(dim=0) / count[:, None]


def _expect(fulfilled: bool, expected: str, *got: Tensor) -> None:
    if not fulfilled:
        shapes = " and ".join(str(tuple(tensor.shape)) for tensor in got)
        raise ValueError(f"expected {expected}, got {shapes}")


def _known(points: Tensor) -> Tensor:
    return points.isfinite().all(dim=-1)


def _offsets(found: Tensor, truth: Tensor, aspect: float) -> Tensor:
    """Found - truth in frame heights, both coordinates NaN where either point is unknown."""
    pairs = found.shape[-1:] == truth.shape[-1:] == (2,)
    _expect(pairs, "points (x, y) along the last axis", found, truth)
    if not 0 < aspect < torch.inf:
        raise ValueError(f"aspect: expected width / height > 0 of the frame, got {aspect}")
    offsets = (found.float() - truth.float()) * torch.tensor([aspect, 1.0], device=found.device)
    return offsets.where(_known(offsets)[..., None], torch.nan)


def _distances(found: Tensor, truth: Tensor, aspect: float) -> Tensor:
    distance = torch.linalg.vector_norm(_offsets(found, truth, aspect), dim=-1)
    return distance.masked_fill(_known(truth) & ~_known(found), torch.inf)


def _weights(maps: Tensor) -> Tensor:
    if not bool(((maps >= 0) & maps.isfinite()).all()):
        raise ValueError("maps: expected finite weights >= 0, got others; give Eq. (2), not logits")
    return maps.float()


def _shares(maps: Tensor) -> Tensor:
    """Each map [f n h w] divided by its sum, as [f n hw]; NaN where all is 0."""
    _expect(maps.ndim == 4, "maps [f n h w] (flatten clips to f)", maps)
    shares = rearrange(_weights(maps), "f n h w -> f n (h w)")
    return shares / shares.sum(dim=-1, keepdim=True)
