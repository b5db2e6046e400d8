import struct
import zlib

import pytest
import torch
from einops import rearrange
from PIL import Image
from torch.testing import assert_close

from ssn3d.datasets import pictures

SIZE = {"height": 6, "width": 8}


def put(path, colour=(200, 100, 50), size=(8, 6), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def png_of(width, height):
    """The head of a PNG that says it is so large; there are no pixels in it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (struct.pack(">I", 13) + head, b"\0\0\0\0IDAT")
    checked = (part + struct.pack(">I", zlib.crc32(part[4:])) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(checked)


def test_pictures_are_read_with_their_names(tmp_path):
    put(tmp_path / "b.png", (10, 20, 30))
    put(tmp_path / "a.png", (40, 50, 60))
    frames, names = pictures.read(tmp_path, **SIZE)
    assert names == ["a.png", "b.png"]
    assert (frames.dtype, frames.shape) == (torch.uint8, (2, 3, 6, 8))
    assert frames[:, :, 0, 0].tolist() == [[40, 50, 60], [10, 20, 30]]


def test_names_are_sorted_paths_whatever_the_file_system_says(tmp_path, backwards):
    names = ["2.png", "a/1.png", "a/b/3.png", "b.png", "c/1.png"]
    for name in names:
        put(tmp_path / name)
    assert pictures.read(tmp_path, **SIZE).names == names


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.png", "a.webp", "a.bmp", "A.JPG", "a.Png"])
def test_every_usual_kind_of_file_is_read(tmp_path, name):
    put(tmp_path / name, (200, 100, 50))
    frames, names = pictures.read(tmp_path, **SIZE)
    assert names == [name]
    expected = torch.tensor([200, 100, 50]).expand(6, 8, 3)
    assert_close(rearrange(frames[0], "c h w -> h w c").long(), expected, atol=3, rtol=0)


@pytest.mark.parametrize("name", [".a.png", ".cache/a.png", "a.txt", "png", "folder.png/notes.txt"])
def test_what_is_hidden_or_no_picture_does_not_count(tmp_path, name):
    put(tmp_path / "kept.png")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("nothing to see")
    assert pictures.read(tmp_path, **SIZE).names == ["kept.png"]


def test_pictures_in_a_hidden_folder_count_if_that_folder_was_asked_for(tmp_path):
    put(tmp_path / ".cache" / "a.png")
    assert pictures.read(tmp_path / ".cache", **SIZE).names == ["a.png"]


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (9, 3), (None, 3)])
def test_a_limit_takes_the_first_names_and_opens_no_others(tmp_path, limit, count):
    for name in ("1.png", "2.png", "3.png"):
        put(tmp_path / name)
    if limit == 1:
        (tmp_path / "3.png").write_bytes(b"damaged")
    frames, names = pictures.read(tmp_path, **SIZE, limit=limit)
    assert names == ["1.png", "2.png", "3.png"][:count]
    assert len(frames) == count


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(tmp_path, limit):
    put(tmp_path / "a.png")
    with pytest.raises(ValueError, match=f"limit of 1 or more.*got {limit}"):
        pictures.read(tmp_path, **SIZE, limit=limit)


def test_a_picture_in_the_right_size_is_left_as_it_is(tmp_path):
    frame = torch.randint(256, (6, 8, 3), generator=torch.Generator().manual_seed(0)).byte()
    Image.fromarray(frame.numpy()).save(tmp_path / "a.png")
    frame = rearrange(frame, "h w c -> c h w")
    assert torch.equal(pictures.read(tmp_path, **SIZE).frames[0], frame)
    assert torch.equal(pictures.full(tmp_path, "a.png"), frame)


def test_reducing_a_picture_averages_its_pixels(tmp_path):
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    Image.fromarray(checks.byte().numpy()).save(tmp_path / "a.png")
    frames = pictures.read(tmp_path, height=8, width=8).frames
    assert_close(frames.float(), torch.full((1, 3, 8, 8), 127.5), atol=2, rtol=0)


def test_pictures_of_unlike_sizes_become_one_size_but_are_whole_on_request(tmp_path):
    put(tmp_path / "tall.png", size=(10, 30))
    put(tmp_path / "wide.png", size=(50, 4))
    assert pictures.read(tmp_path, **SIZE).frames.shape == (2, 3, 6, 8)
    assert pictures.full(tmp_path, "tall.png").shape == (3, 30, 10)
    assert pictures.full(tmp_path, "wide.png").shape == (3, 4, 50)


def test_a_picture_in_a_folder_below_is_whole_on_request(tmp_path):
    put(tmp_path / "below" / "a.png", (1, 2, 3))
    assert pictures.full(tmp_path, "below/a.png")[:, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("orientation", "row", "column"), [(1, 0, 0), (3, 1, 2), (6, 0, 1), (8, 2, 0)]
)
def test_a_picture_is_turned_as_its_camera_was(tmp_path, orientation, row, column):
    picture = Image.new("RGB", (3, 2))
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    whole = pictures.full(tmp_path, "a.png")
    assert whole.shape == ((3, 2, 3) if orientation < 5 else (3, 3, 2))
    assert whole[0].nonzero().tolist() == [[row, column]]
    height, width = whole.shape[1:]
    assert torch.equal(pictures.read(tmp_path, height=height, width=width).frames[0], whole)


@pytest.mark.parametrize(
    ("mode", "colour", "shown"),
    [
        ("L", 70, [70, 70, 70]),
        ("1", 1, [255, 255, 255]),
        ("LA", (70, 255), [70, 70, 70]),
        ("RGBA", (10, 20, 30, 255), [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), [255, 255, 255]),
    ],
)
def test_every_mode_becomes_rgb_on_white(tmp_path, mode, colour, shown):
    put(tmp_path / "a.png", colour, mode=mode)
    assert pictures.read(tmp_path, **SIZE).frames[0, :, 3, 3].tolist() == shown


def test_a_palette_with_a_transparent_colour_is_read(tmp_path):
    put(tmp_path / "a.png", 0, mode="P", transparency=bytes([0, 255]))
    assert pictures.full(tmp_path, "a.png")[:, 0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    Image.fromarray(torch.tensor([[0, 256, 65535]], dtype=torch.uint16).numpy()).save(
        tmp_path / "a.png"
    )
    assert pictures.full(tmp_path, "a.png")[:, 0].tolist() == [[0, 1, 255]] * 3


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        pictures.read(tmp_path / "nowhere", **SIZE)


def test_a_folder_without_pictures_says_what_would_be_one(tmp_path):
    (tmp_path / "notes.txt").write_text("none yet")
    with pytest.raises(ValueError, match=r"expected pictures \(\.jpg, .*got none"):
        pictures.read(tmp_path, **SIZE)


@pytest.mark.parametrize("damage", ["emptied", "cut", "replaced"])
@pytest.mark.parametrize("ending", pictures.ENDINGS)
def test_a_damaged_picture_is_named(tmp_path, ending, damage):
    path = tmp_path / "good" / f"bad{ending}"
    put(tmp_path / "a.png")
    put(path, size=(64, 64))
    content = path.read_bytes()
    changed = {"emptied": b"", "cut": content[: len(content) // 2], "replaced": bytes(range(256))}
    path.write_bytes(changed[damage])
    with pytest.raises(ValueError, match=rf"bad\{ending}, got none that can be read"):
        pictures.read(tmp_path, **SIZE)
    with pytest.raises(ValueError, match=rf"bad\{ending}, got none that can be read"):
        pictures.full(tmp_path, f"good/bad{ending}")


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png, but there is none"):
        pictures.full(tmp_path, "gone.png")


@pytest.mark.parametrize("size", [(10_001, 10_000), (100_000, 100_000)])
def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path, size):
    (tmp_path / "huge.png").write_bytes(png_of(*size))
    with pytest.raises(ValueError, match=r"at most 100 megapixels in .*huge\.png"):
        pictures.read(tmp_path, **SIZE)


def test_the_largest_picture_that_fits_raises_no_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST", 48)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    put(tmp_path / "a.png", size=(8, 6))
    put(tmp_path / "larger" / "a.png", size=(7, 7))
    assert pictures.full(tmp_path, "a.png").shape == (3, 6, 8)
    with pytest.raises(ValueError, match="7 x 7 pixels"):
        pictures.full(tmp_path, "larger/a.png")
