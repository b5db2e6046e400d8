"""Hypergraphs of similar stripes, at several granularities.  MGH: Yan et al., CVPR 2020.

"Learning Multi-Granular Hypergraphs for Video-Based Person Re-Identification" (Yan, Qin, Chen, Liu,
Zhu, Tai and Shao), written from the method, not from code.  At each granularity, the stripes of all
frames are the nodes of a hypergraph, whose edges join a stripe with the most similar ones.  Left
out: edges of several lengths in time, attention between a node and its edges, and the loss that
makes granularities differ.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output

from .st_gcn import layer, stripes_of


def incidence(nodes: Tensor, size: int) -> Tensor:
    """Which node is in which edge: edge e joins node e and those most similar to it, by cosine.

    Args:
        nodes: [b v c].
        size: of an edge, node e included; at most v.

    Returns:
        [b v e] of 0 and 1, e = v.
    """
    with torch.no_grad():
        directions = F.normalize(nodes.float(), dim=-1)
        similarity = directions @ directions.mT
        similarity.diagonal(dim1=1, dim2=2).fill_(2)  # a node is in its own edge
        members = similarity.topk(size).indices  # [b e k]
        return torch.zeros_like(similarity).scatter_(2, members, 1).mT


def shared(nodes: Tensor, edges: Tensor) -> Tensor:
    """The mean over a node's edges of the mean over their nodes: D_v^-1 H D_e^-1 H^T X.

    Args:
        nodes: X [b v c].
        edges: H [b v e].
    """
    groups = edges.mT @ nodes / edges.sum(dim=1)[..., None]  # [b e c]
    return edges @ groups / edges.sum(dim=2)[..., None]


class MGH(nn.Module):
    """A hypergraph of stripes at each granularity, the mean over nodes, and a linear layer."""

    def __init__(
        self,
        channels: int,
        *,
        stripes: Sequence[int] = (1, 2, 4),
        size: int = 3,
        layers: int = 2,
        embedding: int = 1024,
    ):
        """stripes: of a frame, one number a granularity.  size: nodes in an edge."""
        super().__init__()
        self.stripes, self.size = stripes, size
        self.layers = nn.ModuleList(
            nn.ModuleList(layer(channels) for _ in range(layers)) for _ in stripes
        )
        self.to_embedding = nn.Linear(len(stripes) * channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        clips = []
        for count, layers in zip(self.stripes, self.layers, strict=True):
            nodes = rearrange(stripes_of(features, count), "b t v c -> b (t v) c")
            for one in layers:  # type: ignore[attr-defined]
                edges = incidence(nodes, min(self.size, nodes.shape[1])).to(nodes)
                nodes = nodes + one(shared(nodes, edges))
            clips.append(reduce(nodes, "b v c -> b c", "mean"))
        return Output(self.to_embedding(torch.cat(clips, dim=1)))
