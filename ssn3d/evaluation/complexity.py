"""What a method costs: parameters, FLOPs and memory."""

import resource
from dataclasses import replace
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from ssn3d.config import RunConfig
from ssn3d.training.reid import build


class Cost(NamedTuple):
    """Size of a network, and the computation for one clip."""

    parameters: int
    """Of backbone and aggregator."""
    aggregator: int
    """Parameters of the aggregator alone."""
    flops: int
    """To embed one clip: multiplications and additions of matrix products and convolutions."""


def count(config: RunConfig) -> Cost:
    """Count the parameters and FLOPs of a run's network.

    Only shapes are needed: no parameter is made or fetched, and nothing is computed.

    Args:
        config: of the run.
    """
    with torch.device("meta"):
        network = build(replace(config, pretrained=False)).eval()
        clip = torch.zeros(1, config.clip_frames, 3, config.height, config.width)
        points = torch.zeros(1, config.clip_frames, config.parts, 2)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(clip, points if config.strategy == "supervised" else None)
    parameters, aggregator = (
        sum(parameter.numel() for parameter in part.parameters())
        for part in (network, network.aggregator)
    )
    return Cost(parameters, aggregator, counter.get_total_flops())


def peak_memory(device: torch.device) -> int:
    """The most memory that this process has used at one time, in bytes.

    Args:
        device: whose memory: that of a GPU, or for a CPU that of the machine.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
