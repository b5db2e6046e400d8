"""The data of a run: their folder, their identity, and their tracklets or pictures."""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from .config import RunConfig, Settings, StudyConfig
from .datasets import coco
from .datasets.frame_cache import packed
from .datasets.identity import Identity, digest, identify, identify_pictures
from .datasets.images import Pictures, list_pictures, read_folder
from .datasets.tracklets import Split, with_sides_by_place
from .synthetic import amber, pedestrians, random_maps
from .synthetic.materialise import RenderedSet, materialise, rendered_set
from .synthetic.pedestrians import Pedestrians
from .synthetic.walkers import protocol, render
from .synthetic.walkers.protocol import Profile

REAL_FOLDERS = {
    "ilids_vid": "iLIDS-VID",
    "mars": "MARS",
    "dukemtmc": "DukeMTMC-VideoReID",
    "folder": "folder",
}
"""Where in the data folder each real set is expected; $SSN3D_FOLDER names a folder of your own."""
SLOW = 1.0
"""Seconds. Each configuration of a sweep asks several times what its data are. A small set is
looked at each time, so that changed frames are noticed at once; one that takes longer is not."""
REMEMBERED = 60.0
"""Seconds for which what was found of such a set is taken to be true."""


def project_folder() -> Path:
    """The checkout that ssn3d runs from, or the current folder if it was installed without one."""
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def data_folder() -> Path:
    """The folder of all data sets: $SSN3D_DATA, or data/ in the project."""
    return Path(os.environ.get("SSN3D_DATA") or project_folder() / "data").resolve()


def split_of(config: RunConfig) -> Split:
    """The tracklets that a run is trained and tested on; they are rendered first if necessary.

    Raises:
        FileNotFoundError: a real data set is not where it is expected.
        ValueError: it is there, but damaged.
    """
    size, by_place = (config.height, config.width), config.sides == "image"
    if rendered := _rendered_set(config):
        root = root_of(config)
        return _read(config.dataset, root, config.split, size, rendered.name, by_place)
    look = _look(config)
    return _packed(_Wanted(look.split, look.identity.state, size, look.identity.frames, by_place))


def pictures_of(config: StudyConfig) -> Pictures | Pedestrians | None:
    """The pictures of a run of the SSN alone, rendered first if necessary; None for random maps.

    Raises:
        FileNotFoundError: the folder of pictures, or their labels, are not there.
        ValueError: they are there, but damaged.
    """
    if config.study == "random_maps":
        return None
    size = {"height": config.height, "width": config.width}
    if config.study == "amber":
        return read_folder(root_of(config), **size, limit=config.pictures)
    return pedestrians.read(root_of(config), **size)


def prepare(config: Settings) -> None:
    """Render the data of a run ahead of time, and cache their frames."""
    if isinstance(config, RunConfig):
        split_of(config)
    elif isinstance(config, StudyConfig) and config.study != "random_maps":
        root_of(config)


def root_of(config: RunConfig | StudyConfig) -> Path:
    """The folder of a run's data; rendered data are made if they do not exist."""
    rendered = _rendered_set(config)
    return materialise(rendered, _generated()) if rendered else _own_folder(config)


def is_ready(config: Settings) -> bool:
    """Whether the data of a run can be read without rendering them first."""
    rendered = _rendered_set(config)
    return rendered is None or (_generated() / rendered.name).is_dir()


def identity_of(config: Settings) -> str:
    """The identity of a run's data: the same for a copy elsewhere, another for other pixels."""
    if rendered := _rendered_set(config):
        return rendered.name
    if isinstance(config, StudyConfig):
        if config.study == "random_maps":
            return f"random_maps-{config.distribution}-v{random_maps.RENDERER_VERSION}"
        return _identity_of_pictures(config)
    assert isinstance(config, RunConfig)
    return _look(config).identity.whole


def profile_of(config: RunConfig) -> Profile:
    """The profile of a run's rendered set."""
    return protocol.profile_of(
        config.dataset,
        train_people=config.train_people,
        test_people=config.test_people,
        longest=config.longest_tracklet,
        jitter=config.jitter,
        label_noise=config.label_noise,
    )


