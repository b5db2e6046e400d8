"""Networks: a trunk, and the aggregators that are compared on top of it."""

from torch import nn

from .ssn3d import SSN3D

AGGREGATORS: dict[str, type[nn.Module]] = {"ssn3d": SSN3D}
"""Every aggregator by its name in `RunConfig.aggregator`."""
