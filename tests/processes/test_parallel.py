"""Two processes on this machine train as one would."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ssn3d import parallel
from ssn3d.runs import single as runs
from ssn3d.training import reid as train

TRAINING = """
import json
import sys
from pathlib import Path

import torch

from ssn3d import data, parallel, runs, train
from ssn3d.config import RunConfig

torch.set_num_threads(1)
device = parallel.start("cpu")
run = runs.load_or_train(RunConfig(**json.loads(sys.argv[1])), device=device)
# one tracklet, of which the second process has none, and an odd number
query = data.split_of(run.config).query
vectors = [train.embed(run.config, run.model(), query[:count]).tolist() for count in (1, 3)]
# a file each: what two processes print at a time may be mixed
Path(sys.argv[2], f"{parallel.place()}.json").write_text(json.dumps([run.id, vectors]))
parallel.leave()
"""


def trained_by_two(config, store: Path) -> list[tuple[str, list[list[list[float]]]]]:
    """Of each of two processes that ask for a run together: its name, and embeddings by it."""
    script = store.parent / "training.py"
    script.write_text(TRAINING)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [*command, str(script), json.dumps(asdict(config)), str(store.parent)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((store.parent / f"{place}.json").read_text()) for place in range(2)]


def test_two_processes_train_as_one(tiny_config, store, tmp_path, monkeypatch):
    names = [name for name, _ in trained_by_two(tiny_config, store)]
    assert names == [runs.identify(tiny_config)] * 2  # both have found it
    two = runs.find(tiny_config)
    assert two is not None
    monkeypatch.setenv("SSN3D_RUNS", str(tmp_path / "alone"))
    one = runs.load_or_train(tiny_config)
    for term, values in one.history.items():
        assert two.history[term] == pytest.approx(values, rel=1e-5), term
    theirs = load_file(two.folder / "weights.safetensors")
    for weight, value in load_file(one.folder / "weights.safetensors").items():
        torch.testing.assert_close(theirs[weight], value, rtol=1e-3, atol=1e-4, msg=weight)
    assert one.metrics["mean_ap"] == pytest.approx(two.metrics["mean_ap"], abs=1e-6)


def test_two_processes_embed_as_one(tiny_config, tiny_split, store):
    found = [vectors for _, some in trained_by_two(tiny_config, store) for vectors in some]
    assert list(map(len, found)) == [1, 3, 1, 3]
    network = runs.load_or_train(tiny_config).model()
    for vectors in found:
        alone = train.embed(tiny_config, network, tiny_split.query[: len(vectors)])
        torch.testing.assert_close(torch.tensor(vectors), alone)


def test_alone_nothing_is_shared():
    batch = [1, 2, 3]
    assert (parallel.count(), parallel.place()) == (1, 0)
    assert parallel.share(batch) == batch
    rows = torch.ones(2, 3)
    assert parallel.gathered(rows) is rows
    assert parallel.agreed(True) and not parallel.agreed(False)
    assert parallel.start("cpu") == torch.device("cpu")
    parallel.leave()


def test_one_device_for_all_processes_is_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(ValueError, match="takes a device of its own, got 'cuda:0' for all; say"):
        parallel.start("cuda:0")


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "count", lambda: 3)
    with pytest.raises(ValueError, match="a batch of 4 clips cannot be shared evenly by 3"):
        parallel.share([1, 2, 3, 4])
