"""Image files and the tensors they hold."""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image, UnidentifiedImageError
from torch import Tensor

JPEG_QUALITY = 95
LARGEST = 2**25
"""Pixels of a frame; one of an 8K film has 33 million.  A tiny file can claim any number."""


def read_image(path: Path) -> Tensor:
    """An image file as uint8 [3 H W], with the file's name in every error.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, no image, or far too large to be a frame.
    """
    try:
        content = path.read_bytes()  # at once: Pillow asks a file for dozens of small pieces
        with Image.open(BytesIO(content)) as image:
            if image.width * image.height > LARGEST:
                raise ValueError(
                    f"expected at most {LARGEST} pixels, got {image.width} x {image.height}"
                )
            quick = _decoded(content)
            if quick is not None:
                return quick
            return rearrange(torch.from_numpy(np.array(image.convert("RGB"))), "h w c -> c h w")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"frame {path} does not exist, although the data set lists it; "
            "restore the file, or read the data set again if it was changed on purpose"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # whose own words name the bytes in memory
        unknown = isinstance(error, UnidentifiedImageError)
        why = "its kind cannot be identified" if unknown else str(error)
        raise ValueError(
            f"frame {path} is not a readable image ({why}); copy the file anew from its source"
        ) from None


def _decoded(content: bytes) -> Tensor | None:
    """A JPEG file through torchvision, where that is loaded; None for Pillow to judge.

    The same pixels in two thirds of the time.  But importing torchvision takes as long as decoding
    thousands of frames, so what needs it for a ResNet has it, and what does not waits for nothing.
    """
    if "torchvision" not in sys.modules or content[:2] != b"\xff\xd8":
        return None
    from torchvision.io import ImageReadMode, decode_jpeg

    try:
        data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        return decode_jpeg(data, ImageReadMode.RGB)
    except RuntimeError:
        return None


def write_image(frame: Tensor, path: Path) -> None:
    """Write uint8 [3 H W] as what the file's ending says: .png without loss, .jpg nearly so."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").contiguous().numpy())
    encoded, kind = BytesIO(), Image.registered_extensions()[path.suffix]
    picture.save(encoded, kind, quality=JPEG_QUALITY)  # which means nothing to PNG
    path.write_bytes(encoded.getvalue())  # of a full disk, Pillow would not tell
