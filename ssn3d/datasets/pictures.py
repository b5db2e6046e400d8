"""Any folder of pictures as tensors."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
LARGEST = 100_000_000
"""Pixels of a picture; a small file can pretend to hold any number of them."""


class Pictures(NamedTuple):
    """Pictures of one size."""

    frames: Tensor
    """[k 3 H W] uint8."""
    names: list[str]
    """Paths below the folder, with forward slashes, sorted."""


def read(folder: Path, *, height: int, width: int, limit: int | None = None) -> Pictures:
    """Read the pictures of a folder and of the folders in it, each resized.

    Args:
        folder: with files that end in one of `ENDINGS`; hidden ones do not count.
        height: in pixels.
        width: in pixels.
        limit: how many at most, in the order of their names.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no picture, or one that cannot be read; says which.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"expected a folder of pictures, but {folder} does not exist")
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )[:limit]
    if not names:
        raise ValueError(f"{folder} holds no picture; put some there ({', '.join(ENDINGS)})")
    size = (width, height)
    frames = [_open(folder / name).resize(size, Image.Resampling.LANCZOS) for name in names]
    return Pictures(torch.stack([_tensor(frame) for frame in frames]), names)


def full(folder: Path, name: str) -> Tensor:
    """One picture in its own size, [3 H W] uint8; errors as in `read`."""
    return _tensor(_open(folder / name))


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > LARGEST:
                raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise ValueError(f"{path} is not a readable picture ({error}); replace it") from None


def _tensor(picture: Image.Image) -> Tensor:
    return rearrange(torch.from_numpy(np.array(picture)), "h w c -> c h w")
