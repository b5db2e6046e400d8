"""The key points of pose estimators as the paper's nine body points ("Supervised Labels").

The paper uses OpenPose, which finds 25 key points (BODY-25, or BODY-25B in another order) or 18
(COCO-18); Keypoint R-CNN and most others find COCO's 17. Left and right are the person's own.
Pixels count from 0 to the width and height, as in `coco`; some estimators are half a pixel off,
which is not corrected.
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

Layout = Literal["body25", "body25b", "coco18", "coco17"]
LARGEST_FILE = 4 * 2**20  # bytes; hundreds of people with faces and hands take less
BODY25 = (
    "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip LKnee "
    "LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
).split()
COCO17 = (
    "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee "
    "RKnee LAnkle RAnkle"
).split()
ORDERS: dict[Layout, list[str]] = {
    "body25": BODY25,
    "body25b": [*COCO17, "UpperNeck", "HeadTop", *BODY25[19:]],
    "coco18": [name for name in BODY25[:19] if name != "MidHip"],
    "coco17": COCO17,
}
"""The key points of every layout, in the order in which estimators write them."""
MIN_CONFIDENCE = 0.3
"""Key points that OpenPose is less sure of are missing."""
MAX_CONFIDENCE = 2
"""OpenPose goes little beyond 1, where it interpolates, and COCO's mark of a visible point is 2;
more are per cent, or no probabilities."""
BY_NUMBER: dict[int, Layout] = {25: "body25", 18: "coco18", 17: "coco17"}
"""Which layout a file has that does not say it. `pose_check` finds BODY-25B from a whole set."""


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
    if layout not in ORDERS:
        raise ValueError(f"layout: expected one of {', '.join(ORDERS)}, got {layout!r}; choose one")
    order = ORDERS[layout]
    if found.shape[-2:] != (k := len(order), 3):
        raise ValueError(
            f"{layout}: expected (x, y, confidence) of its key points, [... {k} 3], got "
            f"{list(found.shape)}; choose the layout that the estimator writes"
        )
    places = _shares(found, size, min_confidence)

    def points(*names: str) -> Tensor:
        return places[..., [order.index(name) for name in names], :]

    def middle(name: str, side: str) -> Tensor:
        return points(*([name] if name in order else [f"L{side}", f"R{side}"])).mean(-2, True)

    nose, crotch = points("Nose"), middle("MidHip", "Hip")
    head = nose.where(nose.isfinite(), points("LEye", "REye", "LEar", "REar").nanmean(-2, True))
    body = (middle("Neck", "Shoulder") + crotch) / 2
    limbs = points("LElbow", "RElbow", "LKnee", "RKnee", "LAnkle", "RAnkle")
    return torch.cat((head, body, crotch, limbs), dim=-2)


def read_openpose(path: Path, size: tuple[int, int], layout: Layout | None = None) -> Tensor:
    """The nine body points in one frame, from the JSON file that OpenPose writes for it.

    Args:
        path: what --write_json has written.
        size: (height, width) in pixels of the image that OpenPose was given.
        layout: of the key points; None for the usual one of their number, `BY_NUMBER`.

    Returns:
        [n 2] as of `parts_of`, of the person that `read_person` takes; all NaN if there is none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: as in `read_person`; else as in `parts_of`.
    """
    person = read_person(path, size)
    if person is None:
        person = torch.zeros(len(ORDERS[layout or "body25"]), 3)
    return parts_of(person, layout or BY_NUMBER[len(person)], size)


def read_person(path: Path, size: tuple[int, int]) -> Tensor | None:
    """The key points of one person in a frame, as OpenPose has written them.

    Frames of a tracklet are cut around their person. If there are several people, this takes the
    one with the largest sum of confidence times `centrality` over the key points that were found;
    of equals, the first.

    Args:
        path: what --write_json has written, with the models BODY_25, BODY_25B or COCO.
        size: (height, width) in pixels of the image that OpenPose was given.

    Returns:
        [k 3] (x, y, confidence), x and y in pixels; None if the file has no person.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no such JSON, or not in pixels.
    """
    with path.open("rb") as file:
        text = file.read(LARGEST_FILE + 1)
    try:
        if len(text) > LARGEST_FILE:
            raise ValueError(
                f"expected at most {LARGEST_FILE} bytes, got more; give one file for each frame"
            )
        people = _people(_document(text))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None

    def prominence(found: Tensor) -> float:
        places = _shares(found, size, MIN_CONFIDENCE)
        return float((found[:, 2] * centrality(places)).nansum())

    return max(people, key=prominence, default=None)


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


def _shares(found: Tensor, size: tuple[int, int], min_confidence: float) -> Tensor:
    """[... k 2] every key point as shares of the frame, NaN where missing."""
    if not (all(1 <= side <= LARGEST for side in size) and 0 < min_confidence < inf):
        raise ValueError(
            f"size and min_confidence: expected (height, width) of 1 to {LARGEST:g} pixels and a "
            f"confidence above 0, got {size} and {min_confidence}; give the size of the frame, and "
            "0.3 as is usual"
        )
    places = found[..., :2].float() / torch.tensor(size[::-1], device=found.device)
    known = (found[..., 2] >= min_confidence) & ((places >= 0) & (places <= 1)).all(-1)
    return places.where(known[..., None], torch.nan)


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)  # UTF-8, UTF-16 or UTF-32, with a byte-order mark or without
    except (RecursionError, ValueError) as error:
        raise ValueError(
            f"expected JSON, got something else or a part of it ({error}); write it again with "
            "--write_json"
        ) from None


def _people(document: Any) -> list[Tensor]:
    """[k 3] (x, y, confidence) of every person in what OpenPose has written."""
    people = document.get("people") if isinstance(document, dict) else None
    if not isinstance(people, list):
        raise ValueError(
            f"expected an object with a list of 'people', got {shortened(document)}; write it as "
            "OpenPose does, one file for each frame (AlphaPose with --format open; MMPose and "
            "others have no such option: convert their results)"
        )
    found = [_person(entry, f"people[{i}]") for i, entry in enumerate(people)]
    found = [person for person in found if len(person)]
    given = torch.cat([person[person[:, 2] > 0] for person in found] or [torch.empty(0, 3)])
    if len(given) > 1 and (given[:, :2].abs() <= 1).all():
        span = "-1..1" if (given[:, :2] < 0).any() else "0..1"
        raise ValueError(
            f"expected x and y in pixels, got none beyond 1, as if shares of the frame in {span}; "
            "run OpenPose with --keypoint_scale 0, or multiply them by the frame's size"
        )
    return found


def _person(entry: Any, name: str) -> Tensor:
    """[k 3] of one person; [0 3] if the list is empty, as of a person with only a face or hands."""
    values = entry.get("pose_keypoints_2d") if isinstance(entry, dict) else None
    if not isinstance(values, list):
        raise ValueError(
            f"{name}: expected a list 'pose_keypoints_2d', got {shortened(entry)}; write the file "
            "with OpenPose 1.3 or later, or as it does"
        )
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= LARGEST:
            raise ValueError(
                f"{name}: expected numbers to {LARGEST:g} in one list, got {shortened(value)}; "
                "write x, y, confidence, x, y, confidence, ... in pixels"
            )
    if values and len(values) not in (3 * k for k in BY_NUMBER):
        raise ValueError(
            f"{name}: expected 25, 18 or 17 x, y, confidence, got {len(values)} numbers; run "
            "OpenPose with --model_pose BODY_25, BODY_25B or COCO"
        )
    return rearrange(torch.tensor(values, dtype=torch.float32), "(k c) -> k c", c=3)
