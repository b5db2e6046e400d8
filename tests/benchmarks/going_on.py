"""Why going on without labels costs accuracy in Figure 4, and how not to pay.

    python -m tests.benchmarks.going_on

An SSN that has learned from labelled pictures alone goes on with unlabelled ones in several ways,
on pedestrians and seeds that no figure has.  going_on.md, beside this file, is what came out.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from einops import rearrange

from ssn3d import data
from ssn3d.config import StudyConfig
from ssn3d.config.ssn_only import IMAGENET
from ssn3d.evaluation import part_metrics
from ssn3d.evaluation.ssn_only import pedestrian_metrics
from ssn3d.losses import ssn_loss
from ssn3d.models.reid import PartFinder
from ssn3d.paper import tables
from ssn3d.rng import one_thread
from ssn3d.synthetic.pedestrians import Pedestrians
from ssn3d.training import loop, ssn_only

SEEDS = (100, 101, 102)
BACKBONES = {"small": {}, "ImageNet": IMAGENET}
WAYS: dict[str, dict[str, Any]] = {
    "as in Figure 4": {},
    "a tenth of the rate": {"rate": 0.1},
    "statistics of batch normalisation kept": {"keep": "statistics"},
    "backbone kept": {"keep": "weights"},
}


def main() -> None:
    """Train, measure, and write going_on.md."""
    with one_thread():
        rows = pd.DataFrame(row for name in BACKBONES for seed in SEEDS for row in one(name, seed))
    shown = rows.groupby(["backbone", "then without labels"], sort=False).mean().round(1)
    text = (
        "# Going on without labels, in Figure 4\n\n"
        f"Percent, means over the seeds {', '.join(map(str, SEEDS))}, pedestrians of seed 7.\n\n"
        f"{tables.markdown(shown)}\n"
    )
    Path(__file__).with_suffix(".md").write_text(text)
    print(text)


def one(backbone: str, seed: int) -> Iterator[dict[str, Any]]:
    """The measures of one network, before and after going on in each way."""
    config = StudyConfig.preset(
        "demo", "pedestrians", data_seed=7, seed=seed, **BACKBONES[backbone]
    )
    pictures = data.pictures_of(config)
    assert isinstance(pictures, Pedestrians)
    network, _ = ssn_only.fit(replace(config, steps=0), pictures.frames, pictures.labels)
    row = {"backbone": backbone}
    yield row | {"then without labels": "not at all"} | measures(config, network, pictures)
    for way, how in WAYS.items():
        gone = go_on(config, copy.deepcopy(network), pictures, **how)
        yield row | {"then without labels": way} | measures(config, gone, pictures)


def go_on(
    config: StudyConfig, network: PartFinder, pictures: Pedestrians, rate: float = 1, keep: str = ""
) -> PartFinder:
    """Take the steps without labels.

    Args:
        config: of the run.
        network: changed in place.
        pictures: those without labels are learned from.
        rate: times the configured learning rate.
        keep: "statistics" of the backbone's batch normalisation, or its "weights" too.
    """
    network.train()
    if keep:
        network.backbone.eval()
    network.backbone.requires_grad_(keep != "weights")
    optimiser = torch.optim.Adam(
        network.parameters(), config.learning_rate * rate, weight_decay=config.weight_decay
    )
    frames = pictures.frames[pictures.labels.isnan().all(-1).all(-1)]
    for step in range(config.labelled_steps + 1, config.labelled_steps + config.steps + 1):
        batch = ssn_only._batch(config, step, frames)
        with loop.autocast(config.precision, "cpu"):
            loss = ssn_loss(ssn_only._attended(network, batch), None)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def measures(config: StudyConfig, network: PartFinder, pictures: Pedestrians) -> dict[str, float]:
    """On pictures without labels: PCK, attention at the border, and what the 2nd round knows."""
    unlabelled = pictures.labels.isnan().all(-1).all(-1)
    frames, truth = pictures.frames[unlabelled], pictures.truth[unlabelled]
    found = ssn_only.find_parts(network, frames)
    with torch.inference_mode():
        [at_truth] = network.ssn.anchor(network.features(frames), truth)
    own = rearrange(found.logits, "k 1 n m -> k n m")
    right = torch.arange(config.parts)
    return {
        "PCK": 100 * pedestrian_metrics(config, network, pictures)["pck"],
        "at the border": 100 * part_metrics.at_border(found.maps[:, 0]).mean().item(),
        "2nd round right on its own windows": 100 * (own.argmax(-1) == right).float().mean().item(),
        "at true points": 100
        * (at_truth.argmax(-1) == right)[~truth.isnan().any(-1)].float().mean().item(),
    }


if __name__ == "__main__":
    main()
