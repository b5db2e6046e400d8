"""What a method costs: weights, operations, clips a second while training, memory."""

import resource
from dataclasses import replace
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from ssn3d.config import RunConfig
from ssn3d.training import reid as train


class Cost(NamedTuple):
    """Of a network."""

    weights: int
    """Of trunk and aggregator."""
    aggregator: int
    """Of the aggregator alone."""
    operations: int
    """To embed one clip: multiplications and additions of matrix products and convolutions."""


def count(config: RunConfig) -> Cost:
    """Count without computing: no weight is ever made, and none is fetched."""
    with torch.device("meta"):
        network = train.build(replace(config, pretrained=False)).eval()
        clip = torch.zeros(1, config.clip_frames, 3, config.height, config.width)
        points = torch.zeros(1, config.clip_frames, config.parts, 2)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(clip, points if config.strategy == "supervised" else None)
    weights, aggregator = (
        sum(weight.numel() for weight in part.parameters())
        for part in (network, network.aggregator)
    )
    return Cost(weights, aggregator, counter.get_total_flops())


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has needed at most, of the device's own memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
