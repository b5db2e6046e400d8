"""The key points of pose estimators as the paper's nine body points ("Supervised Labels").

The paper uses OpenPose, which finds 25 key points (BODY-25) or 18 (COCO-18); Keypoint R-CNN and
most others find COCO's 17. Left and right are the person's own. Pixels count from 0 to the width
and height, as in `coco`; some estimators are half a pixel off, which is not corrected.
"""

import json
from collections.abc import Sequence
from math import inf, sqrt
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, Literal

import torch
from einops import rearrange
from torch import Tensor

from .coco import LARGEST
from .keypoints import PARTS, Points

Layout = Literal["body25", "coco18", "coco17"]
LARGEST_FILE = 4 * 2**20  # bytes; hundreds of people with faces and hands take less
BODY25 = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee "
    "LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
).split()
ORDERS: dict[Layout, list[str]] = {
    "body25": BODY25,
    "coco18": [name for name in BODY25[:19] if name != "MidHip"],
    "coco17": (
        "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee "
        "RKnee LAnkle RAnkle"
    ).split(),
}
"""The key points of every layout, in the order in which estimators write them."""
MIN_CONFIDENCE = 0.3
"""Key points that OpenPose is less sure of are missing."""
OPENPOSE: dict[int, Layout] = {25: "body25", 18: "coco18"}


def parts_of(
    found: Tensor, layout: Layout, size: tuple[int, int], min_confidence: float = MIN_CONFIDENCE
) -> Tensor:
    """The nine body points of people, from the key points that an estimator has found.

    Head is the nose, or else the mean of the eyes and ears that were found; body is the middle
    between neck and mid-hip, crotch the mid-hip, a foot the ankle. Layouts without neck or mid-hip
    take the middle of the shoulders or hips instead, which is missing if one of the two is.

    Args:
        found: [... k 3] (x, y, confidence), x and y in pixels. torchvision's Keypoint R-CNN has 1
            as the third number of every point: put its keypoints_scores there, which are no
            probabilities and need a `min_confidence` of their own.
        layout: which k key points these are, in which order: `ORDERS`.
        size: (height, width) of the frame in pixels.
        min_confidence: key points of less confidence are missing, as are those outside the frame or
            NaN.

    Returns:
        [... n 2] float32 in the order of `PARTS`, (x, y) as shares of the frame, NaN where missing.

    Raises:
        ValueError: unknown layout or the shape of another one, a frame without area, or
            `min_confidence` of 0, which OpenPose gives to points that it has not found.
    """
    places = _shares(found, layout, size, min_confidence)
    order = ORDERS[layout]

    def points(*names: str) -> Tensor:
        return places[..., [order.index(name) for name in names], :]

    def middle(name: str, side: str) -> Tensor:
        return points(*([name] if name in order else [f"L{side}", f"R{side}"])).mean(-2, True)

    nose, crotch = points("Nose"), middle("MidHip", "Hip")
    head = nose.where(nose.isfinite(), points("LEye", "REye", "LEar", "REar").nanmean(-2, True))
    body = (middle("Neck", "Shoulder") + crotch) / 2
    limbs = points("LElbow", "RElbow", "LKnee", "RKnee", "LAnkle", "RAnkle")
    return torch.cat((head, body, crotch, limbs), dim=-2)


