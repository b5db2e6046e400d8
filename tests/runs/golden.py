"""The known results of small runs and pictures.  `python -m tests.runs.golden` writes them anew.

Do so only after raising a `results_version` (ssn3d/runs/experiments.py) or a RENDERER_VERSION.
"""

import json
import tempfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ssn3d import models
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.datasets.images import write_image
from ssn3d.datasets.tracklets import load_frames
from ssn3d.runs import load_or_train
from ssn3d.synthetic import amber, pedestrians
from ssn3d.synthetic.walkers.protocol import PROFILES, plan
from ssn3d.synthetic.walkers.render import place_camera, render_tracklet

FOLDER = Path(__file__).with_name("golden")


def configs() -> dict[str, Settings]:
    """Three steps of every kind of run, in 32 bits."""
    three = {"precision": "float32", "epochs": 3, "decay_every": 2}
    unlabelled = {**three, "strategy": "unsupervised"}
    reid = {
        "mars": {},
        "mars supervised": {"strategy": "supervised"},
        "mars unsupervised": {"strategy": "unsupervised"},
        "mars one classifier a frame": {"shared": False},
        "mars plain blocks": {"block": "plain"},
        "mars full clips": {"test_protocol": "full"},
        "mars own sides from scratch": {"sides": "person", "pretraining_steps": 0},
        "ilids_vid": {},
        "dukemtmc": {},
        **{f"mars {name}": {"aggregator": name, **unlabelled} for name in models.AGGREGATORS},
    }
    alone = {
        "random_maps normal": {},
        "random_maps uniform": {"distribution": "uniform"},
        "amber": {},
        "pedestrians": {"labelled_steps": 2, "steps": 1},
        "pedestrians labels kept": {"labelled_steps": 1, "steps": 2, "keep_labels": True},
    }
    cases: dict[str, Settings] = {
        name: RunConfig.preset("smoke", name.split()[0], **(three | changes))
        for name, changes in reid.items()
    }
    return cases | {
        name: StudyConfig.preset("smoke", name.split()[0], **changes)
        for name, changes in alone.items()
    }


def measured(config: Settings) -> dict[str, list[float]]:
    """The losses of each step, and the scores in the end."""
    run = load_or_train(config)
    scores = {name: value for name, value in run.metrics.items() if isinstance(value, float)}
    if isinstance(config, RunConfig):
        scores["reranked"] = run.metrics["reranked"]["mean_ap"]
        scores |= {"pck": parts["pck"]} if (parts := run.metrics["parts"]) else {}
    return {**run.history, "scores": [scores[name] for name in sorted(scores)]}


def picture(renderer: str) -> Tensor:
    """A small picture of a renderer, uint8 [3 h w]."""
    size = {"height": 64, "width": 32}
    if renderer == "amber":
        return amber.paint(0, height=48, width=64)
    if renderer == "pedestrians":
        return pedestrians.render_people(1, length=1, seed=0, **size).frames[0, 0]
    profile = PROFILES[renderer]
    walk = plan(profile, seed=0)[0]
    camera = place_camera(profile, walk.camera, seed=0, height=64)
    tracklet = render_tracklet(profile, walk, camera, seed=0, **size)
    return load_frames(tracklet, [0])[0]


PICTURES = ("mars", "ilids_vid", "dukemtmc", "pedestrians", "amber")


def main() -> None:
    """Write what is measured now."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSN3D_DATA", folder)
        patch.setenv("SSN3D_RUNS", f"{folder}/runs")
        torch.set_num_threads(1)
        losses = {name: measured(config) for name, config in configs().items()}
    (FOLDER / "losses.json").write_text(json.dumps(losses, indent=1) + "\n")
    for renderer in PICTURES:
        write_image(picture(renderer), FOLDER / f"{renderer}.png")


if __name__ == "__main__":
    main()
