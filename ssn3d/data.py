"""Where the data of a run is, what it is, and how to open it."""

import os
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from .config import RunConfig
from .datasets.frame_cache import packed
from .datasets.identity import folder_digest
from .datasets.tracklets import Split
from .synthetic import materialise as rendered
from .synthetic.walkers.render import Profile

REAL_FOLDERS = {
    "ilids_vid": "iLIDS-VID",
    "mars": "MARS",
    "dukemtmc": "DukeMTMC-VideoReID",
    "folder": "folder",
}
"""Where in the data folder each real set is expected; $SSN3D_FOLDER says it of one's own."""


def project_folder() -> Path:
    """The checkout that ssn3d runs from; the current folder where it was installed without one."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def data_folder() -> Path:
    """Where data sets live: $SSN3D_DATA, or data/ in the project."""
    return Path(os.environ.get("SSN3D_DATA") or project_folder() / "data").resolve()


def split_of(config: RunConfig) -> Split:
    """The tracklets a run learns from and is measured on; a rendered set is made first if need be.

    Raises:
        FileNotFoundError: a real data set is not where it is expected.
        ValueError: it is there, but not as it should be.
    """
    name = f"{identity_of(config)}-{config.height}x{config.width}.frames"
    root = root_of(config)
    return _read(config.dataset, root, config.split, (config.height, config.width), name)


def prepare(config: RunConfig) -> None:
    """Make all that `split_of` would otherwise make when asked."""
    split_of(config)


def root_of(config: RunConfig) -> Path:
    """The folder of a run's data set; a rendered one is made if it does not exist."""
    if config.source == "real":
        own = os.environ.get("SSN3D_FOLDER") if config.dataset == "folder" else None
        return Path(own).resolve() if own else data_folder() / REAL_FOLDERS[config.dataset]
    return rendered.materialise(
        config.dataset,
        profile_of(config),
        _generated(),
        seed=config.data_seed,
        height=config.height,
        width=config.width,
    )


def is_ready(config: RunConfig) -> bool:
    """Whether the data of a run is there without rendering it; real data always counts as there."""
    return config.source == "real" or (_generated() / identity_of(config)).is_dir()


def identity_of(config: RunConfig) -> str:
    """Names the data a run sees: other pictures have another name, copies elsewhere the same."""
    if config.source == "real":
        return _folder_digest(root_of(config))
    return rendered.identity(
        config.dataset,
        profile_of(config),
        seed=config.data_seed,
        height=config.height,
        width=config.width,
    )


def profile_of(config: RunConfig) -> Profile:
    """What the rendered set of a run is like."""
    return rendered.profile_of(
        config.dataset,
        train_people=config.train_people,
        test_people=config.test_people,
        longest=config.longest_tracklet,
        jitter=config.jitter,
        label_noise=config.label_noise,
    )


def _generated() -> Path:
    return data_folder() / "generated"


@lru_cache(maxsize=8)
def _read(dataset: str, root: Path, number: int, size: tuple[int, int], name: str) -> Split:
    layout = import_module(f"ssn3d.datasets.{dataset}")
    split = layout.read(root, number) if dataset == "ilids_vid" else layout.read(root)
    return packed(split, size, _generated() / name)


_folder_digest = lru_cache(maxsize=8)(folder_digest)
