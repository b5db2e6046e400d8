from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from ssn3d import data
from ssn3d.config import RunConfig
from ssn3d.datasets.tracklets import Split
from ssn3d.models.reid import ReID
from ssn3d.training import reid
from ssn3d.training.checkpoint import History

settings.register_profile("ssn3d", deadline=None, max_examples=50)  # no test is about time
settings.load_profile("ssn3d")
torch.set_num_threads(1)  # tiny tensors: a second thread only waits for the first


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps what tests render and train away from the user's data folder."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSN3D_DATA", str(folder))
        patch.setenv("SSN3D_RUNS", str(folder / "runs"))
        yield folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store of the test's own; rendered sets stay shared."""
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def tiny_config() -> RunConfig:
    """Two steps on four people: a second to render, a blink to train."""
    return RunConfig.preset(
        "smoke",
        "ilids_vid",
        train_people=4,
        test_people=3,
        longest_tracklet=30,
        pretraining_steps=0,
        height=32,
        width=16,
        hidden=16,
        block_width=8,
        embedding=16,
        ids_per_batch=2,
        epochs=1,
        steps_per_epoch=2,
        precision="float32",
    )


@pytest.fixture(scope="session")
def tiny_split(tiny_config: RunConfig, own_folders: Path) -> Split:
    return data.split_of(tiny_config)


@pytest.fixture(scope="session")
def trained(tiny_config: RunConfig, tiny_split: Split) -> tuple[ReID, History]:
    """The network of `tiny_config` and its history; not to be changed."""
    return reid.fit(tiny_config, tiny_split.train)
