"""Self-separated network: it finds n parts in each frame, and each must differ from the others.

Section "Self-Separated Network".
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from .windows import Padding, border, one_hot_maps, pool_windows, windows_at

__all__ = ["SSN", "AttentionClassifier", "Parts", "attention", "pool_windows", "windows_at"]


class Parts(NamedTuple):
    """What the SSN says about every frame of a clip."""

    maps: Tensor
    """[b t n h w] where each part is; sums to 1 over h w (Eq. 2)."""
    features: Tensor
    """[b t n c i j] what each part looks like (Eq. 3)."""
    logits: Tensor | None
    """[b t n m] 2nd round: score of part n as class m, m running over the same parts (Eq. 4); None
    of other networks than the SSN, which have no second round."""


class AttentionClassifier(nn.Module):
    """Classifies which part a window shows, with the same weights in both rounds.

    Section "Attention Classifier", Eq. (1).
    """

    def __init__(
        self,
        channels: int,
        parts: int,
        window: int = 3,
        hidden: int = 512,
        padding: Padding = "same",
    ):
        """channels: c of the features.  window: side of a window in cells, odd.  hidden: K."""
        super().__init__()
        self.to_hidden = nn.Conv2d(channels, hidden, window, padding=border(window, padding))
        self.to_parts = nn.Linear(hidden, parts)

    def first_round(self, features: Tensor) -> Tensor:
        """Classify the window around every cell.  [f c h w] -> logits [f n h w]."""
        hidden = F.relu(self.to_hidden(features))
        return F.conv2d(hidden, self.to_parts.weight[:, :, None, None], self.to_parts.bias)

    def second_round(self, part_features: Tensor) -> Tensor:
        """Classify one window for each part.  [f n c i j] -> logits [f n m]."""
        # (i j c): the order in memory, so that nothing is copied
        windows = rearrange(part_features, "f n c i j -> f n (i j c)")
        weight = rearrange(self.to_hidden.weight, "k c i j -> k (i j c)")
        return self.to_parts(F.relu(F.linear(windows, weight, self.to_hidden.bias)))


def attention(logits: Tensor) -> Tensor:
    """Turn scores into weights: a softmax over all cells, for each part.  Eq. (2).

    Args:
        logits: [f n h w] of the 1st round; no softmax over parts was applied.

    Returns:
        [f n h w], each map summing to 1.
    """
    return rearrange(
        rearrange(logits, "f n h w -> f n (h w)").softmax(dim=-1),
        "f n (h w) -> f n h w",
        h=logits.shape[-2],
    )


class SSN(nn.Module):
    """Finds n parts in every frame.  Figure 2."""

    classifiers: Sequence[AttentionClassifier]

    def __init__(
        self,
        channels: int,
        parts: int,
        window: int = 3,
        hidden: int = 512,
        padding: Padding = "same",
        frames: int | None = None,
    ):
        """Arguments as in `AttentionClassifier`, and one more, which Table 2 compares.

        frames: None shares one classifier over time; a number gives each frame position its own.
        """
        super().__init__()
        self.window, self.padding, self.frames = window, padding, frames
        self.classifiers = nn.ModuleList(  # type: ignore[assignment]
            AttentionClassifier(channels, parts, window, hidden, padding)
            for _ in range(frames or 1)
        )

    def forward(self, features: Tensor, points: Tensor | None = None) -> Parts:
        """Find the parts by attention, or take them at given points.

        Args:
            features: [b t c h w] one feature map a frame.
            points: [b t n 2] as (x, y) in 0..1 bypass the attention (supervised strategy); a part
                whose point is NaN gets an empty map and window.
        """
        t = features.shape[1]
        if self.frames not in (None, t):
            raise ValueError(
                f"SSN has {self.frames} classifiers, one for each frame position, but the clips "
                f"have {t} frames; cut snippets of {self.frames} frames, or share the classifier"
            )
        if self.frames is None:
            return self._find(self.classifiers[0], features, points)
        found = [
            self._find(
                classifier, features[:, i : i + 1], None if points is None else points[:, i : i + 1]
            )
            for i, classifier in enumerate(self.classifiers)
        ]
        return Parts(*(torch.cat(field, dim=1) for field in zip(*found, strict=True)))

    def anchor(self, features: Tensor, points: Tensor) -> Tensor:
        """2nd round of labelled frames, by every classifier there is ("Semi-supervised Training").

        Args:
            features: [f c h w] of labelled frames.
            points: [f n 2] their labels.

        Returns:
            logits [k f n m] for k classifiers: 1 if shared, else one for each frame position.
        """
        windows = windows_at(features, points, self.window, self.padding)
        return torch.stack([classifier.second_round(windows) for classifier in self.classifiers])

    def _find(
        self, classifier: AttentionClassifier, features: Tensor, points: Tensor | None
    ) -> Parts:
        b = len(features)
        features = rearrange(features, "b t c h w -> (b t) c h w")
        if points is None:
            maps = attention(classifier.first_round(features))
            windows = pool_windows(features, maps, self.window, self.padding)
        else:
            points = rearrange(points, "b t n xy -> (b t) n xy")
            maps = one_hot_maps(points, features, self.window, self.padding)
            windows = windows_at(features, points, self.window, self.padding)
        logits = classifier.second_round(windows)
        return Parts(*(rearrange(x, "(b t) ... -> b t ...", b=b) for x in (maps, windows, logits)))
