"""The losses of SSN3D: of the parts (Eq. 4), of the people (Eq. 5), and their sum (Eq. 6)."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor

Reduction = Literal["mean", "sum"]


def ssn_loss(
    logits: Tensor, present: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """Part n must be classified as part n: the cross-entropy against its own index.  Eq. (4).

    Args:
        logits: [f n m] 2nd round score of part n as class m, with as many classes as parts.
        present: [f n] how much each part of each frame counts: bool, or weights in 0..1.
        reduction: over the parts.  "sum" is Eq. (4) as printed, whose chance level is n ln n.
            Not in the paper: "mean", whose chance level ln n does not grow with n otherwise.

    Returns:
        Scalar in nats: with "mean" over all parts present in all frames, with "sum" over the
        frames that have any; 0 if there are none.
    """
    n, m = logits.shape[-2:]
    if n != m:
        raise ValueError(f"ssn_loss: logits must be [f n m] with n = m, got {tuple(logits.shape)}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f'ssn_loss: reduction must be "mean" or "sum", got {reduction!r}')
    if present is None:
        present = logits.new_ones(logits.shape[:2])
    own_class = repeat(torch.arange(n, device=logits.device), "n -> f n", f=len(logits))
    entropy = F.cross_entropy(
        rearrange(logits, "f n m -> f m n").float(), own_class, reduction="none"
    )
    count = present.sum() if reduction == "mean" else present.amax(dim=1).sum()
    return (entropy * present).sum() / count.clamp(min=1e-12)


def batch_hard_triplet(embeddings: Tensor, ids: Tensor, margin: float = 0.3) -> Tensor:
    """Batch-hard triplet loss: all clips of a person must be nearer than those of other people.

    Eq. (5).

    Args:
        embeddings: [b d].
        ids: [b] person of each clip.
        margin: m, by how much nearer, in the distance divided by sqrt(d).

    Returns:
        Scalar, the mean over the b anchors.

    Raises:
        ValueError: the batch has a single person, or a person with a single clip.
    """
    people, counts = ids.unique(return_counts=True)
    if len(people) < 2 or counts.min() < 2:
        raise ValueError(
            "batch_hard_triplet: expected at least two people with at least two clips each, got "
            f"clips per person {dict(zip(people.tolist(), counts.tolist(), strict=True))}; "
            "draw batches with datasets.clips.IdentitySampler"
        )
    embeddings = embeddings.float()
    difference = rearrange(embeddings, "b d -> b 1 d") - rearrange(embeddings, "b d -> 1 b d")
    # equal embeddings have no direction to move in: the floor makes their gradient 0, not NaN
    distance = difference.square().mean(dim=-1).clamp(min=1e-12).sqrt()
    same = ids[:, None] == ids[None, :]
    farthest_same = distance.masked_fill(~same, -torch.inf).amax(dim=1)
    nearest_other = distance.masked_fill(same, torch.inf).amin(dim=1)
    return F.relu(margin + farthest_same - nearest_other).mean()


def objective(
    embeddings: Tensor,
    ids: Tensor,
    logits: Tensor | None = None,
    present: Tensor | None = None,
    own: Tensor | None = None,
    *,
    margin: float,
    ssn_weight: float,
    reduction: Reduction = "mean",
) -> dict[str, Tensor]:
    """L = L_tri + lambda L_SSN.  Eq. (6).

    Args:
        embeddings: [b d], see `batch_hard_triplet`.
        ids: [b], see `batch_hard_triplet`.
        logits: [f n m], see `ssn_loss`; None for methods that learn no parts.
        present: [f n], see `ssn_loss`.
        own: scalar, a loss of the aggregator, added as it is.
        margin: m of Eq. (5).
        ssn_weight: lambda, swept in Figure 3.
        reduction: see `ssn_loss`.

    Returns:
        The terms by name: "triplet", "ssn" if there are logits, "own" if there is such a loss, and
        "total", the one to minimise.
    """
    terms = {"triplet": batch_hard_triplet(embeddings, ids, margin)}
    total = terms["triplet"]
    if logits is not None:
        terms["ssn"] = ssn_loss(logits, present, reduction)
        total = total + ssn_weight * terms["ssn"]
    if own is not None:
        terms["own"] = own
        total = total + own
    return terms | {"total": total}
