"""The command line: ssn3d figures | train | evaluate | render | check-data | label."""

import ast
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from .config import DATASETS, SCALES, Dataset, RunConfig

if TYPE_CHECKING:
    from .datasets.openpose import Layout

SETS = click.Choice(get_args(Dataset))
SCALE = click.option("--scale", type=click.Choice(SCALES), default="demo", show_default=True)
CHANGES = click.option(
    "--set", "-s", "changes", multiple=True, metavar="FIELD=VALUE",
    help="Change a field of RunConfig, such as strategy=unsupervised.",
)  # fmt: skip

TESTED = ("test_protocol", "test_frames", "metric", "data_seed", "jitter", "label_noise")
"""Fields that decide how a network is measured, or on what, but not how it was trained."""


@click.group()
@click.version_option(package_name="ssn3d")
def main() -> None:
    """Companion to SSN3D (AAAI 2021): regenerate its tables and figures, train its networks."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("ssn3d").setLevel(logging.INFO)


@main.command()
@click.argument("names", nargs=-1)
@SCALE
@click.option("--seeds", type=click.IntRange(1), help="How many; by default as in each notebook.")
@click.option("--device", help="Where to compute, such as cuda; by default as in each notebook.")
@click.option(
    "--cluster",
    envvar="SSN3D_CLUSTER",
    metavar="ADDRESS",
    help="Train on the workers of the dask scheduler at this address, such as tcp://10.0.0.1:8786; "
    "they must see the data folder. By default, train on this machine.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the results. By default figures/ at scale demo with the notebooks' own seeds, "
    "and build/figures otherwise, so that a trial replaces no result.",
)
def figures(
    names: tuple[str, ...],
    scale: str,
    seeds: int | None,
    device: str | None,
    cluster: str | None,
    out: Path | None,
) -> None:
    """Regenerate the paper's tables and figures, or run the notebooks NAMES alone.

    Notebooks 08 to 10 make no table or figure of the paper; they run only if they are named.
    """
    from .data import project_folder
    from .reproduce.run_notebooks import choose, report, run_all

    started = time.perf_counter()
    usual = "figures" if scale == "demo" and seeds is None else "build/figures"
    folder = (out or project_folder() / usual).resolve()
    if cluster:
        os.environ["SSN3D_CLUSTER"] = cluster
    wanted = {"scale": scale, "seeds": seeds, "device": device}
    parameters = {name: value for name, value in wanted.items() if value is not None}
    with _usage_errors():
        chosen = choose(names)
        click.echo(f"{len(chosen)} notebooks at scale {scale}")
        outcomes = run_all(chosen, folder, parameters, click.echo)
    click.echo(report(outcomes))
    click.echo(
        f"{time.perf_counter() - started:.0f} seconds in all, results in {os.path.relpath(folder)}/"
    )
    failed = [outcome.notebook for outcome in outcomes if outcome.error]
    if failed:
        raise click.ClickException(f"failed, see build/failed: {', '.join(failed)}")


@main.command()
@click.argument("dataset", type=SETS)
@SCALE
@click.option("--device", default="cpu", show_default=True, help="Such as cuda.")
@CHANGES
def train(dataset: str, scale: str, device: str, changes: tuple[str, ...]) -> None:
    """Train and measure one network on DATASET, or find it in the store.

    A training that was killed resumes where it was.
    """
    import torch
    from tqdm.auto import tqdm

    from .evaluation.complexity import peak_memory
    from .runs import load_or_train
    from .runs.store import clips_per_second

    with _usage_errors():
        config = RunConfig.preset(scale, dataset, **_parse(changes))  # type: ignore[arg-type]
        with tqdm(unit="step", disable=None) as bar:

            def show(step: int, steps: int, terms: dict[str, float]) -> None:
                if bar.total != steps or step <= bar.n:  # the first step; before it, pretraining's
                    bar.reset(steps)
                    bar.initial = step - 1
                bar.set_postfix({name: f"{value:.3f}" for name, value in terms.items()}, False)
                bar.update(step - bar.n)

            run = load_or_train(config, device=device, on_step=show)
    _report(run.id, run.metrics)
    seconds = run.made["seconds"]
    click.echo(
        f"trained in {seconds['train']:.0f} s, {clips_per_second([run]):.1f} clips/s; measured in "
        f"{seconds['test']:.0f} s; at most {peak_memory(torch.device(device)) / 2**30:.2f} GiB of "
        "memory"
    )


@main.command()
@click.argument("run_id")
@click.option("--device", default="cpu", show_default=True)
@CHANGES
def evaluate(run_id: str, device: str, changes: tuple[str, ...]) -> None:
    """Measure the stored run RUN_ID once more, under another test protocol if you like."""
    from .data import split_of
    from .evaluation import reid
    from .runs import store

    with _usage_errors():
        run = store.read(store.store_folder() / run_id)
        if run is None:
            raise ValueError(f"no run {run_id!r} in {store.store_folder()}")
        if not isinstance(run.config, RunConfig):
            raise ValueError(
                f"run {run_id} studies parts alone and tells no people apart; its numbers are in "
                "its metrics.json"
            )
        changed = _parse(changes)
        if unfit := sorted(changed.keys() - TESTED):
            raise ValueError(
                f"{unfit[0]} was settled when the run was trained; what may be changed to measure "
                f"it once more is {', '.join(TESTED)}"
            )
        config = replace(run.config, **changed)
        split = split_of(config)
        result = reid.evaluate(config, run.model().to(device), split, device=device)
    _report(" ".join((run_id, *changes)), reid.summary(result))


@main.command()
@click.argument("dataset", type=click.Choice(DATASETS))
@SCALE
@CHANGES
def render(dataset: str, scale: str, changes: tuple[str, ...]) -> None:
    """Render a data set in its official layout and say where it is."""
    from .data import root_of

    with _usage_errors():
        click.echo(root_of(RunConfig.preset(scale, dataset, **_parse(changes))))  # type: ignore[arg-type]


@main.command("check-data")
@click.argument("name", type=SETS)
@click.argument("root", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--sample", type=click.IntRange(1), default=64, show_default=True, help="Frames.")
def check_data(name: str, root: Path, sample: int) -> None:
    """Check a copy of the data set NAME in ROOT; say "ready", or what must be mended.

    The set "folder" is one of your own, in folders ROOT/person/camera/tracklet.
    """
    from .datasets.check import check

    line = None
    for line in check(name, root, sample=sample):
        mark = {"ok": " ", "warning": "!", "fatal": "x"}[line.level]
        click.echo(f"{mark} {line.text}")
    if line is None or line.level == "fatal":
        raise click.exceptions.Exit(1)


@main.command()
@click.argument("name", type=SETS)
@click.argument("root", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--openpose",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of what OpenPose has written; otherwise Keypoint R-CNN is run.",
)
@click.option(
    "--annotated",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File of the annotator, whose folder was that of points.npz.",
)
@click.option(
    "--order",
    type=click.Choice(["body25", "body25b", "coco18", "coco17"]),
    help="Of the key points in OpenPose's files; by default found from all of them.",
)
@click.option("--fetch", is_flag=True, help="Let torchvision download Keypoint R-CNN's weights.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace the points that are there.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted call stopped.")
def label(
    name: str,
    root: Path,
    openpose: Path | None,
    annotated: Path | None,
    order: "Layout | None",
    fetch: bool,
    device: str,
    overwrite: bool,
    resume: bool,
) -> None:
    """Give the data set NAME in ROOT body points, for the strategies that need them."""
    from importlib import import_module

    from .datasets.labelling import keypoint_rcnn
    from .datasets.labelling import label as label_set

    with _usage_errors():
        if openpose is None and annotated is None and not fetch:
            raise ValueError(
                "points come from OpenPose's files (--openpose FOLDER), from the annotator's "
                "(--annotated FILE), or from torchvision's Keypoint R-CNN, whose weights are "
                "downloaded once if you say so (--fetch)"
            )
        split = import_module(f"ssn3d.datasets.{name}").read(root)
        source = openpose or annotated or keypoint_rcnn(pretrained=True, device=device)
        done = label_set(split, root, source, order=order, overwrite=overwrite, resume=resume)
    click.echo(f"{done.tracklets} tracklets, {done.frames} frames; each part was found in:")
    for part, share in done.found.items():
        click.echo(f"{part:<18}{100 * share:.1f} %")


def _parse(changes: tuple[str, ...]) -> dict[str, Any]:
    """Fields and values; a value that is not a Python literal is taken as text.

    true, false and none are taken for Python's in any case: no field has a text that reads so.
    """
    parsed: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"expected FIELD=VALUE, got {change!r}")
        try:
            named = text.lower() in ("true", "false", "none")
            parsed[name] = ast.literal_eval(text.capitalize() if named else text)
        except (ValueError, SyntaxError):
            parsed[name] = text
    return parsed


@contextmanager
def _usage_errors() -> Iterator[None]:
    """Bad input ends with its message, not with a traceback."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, ArithmeticError) as error:
        raise click.ClickException(str(error)) from None


def _report(run_id: str, metrics: dict[str, Any]) -> None:
    click.echo(f"run {run_id}")
    for name, value in metrics.items():
        if isinstance(value, int | float):
            click.echo(f"{name:<18}{value if isinstance(value, int) else f'{100 * value:.1f} %'}")
