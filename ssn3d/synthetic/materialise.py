"""Rendered data sets on disk: written once in the official layout, then read like real ones."""

from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ssn3d.atomic import build_once
from ssn3d.datasets.identity import digest

from .walkers.render import PROFILES, RENDERER_VERSION, Profile, render


def profile_of(
    dataset: str,
    *,
    train_people: int | None = None,
    test_people: int | None = None,
    longest: int | None = None,
    jitter: float | None = None,
    label_noise: float | None = None,
) -> Profile:
    """The profile of a data set, with what is not None changed; `longest` cuts tracklets.

    Tracklets of nobody in particular (distractors, junk) become fewer or more with the test people.
    """
    profile = PROFILES[dataset]
    wanted = {
        "train_people": train_people,
        "test_people": test_people,
        "jitter": jitter,
        "label_noise": label_noise,
    }
    changes: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if test_people is not None:
        share = test_people / profile.test_people
        for name in ("distractors", "junk"):
            changes[name] = round(share * getattr(profile, name) + 0.499)  # one at least, if any
    if longest is not None:
        low, high = profile.lengths
        changes["lengths"] = (min(low, longest), min(high, longest))
    return replace(profile, **changes)


def identity(dataset: str, profile: Profile, *, seed: int, height: int, width: int) -> str:
    """The name of a rendered set: another one for any other setting, seed, size or renderer."""
    return f"{dataset}-{height}x{width}-seed{seed}-{digest([asdict(profile), RENDERER_VERSION])}"


def materialise(
    dataset: str,
    profile: Profile,
    folder: Path,
    *,
    seed: int,
    height: int,
    width: int,
) -> Path:
    """The root of a rendered set below `folder`, rendered and written unless it is there already.

    A set appears whole or not at all, and whoever asks while another process renders it waits.
    """
    name = identity(dataset, profile, seed=seed, height=height, width=width)
    layout = import_module(f"ssn3d.datasets.{dataset}")
    return build_once(
        folder / name,
        lambda draft: layout.write(render(profile, seed=seed, height=height, width=width), draft),
    )
