"""Whether the key points of a whole data set can be what their files should hold.

A file of 25 key points says neither in which order they are nor in the pixels of which picture. The
bodies of a whole set do: eyes and ears are close to the nose, the neck is between the shoulders,
and the frames of a data set are cut around their people.
"""

import math

import torch
from torch import Tensor

from .openpose import MIN_CONFIDENCE, ORDERS, Layout

FACE = ("Nose", "LEye", "REye", "LEar", "REar")
MIDDLES = (("Neck", "LShoulder", "RShoulder"), ("MidHip", "LHip", "RHip"))
ENOUGH = 8
"""Key points of a person who is measured."""
MAX_FACE, MAX_MIDDLE = 0.25, 0.1
"""The largest face, and the largest distance of neck and mid-hip from the middle between their
neighbours, as shares of a person's diagonal. Of six real people the median face has 0.13."""
MAX_OUTSIDE, MIN_OUTSIDE = 0.05, 5
"""More key points outside their frames than this share, and this number, are no stray ones. Of six
real people 0.2 % are outside."""
MIN_CENTRE, MIN_ANKLE = 0.4, 0.75
"""Shares of the frame: its people are right of the one, and ankles reach below the other."""
FAR = 3
"""People who are more times as far from the corner as they are large are in a larger picture."""
CENTRE, LOWEST, SPREAD = 0.5, 0.94, (0.6, 0.8)
"""Shares of the frame in sets of real people: the middle of all points in x, the 95 % quantile of
all in y, and the median width and height of people."""


def order_of(found: Tensor, order: Layout | None = None) -> Layout:
    """In which order the key points of a set are.

    Args:
        found: [m k 3] (x, y, confidence) in pixels of m people from all frames.
        order: what the user says. It is only checked to be of k key points.

    Returns:
        A name in `ORDERS`.

    Raises:
        ValueError: `order` has another number of key points; the bodies fit no order, or too few
            points were found to tell BODY-25 from BODY-25B.
    """
    k = found.shape[-2]
    possible = [name for name, names in ORDERS.items() if len(names) == k]
    if order is not None:
        if order not in possible:
            raise ValueError(
                f"order: expected one of {k} key points, {' or '.join(possible)}, got {order!r}; "
                "choose one of these, or leave it out"
            )
        return order
    misfits = {name: _misfit(found, name) for name in possible}
    best = min(misfits, key=misfits.__getitem__)
    others = [misfit for name, misfit in misfits.items() if name != best]
    unknown = any(math.isnan(misfit) for misfit in (misfits[best], *others))
    if misfits[best] > 1 and not unknown:
        raise ValueError(
            f"expected {k} key points in the order {' or '.join(possible)}, got bodies with eyes "
            "and ears far from the nose, or the neck not between the shoulders, as in another "
            "order; write them with OpenPose's BODY_25, BODY_25B or COCO, or say "
            f"--order {best} if they are in it all the same"
        )
    if others and (unknown or min(others) < 2 * misfits[best]):
        raise ValueError(
            f"expected enough of the {k} key points to tell {' from '.join(possible)}, got too few "
            f"in {len(found)} people; say which it is (--order {possible[0]}, for instance)"
        )
    return best


