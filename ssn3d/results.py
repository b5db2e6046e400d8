"""results.json: every published number with the runs, data, scale, seeds and protocol it comes from."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from .store import Run

MANIFEST = "results.json"
PROTOCOL = ("test_protocol", "test_frames", "clip_frames", "metric")


def record(
    folder: Path,
    artefact: str,
    *,
    notebook: str,
    scale: str,
    runs: Sequence[Run],
    numbers: Iterable[dict[str, Any]],
    files: Iterable[Path],
) -> None:
    """Enter a table or figure in the manifest of `folder`, in place of what stood there under its name.

    Args:
        folder: where the results are.
        artefact: such as "table1".
        notebook: that made it, without ending.
        scale: "smoke", "demo" or "paper".
        runs: all runs that its numbers come from.
        numbers: what it shows, as flat records.
        files: that show it, in `folder`.
    """
    entry = {
        "notebook": notebook,
        "scale": scale,
        "source": sorted({run.config.source for run in runs}),
        "data": {run.config.dataset: run.made["data"] for run in runs},
        "seeds": sorted({run.config.seed for run in runs}),
        "protocol": {
            name: sorted({getattr(run.config, name) for run in runs}) for name in PROTOCOL
        },
        "versions": {json.dumps(run.made["versions"]): run.made["versions"] for run in runs},
        "numbers": list(numbers),
        "runs": {
            run.id: {
                "dataset": run.config.dataset,
                "strategy": run.config.strategy,
                "seed": run.config.seed,
                "device": run.made["device"],
                "seconds": run.made["seconds"],
            }
            for run in runs
        },
        "sha256": {
            file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        },
    }
    entry["versions"] = list(entry["versions"].values())  # type: ignore[attr-defined]
    path = folder / MANIFEST
    with FileLock(folder / f".{MANIFEST}.lock"):
        manifest = json.loads(path.read_text()) if path.exists() else {}
        manifest[artefact] = entry
        handle, draft = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "w") as file:
            json.dump(dict(sorted(manifest.items())), file, indent=1, default=str)
            file.write("\n")
        os.replace(draft, path)
