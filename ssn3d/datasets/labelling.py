"""Add body points to a data set that has none ("Supervised Labels"): the work of `ssn3d label`."""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ssn3d.rng import one_thread

from . import coco
from .clips import resized
from .images import read_image
from .keypoints import PARTS, POINTS_FILE, load, save
from .openpose import (
    MAX_CONFIDENCE,
    MIN_CONFIDENCE,
    Layout,
    centrality,
    parts_of,
    read_person,
    tracklet_points,
)
from .pose_check import check_scale, order_of
from .tracklets import Split

log = logging.getLogger(__name__)

Estimator = Callable[[Tensor], Tensor]
"""Frames uint8 [t 3 H W] -> [t n 2] their points as shares of the frame, NaN where not found."""
Source = Estimator | Path
Tracklets = Mapping[str, Sequence[Path]]
"""Name of the first frame -> all frames of a tracklet."""
UNFINISHED = ".labelling"  # folder of what interrupted work has found; readers pass over it
BATCH = 16  # frames that an estimator gets at once
INNER = (("MARS", "bbox_train"), ("DukeMTMC-VideoReID", "train"))


class Labelled(NamedTuple):
    """What was labelled."""

    tracklets: int
    frames: int
    found: dict[str, float]
    """Part -> share of the frames in which it was found."""


def label(
    split: Split,
    root: Path,
    source: Source,
    *,
    order: Layout | None = None,
    overwrite: bool = False,
    resume: bool = False,
) -> Labelled:
    """Write points.npz for every tracklet of a data set; the file appears whole or not at all.

    Args:
        split: as its reader gives it.
        root: as its reader was given it; points.npz may belong one folder above or below.
        source: an estimator, run on one CPU thread; or a folder of OpenPose's files, each at the
            path that its frame has from the folder of points.npz, such as
            bbox_train/0001/0001C1T0001F001_keypoints.json, none where nothing was found; or a file
            of key points in COCO's JSON with the parts `PARTS`, as the annotator writes it, which
            names frames by these paths.
        order: of the key points in OpenPose's files; None to tell it from all of them together.
        overwrite: replace the points that are there, such as the truth of a rendered set.
        resume: go on with interrupted work on the same source; otherwise start from the beginning.

    Returns:
        How much was labelled, and how often each part was found.

    Raises:
        FileExistsError: there are points already.
        ValueError: a frame, a file or an estimate is damaged, nothing was found in any frame, or
            the files are not of these frames: other names, another scale, an unknown order.
    """
    tracklets: list[Any] = [tracklet for part in split for tracklet in part]
    top = tracklets[0].frames[0].relative_to(root).parts[:2]  # readers accept other folders
    home = root.parent if top == ("sequences", "cam1") else root / top[0] if top in INNER else root
    frames = {t.frames[0].relative_to(home).as_posix(): t.frames for t in tracklets}
    target, draft = home / POINTS_FILE, home / UNFINISHED
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; pass overwrite=True to replace it")
    find = _finder(source, home, frames, order)  # before anything is written
    draft.mkdir(exist_ok=True)
    kept = load(draft) if resume else {}
    points = {key: kept[key] for key in frames if key in kept}
    try:
        with one_thread(), tqdm(total=sum(map(len, frames.values())), unit="frame") as bar:
            for key, own in frames.items():
                points[key] = points.get(key) or tracklet_points(list(find(home, own)))
                bar.update(len(own))
    finally:
        save(points, draft)
    seen = torch.cat([each.visible for each in points.values()])
    if not seen.any():
        raise ValueError(
            f"expected points, got none in {len(seen)} frames such as {min(frames)}; look at them, "
            "or label them from another source"
        )
    (draft / POINTS_FILE).replace(target)
    shutil.rmtree(draft)
    found = dict(zip(PARTS, seen.float().mean(0).tolist(), strict=True))
    return Labelled(len(points), len(seen), found)