def _rendered_set(config: Settings) -> RenderedSet | None:
    """How the data of a run are rendered; None if they are read from a folder, or drawn."""
    if isinstance(config, RunConfig):
        if config.source != "rendered":
            return None
        return rendered_set(
            config.dataset,
            render.write,
            render.RENDERER_VERSION,
            seed=config.data_seed,
            height=config.height,
            width=config.width,
            profile=profile_of(config),
        )
    assert isinstance(config, StudyConfig)
    if config.study == "random_maps" or config.folder is not None:
        return None
    if config.study == "amber":
        return rendered_set(
            "amber",
            amber.write,
            amber.RENDERER_VERSION,
            seed=config.data_seed,
            height=480,
            width=640,
            count=config.pictures,
        )
    return rendered_set(
        "pedestrians",
        pedestrians.write,
        [pedestrians.RENDERER_VERSION, render.RENDERER_VERSION, pedestrians.PROFILE],
        seed=config.data_seed,
        height=config.height,
        width=config.width,
        people=config.pictures,
        labelled=config.labelled,
        tracked=min(32, config.pictures - config.labelled),
        frames=6,
    )


def _own_folder(config: Settings) -> Path:
    """Where data that are not rendered are expected."""
    if isinstance(config, StudyConfig):
        assert config.folder is not None
        return Path(config.folder)
    assert isinstance(config, RunConfig)
    own = os.environ.get("SSN3D_FOLDER") if config.dataset == "folder" else None
    return Path(own).resolve() if own else data_folder() / REAL_FOLDERS[config.dataset]


def _generated() -> Path:
    return data_folder() / "generated"


class _Look(NamedTuple):
    """A data set that is not rendered, as it was when it was looked at."""

    split: Split
    identity: Identity


_slow_looks: dict[tuple[str, Path, int], tuple[float, _Look]] = {}
"""What was found of large sets, and until when (`monotonic`) it is taken to be true."""


def _look(config: RunConfig) -> _Look:
    root = _checked(_own_folder(config))
    wanted = config.dataset, root, config.split
    if wanted in _slow_looks and monotonic() < _slow_looks[wanted][0]:
        return _slow_looks[wanted][1]
    started = monotonic()
    split = _split_in(*wanted)
    look = _Look(split, identify(split, _kept_digests(root)))
    # Where frames were hashed, the next look tells how long one takes.
    if monotonic() - started > SLOW and not look.identity.hashed:
        _slow_looks[wanted] = monotonic() + REMEMBERED, look
    return look


def _identity_of_pictures(config: StudyConfig) -> str:
    root = _checked(_own_folder(config))
    limit = config.pictures if config.study == "amber" else None
    pictures = identify_pictures(root, list_pictures(root, limit), _kept_digests(root))
    if config.study == "amber":
        return pictures
    lists = [coco.read(path) if path.is_file() else None for path in pedestrians.lists(root)]
    said = [
        labels and [labels.parts, {name: at.tolist() for name, at in labels.points.items()}]
        for labels in lists
    ]
    return digest([pictures, said])


def _checked(root: Path) -> Path:
    if not root.is_dir():
        raise FileNotFoundError(
            f"expected a data set in the folder {root}, but it does not exist; put it there, set "
            "SSN3D_DATA to the folder that holds it (SSN3D_FOLDER to one of your own), or use "
            'source="rendered"'
        )
    return root


def _kept_digests(root: Path) -> Path:
    """In our own folder, as one may not be allowed to write in the data set's."""
    return _generated() / f"{digest(str(root.resolve()))}.digests"


def _split_in(dataset: str, root: Path, number: int) -> Split:
    layout = import_module(f"ssn3d.datasets.{dataset}")
    split: Split = layout.read(root, number) if dataset == "ilids_vid" else layout.read(root)
    return split


@lru_cache(maxsize=8)
def _read(
    dataset: str, root: Path, number: int, size: tuple[int, int], name: str, by_place: bool
) -> Split:
    """The split of a rendered set, whose files nobody changes."""
    split = packed(_split_in(dataset, root, number), size, _frames_file(name, size))
    return with_sides_by_place(split) if by_place else split


@dataclass(frozen=True)
class _Wanted:
    """A split whose frames are wanted in memory; the same one as long as its state is the same."""

    split: Split = field(compare=False)
    state: str
    size: tuple[int, int]
    frames: str
    by_place: bool
    """Whether left and right are told apart by their place."""


@lru_cache(maxsize=8)
def _packed(wanted: _Wanted) -> Split:
    split = packed(wanted.split, wanted.size, _frames_file(wanted.frames, wanted.size))
    return with_sides_by_place(split) if wanted.by_place else split


def _frames_file(name: str, size: tuple[int, int]) -> Path:
    return _generated() / f"{name}-{size[0]}x{size[1]}.frames"
