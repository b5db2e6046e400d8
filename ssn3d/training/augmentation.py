"""Labelled pictures, moved and coloured a little at random, and their points with them."""

import torch
from einops import rearrange, reduce
from torch import Tensor


def augment(
    frames: Tensor, points: Tensor, rng: torch.Generator, *, shift: int, colour: float
) -> tuple[Tensor, Tensor]:
    """Change each picture in its own way.

    Args:
        frames: [k 3 H W] uint8.
        points: [k n 2] as (x, y) in 0..1, NaN where not labelled.
        rng: random numbers are drawn from it.
        shift: most pixels by which a picture is moved, in each direction; 0 moves none.
        colour: contrast and each colour are multiplied by factors of 1 - colour to 1 + colour; 0
            changes none.

    Returns:
        Pictures, uint8 as they were or float in 0..1, and their points; NaN where one left the
        picture.
    """
    if shift:
        moves = torch.randint(-shift, shift + 1, (len(frames), 2), generator=rng)
        frames, points = move(frames, points, moves)
    if colour:
        drawn = 1 + colour * (2 * torch.rand(2, len(frames), 3, generator=rng) - 1)
        frames = recolour(frames, contrast=drawn[0, :, 0], gains=drawn[1])
    return frames, points


def move(frames: Tensor, points: Tensor, moves: Tensor) -> tuple[Tensor, Tensor]:
    """Move pictures and their points; the pixels at the border fill what becomes free.

    Args:
        frames: [k 3 H W].
        points: [k n 2] as (x, y) in 0..1.
        moves: [k 2] whole pixels to the right and down.
    """
    height, width = frames.shape[-2:]
    right, down = moves.unbind(-1)
    rows = (torch.arange(height) - down[:, None]).clamp(0, height - 1)  # [k H]
    columns = (torch.arange(width) - right[:, None]).clamp(0, width - 1)  # [k W]
    picture = torch.arange(len(frames))[:, None, None]
    moved = frames[picture, :, rows[:, :, None], columns[:, None, :]]  # [k H W 3]
    places = points + (moves / torch.tensor([width, height]))[:, None]
    inside = ((places >= 0) & (places <= 1)).all(dim=-1, keepdim=True)
    return rearrange(moved, "k h w c -> k c h w"), places.where(inside, torch.nan)


def recolour(frames: Tensor, *, contrast: Tensor, gains: Tensor) -> Tensor:
    """Change contrast and colours of pictures.

    Args:
        frames: [k 3 H W] uint8.
        contrast: [k] factors of the distance from the mean colour.
        gains: [k 3] factors of the mean colour.

    Returns:
        [k 3 H W] float in 0..1.
    """
    pictures = frames.float() / 255
    mean = reduce(pictures, "k c h w -> k c 1 1", "mean")
    contrast, gains = rearrange(contrast, "k -> k 1 1 1"), rearrange(gains, "k c -> k c 1 1")
    return ((pictures - mean) * contrast + mean * gains).clamp(0, 1)