def keypoint_rcnn(
    *, pretrained: bool = False, device: torch.device | str = "cpu", min_confidence: float = 2.0
) -> Estimator:
    """torchvision's Keypoint R-CNN as an estimator of the person nearest to the middle.

    Of several people it takes the one with the largest score times `centrality`.

    Args:
        pretrained: fetch the weights, unless they are on this machine; random ones are of no use.
        device: where to compute.
        min_confidence: key points of a lower score are missing. A score is the largest logit of a
            heat map, no probability; 2 is where Detectron begins to draw points.

    Returns:
        The estimator; its points are on the CPU.

    Raises:
        ConnectionError: the weights are not on this machine and cannot be fetched.
    """
    import torchvision  # here, as importing it takes longer than all the rest together

    side = {"min_size": 384, "max_size": 384}  # long side that it enlarges to, and maps back from
    few = {"rpn_post_nms_top_n_test": 100, "box_detections_per_img": 5}  # a crop shows no crowd
    weights = "DEFAULT" if pretrained else None
    try:
        net = torchvision.models.get_model(
            "keypointrcnn_resnet50_fpn", weights=weights, weights_backbone=None, **side, **few
        )
    except URLError as error:
        raise ConnectionError(
            "the weights of Keypoint R-CNN are not on this machine and could not be fetched "
            f"({error.reason}); connect once, or label from files by OpenPose"
        ) from None
    net.eval().to(device)

    @torch.inference_mode()
    def estimate(frames: Tensor) -> Tensor:
        height, width = frames.shape[-2:]
        people = net(list(frames.to(device) / 255))
        return torch.stack(
            [_central_person(found, (height, width), min_confidence) for found in people]
        )

    return estimate


def _central_person(
    found: dict[str, Tensor], size: tuple[int, int], min_confidence: float
) -> Tensor:
    """[n 2] of the person with the largest score times centrality, NaN if there is none."""
    people = found["labels"] == 1
    names = ("scores", "boxes", "keypoints", "keypoints_scores")
    scores, boxes, places, logits = (found[name][people].cpu() for name in names)
    if not len(scores):
        return torch.full((len(PARTS), 2), torch.nan)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2 / torch.tensor(size[::-1])
    best = (scores * centrality(middles)).argmax()
    chosen = torch.cat((places[best, :, :2], logits[best, :, None]), dim=-1)
    return parts_of(chosen, "coco17", size, min_confidence)


def _finder(
    source: Source, home: Path, frames: Tracklets, order: Layout | None
) -> Callable[[Path, Sequence[Path]], Tensor]:
    """The function (folder of points.npz, frames of a tracklet) -> their points [t n 2]."""
    if isinstance(source, Path) and source.is_dir():
        return partial(_by_openpose, _openpose_parts(source, home, frames, order))
    if order is not None:
        raise ValueError(
            f"order: expected one for OpenPose's files only, got {order!r}; leave it out"
        )
    if not isinstance(source, Path):
        return partial(_estimated, source)
    return partial(_clicked, _clicks(source, home, frames))


def _clicks(source: Path, home: Path, frames: Tracklets) -> dict[str, Tensor]:
    """Name of a frame -> [n 2], from a file of key points that has labels of frames."""
    labels = coco.read(source)
    if missing := [part for part in PARTS if part not in labels.parts]:
        raise ValueError(
            f"{source}: expected key points called {', '.join(PARTS)}, got none called "
            f"{', '.join(missing)}, but {', '.join(labels.parts)}; label these parts, or call them "
            "so in categories"
        )
    if not any(points.isfinite().any() for points in labels.points.values()):
        raise ValueError(
            f"{source}: expected labels of frames, got none with a visible key point; label some"
        )
    names = {frame.relative_to(home).as_posix() for own in frames.values() for frame in own}
    labels = coco.under_names(names, labels)
    if wrong := coco.names_missing_from(names, labels):
        if names.isdisjoint(labels.points):
            raise ValueError(f"{source}: {wrong}")
        log.warning("%s: %s", source, wrong)
    coco.check_upright(labels, home, source)
    columns = [labels.parts.index(part) for part in PARTS]
    return {name: points[columns] for name, points in labels.points.items()}


def _clicked(labels: dict[str, Tensor], home: Path, frames: Sequence[Path]) -> Tensor:
    """[t n 2] in the frames of a tracklet, NaN in those that nobody has labelled."""
    nothing = torch.full((len(PARTS), 2), torch.nan)
    names = [frame.relative_to(home).as_posix() for frame in frames]
    return torch.stack([labels.get(name, nothing) for name in names])


