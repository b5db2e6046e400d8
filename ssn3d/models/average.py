"""Every frame counts the same.  TriNet: Hermans, Beyer and Leibe, arXiv 1703.07737, 2017.

"In Defense of the Triplet Loss for Person Re-Identification" averages the embeddings of a
tracklet's frames and needs no loss but the triplet loss.  Unlike there, one linear layer makes the
embedding, where they have two with normalisation between, and training is on clips, not on single
frames.
"""

from einops import reduce
from torch import Tensor, nn

from .reid import Output


class Average(nn.Module):
    """The mean over space and time, and a linear layer."""

    def __init__(self, channels: int, *, embedding: int = 1024):
        """channels: c of the features.  embedding: d."""
        super().__init__()
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        return Output(self.to_embedding(reduce(features, "b t c h w -> b c", "mean")), None)
