"""Image files and the tensors they hold: the frames of data sets, and any folder of pictures.

Pillow decodes them all, so that a frame never depends on what else is imported. torchvision gives
the same pixels of a JPEG file in about half the time, but takes seconds to import.
"""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

JPEG_QUALITY = 95
LARGEST = 2**26
"""Pixels of an image; a frame of an 8K film has 33 million. A tiny file can claim any number."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Endings of image files, also in capital letters."""


class Pictures(NamedTuple):
    """Pictures of one size."""

    frames: Tensor
    """[k 3 H W] uint8."""
    names: list[str]
    """Paths below the folder, with forward slashes, sorted."""


def is_image(name: str) -> bool:
    """Whether a file of this name is read as an image: it ends in one of `ENDINGS`."""
    return name.lower().endswith(ENDINGS)


def read_image(path: Path) -> Tensor:
    """An image in its own size as uint8 [3 H W], as a viewer shows it.

    It is turned as its EXIF data says, 16 bits become 8, and what is transparent shows white.

    Raises:
        FileNotFoundError: there is no such file; names it.
        ValueError: it is damaged, no image, or far too large to be a frame; names it.
    """
    return _tensor(_decoded(path))


def read_folder(folder: Path, *, height: int, width: int, limit: int | None = None) -> Pictures:
    """The pictures of a folder and of the folders in it, each as by `read_image`, then resized.

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
        if is_image(path.name)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not names:
        raise ValueError(
            f"expected pictures ({', '.join(ENDINGS)}) in {folder}, got none; put some there"
        )
    if limit is not None and limit < 1:
        raise ValueError(f"pictures: expected a limit of 1 or more, or None for all, got {limit}")
    names = names[:limit]
    pictures = (_decoded(folder / name) for name in names)
    resized = [p.resize((width, height), Image.Resampling.LANCZOS) for p in pictures]
    return Pictures(torch.stack([_tensor(picture) for picture in resized]), names)


def write_image(frame: Tensor, path: Path) -> None:
    """Write uint8 [3 H W] as what the file's ending says: .png without loss, .jpg nearly so."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").contiguous().numpy())
    encoded, kind = BytesIO(), Image.registered_extensions()[path.suffix]
    picture.save(encoded, kind, quality=JPEG_QUALITY)  # PNG ignores the quality
    path.write_bytes(encoded.getvalue())  # Pillow would not report a full disk


def _decoded(path: Path) -> Image.Image:
    """An image file as RGB, upright, on white; with the file's name in every error."""
    try:
        content = path.read_bytes()  # at once: Pillow asks a file for dozens of small pieces
        with Image.open(BytesIO(content)) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(
                    f"expected at most {LARGEST} pixels, got {image.width} x {image.height}"
                )
            return _upright_on_white(image)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"image {path} does not exist, although it was listed; restore the file, or read the "
            "data set or folder again if it was changed on purpose"
        ) from None
    except Exception as error:  # decoders raise all kinds when a file is damaged
        unknown = isinstance(error, UnidentifiedImageError)  # its text names the bytes in memory
        why = "its kind cannot be identified" if unknown else str(error)
        raise ValueError(
            f"{path} is not a readable image ({why}); copy the file anew from its source"
        ) from None


def _upright_on_white(picture: Image.Image) -> Image.Image:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 8
        picture = Image.fromarray((np.asarray(picture) // 256).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _tensor(picture: Image.Image) -> Tensor:
    return rearrange(torch.from_numpy(np.array(picture)), "h w c -> c h w")
