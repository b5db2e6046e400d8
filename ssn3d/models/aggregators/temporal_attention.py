"""A weighted mean over frames, where good frames count more.  QAN: Liu, Yan and Ouyang, CVPR 2017.

"Quality Aware Network for Set to Set Recognition" predicts from each frame's own features how much
to trust it.  Later temporal attention, such as STAN's (Li, Bak, Carr and Wang, CVPR 2018), weighs
parts of frames in the same way.  Unlike in QAN, the quality is predicted from the features that are
weighted, and the triplet loss of clips is the only loss.
"""

import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from einops.layers.torch import Reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output


def frame_weights(scores: Tensor) -> Tensor:
    """Weight of each frame in its clip: its quality, a sigmoid, over the sum of all qualities.

    Args:
        scores: [b t] logits of the quality.

    Returns:
        [b t], each clip summing to 1.
    """
    return F.logsigmoid(scores).softmax(dim=1)  # no division by a sum that may vanish


class TemporalAttention(nn.Module):
    """The maximum over space, a weighted mean over time, and a linear layer."""

    def __init__(self, channels: int, *, window: int = 3, hidden: int = 512, embedding: int = 1024):
        """window, hidden: side and number of the filters that judge quality.  embedding: d."""
        super().__init__()
        self.quality = nn.Sequential(
            nn.Conv2d(channels, hidden, window, padding=window // 2),
            nn.ReLU(inplace=True),
            Reduce("f c h w -> f c", "mean"),
            nn.Linear(hidden, 1),
        )
        self.to_embedding = nn.Linear(channels, embedding)

    def weights(self, features: Tensor) -> Tensor:
        """How much each frame counts.  [b t c h w] -> [b t]."""
        scores = self.quality(rearrange(features, "b t c h w -> (b t) c h w"))  # [f 1]
        return frame_weights(rearrange(scores, "(b t) 1 -> b t", b=len(features)))

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        frames = reduce(features, "b t c h w -> b t c", "max")
        clips = einsum(self.weights(features), frames, "b t, b t c -> b c")
        return Output(self.to_embedding(clips), None)
