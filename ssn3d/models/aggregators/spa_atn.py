"""Parts are attention maps that a loss keeps apart.  SpaAtn: Li, Bak, Carr and Wang, CVPR 2018.

"Diversity Regularized Spatiotemporal Attention for Video-Based Person Re-identification", written
from the method, not from code.  SSN3D sets itself against it: there a divergence between maps makes
parts distinct ("KL-divergence", says SSN3D; it is the Hellinger distance), here a second
classification does.  Left out: their enhancement of part features (in an appendix that we have not
seen), and their identification loss; unlike there, one linear layer makes the embedding.  The loss
has weight 1, as in their code, which takes the norm itself where this takes its square.
"""

import torch
from einops import einsum, rearrange
from torch import Tensor, nn

from ssn3d.models.reid import Output
from ssn3d.models.ssn import Parts


def diversity_loss(logits: Tensor) -> Tensor:
    """How much maps overlap: the squared Frobenius norm of R R^T - 1, R the roots of the maps.

    An entry of R R^T is 1 - H^2, H the Hellinger distance of two maps: 0 if they share no cell, 1
    if they are the same.

    Args:
        logits: [f n h w] of the maps, before the softmax over cells.

    Returns:
        Scalar, the mean over frames, from 0 to n (n - 1).
    """
    cells = rearrange(logits.float(), "f n h w -> f n (h w)")
    roots = (cells.log_softmax(dim=-1) / 2).exp()  # the root itself has no gradient at 0
    overlap = einsum(roots, roots, "f n hw, f m hw -> f n m")
    return (overlap - torch.eye(cells.shape[1], device=cells.device)).square().sum((1, 2)).mean()


class SpaAtn(nn.Module):
    """Some spatial attention maps, for each part a weighted mean over frames, a linear layer."""

    def __init__(self, channels: int, *, parts: int = 9, hidden: int = 512, embedding: int = 1024):
        """parts: n maps.  hidden: of the perceptron that scores cells, a part.  embedding: d."""
        super().__init__()
        # w'_n max(W_n x + b_n, 0) at every cell; b'_n would be lost in the softmax
        self.score = nn.Sequential(
            nn.Conv2d(channels, parts * hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(parts * hidden, parts, 1, groups=parts, bias=False),
        )
        self.temporal = nn.Parameter(
            torch.zeros(parts, channels)
        )  # even weights over time at first
        self.to_embedding = nn.Linear(parts * channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output with parts and the loss of diversity; points are not used."""
        t, h = features.shape[1], features.shape[3]
        logits = self.score(rearrange(features, "b t c h w -> (b t) c h w"))
        maps = rearrange(logits, "f n h w -> f n (h w)").softmax(dim=-1)
        maps = rearrange(maps, "(b t) n (h w) -> b t n h w", t=t, h=h)
        seen = einsum(maps, features, "b t n h w, b t c h w -> b t n c")
        weights = einsum(self.temporal, seen, "n c, b t n c -> b t n").softmax(dim=1)
        clips = einsum(weights, seen, "b t n, b t n c -> b n c")
        embedding = self.to_embedding(rearrange(clips, "b n c -> b (n c)"))
        parts = Parts(maps, rearrange(seen, "b t n c -> b t n c 1 1"), None)
        return Output(embedding, parts, diversity_loss(logits))
