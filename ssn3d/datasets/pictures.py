"""Any folder of pictures as tensors."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps
from torch import Tensor

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
"""Of the names of pictures, in capital letters or not."""
LARGEST = 100_000_000
"""Pixels of a picture; a small file can pretend to hold any number of them."""


class Pictures(NamedTuple):
    """Pictures of one size."""

    frames: Tensor
    """[k 3 H W] uint8."""
    names: list[str]
    """Paths below the folder, with forward slashes, sorted."""


def read(folder: Path, *, height: int, width: int, limit: int | None = None) -> Pictures:
    """Read the pictures of a folder and of the folders in it, each resized as a whole.

    They are turned as their EXIF data says; what is transparent shows white.

    Args:
        folder: with files that end in one of `ENDINGS`; hidden ones do not count.
        height: in pixels.
        width: in pixels; a picture of another shape is stretched.
        limit: how many at most, in the order of their names; None for all.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no picture, or one that cannot be read; says which.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected a folder of pictures, but {folder} does not exist; make it, or correct the "
            "path"
        )
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not names:
        raise ValueError(
            f"expected pictures ({', '.join(ENDINGS)}) in {folder}, got none; put some there"
        )
    if limit is not None and limit < 1:
        raise ValueError(f"pictures: expected a limit of 1 or more, or None for all, got {limit}")
    frames = []
    for name in names[:limit]:
        picture = _open(folder / name).resize((width, height), Image.Resampling.LANCZOS)
        frames.append(_tensor(picture))
    return Pictures(torch.stack(frames), names[:limit])


def full(folder: Path, name: str) -> Tensor:
    """One picture in its own size, uint8 [3 H W].

    Args:
        folder: as for `read`.
        name: one of the names that `read` gives.

    Raises:
        FileNotFoundError: there is no such picture.
        ValueError: it cannot be read.
    """
    return _tensor(_open(folder / name))


def _open(path: Path) -> Image.Image:
    """A picture upright, in RGB and decoded, with the name of the file in every error."""
    try:
        with warnings.catch_warnings():
            # Pillow's own limits are below and above ours.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > LARGEST:
                    raise ValueError(f"it has {picture.width} x {picture.height} pixels")
                return _on_white(ImageOps.exif_transpose(picture))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"expected a picture at {path}, but there is none; restore it, or read the folder again"
        ) from None
    except Exception as error:  # decoders raise all kinds when a file is damaged
        raise ValueError(
            f"expected a picture of at most {LARGEST // 10**6} megapixels in {path}, got none that "
            f"can be read ({error}); replace or remove it"
        ) from None


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 8
        picture = Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _tensor(picture: Image.Image) -> Tensor:
    return rearrange(torch.from_numpy(np.array(picture)), "h w c -> c h w")
