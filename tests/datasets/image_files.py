"""Image files that Pillow cannot write, made by hand."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image


def png(pixels: np.ndarray, *, chunks: bytes = b"") -> bytes:
    """A PNG file of [h w] or [h w c] numbers, of 8 or 16 bits as their type says."""
    height, width, *channels = pixels.shape
    kind = {(): 0, (2,): 4, (3,): 2, (4,): 6}[tuple(channels)]
    bits = 8 * pixels.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(pixels.dtype.newbyteorder(">")).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunks, chunk(b"IDAT", zlib.compress(rows)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def tiff(
    pixels: np.ndarray,
    order: str = "<",
    *,
    white_is_0: bool = False,
    orientation: int = 1,
    packed: bytes | None = None,
) -> bytes:
    """A TIFF file of [h w] or [h w c] numbers of any type.

    `packed` are its bytes if they are 12 bits each instead.
    """
    height, width, *channels = pixels.shape
    count = channels[0] if channels else 1
    content = packed or pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    content += b"\0" * (len(content) % 2)
    colours = 2 if count >= 3 else int(not white_is_0)
    bits = 12 if packed else 8 * pixels.dtype.itemsize
    tags = [(256, [width]), (257, [height]), (258, [bits] * count), (259, [1]), (262, [colours])]
    tags += [(273, [8]), (274, [orientation]), (277, [count]), (278, [height])]
    tags += [(279, [len(content)]), *([(338, [2])] if count == 4 else [])]
    tags += [(339, [{"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]] * count)]
    listed, long = b"", b""
    end = 8 + len(content) + 2 + 12 * len(tags) + 4
    for tag, numbers in tags:
        value = struct.pack(f"{order}{len(numbers)}H", *numbers)
        if len(value) > 4:
            value, long = struct.pack(f"{order}I", end + len(long)), long + value
        listed += struct.pack(f"{order}HHI", tag, 3, len(numbers)) + value.ljust(4, b"\0")
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + len(content))
    count_of_tags = struct.pack(f"{order}H", len(tags))
    return start + content + count_of_tags + listed + bytes(4) + long


def saved(picture: Image.Image, kind: str, orientation: int | None = None, **options) -> bytes:
    """A picture as Pillow writes it, with an orientation in its EXIF data."""
    file = BytesIO()
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    picture.save(file, kind, **options)
    return file.getvalue()
