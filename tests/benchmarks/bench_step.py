"""A training step of SSN3D against its backbone alone, forward and backward, at paper scale."""

import torch
from einops import rearrange
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ssn3d import losses
from ssn3d.config import RunConfig
from ssn3d.models.reid import ReID
from ssn3d.training.reid import build
from tests.benchmarks.harness import Work, race, start, verdict

PEOPLE, EACH = 2, 2
"""People in a batch and clips of each: four clips of four frames."""
CONFIG = RunConfig.preset("paper", "mars", pretrained=False, strategy="unsupervised")


def network() -> ReID:
    """Random weights, in training mode, the backbone's laid out as in training."""
    torch.manual_seed(0)
    model = build(CONFIG).train()
    model.backbone.to(memory_format=torch.channels_last)
    return model


def batch() -> tuple[Tensor, Tensor]:
    """Clips [b t 3 H W] and who they show [b]."""
    people = torch.arange(PEOPLE).repeat_interleave(EACH)
    clips = torch.zeros(len(people), CONFIG.clip_frames, 3, CONFIG.height, CONFIG.width)
    return clips.uniform_(), people


def whole(model: ReID, clips: Tensor, people: Tensor) -> None:
    """Eq. (6) and its gradients."""
    output = model(clips)
    logits = rearrange(output.parts.logits, "b t n m -> (b t) n m")
    weights = {"ssn_weight": CONFIG.ssn_weight, "reduction": CONFIG.ssn_reduction}
    terms = losses.objective(output.embedding, people, logits, margin=CONFIG.margin, **weights)
    terms["total"].backward()


def without_loss(model: ReID, clips: Tensor) -> None:
    """As `whole`, but for the losses, which multiply no matrices."""
    output = model(clips)
    (output.embedding.sum() + output.parts.logits.sum()).backward()


def backbone_alone(model: ReID, clips: Tensor) -> None:
    """The gradients of its weights, from the sum of the features."""
    model.features(rearrange(clips, "b t ... -> (b t) ...")).sum().backward()


def pieces(model: ReID, clips: Tensor) -> dict[str, Work]:
    """Each piece of the aggregator, forward and backward, on what the one before it gives."""
    aggregator = model.aggregator
    with torch.no_grad():
        features = model.features(rearrange(clips, "b t ... -> (b t) ..."))
        features = rearrange(features, "(b t) ... -> b t ...", b=len(clips))
        windows = aggregator.ssn(features).features
        vectors = rearrange(aggregator.part_conv(windows), "b n d -> b (n d)")

    def ssn() -> None:
        parts = aggregator.ssn(features.requires_grad_())
        (parts.features.sum() + parts.logits.square().sum()).backward()

    return {
        "SSN": ssn,
        "part convolutions": lambda: (
            aggregator.part_conv(windows.requires_grad_()).square().sum().backward()
        ),
        "fusion": lambda: aggregator.fusion(vectors.requires_grad_()).sum().backward(),
    }


def multiplications(work: Work) -> int:
    """Of matrix products and convolutions, counted without computing."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops() // 2


def main() -> None:
    frames = PEOPLE * EACH * CONFIG.clip_frames
    start(f"a step of SSN3D, {frames} frames of {CONFIG.height} x {CONFIG.width}, ResNet-50")
    with torch.device("meta"):
        model, (clips, _) = network(), batch()
        alone = multiplications(lambda: backbone_alone(model, clips))
        ratio = multiplications(lambda: without_loss(model, clips)) / alone
        line = f"multiplications of the backbone: {alone / 1e9:.0f} billion"
        verdict(line, [ratio] * 3, "as many", at_most=1.35)
        for name, work in pieces(model, clips).items():
            print(f"  {name}: {multiplications(work) / alone:.3f} of the backbone's")
    model, (clips, people) = network(), batch()
    for precision in (torch.float32, torch.bfloat16):

        def cast(work: Work, precision: torch.dtype = precision) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision != torch.float32):
                work()

        race(
            f"{precision}, step against backbone",
            lambda: cast(lambda: whole(model, clips, people)),
            lambda: cast(lambda: backbone_alone(model, clips)),
            rounds=5,
            cost=1.35,
        )
        with torch.autocast("cpu", torch.bfloat16, enabled=precision != torch.float32):
            works = pieces(model, clips)
        for name, work in works.items():
            race(
                f"  {name} against backbone",
                lambda work=work: cast(work),
                lambda: cast(lambda: backbone_alone(model, clips)),
                rounds=3,
            )


if __name__ == "__main__":
    main()
