"""The two kinds of runs, and how each is named, made and opened again."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ssn3d import data
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.config.reid import pretraining
from ssn3d.evaluation import reid as reid_evaluation
from ssn3d.evaluation import ssn_only as ssn_evaluation
from ssn3d.models.reid import ReID
from ssn3d.synthetic.pedestrians import Pedestrians
from ssn3d.training import reid as reid_training
from ssn3d.training import ssn_only as ssn_training
from ssn3d.training.checkpoint import History
from ssn3d.training.loop import OnStep


class Result(NamedTuple):
    """What comes out of an experiment."""

    network: nn.Module
    history: History
    metrics: dict[str, Any]
    seconds: dict[str, float]
    """Of training and of testing."""


class Experiment(NamedTuple):
    """One kind of run: how it is made and opened again."""

    config: type[Settings]
    results_version: int
    """Raise it when a change to the code moves the numbers of such runs: they get new names then,
    and are made anew.  tests/runs/test_golden.py notices such a change."""
    words: Callable[[Any], str]
    """What the run is, in words; a part of its name."""
    build: Callable[[Any], nn.Module]
    """The untrained network."""
    starts_from: Callable[[Any], Settings | None]
    """The run whose backbone it begins with, or None; see `config.reid.pretraining`."""
    make: Callable[[Any, torch.device | str, Path | None, OnStep | None, Any], Result]
    """Makes the run of a configuration: see `make_reid`."""
    steps: Callable[[Any], int]
    """Training steps: about how much work a run is."""


def make_reid(
    config: RunConfig,
    device: torch.device | str,
    checkpoint: Path | None,
    on_step: OnStep | None,
    start: ReID | None = None,
) -> Result:
    """Train and test a network that tells people apart.

    Args:
        config: the run.
        device: where to compute.
        checkpoint: a file from which the training resumes, and to which it is saved; or None.
        on_step: see `loop.run`.
        start: the network of the run that it starts from; None where there is none.

    Returns:
        The trained network, its losses and its scores.
    """
    split = data.split_of(config)
    reid_evaluation.check(config, split)
    started = time.perf_counter()
    network, history = reid_training.fit(
        config,
        split.train,
        device=device,
        checkpoint=checkpoint,
        on_step=on_step,
        start=start,
    )
    trained = time.perf_counter()
    metrics = reid_evaluation.measure(config, network, split, device=device)
    return Result(network, history, metrics, _seconds(started, trained))


def make_ssn_only(
    config: StudyConfig,
    device: torch.device | str,
    checkpoint: Path | None,
    on_step: OnStep | None,
    start: None = None,
) -> Result:
    """Train and measure an SSN alone, as Figures 4 to 6 do.

    Args:
        config: the run.
        device: see `make_reid`.
        checkpoint: see `make_reid`.
        on_step: see `make_reid`.
        start: None, as no such run starts from another.

    Returns:
        The trained network, its losses and its measures.
    """
    pictures = data.pictures_of(config)
    labels = pictures.labels if isinstance(pictures, Pedestrians) else None
    started = time.perf_counter()
    network, history = ssn_training.fit(
        config,
        pictures and pictures.frames,
        labels,
        device=device,
        checkpoint=checkpoint,
        on_step=on_step,
    )
    trained = time.perf_counter()
    metrics = ssn_evaluation.measure(config, network.cpu(), pictures, history)
    return Result(network, history, metrics, _seconds(started, trained))


def reid_words(config: RunConfig) -> str:
    """What a run is, in words: "mars-ssn3d-semi-supervised-seed0".

    Raises:
        ValueError: see `training.reid.aggregator_named`.
    """
    reid_training.aggregator_named(config.aggregator)
    return f"{config.dataset}-{config.aggregator}-{config.strategy}-seed{config.seed}"


def ssn_only_words(config: StudyConfig) -> str:
    """What a run of an SSN alone is, in words: "random_maps-normal-n3-seed0"."""
    kind = config.distribution if config.study == "random_maps" else config.strategy
    return f"{config.study}-{kind}-n{config.parts}-seed{config.seed}"


EXPERIMENTS = {
    "reid": Experiment(
        config=RunConfig,
        results_version=3,
        words=reid_words,
        build=reid_training.build,
        starts_from=pretraining,
        make=make_reid,
        steps=lambda config: config.epochs * (config.steps_per_epoch or 200),
    ),
    "ssn_only": Experiment(
        config=StudyConfig,
        results_version=2,
        words=ssn_only_words,
        build=ssn_training.build,
        starts_from=lambda config: None,
        make=make_ssn_only,
        steps=lambda config: config.labelled_steps + config.steps,
    ),
}
"""Every kind of run, under the name that its folder in the store begins with."""


def kind_of(config: Settings) -> str:
    """Which kind of run a configuration describes."""
    return next(name for name, kind in EXPERIMENTS.items() if isinstance(config, kind.config))


def experiment_of(config: Settings) -> Experiment:
    """How to make the run that a configuration describes."""
    return EXPERIMENTS[kind_of(config)]


def _seconds(started: float, trained: float) -> dict[str, float]:
    return {
        "train": round(trained - started, 2),
        "test": round(time.perf_counter() - trained, 2),
    }
