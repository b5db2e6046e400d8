"""The methods that are compared: SSN3D, and each rival in its place on the same backbone."""

from collections.abc import Mapping
from typing import Any

from ssn3d.models import AGGREGATORS

TITLES = {
    "average": "average pooling",
    "temporal_attention": "temporal attention",
    "recurrent": "recurrent",
    "stripes": "stripes + 3D",
    "conv3d": "3D convolution",
    "non_local": "non-local",
    "ap3d": "AP3D",
}
"""How aggregators are written in tables and figures; others go by their names."""
OURS = "SSN3D"


def methods() -> dict[str, Mapping[str, Any]]:
    """What each method changes of the settings of a run, under its title.

    SSN3D learns from two labelled frames a tracklet, which no rival can make use of; so it comes
    without labels too.  Every other aggregator that is registered follows.
    """
    rivals = {
        TITLES.get(name, name): {"aggregator": name, "strategy": "unsupervised"}
        for name in AGGREGATORS
        if name != "ssn3d"
    }
    return {OURS: {}, f"{OURS}, no labels": {"strategy": "unsupervised"}, **rivals}
