"""A cluster of Slurm jobs, with commands in Slurm's place that start a job's script right here."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ssn3d import slurm
from ssn3d.runs import single as runs

SBATCH = """#!/bin/sh
[ "$1" = --test-only ] && grep -q "^#SBATCH -n 1" && exit
cp "$1" "$0.$$.job"
setsid sh "$0.$$.job" >"$0.$$.log" 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
echo "$1" >>"$0.log"
kill -- "-$1"
"""
HERE = {
    # of dask-jobqueue: stay on this machine, with no dashboard's port to quarrel about
    "DASK_JOBQUEUE__SLURM__SCHEDULER_OPTIONS": "{'host': '127.0.0.1', 'dashboard': False}",
    "OMP_NUM_THREADS": "1",
}


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with what Slurm's commands are here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def address(commands: Path) -> Iterator[str]:
    """Of the scheduler that `python -m ssn3d.slurm` shows; interrupted in the end."""
    pytest.importorskip("dask_jobqueue")
    started = subprocess.Popen(
        [sys.executable, "-m", "ssn3d.slurm", "--jobs", "1", "--memory", "2GB", "--gpu"],
        env=os.environ | HERE | {"PATH": f"{commands}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with started:
        shown = started.stdout.readline() + started.stdout.readline()
        yield re.search(r"--cluster (tcp://127.0.0.1:\d+)", shown)[1]
        started.send_signal(signal.SIGINT)
        said, _ = started.communicate(timeout=30)
    assert (started.returncode, said) == (0, "jobs are given back\n")
    assert len((commands / "scancel.log").read_text().split()) == 1


def test_a_sweep_runs_in_jobs(tiny_config, store, monkeypatch, address):
    monkeypatch.setenv("SSN3D_CLUSTER", address)
    [run] = runs.sweep([tiny_config])
    assert run.config == tiny_config


def shown(*arguments: str) -> str:
    done = CliRunner(env=HERE).invoke(slurm.main, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_job_script_asks_for_what_is_wanted():
    pytest.importorskip("dask_jobqueue")
    script = shown(
        "--print", "--queue", "long", "--walltime", "01:00:00", "--cpus", "8", "--gpu",
        "--sbatch=-Areid", "--port", "0",
    )  # fmt: skip
    asked = set(re.findall(r"^#SBATCH (.*)$", script, re.MULTILINE))
    wanted = {"-p long", "-t 01:00:00", "--cpus-per-task=8", "--gpus-per-task=1", "-Areid"}
    assert wanted <= asked
    assert "export OMP_NUM_THREADS=1" in script
    assert script.rstrip().endswith("--memory-limit 0 --resources GPU=1")
    assert "--nthreads 1" in script


def test_a_job_asks_for_no_gpu_unless_told():
    pytest.importorskip("dask_jobqueue")
    assert "gpu" not in shown("--print").lower()


def test_without_slurm_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="expected Slurm's command sbatch, found none"):
        slurm.check("#!/bin/sh")


def test_what_slurm_refuses_is_said_before_jobs_are_asked_for(monkeypatch, commands):
    pytest.importorskip("dask_jobqueue")
    (commands / "sbatch").write_text("#!/bin/sh\necho invalid partition >&2; exit 1\n")
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    done = CliRunner(env=HERE).invoke(slurm.main)
    assert done.exit_code == 1
    assert "Slurm refuses the job; it says: invalid partition" in done.output


def test_without_dask_jobqueue_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    done = CliRunner().invoke(slurm.main, "--print")
    assert done.exit_code == 1
    assert "pip install dask-jobqueue" in done.output
