"""How far an embedding moves when the person is shifted within the frame."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.clips import resized_frames
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.models.reid import ReID
from ssn3d.rng import one_thread


def shifted(clips: Tensor, pixels: int) -> Tensor:
    """Shift every other frame to the right and repeat its left border.

    Args:
        clips: [b t 3 H W].
        pixels: how far, 0 to W - 1.

    Returns:
        [b t 3 H W], a copy.
    """
    if not 0 <= pixels < clips.shape[-1]:
        raise ValueError(f"pixels must be 0 to {clips.shape[-1] - 1}, got {pixels}")
    columns = (torch.arange(clips.shape[-1]) - pixels).clamp(min=0)
    moved = clips.clone()
    moved[:, 1::2] = clips[:, 1::2, :, :, columns]
    return moved


def displacement(
    config: RunConfig, model: ReID, tracklets: Sequence[Tracklet], cells: Sequence[int]
) -> list[float]:
    """How far embeddings move when every other frame of a clip is shifted.

    Args:
        config: of the run.
        model: trained, on the CPU; not of the supervised strategy, whose windows would stay behind.
        tracklets: one clip of each person is used, from the first tracklet that fills a clip.
        cells: by how many cells of the feature map to shift.

    Returns:
        For each shift the distance that the embedding moves, as a share of its distance to the
        nearest other person, mean over people.

    Raises:
        ValueError: fewer than two people have a tracklet that fills a clip.
    """
    long = [tracklet for tracklet in tracklets if len(tracklet) >= config.clip_frames]
    people = list({tracklet.person: tracklet for tracklet in reversed(long)}.values())
    if len(people) < 2:
        raise ValueError(
            f"expected two people with a tracklet of {config.clip_frames} frames at least, got "
            f"{len(people)}"
        )
    size = (config.height, config.width)
    taken = [
        [i * (len(one) // config.clip_frames) for i in range(config.clip_frames)] for one in people
    ]
    clips = torch.stack([resized_frames(*pair, size) for pair in zip(people, taken, strict=True)])
    with one_thread(), torch.inference_mode():
        cell = config.width // model.features(clips[0]).shape[-1]  # pixels
        still = model(clips).embedding
        apart = torch.cdist(still, still).fill_diagonal_(torch.inf).amin(dim=1)
        moved = (model(shifted(clips, count * cell)).embedding for count in cells)
        return [float(((one - still).norm(dim=1) / apart).mean()) for one in moved]


def crossings(one: Mapping[float, float], other: Mapping[float, float]) -> list[float]:
    """Where two lines cross or touch.  Each is straight between neighbouring points.

    Args:
        one: y at each x.
        other: y at the same x.

    Returns:
        x of all crossings, in rising order.
    """
    places = sorted(one)
    gaps = [one[place] - other[place] for place in places]
    found = [place for place, gap in zip(places, gaps, strict=True) if gap == 0]
    for start, end, before, after in zip(places, places[1:], gaps, gaps[1:], strict=False):
        if before * after < 0:
            found.append(start + (end - start) * before / (before - after))
    return sorted(found)
