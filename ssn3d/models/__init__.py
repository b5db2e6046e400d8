"""Networks: a backbone, and the aggregators that are compared on top of it."""

from .aggregators import AGGREGATORS

__all__ = ["AGGREGATORS"]
