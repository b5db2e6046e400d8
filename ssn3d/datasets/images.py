"""Image files and the tensors they hold: the frames of data sets, and any folder of pictures.

Pillow decodes them all, so that a frame never depends on what else is imported. torchvision gives
the same pixels of a JPEG file in about half the time, but takes seconds to import.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import Transpose
from torch import Tensor

JPEG_QUALITY = 95
LARGEST = 2**26
"""Pixels of an image; a frame of an 8K film has 33 million. A tiny file can claim any number."""
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""Endings of image files, also in capital letters."""
LISTS = ("labels.json", "truth.json", "points.npz", "split.csv", "thumbs.db", "desktop.ini")
"""Files of ssn3d and of Windows, in small letters, that may lie beside images."""
UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What to do with a picture of each EXIF orientation."""
SIDEWAYS = {UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}

log = logging.getLogger(__name__)


class Pictures(NamedTuple):
    """Pictures of one size."""

    frames: Tensor
    """[k 3 H W] uint8."""
    names: list[str]
    """Paths below the folder, with forward slashes, sorted."""


def is_image(name: str) -> bool:
    """Whether a file of this name is read as an image: it ends in one of `ENDINGS`."""
    return name.lower().endswith(ENDINGS)


def is_of_system(name: str) -> bool:
    """Whether a system or an archiver made a file or folder: .DS_Store, __MACOSX, @eaDir."""
    return name.startswith((".", "__", "@"))


def is_skipped(name: str) -> bool:
    """Whether the file at a path is no image, nor one that is known to lie beside images."""
    last = PurePosixPath(name).name
    return not (is_image(last) or is_of_system(last) or last.lower() in LISTS)


def describe_skipped(files: Sequence[object]) -> str:
    """A sentence that counts files that `is_skipped`, and names up to three."""
    number = "1 file that is" if len(files) == 1 else f"{len(files):,} files that are"
    return (
        f"skipped {number} not read as images, such as {', '.join(map(str, files[:3]))}; images "
        f"end in {', '.join(ENDINGS)}: convert others to JPEG or PNG"
    )


def read_image(path: Path) -> Tensor:
    """An image in its own size as uint8 [3 H W], as a viewer shows it.

    It is turned as its EXIF data says, 16 bits become 8, and what is transparent shows white. Of
    several pictures in a file the first is read. The file's content decides its kind, not its name.

    Raises:
        FileNotFoundError: there is no such file; names it.
        ValueError: it is damaged, no image, far too large to be a frame, or has numbers of 32 bits,
            as nothing says which of them is white; names it.
    """
    return _tensor(_decoded(path))


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of what `read_image` gives, from the first bytes of a file.

    Raises:
        FileNotFoundError: as in `read_image`.
        ValueError: as in `read_image`, but for damage behind the first bytes.
    """
    with _errors_named(path), Image.open(path) as image:
        _check_size(image)
        width, height = image.size
        # Pillow has turned the size of a TIFF file already
        sideways = _turn(image) in SIDEWAYS and image.format != "TIFF"
        return (width, height) if sideways else (height, width)


def list_pictures(folder: Path, limit: int | None = None) -> list[str]:
    """The names of the pictures that `read_folder` reads, in its order; none is opened.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: there is no picture, or the limit is below 1.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"expected a folder of pictures, but {folder} does not exist; make it, or correct the "
            "path"
        )
    if limit is not None and limit < 1:
        raise ValueError(f"pictures: expected a limit of 1 or more, or None for all, got {limit}")
    files = list(_files(folder))
    names = sorted(filter(is_image, files))
    if not names:
        skipped = sorted(filter(is_skipped, files))
        raise ValueError(
            f"expected pictures ({', '.join(ENDINGS)}) in {folder}, got none"
            + (f" ({describe_skipped(skipped)})" if skipped else "; put some there")
        )
    return names[:limit]


def read_folder(folder: Path, *, height: int, width: int, limit: int | None = None) -> Pictures:
    """The pictures of a folder and of the folders in it, each as by `read_image`, then resized.

    Files and folders whose name begins with ".", "__" or "@" are left by systems and do not count.
    A warning names the files that are skipped because they are no pictures.

    Args:
        folder: with files that end in one of `ENDINGS`.
        height: in pixels.
        width: in pixels; a picture of another shape is stretched.
        limit: how many at most, in the order of their names; None for all.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no picture, or one that cannot be read; says which.
    """
    names = list_pictures(folder, limit)
    if skipped := sorted(filter(is_skipped, _files(folder))):
        log.warning("%s: %s", folder, describe_skipped(skipped))
    pictures = (_decoded(folder / name) for name in names)
    resized = [p.resize((width, height), Image.Resampling.LANCZOS) for p in pictures]
    return Pictures(torch.stack([_tensor(picture) for picture in resized]), names)


def write_image(frame: Tensor, path: Path) -> None:
    """Write uint8 [3 H W] as what the file's ending says: .png without loss, .jpg nearly so."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").contiguous().numpy())
    encoded, kind = BytesIO(), Image.registered_extensions()[path.suffix]
    picture.save(encoded, kind, quality=JPEG_QUALITY)  # PNG ignores the quality
    path.write_bytes(encoded.getvalue())  # Pillow would not report a full disk


