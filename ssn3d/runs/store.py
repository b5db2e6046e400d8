"""Runs on disk: a folder each, which appears whole or not at all."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

from safetensors.torch import load, save
from torch import nn

from ssn3d.atomic import atomic_folder
from ssn3d.config import RunConfig, Settings
from ssn3d.data import data_folder
from ssn3d.training.checkpoint import History

from .experiments import EXPERIMENTS, experiment_of

TEXTS = ("config.json", "history.json", "metrics.json")
WEIGHTS, CARD = "weights.safetensors", "README.md"


Config = TypeVar("Config", bound=Settings)


@dataclass(frozen=True)
class Run(Generic[Config]):
    """A finished run."""

    folder: Path
    config: Config
    history: History
    metrics: dict[str, Any]
    """See `measure` of `evaluation.reid` and `evaluation.ssn_only`."""
    made: dict[str, Any]
    """Provenance: data, commit, versions, device, seconds, digests."""

    @property
    def id(self) -> str:
        """The run's name in the store."""
        return self.folder.name

    def model(self) -> Any:
        """The trained network (`ReID` or `PartFinder`), in evaluation mode, on the CPU.

        Raises:
            ValueError: the weights on disk are not those that were written.
        """
        stored = (self.folder / WEIGHTS).read_bytes()
        if _sha256(stored) != self.made["sha256"][WEIGHTS]:
            raise ValueError(
                f"{self.folder / WEIGHTS} was damaged since it was written; delete the folder "
                "and the run will be trained again"
            )
        untrained = replace(self.config, pretrained=False)  # type: ignore[call-arg]
        network = experiment_of(self.config).build(untrained)
        network.load_state_dict(load(stored))
        return network.eval()


def store_folder() -> Path:
    """Where runs live: $SSN3D_RUNS, or runs/ in the data folder."""
    return Path(os.environ.get("SSN3D_RUNS") or data_folder() / "runs").resolve()


def names() -> set[str]:
    """The names of all runs in the store, whole or damaged."""
    return {folder.name for folder in store_folder().glob("[!.]*/")}


def check_writable() -> None:
    """Raise, before any long work, if no run can be kept in the store; make its folder.

    Raises:
        OSError: its folder cannot be made or written to.
    """
    folder = store_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(
            f"expected a folder for runs that can be written to, got {folder} ({error.strerror}); "
            "make it writable, or set SSN3D_RUNS to a folder of your own, with a copy of the runs "
            "that are to be found"
        ) from None


def read(folder: Path) -> Run[Any] | None:
    """Read the run in a folder.  Its weights are read, and checked, by `Run.model`.

    Args:
        folder: of the run, wherever it lies.

    Returns:
        The run, or None if there is no such folder.

    Raises:
        ValueError: there is one, but a file of it is missing or not as it was written.
    """
    if not folder.exists():
        return None
    try:
        made = json.loads((folder / "made.json").read_bytes())
        if made.pop("seal", "") != _sha256(_json(made)):
            raise ValueError("the seal of made.json is broken")
        texts = {name: (folder / name).read_bytes() for name in TEXTS}
        if not (folder / WEIGHTS).exists():  # their digest is for `Run.model` to check
            raise ValueError(f"{WEIGHTS} is missing")
        if any(_sha256(text) != made["sha256"][name] for name, text in texts.items()):
            raise ValueError("digests differ")
        return Run(
            folder,
            EXPERIMENTS[made["kind"]].config(**json.loads(texts["config.json"])),
            json.loads(texts["history.json"]),
            json.loads(texts["metrics.json"]),
            made,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{folder} holds a damaged run ({error!r})") from None


def write(
    folder: Path,
    config: Settings,
    network: nn.Module,
    history: History,
    metrics: dict[str, Any],
    made: dict[str, Any],
) -> None:
    """Write a finished run into a folder, whole or not at all.

    Args:
        folder: replaced if it is there, as a damaged run may be.
        config: of the run.
        network: the trained network; its weights are kept.
        history: losses of each step.
        metrics: what was measured.
        made: provenance, under "kind" the kind of run; digests are added.
    """
    weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    texts = zip(TEXTS, map(_json, (asdict(config), history, metrics)), strict=True)
    files = {**dict(texts), WEIGHTS: save(weights)}
    made = made | {"sha256": {name: _sha256(content) for name, content in files.items()}}
    sealed = made | {"seal": _sha256(_json(made))}
    with atomic_folder(folder) as draft:
        for name, content in {**files, "made.json": _json(sealed)}.items():
            (draft / name).write_bytes(content)
        # for people, who may edit it: it has no digest
        (draft / CARD).write_text(_card(folder.name, config, made["kind"]))


def clips_per_second(runs: Sequence[Run[RunConfig]]) -> float:
    """Training clips per second, by the records of runs: the median over runs.

    If a training was interrupted, only the steps since it was resumed count.  Runs that are made
    side by side slow each other, so compare only runs that were made in the same way.
    """
    return median(
        (len(run.history["total"]) - run.made["resumed_after"])
        * (run.config.ids_per_batch * run.config.clips_per_id)
        / max(run.made["seconds"]["train"], 1e-9)
        for run in runs
    )


def _card(name: str, config: Settings, kind: str) -> str:
    """A model card: what the network is, how to load it, what it is not for."""
    what, use = "finds parts in pictures", "See the notebooks of Figures 4 to 6."
    if kind == "reid":
        what = "tells people in video apart (re-identification)"
        use = (
            f'    import ssn3d\n\n    model = ssn3d.load("path/to/{name}")\n'
            "    vector = model.embed(frames)  # [t 3 H W] uint8 -> [d]"
        )
    own = getattr(config, "source", "rendered") != "rendered" or getattr(config, "folder", None)
    people = (
        "It was trained on rendered data only, no real people, and does not work on pictures of "
        "them."
        if not own
        else "It was trained on pictures of real people: the terms of the data set bind its users."
    )
    if getattr(config, "pretrained", False):
        people += (
            " Its backbone started from ImageNet weights, which were learned from photographs and "
            "have terms of their own."
        )
    return (
        f"# Model card: {name}\n\nA network of the ssn3d companion to *SSN3D* (AAAI 2021) that "
        f"{what}.\n\n{use}\n\nFor research and teaching; not for finding or following people. "
        f"{people}\n\nSettings are in `config.json`, scores in `metrics.json`, data and versions "
        "in `made.json`. MIT licence.\n"
    )


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