def read_openpose(path: Path, size: tuple[int, int]) -> Tensor:
    """The nine body points in one frame, from the JSON file that OpenPose writes for it.

    Frames of a tracklet are cut around their person. If there are several people, this takes the
    one with the largest sum of confidence times `centrality` over the key points that were found;
    of equals, the first.

    Args:
        path: what --write_json has written, with the models BODY_25 or COCO.
        size: (height, width) in pixels of the image that OpenPose was given.

    Returns:
        [n 2] as of `parts_of`; all NaN if the file has no person.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no such JSON, or not in pixels; else as in `parts_of`.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE + 1)
        if len(text) > LARGEST_FILE:
            raise ValueError(f"expected at most {LARGEST_FILE} bytes, got more")
        people = _people(json.loads(text))
    except (RecursionError, ValueError) as error:
        raise ValueError(
            f"{path}: {error}; write it again by OpenPose with --write_json, --keypoint_scale 0 "
            "and --model_pose BODY_25 or COCO"
        ) from None

    def prominence(found: Tensor) -> float:
        places = _shares(found, OPENPOSE[len(found)], size, MIN_CONFIDENCE)
        return float((found[:, 2] * centrality(places)).nansum())

    chosen = max(people, key=prominence, default=torch.zeros(25, 3))
    return parts_of(chosen, OPENPOSE[len(chosen)], size)


def centrality(points: Tensor) -> Tensor:
    """How central points [... 2] in 0..1 are: 1 in the middle of the frame, 0 in a corner."""
    return 1 - (points - 0.5).norm(dim=-1) / sqrt(0.5)


def tracklet_points(frames: Sequence[Tensor]) -> Points:
    """The points of a tracklet that only an estimator has labelled.

    The estimates also count as the truth, and as visible wherever found: so `labelled_frames`
    chooses the frames with the most points, and these serve as the paper's "high-quality labels".

    Args:
        frames: [n 2] of every frame in temporal order, as of `parts_of`.

    Returns:
        Points of as many frames.

    Raises:
        ValueError: no frame, another shape, or points that are no shares of the frame.
    """
    if not frames:
        raise ValueError("frames: expected one at least, got none; leave out a tracklet without")
    for number, points in enumerate(frames):
        inside = points.isnan() | ((points >= 0) & (points <= 1))
        if points.shape != (len(PARTS), 2) or not inside.all():
            raise ValueError(
                f"frame {number}: expected [{len(PARTS)} 2] in 0..1 or NaN, as of `parts_of`, got "
                f"{list(points.shape)} {shortened(points.tolist())}; give one person in shares"
            )
    estimated = torch.stack(list(frames)).float()
    return Points(estimated, estimated.clone(), estimated.isfinite().all(-1))


def _shares(found: Tensor, layout: Layout, size: tuple[int, int], min_confidence: float) -> Tensor:
    """[... k 2] every key point as shares of the frame, NaN where missing."""
    if layout not in ORDERS:
        raise ValueError(f"layout: expected one of {', '.join(ORDERS)}, got {layout!r}; choose one")
    if found.shape[-2:] != (k := len(ORDERS[layout]), 3):
        raise ValueError(
            f"{layout}: expected (x, y, confidence) of its key points, [... {k} 3], got "
            f"{list(found.shape)}; choose the layout that the estimator writes"
        )
    if not (all(1 <= side <= LARGEST for side in size) and 0 < min_confidence < inf):
        raise ValueError(
            f"size and min_confidence: expected (height, width) of 1 to {LARGEST:g} pixels and a "
            f"confidence above 0, got {size} and {min_confidence}; give the size of the frame, and "
            "0.3 as is usual"
        )
    places = found[..., :2].float() / torch.tensor(size[::-1], device=found.device)
    known = (found[..., 2] >= min_confidence) & ((places >= 0) & (places <= 1)).all(-1)
    return places.where(known[..., None], torch.nan)


def _people(document: Any) -> list[Tensor]:
    """[k 3] (x, y, confidence) of every person in what OpenPose has written."""
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise ValueError(f"expected an object with a list of 'people', got {shortened(document)}")
    found = [_person(entry, f"people[{i}]") for i, entry in enumerate(people)]
    given = torch.cat([person[person[:, 2] > 0] for person in found] or [torch.empty(0, 3)])
    if len(given) > 1 and (given[:, :2].abs() <= 1).all():
        raise ValueError("expected x and y in pixels, got none beyond 1, as if shares of the frame")
    return found


def _person(entry: Any, name: str) -> Tensor:
    values = entry.get("pose_keypoints_2d") if isinstance(entry, dict) else None
    if not isinstance(values, list):
        raise ValueError(f"{name}: expected a list 'pose_keypoints_2d', got {shortened(entry)}")
    if len(values) not in (75, 54):
        raise ValueError(f"{name}: expected 25 or 18 x, y, confidence, got {len(values)} numbers")
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= LARGEST:
            raise ValueError(f"{name}: expected numbers to {LARGEST:g}, got {shortened(value)}")
    return rearrange(torch.tensor(values, dtype=torch.float32), "(k c) -> k c", c=3)
