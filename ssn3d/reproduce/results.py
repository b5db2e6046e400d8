"""results.json: every number shown, with the runs, data and settings that it comes from."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from ssn3d.atomic import write_file
from ssn3d.runs import Run, store

MANIFEST = "results.json"


def record(
    folder: Path,
    artefact: str,
    *,
    notebook: str,
    scale: str,
    runs: Sequence[Run[Any]],
    numbers: Iterable[dict[str, Any]],
    files: Iterable[Path],
) -> None:
    """Enter a table or figure in the manifest of `folder`, in place of its former entry.

    Args:
        folder: where the results are.
        artefact: such as "table1".
        notebook: that made it, without ending.
        scale: "smoke", "demo" or "paper".
        runs: all runs that its numbers come from; settings that they share are kept once, those
            in which they differ with each run.
        numbers: what it shows, as flat records.
        files: that show it, in `folder`.
    """
    settings = {run.id: asdict(run.config) for run in runs}
    common = {
        name: value
        for name, value in next(iter(settings.values()), {}).items()
        if all(name in one and one[name] == value for one in settings.values())
    }
    entry = {
        "notebook": notebook,
        "scale": scale,
        "settings": common,
        "data": sorted({run.made["data"] for run in runs}),
        "versions": _different(run.made["versions"] for run in runs),
        "numbers": [_without_nan(number) for number in numbers],
        "runs": {
            run.id: {name: value for name, value in settings[run.id].items() if name not in common}
            | {"data": run.made["data"], "device": run.made["device"]}
            | {"seconds": run.made["seconds"]}
            for run in runs
        },
        "sha256": {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        },
    }
    path = folder / MANIFEST
    with FileLock(folder / f".{MANIFEST}.lock"):
        manifest = read(folder)
        manifest[artefact] = entry
        text = json.dumps(dict(sorted(manifest.items())), indent=1, allow_nan=False)
        write_file(path, f"{text}\n".encode())


def read(folder: Path) -> dict[str, Any]:
    """The manifest of `folder`: an entry for each table or figure, {} where there is none yet."""
    path = folder / MANIFEST
    return json.loads(path.read_text()) if path.exists() else {}


def runs_behind(folder: Path, scale: str) -> list[Run[Any]]:
    """All runs in the store that the tables and figures of one scale in `folder` come from."""
    names = {
        name: None
        for artefact, entry in read(folder).items()
        if entry["scale"] == scale and artefact != "claims"  # which come from the others' runs
        for name in entry["runs"]
    }
    found = (store.read(store.store_folder() / name) for name in names)
    return [run for run in found if run]


def _different(things: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({json.dumps(thing): thing for thing in things}.values())


def _without_nan(number: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: what is missing is null."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in number.items()
    }
