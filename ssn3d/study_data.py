"""The pictures of a study: rendered once and read, or a folder of a user's own."""

from pathlib import Path

from .config import StudyConfig
from .data import data_folder
from .datasets import pictures
from .datasets.identity import folder_digest
from .datasets.pictures import Pictures
from .synthetic import amber, pedestrians, random_maps
from .synthetic.pedestrians import Pedestrians


def material_of(config: StudyConfig) -> Pictures | Pedestrians | None:
    """What a study looks at, rendered first if need be; None for random maps.

    Raises:
        FileNotFoundError: the folder of pictures, or their labels, are not there.
        ValueError: they are there, but not as they should be.
    """
    if config.study == "random_maps":
        return None
    size = {"height": config.height, "width": config.width}
    if config.study == "amber":
        return pictures.read(root_of(config), **size, limit=config.pictures)
    return pedestrians.read(root_of(config), **size)


def root_of(config: StudyConfig) -> Path:
    """The folder of a study's pictures; rendered ones are made if they do not exist."""
    if config.folder is not None:
        return Path(config.folder)
    generated = data_folder() / "generated"
    if config.study == "amber":
        return amber.materialise(generated, count=config.pictures, seed=config.data_seed)
    return pedestrians.materialise(generated, **_pedestrians(config))


def is_ready(config: StudyConfig) -> bool:
    """Whether the data of a run is there without rendering it."""
    rendered = config.study != "random_maps" and config.folder is None
    return not rendered or (data_folder() / "generated" / identity_of(config)).is_dir()


def identity_of(config: StudyConfig) -> str:
    """Names the data a run sees: other pictures have another name, copies elsewhere the same."""
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
