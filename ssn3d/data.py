"""What a configuration names: where its data lies, its identity, its tracklets or pictures."""

import os
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from .config import RunConfig, Settings, StudyConfig
from .datasets.frame_cache import packed
from .datasets.identity import folder_digest
from .datasets.images import Pictures, read_folder
from .datasets.tracklets import Split
from .synthetic import amber, materialise, pedestrians, random_maps
from .synthetic.pedestrians import Pedestrians
from .synthetic.walkers.profiles import Profile

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


def pictures_of(config: StudyConfig) -> Pictures | Pedestrians | None:
    """The pictures an SSN alone learns from, rendered first if need be; None for random maps.

    Raises:
        FileNotFoundError: the folder of pictures, or their labels, are not there.
        ValueError: they are there, but not as they should be.
    """
    if config.study == "random_maps":
        return None
    size = {"height": config.height, "width": config.width}
    if config.study == "amber":
        return read_folder(root_of(config), **size, limit=config.pictures)
    return pedestrians.read(root_of(config), **size)


def prepare(config: Settings) -> None:
    """Make all that a run would otherwise make when it asks for its data."""
    if isinstance(config, RunConfig):
        split_of(config)
    elif isinstance(config, StudyConfig) and config.study != "random_maps":
        root_of(config)


def root_of(config: RunConfig | StudyConfig) -> Path:
    """The folder of a run's data; a rendered one is made if it does not exist."""
    if isinstance(config, StudyConfig):
        if config.folder is not None:
            return Path(config.folder)
        if config.study == "amber":
            return amber.materialise(_generated(), count=config.pictures, seed=config.data_seed)
        return pedestrians.materialise(_generated(), **_pedestrians(config))
    if config.source == "real":
        own = os.environ.get("SSN3D_FOLDER") if config.dataset == "folder" else None
        return Path(own).resolve() if own else data_folder() / REAL_FOLDERS[config.dataset]
    return materialise.materialise(
        config.dataset,
        profile_of(config),
        _generated(),
        seed=config.data_seed,
        height=config.height,
        width=config.width,
    )


def is_ready(config: Settings) -> bool:
    """Whether the data of a run is there without rendering it; a user's own counts as there."""
    if isinstance(config, StudyConfig):
        rendered = config.study != "random_maps" and config.folder is None
    else:
        rendered = isinstance(config, RunConfig) and config.source == "rendered"
    return not rendered or (_generated() / identity_of(config)).is_dir()


def identity_of(config: Settings) -> str:
    """Names the data a run sees: other pictures have another name, copies elsewhere the same."""
    if isinstance(config, StudyConfig):
        return _identity_of_pictures(config)
    assert isinstance(config, RunConfig)
    if config.source == "real":
        return _folder_digest(root_of(config))
    return materialise.identity(
        config.dataset,
        profile_of(config),
        seed=config.data_seed,
        height=config.height,
        width=config.width,
    )


def profile_of(config: RunConfig) -> Profile:
    """What the rendered set of a run is like."""
    return materialise.profile_of(
        config.dataset,
        train_people=config.train_people,
        test_people=config.test_people,
        longest=config.longest_tracklet,
        jitter=config.jitter,
        label_noise=config.label_noise,
    )


def _identity_of_pictures(config: StudyConfig) -> str:
    if config.study == "random_maps":
        return f"random_maps-{config.distribution}-v{random_maps.RENDERER_VERSION}"
    if config.folder is not None:
        return folder_digest(Path(config.folder))
    if config.study == "amber":
        return amber.identity(count=config.pictures, seed=config.data_seed, height=480, width=640)
    return pedestrians.identity(**_pedestrians(config))


def _pedestrians(config: StudyConfig) -> dict[str, int]:
    return {
        "people": config.pictures,
        "labelled": config.labelled,
        "tracked": min(32, config.pictures - config.labelled),
        "frames": 6,
        "seed": config.data_seed,
        "height": config.height,
        "width": config.width,
    }


def _generated() -> Path:
    return data_folder() / "generated"


@lru_cache(maxsize=8)
def _read(dataset: str, root: Path, number: int, size: tuple[int, int], name: str) -> Split:
    layout = import_module(f"ssn3d.datasets.{dataset}")
    split = layout.read(root, number) if dataset == "ilids_vid" else layout.read(root)
    return packed(split, size, _generated() / name)


_folder_digest = lru_cache(maxsize=8)(folder_digest)