def check_scale(found: Tensor, sizes: Tensor, order: Layout) -> None:
    """Refuse key points that are in the pixels of other pictures than the frames.

    Args:
        found: [m k 3] (x, y, confidence) in pixels of m people from all frames.
        sizes: [m 2] (width, height) of their frames in pixels.
        order: of the key points.

    Raises:
        ValueError: more points than stray ones are outside their frames, or all people are in
            an upper or left part of them; says which size the pictures seem to have had.
    """
    sure = found[..., 2] >= MIN_CONFIDENCE
    shares = found[..., :2] / sizes[:, None]
    outside = ((shares < 0) | (shares > 1)).any(-1)[sure]
    count = int(outside.sum())
    stray = count <= MAX_OUTSIDE * len(outside) or MIN_OUTSIDE > count < len(outside)
    if stray and not _upper_left(shares, sure, order):
        return
    where = f"{count} of {len(outside)} outside" if not stray else "all in an upper or left part"
    scale = _scale(shares, sure)
    width, height = (scale * sizes.median(0).values).round().int().tolist()
    across, down = scale.tolist()
    if (scale / _scale_of_people(shares, sure)).max() > FAR:
        seems = "as if counted in a larger picture from which the frames were cut"
        remedy = "subtract the corner of each frame in that picture"
    else:
        seems = (
            f"as if the pictures were about {across:.2g} times as wide and {down:.2g} times as "
            f"high, such as {width} x {height} pixels"
        )
        remedy = f"divide x by {across:.2g} and y by {down:.2g}"
    raise ValueError(
        f"expected key points in pixels of their frames, got {where}, {seems}; run the estimator "
        f"on the frames themselves (OpenPose with --keypoint_scale 0), or {remedy}"
    )


def _upper_left(shares: Tensor, sure: Tensor, order: Layout) -> bool:
    """Whether people are too far left, or their feet too far up, to fill frames cut around them."""
    whole = sure.sum(-1) >= ENOUGH
    if not whole.any():
        return False
    low, high = _quantiles(shares[whole][sure[whole]][:, 0])
    ankles = [ORDERS[order].index(name) for name in ("LAnkle", "RAnkle")]
    feet = shares[whole][:, ankles, 1][sure[whole][:, ankles]]
    left = (low + high) / 2 < MIN_CENTRE and high < MIN_ANKLE
    return left or (len(feet) > 0 and _quantiles(feet)[1] < MIN_ANKLE)


def _scale(shares: Tensor, sure: Tensor) -> Tensor:
    """[2] how many times as wide and high the pictures seem, from where all points are."""
    low, high = _quantiles(shares[sure][:, 0])
    return torch.tensor(((low + high) / 2 / CENTRE, _quantiles(shares[sure][:, 1])[1] / LOWEST))


def _scale_of_people(shares: Tensor, sure: Tensor) -> Tensor:
    """[2] the same, from how large people are; infinite where nobody can be measured."""
    whole = sure.sum(-1) >= ENOUGH
    if not whole.any():
        return torch.full((2,), torch.inf)
    return _ranges(shares[whole], sure[whole]).median(0).values / torch.tensor(SPREAD)


def _misfit(found: Tensor, order: Layout) -> float:
    """How badly people fit an order: at most 1 if they do, NaN if nobody can be measured."""
    sure = found[..., 2] >= MIN_CONFIDENCE
    whole = sure.sum(-1) >= ENOUGH
    diagonals = _ranges(found[whole], sure[whole]).norm(dim=-1)
    places = found[whole][..., :2].where(sure[whole][..., None], torch.nan)
    names = ORDERS[order]
    face = places[:, [names.index(name) for name in FACE]]
    between = (face[:, :, None] - face[:, None]).norm(dim=-1).nan_to_num(0).amax((1, 2))
    seen = face.isfinite().all(-1).sum(-1) >= 2
    misfit = (between / diagonals / MAX_FACE)[seen].nanmedian()
    for name, left, right in MIDDLES:
        if name in names:
            middle, *sides = (places[:, names.index(each)] for each in (name, left, right))
            off = (middle - (sides[0] + sides[1]) / 2).norm(dim=-1) / diagonals
            misfit = torch.fmax(misfit, off.nanmedian() / MAX_MIDDLE) if len(off) else misfit
    return float(misfit)


def _ranges(places: Tensor, sure: Tensor) -> Tensor:
    """[m 2] width and height of each person's sure points."""
    high = places[..., :2].where(sure[..., None], -torch.inf).amax(-2)
    return high - places[..., :2].where(sure[..., None], torch.inf).amin(-2)


def _quantiles(values: Tensor) -> tuple[float, float]:
    """The 5 % and 95 % quantiles; `torch.quantile` takes 16 million values at most."""
    ordered = values.sort().values
    low, high = (ordered[round(share * (len(values) - 1))] for share in (0.05, 0.95))
    return float(low), float(high)
