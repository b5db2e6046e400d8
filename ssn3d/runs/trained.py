"""A trained network in use: load it in one line, embed a tracklet in the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ssn3d.config import RunConfig
from ssn3d.datasets.keypoints import PARTS, Points, by_place
from ssn3d.datasets.tracklets import Tracklet
from ssn3d.models.reid import ReID
from ssn3d.training import inference

from . import store


@dataclass(frozen=True)
class Trained:
    """A network that tells people apart, with the settings of its training."""

    config: RunConfig
    network: ReID
    device: torch.device | str = "cpu"

    def embed(self, frames: Tensor | Sequence[Path], points: Tensor | None = None) -> Tensor:
        """The embedding of a tracklet of any length, by the protocol of the paper.

        Args:
            frames: [t 3 H W] uint8 of any size, or image files, in temporal order.
            points: [t n 2] as (x, y) in 0..1, where the n = 9 parts are, NaN where unknown; for
                networks of the supervised strategy.  Left and right are the person's own; the
                network's settings say whether it takes them so.

        Returns:
            [d] on the CPU; the nearer two embeddings are, the likelier they are of one person.

        Raises:
            ValueError: no frames, frames that are no pictures, or points that are missing or of
                another number than the frames.
        """
        _check(frames, points)
        known = None
        if points is not None:
            known = Points(points, points, points.isfinite().all(dim=-1))
            known = by_place(known) if self.config.sides == "image" else known
        tracklet = Tracklet(frames, person=0, camera=0, points=known)
        return inference.embed(self.config, self.network, [tracklet], device=self.device)[0]


def load(run: str | Path, *, device: torch.device | str = "cpu") -> Trained:
    """Open a trained network.

    Args:
        run: its folder, wherever that was moved to, or its name in the run store.
        device: where to compute.

    Raises:
        FileNotFoundError: there is no such run.
        ValueError: it is damaged, or of a kind that tells no people apart.
    """
    places = [Path(run), store.store_folder() / run]
    found = next((place for place in places if (place / "made.json").exists()), None)
    if found is None:
        raise FileNotFoundError(
            f"no run {str(run)!r}: looked for made.json in {' and '.join(map(str, places))}; "
            "give a run's folder, or its name in the store ($SSN3D_RUNS)"
        )
    opened = store.read(found)
    if opened is None or not isinstance(opened.config, RunConfig):
        raise ValueError(
            f"the run in {found} studies parts alone and embeds nobody; choose a run of ssn3d train"
        )
    return Trained(opened.config, opened.model().to(device), device)


def _check(frames: Tensor | Sequence[Path], points: Tensor | None) -> None:
    if not len(frames):
        raise ValueError("embed: expected the frames of a tracklet, got none")
    if isinstance(frames, Tensor) and (
        frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != torch.uint8
    ):
        raise ValueError(
            f"embed: expected frames [t 3 H W] of uint8, got {tuple(frames.shape)} of "
            f"{frames.dtype}"
        )
    wanted = len(frames), len(PARTS), 2
    if points is not None and points.shape != wanted:
        raise ValueError(
            f"embed: expected points [t n 2] of the shape {wanted}, got {tuple(points.shape)}"
        )
