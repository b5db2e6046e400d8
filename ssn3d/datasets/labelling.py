"""Add body points to a data set that has none ("Supervised Labels"): the work of `ssn3d label`."""

import shutil
from collections.abc import Callable, Sequence
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
from .openpose import centrality, parts_of, read_openpose, tracklet_points
from .tracklets import Split

Estimator = Callable[[Tensor], Tensor]
"""Frames uint8 [t 3 H W] -> [t n 2] their points as shares of the frame, NaN where not found."""
Source = Estimator | Path
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
    split: Split, root: Path, source: Source, *, overwrite: bool = False, resume: bool = False
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
        overwrite: replace the points that are there, such as the truth of a rendered set.
        resume: go on with interrupted work on the same source; otherwise start from the beginning.

    Returns:
        How much was labelled, and how often each part was found.

    Raises:
        FileExistsError: there are points already.
        ValueError: a frame, a file or an estimate is damaged, or nothing was found in any frame.
    """
    find = _finder(source)  # before anything is written
    tracklets: list[Any] = [tracklet for part in split for tracklet in part]
    top = tracklets[0].frames[0].relative_to(root).parts[:2]  # readers accept other folders
    home = root.parent if top == ("sequences", "cam1") else root / top[0] if top in INNER else root
    frames = {t.frames[0].relative_to(home).as_posix(): t.frames for t in tracklets}
    target, draft = home / POINTS_FILE, home / UNFINISHED
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} exists already; pass overwrite=True to replace it")
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
        example = Path(min(frames)).with_suffix("").as_posix() + "_keypoints.json"
        raise ValueError(
            f"expected points, got none in {len(seen)} frames; is there {example}, or a label of "
            f"{min(frames)}?"
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


def _finder(source: Source) -> Callable[[Path, Sequence[Path]], Tensor]:
    """The function (folder of points.npz, frames of a tracklet) -> their points [t n 2]."""
    if not isinstance(source, Path):
        return partial(_estimated, source)
    if not source.is_file():
        return partial(_by_openpose, source)
    labels = coco.read(source)
    if missing := [part for part in PARTS if part not in labels.parts]:
        raise ValueError(
            f"{source}: expected key points called {', '.join(PARTS)}, got none called "
            f"{', '.join(missing)}; label these parts"
        )
    columns = [labels.parts.index(part) for part in PARTS]
    return partial(_clicked, {name: points[columns] for name, points in labels.points.items()})


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


def _by_openpose(folder: Path, home: Path, frames: Sequence[Path]) -> Tensor:
    """[t n 2] in the frames of a tracklet, NaN in those without a file by OpenPose."""
    found = torch.full((len(frames), len(PARTS), 2), torch.nan)
    for row, frame in enumerate(frames):
        place = folder / frame.relative_to(home)
        file = place.with_name(f"{place.stem}_keypoints.json")
        if file.exists():
            _, height, width = read_image(frame).shape
            found[row] = read_openpose(file, (height, width))
    return found