def missing(path: Path) -> FileNotFoundError:
    """The error for an image that was listed and is not there."""
    return FileNotFoundError(
        f"image {path} does not exist, although it was listed; restore the file, or read the "
        "data set or folder again if it was changed on purpose"
    )


def _files(folder: Path) -> Iterator[str]:
    """Paths of the files below a folder, without those of systems."""
    for path in folder.rglob("*"):
        below = path.relative_to(folder)
        if not any(map(is_of_system, below.parts)) and path.is_file():
            yield below.as_posix()


def _decoded(path: Path) -> Image.Image:
    """An image file as RGB, upright, on white; with the file's name in every error."""
    with _errors_named(path):
        content = path.read_bytes()  # at once: Pillow asks a file for dozens of small pieces
        with Image.open(BytesIO(content)) as image:
            _check_size(image)
            image.load()
            picture, turn = _eight_bits(image, path.parent), _turn(image)
            return _on_white(picture if turn is None else picture.transpose(turn))


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > LARGEST:
        raise ValueError(f"expected at most {LARGEST} pixels, got {image.width} x {image.height}")


@contextmanager
def _errors_named(path: Path) -> Iterator[None]:
    """Whatever Pillow raises at a file becomes an error that names it."""
    try:
        yield
    except FileNotFoundError:
        raise missing(path) from None
    except Exception as error:  # decoders raise all kinds when a file is damaged
        why = str(error)
        if isinstance(error, UnidentifiedImageError):  # its text names the bytes in memory
            with path.open("rb") as file:
                heic = file.read(8)[4:] == b"ftyp"
            why = "it is HEIC or a film" if heic else "its kind cannot be identified"
        raise ValueError(
            f"{path} is not a readable image ({why}); copy the file anew from its source, or "
            "convert it to JPEG or PNG"
        ) from None


def _turn(image: Image.Image) -> Transpose | None:
    """What its EXIF data ask for; nothing in loaded TIFF files, which Pillow turns itself."""
    try:
        return UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as for decoders; damaged notes leave the picture as it is
        return None


def _eight_bits(image: Image.Image, folder: Path) -> Image.Image:
    """The picture; one with more bits of grey, which Pillow would clip to white, in 8 of them."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise ValueError(
            "its numbers have 32 bits or a sign, so that nothing says which is black and white"
        )
    if not image.mode.startswith("I"):
        return image
    tags = getattr(image, "tag_v2", {})  # of TIFF
    bits = tags.get(ExifTags.Base.BitsPerSample, (16,))[0]
    grey = np.asarray(image).astype(np.int32)
    if 0 < grey.max() < 2 ** (bits - 4):
        _warn_of_darkness(folder, bits)
    clear = grey == image.info.get("transparency", -1)
    if tags.get(ExifTags.Base.PhotometricInterpretation) == 0:  # 0 is white
        grey = 2**bits - 1 - grey
    grey[clear] = 2**bits - 1
    return Image.fromarray((grey >> (bits - 8)).astype(np.uint8))


@cache
def _warn_of_darkness(folder: Path, bits: int) -> None:
    log.warning(
        "%s: a picture of %d bits uses only the darkest sixteenth of them, so it is almost black; "
        "if its camera has fewer bits, multiply its numbers",
        folder,
        bits,
    )


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    paper = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(paper, picture.convert("RGBA")).convert("RGB")


def _tensor(picture: Image.Image) -> Tensor:
    return rearrange(torch.from_numpy(np.array(picture)), "h w c -> c h w")
