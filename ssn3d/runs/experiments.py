"""The kinds of runs there are, and what the run store must know of each."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ssn3d import data, study_data
from ssn3d.config import RunConfig, Settings, StudyConfig
from ssn3d.evaluation import reid_parts as part_metrics
from ssn3d.evaluation import ssn_only as study_metrics
from ssn3d.synthetic.pedestrians import Pedestrians
from ssn3d.training import reid as train
from ssn3d.training import ssn_only as study
from ssn3d.training.loop import History, OnStep


class Made(NamedTuple):
    """What comes out of making a run."""

    network: nn.Module
    history: History
    metrics: dict[str, Any]
    seconds: dict[str, float]
    """Of training and of testing."""


class Recipe(NamedTuple):
    """How one kind of run is made and opened again."""

    config: type[Settings]
    build: Callable[[Any], nn.Module]
    """The untrained network."""
    make: Callable[[Any, torch.device | str, Path | None, OnStep | None], Made]
    """From a configuration, on a device, its progress saved in a file."""
    identity_of: Callable[[Any], str]
    """Names the data that a run sees."""
    is_ready: Callable[[Any], bool]
    """Whether the data is there without rendering it."""
    prepare: Callable[[Any], object]
    """Renders the data if need be."""
    results_version: int
    """Raise it when a change to the code moves the numbers of such runs: they get new names then,
    and are made anew.  tests/runs/test_golden.py notices such a change."""
    words: Callable[[Any], str]
    """What the run is, for its name."""
    steps: Callable[[Any], int]
    """Of training: how much work it is."""


def make_reid(
    config: RunConfig, device: torch.device | str, progress: Path | None, on_step: OnStep | None
) -> Made:
    """Train and test a network that tells people apart; see `train`."""
    split = data.split_of(config)
    train.check(config, split)
    started = time.perf_counter()
    network, history = train.fit(
        config, split.train, device=device, progress=progress, on_step=on_step
    )
    trained = time.perf_counter()
    metrics = train.measure(config, network, split, device=device)
    metrics["parts"] = part_metrics.measure(config, network, split.query)
    return Made(network, history, metrics, _seconds(started, trained))


def make_study(
    config: StudyConfig, device: torch.device | str, progress: Path | None, on_step: OnStep | None
) -> Made:
    """Train and measure an SSN alone; see `study`."""
    material = study_data.material_of(config)
    labels = material.labels if isinstance(material, Pedestrians) else None
    started = time.perf_counter()
    frames = material and material.frames
    network, history = study.fit(
        config, frames, labels, device=device, progress=progress, on_step=on_step
    )
    trained = time.perf_counter()
    metrics = study_metrics.measure(config, network.cpu(), material, history)
    return Made(network, history, metrics, _seconds(started, trained))


def reid_words(config: RunConfig) -> str:
    """Such as "mars-ssn3d-semi-supervised-seed0".

    Raises:
        ValueError: see `train.aggregator_named`.
    """
    train.aggregator_named(config.aggregator)
    return f"{config.dataset}-{config.aggregator}-{config.strategy}-seed{config.seed}"


def study_words(config: StudyConfig) -> str:
    """Such as "random_maps-normal-n3-seed0"."""
    kind = config.distribution if config.study == "random_maps" else config.strategy
    return f"{config.study}-{kind}-n{config.parts}-seed{config.seed}"


RECIPES = {
    "reid": Recipe(
        config=RunConfig,
        build=train.build,
        make=make_reid,
        identity_of=data.identity_of,
        is_ready=data.is_ready,
        prepare=data.prepare,
        results_version=1,
        words=reid_words,
        steps=lambda config: config.epochs * (config.steps_per_epoch or 200),
    ),
    "ssn_only": Recipe(
        config=StudyConfig,
        build=study.build,
        make=make_study,
        identity_of=study_data.identity_of,
        is_ready=study_data.is_ready,
        prepare=study_data.root_of,
        results_version=1,
        words=study_words,
        steps=lambda config: config.labelled_steps + config.steps,
    ),
}
"""Every kind of run, under the name that its folder in the store bears."""


def kind_of(config: Settings) -> str:
    """Which kind of run a configuration describes."""
    return next(name for name, recipe in RECIPES.items() if isinstance(config, recipe.config))


def recipe_of(config: Settings) -> Recipe:
    """How to make the run that a configuration describes."""
    return RECIPES[kind_of(config)]


def _seconds(started: float, trained: float) -> dict[str, float]:
    return {
        "train": round(trained - started, 2),
        "test": round(time.perf_counter() - trained, 2),
    }