@torch.inference_mode()
def _estimated(estimate: Estimator, home: Path, frames: Sequence[Path]) -> Tensor:
    """[t n 2] in the frames of a tracklet; frames of a batch are resized to its first."""
    found = []
    for start in range(0, len(frames), BATCH):
        images = [read_image(frame) for frame in frames[start : start + BATCH]]
        size = images[0].shape[1], images[0].shape[2]
        points = estimate(torch.cat([resized(image[None], size) for image in images]))
        if points.shape != (expected := (len(images), len(PARTS), 2)):
            got = f"expected points {list(expected)} from the estimator, got {list(points.shape)}"
            raise ValueError(f"{frames[start]}: {got}; give NaN for those not found")
        found.append(points.float().cpu())
    return torch.cat(found)


def _by_openpose(parts: dict[Path, Tensor], home: Path, frames: Sequence[Path]) -> Tensor:
    """[t n 2] in the frames of a tracklet, NaN in those in which OpenPose found nobody."""
    nothing = torch.full((len(PARTS), 2), torch.nan)
    return torch.stack([parts.get(frame, nothing) for frame in frames])


def _openpose_parts(
    folder: Path, home: Path, frames: Tracklets, order: Layout | None
) -> dict[Path, Tensor]:
    """Frame -> [n 2], from OpenPose's files, once all of them are known to fit the frames."""
    wanted = {frame: _pose_file(folder, home, frame) for own in frames.values() for frame in own}
    there = {frame: file for frame, file in wanted.items() if file.is_file()}
    if not there:
        raise ValueError(_none_there(folder, min(wanted.values()), len(wanted)))
    people: list[Tensor] = []
    sizes: list[tuple[int, int]] = []
    shown: list[Path] = []
    for frame, file in tqdm(there.items(), unit="file"):
        _, height, width = read_image(frame).shape
        person = read_person(file, (height, width))
        if person is None:
            continue
        if people and len(person) != len(people[0]):
            raise ValueError(
                f"{file}: expected {len(people[0])} key points as in {there[shown[0]]}, got "
                f"{len(person)}; run OpenPose with one --model_pose on all frames"
            )
        people.append(person)
        sizes.append((width, height))
        shown.append(frame)
    some = f"{folder}: of {len(wanted)} frames {len(there)} have a file, such as"
    if not people:
        raise ValueError(
            f"{some} {min(there.values())}: expected people in these files, got none in any; see "
            "whether the frames show people, and run OpenPose on larger ones"
        )
    found, within = torch.stack(people), torch.tensor(sizes)
    # if points lie outside, the frame that has the one farthest out is the most telling
    farthest = (found[..., :2] / within[:, None]).where(found[..., 2:] > 0, 0).clamp(min=1)
    some += f" {there[shown[int(farthest.amax((1, 2)).argmax())]]}:"
    if (surest := float(found[..., 2].max())) < MIN_CONFIDENCE:
        raise ValueError(
            f"{some} expected key points of a confidence from {MIN_CONFIDENCE}, got at most "
            f"{surest:.2g}; run OpenPose on larger or sharper frames"
        )
    if surest > MAX_CONFIDENCE:
        raise ValueError(
            f"{some} expected confidences of 0 to 1, got up to {surest:.4g}, so that nothing says "
            "which key points were found; divide them by the largest that the estimator gives"
        )
    try:
        order = order_of(found, order)
        check_scale(found, within, order)
    except ValueError as error:
        raise ValueError(f"{some} {error}") from None
    found[..., :2] /= within[:, None]
    return dict(zip(shown, parts_of(found, order, (1, 1)), strict=True))


def _pose_file(folder: Path, home: Path, frame: Path) -> Path:
    """The file that OpenPose writes for a frame, in the folder of the same path."""
    place = folder / frame.relative_to(home)
    return place.with_name(f"{place.stem}_keypoints.json")


def _none_there(folder: Path, expected: Path, frames: int) -> str:
    """What to say of a folder that has no file of any frame."""
    others = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.json"))
    content = (
        f"it has {len(others)} other .json files, such as {others[0]!r}"
        if others
        else "it has no .json file at all"
    )
    return (
        f"{folder}: expected OpenPose's files, such as {expected}, got none of the {frames} frames "
        f"({content}); name files after the frames, in the same folders below {folder}: OpenPose "
        "leaves folders away, so run it once for each"
    )
