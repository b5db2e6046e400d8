"""The methods that are compared: SSN3D and the baselines, all with the same backbone."""

from collections.abc import Mapping

from ssn3d.models import AGGREGATORS

TITLES = {
    "average": "average pooling",
    "temporal_attention": "temporal attention",
    "recurrent": "recurrent",
    "stripes": "stripes + 3D",
    "conv3d": "3D convolution",
    "non_local": "non-local",
    "ap3d": "AP3D",
    "spa_atn": "SpaAtn",
    "mg_rafa": "MG-RAFA",
    "st_gcn": "ST-GCN",
    "mgh": "MGH",
}
"""How aggregators are written in tables and figures; others go by their names."""
OURS = "SSN3D"


def methods() -> dict[str, Mapping[str, str]]:
    """What each method changes of the settings of a run, under its title.

    SSN3D comes twice: with its two labelled frames in each tracklet, and without labels, like the
    baselines. The baselines are all other registered aggregators.
    """
    baselines = {TITLES.get(name, name): baseline(name) for name in AGGREGATORS if name != "ssn3d"}
    return {OURS: {}, f"{OURS}, no labels": {"strategy": "unsupervised"}, **baselines}


def baseline(aggregator: str) -> dict[str, str]:
    """What a baseline changes of the settings of a run: it can make no use of labels."""
    return {"aggregator": aggregator, "strategy": "unsupervised"}
