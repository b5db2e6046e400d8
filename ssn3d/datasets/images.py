"""Image files and the tensors they hold.

Through Pillow: torchvision reads as well, but importing it takes as long as a small notebook.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from PIL import Image
from torch import Tensor

JPEG_QUALITY = 95


def read_image(path: Path) -> Tensor:
    """An image file as uint8 [3 H W], with the file's name in every error.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, no image, or far too large to be a frame.
    """
    try:
        # read at once: Pillow asks a file for dozens of small pieces, which takes twice as long
        with Image.open(BytesIO(path.read_bytes())) as image:
            return rearrange(torch.from_numpy(np.array(image.convert("RGB"))), "h w c -> c h w")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"frame {path} does not exist, although the data set lists it; "
            "restore the file, or read the data set again if it was changed on purpose"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"frame {path} is not a readable image ({error}); copy the file anew from its source"
        ) from None


def write_image(frame: Tensor, path: Path) -> None:
    """Write uint8 [3 H W] as what the file's ending says: .png without loss, .jpg nearly so."""
    picture = Image.fromarray(rearrange(frame, "c h w -> h w c").contiguous().numpy())
    picture.save(path, quality=JPEG_QUALITY)  # which means nothing to PNG
