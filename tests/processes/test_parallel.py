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

from ssn3d import parallel, runs, train

TRAINING = """
import json
import sys

import torch

from ssn3d import data, parallel, runs, train
from ssn3d.config import RunConfig

torch.set_num_threads(1)
device = parallel.start("cpu")
run = runs.load_or_train(RunConfig(**json.loads(sys.argv[1])), device=device)
print(run.id)
# one tracklet, of which the second process has none, and an odd number
split = data.split_of(run.config)
for one in split.query[:1], split.query[:3]:
    print(train.embed(run.config, run.model(), one).tolist())
parallel.leave()
"""


def trained_by_two(config, store: Path) -> str:
    """What two processes print that ask for a run together."""
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
        [*command, str(script), json.dumps(asdict(config))],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_two_processes_train_as_one(tiny_config, store, tmp_path, monkeypatch):
    printed = trained_by_two(tiny_config, store)
    name = runs.identify(tiny_config)
    assert printed.count(name) == 2  # both have found it
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
    printed = trained_by_two(tiny_config, store).splitlines()
    told = [torch.tensor(json.loads(line)) for line in printed if line.startswith("[")]
    assert sorted(map(len, told)) == [1, 1, 3, 3]
    network = runs.load_or_train(tiny_config).model()
    for vectors in told:
        alone = train.embed(tiny_config, network, tiny_split.query[: len(vectors)])
        torch.testing.assert_close(vectors, alone)


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
