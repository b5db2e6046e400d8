"""Graph convolution over the stripes of all frames.  ST-GCN: Yang et al., CVPR 2020.

"Spatial-Temporal Graph Convolutional Network for Video-Based Person Re-Identification" (Yang,
Zheng, Yang, Chen and Tian), written from the method, without its text at hand.  Stripes are the
nodes of two kinds of graphs, one over all frames of a clip and one within each frame, whose edges
are learned; whole frames make a third branch.  Unlike there, a softmax makes affinities of the
scores of edges.  Left out: the losses of single branches, as the only loss here is that of clips.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from ssn3d.models.reid import Output


def normalised(affinity: Tensor) -> Tensor:
    """D^-1/2 (A + 1) D^-1/2, with A the affinities as shares; all degrees D of A + 1 are 2.

    Args:
        affinity: [b v v] scores of edges; a softmax over the last axis makes A.
    """
    return (affinity.softmax(dim=-1) + torch.eye(affinity.shape[-1], device=affinity.device)) / 2


def layer(channels: int) -> nn.Module:
    """What a graph convolution does to each node after neighbours were added up.  [... c]."""
    return nn.Sequential(
        nn.Linear(channels, channels, bias=False), nn.LayerNorm(channels), nn.ReLU()
    )


class GraphConv(nn.Module):
    """Layers in which each node receives the features of similar nodes."""

    def __init__(self, channels: int, layers: int = 2):
        """channels: c of a node.  layers: of graph convolution, each with a shortcut."""
        super().__init__()
        self.compared = nn.Linear(channels, channels, bias=False)
        self.layers = nn.ModuleList(layer(channels) for _ in range(layers))

    def edges(self, nodes: Tensor) -> Tensor:
        """[b v c] -> [b v v], see `normalised`."""
        compared = self.compared(nodes)
        return normalised(compared @ compared.mT / nodes.shape[-1] ** 0.5)

    def forward(self, nodes: Tensor) -> Tensor:
        """[b v c] -> [b v c]."""
        edges = self.edges(nodes)
        for one in self.layers:
            nodes = nodes + one(edges @ nodes)
        return nodes


class STGCN(nn.Module):
    """A graph over a clip, one over each frame, and the maximum over space; a linear layer."""

    def __init__(self, channels: int, *, stripes: int = 4, embedding: int = 1024):
        """stripes: of a frame.  embedding: d."""
        super().__init__()
        self.stripes = stripes
        self.over_time, self.over_space = GraphConv(channels), GraphConv(channels)
        self.to_embedding = nn.Linear(3 * channels, embedding)

    def forward(self, features: Tensor, points: Tensor | None = None) -> Output:
        """[b t c h w] -> Output; points are not used."""
        b = len(features)
        nodes = stripes_of(features, self.stripes)  # [b t v c]
        in_time = self.over_time(rearrange(nodes, "b t v c -> b (t v) c"))
        in_space = self.over_space(rearrange(nodes, "b t v c -> (b t) v c"))
        frames = reduce(in_space, "(b t) v c -> b t c", "max", b=b)
        clips = [
            reduce(in_time, "b v c -> b c", "max"),
            reduce(frames, "b t c -> b c", "mean"),
            reduce(reduce(features, "b t c h w -> b t c", "max"), "b t c -> b c", "mean"),
        ]
        return Output(self.to_embedding(torch.cat(clips, dim=1)))


def stripes_of(features: Tensor, count: int) -> Tensor:
    """The maximum over each horizontal stripe.  [b t c h w] -> [b t v c], v = count."""
    frames = rearrange(features, "b t c h w -> (b t) c h w")
    stripes = nn.functional.adaptive_max_pool2d(frames, (count, 1))
    return rearrange(stripes, "(b t) c v 1 -> b t v c", b=len(features))
