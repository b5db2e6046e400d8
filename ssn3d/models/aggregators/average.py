"""The mean over frames.  TriNet: Hermans, Beyer and Leibe, arXiv 1703.07737, 2017.

"In Defense of the Triplet Loss for Person Re-Identification" averages the embeddings of a
tracklet's frames and needs no loss but the triplet loss.  Unlike there, one linear layer makes the
embedding (they have two, with normalisation between), and training is on clips, not on single
frames.

Every aggregator of whole frames, but those that weigh cells, pools the cells of a frame by their
maximum, as AP3D's authors do for all methods that they compare.  In trials at demo scale, on
rendered MARS, none of them left the plateau of the triplet loss with the mean; no run in the store
shows that.
"""

from einops import reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output


class Average(nn.Module):
    """The maximum over space, the mean over time, and a linear layer."""

    def __init__(self, channels: int, *, embedding: int = 1024):
        """channels: c of the features.  embedding: d."""
        super().__init__()
        self.to_embedding = nn.Linear(channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        frames = reduce(features, "b t c h w -> b t c", "max")
        return Output(self.to_embedding(reduce(frames, "b t c -> b c", "mean")), None)
