"""A dask cluster of Slurm jobs: python -m ssn3d.slurm --jobs 8 --queue gpu --gpu.

A thin template: what is not an option here is read from dask-jobqueue's own configuration, such as
~/.config/dask/jobqueue.yaml.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import click

from .runs.workers import ENVIRONMENT

CHECK = 30
"""Seconds after which jobs that have ended, as at their limit of time, are asked for anew."""


def cluster(
    *,
    queue: str | None,
    walltime: str,
    memory: str,
    cpus: int,
    gpu: bool,
    extra: Sequence[str] = (),
    port: int = 0,
) -> Any:
    """A scheduler in this process, as a dask_jobqueue.SLURMCluster that has no jobs yet.

    Each of its jobs is one worker of one thread, which trains one run at a time.

    Args:
        queue: Slurm's partition; the site's own by default.
        walltime: limit of time of each job; a training that it cuts goes on in another.
        memory: of each job.
        cpus: of each job; more than one only help a GPU, whose pictures they read ahead.
        gpu: whether each job takes a GPU, and its worker has a slot for work on "cuda".
        extra: more options of sbatch.
        port: of the scheduler; any free one by default.

    Raises:
        ModuleNotFoundError: dask-jobqueue is not installed.
    """
    import dask

    interrupted = signal.getsignal(signal.SIGINT)
    try:
        from dask_jobqueue import SLURMCluster
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Slurm needs the package dask-jobqueue, which is not installed; "
            "pip install dask-jobqueue"
        ) from None
    signal.signal(signal.SIGINT, interrupted)  # which dask-jobqueue takes for itself
    # a job at its limit of time is no fault of the work that it was at
    dask.config.set({"distributed.scheduler.allowed-failures": 100})

    def site(name: str, default: Any) -> Any:
        return dask.config.get(f"jobqueue.slurm.{name}", None) or default

    return SLURMCluster(
        cores=1,
        processes=1,
        memory=memory,
        queue=queue,
        walltime=walltime,
        job_cpu=cpus,
        nanny=False,  # its processes may start none, as reading ahead does; `keep` starts anew
        job_extra_directives=[
            *site("job-extra-directives", []),
            *(["--gpus-per-task=1"] if gpu else []),
            *extra,
        ],
        job_script_prologue=[
            *site("job-script-prologue", []),
            *(f"export {name}={value}" for name, value in ENVIRONMENT.items()),
        ],
        # Slurm itself sees to the memory
        worker_extra_args=[
            *site("worker-extra-args", []),
            *("--memory-limit", "0"),
            *(["--resources", "GPU=1"] if gpu else []),
        ],
        scheduler_options={"port": port} | site("scheduler-options", {}),
    )


def check(script: str) -> None:
    """Ask Slurm whether it would take a job, without starting one.

    Raises:
        RuntimeError: it would not, or there is no Slurm.
    """
    if not shutil.which("sbatch"):
        raise RuntimeError(
            "expected Slurm's command sbatch, found none; start this where jobs are submitted, or "
            "see with --print what would be"
        )
    said = subprocess.run(["sbatch", "--test-only"], input=script, capture_output=True, text=True)
    if said.returncode:
        raise RuntimeError(f"Slurm refuses the job; it says: {said.stderr.strip()}")


def keep(jobs: int, slurm: Any, say: Callable[[str], None]) -> None:
    """Keep so many jobs in Slurm's queue or running, till interrupted.

    Jobs whose worker had come are asked for anew when they end; those that end before are not.
    """
    say(f"dashboard {slurm.dashboard_link}, while this runs; the workers are for")
    say(f"ssn3d figures --cluster {slurm.scheduler_address}")
    with suppress(KeyboardInterrupt):
        while True:
            slurm.scale(jobs)
            time.sleep(CHECK)


@click.command()
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True)
@click.option("--queue", help="Slurm's partition; the site's own by default.")
@click.option("--walltime", default="04:00:00", show_default=True, help="Of each job.")
@click.option("--memory", default="16GB", show_default=True, help="Of each job.")
@click.option("--cpus", default=1, show_default=True, help="Of each job; several help a GPU.")
@click.option("--gpu", is_flag=True, help="One for each job; for ssn3d figures --device cuda.")
@click.option("--sbatch", "extra", multiple=True, help="Another option of sbatch, such as -Aname.")
@click.option("--port", default=0, help="Of the scheduler, so that it comes back where it was.")
@click.option("--print", "only_print", is_flag=True, help="Show the job script, start no job.")
def main(jobs: int, only_print: bool, **options: Any) -> None:
    """Train on Slurm: keep JOBS jobs at work for `ssn3d figures --cluster`, till interrupted.

    To be started where jobs are submitted, from a checkout that the jobs see too.
    """
    try:
        with cluster(**options) as slurm:
            if only_print:
                click.echo(slurm.job_script())
                return
            check(slurm.job_script())
            keep(jobs, slurm, click.echo)
    except (ModuleNotFoundError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None
    click.echo("jobs are given back")


if __name__ == "__main__":
    main()
