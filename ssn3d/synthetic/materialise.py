"""Rendered data sets on disk: each is named after its settings and written once."""

import json
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ssn3d.atomic import build_once
from ssn3d.datasets.identity import digest


class RenderedSet(NamedTuple):
    """A data set that can be rendered."""

    name: str
    """Stands for all its pixels: other settings, or another renderer, have another name."""
    write: Callable[[Path], None]
    """Renders it into an empty folder."""


def rendered_set(
    kind: str,
    write: Callable[..., None],
    version: object,
    *,
    seed: int,
    height: int,
    width: int,
    **settings: Any,
) -> RenderedSet:
    """Describe a data set without rendering it.

    Args:
        kind: the first word of its name.
        write: called as `write(folder, seed=..., height=..., width=..., **settings)`.
        version: of the renderer, and all else that `write` depends on.
        seed: of the data set.
        height: of the frames in pixels.
        width: of the frames in pixels.
        settings: the other arguments of `write`, made of JSON's types and dataclasses.
    """
    decisive = json.loads(json.dumps([settings, version], default=_changed))
    name = f"{kind}-{height}x{width}-seed{seed}-{digest(decisive)}"
    return RenderedSet(name, partial(write, seed=seed, height=height, width=width, **settings))


def materialise(wanted: RenderedSet, folder: Path) -> Path:
    """The root of a data set below `folder`, rendered unless it is there already.

    It appears whole or not at all. A process that asks while another one renders it waits.
    """
    return build_once(folder / wanted.name, wanted.write)


def _changed(settings: Any) -> dict[str, Any]:
    """The fields that are not at their defaults, so a field added later renames no data set."""
    values = ((field, getattr(settings, field.name)) for field in fields(settings))
    return {field.name: value for field, value in values if value != field.default}
