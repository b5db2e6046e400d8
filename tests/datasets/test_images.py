import struct
import zlib

import pytest
import torch
from einops import rearrange
from PIL import Image
from torch.testing import assert_close

from ssn3d.datasets import images
from ssn3d.datasets.images import read_folder, read_image, upright_size, write_image

SIZE = {"height": 6, "width": 8}


def put(path, colour=(200, 100, 50), size=(8, 6), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


@pytest.fixture
def frame():
    return torch.randint(0, 256, (3, 12, 8), generator=torch.Generator().manual_seed(0)).byte()


def test_png_keeps_every_pixel(frame, tmp_path):
    write_image(frame, tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png"), frame)


def test_jpeg_keeps_smooth_pictures_nearly(tmp_path):
    smooth = torch.linspace(0, 255, 32)[None, :, None].expand(3, 32, 16).byte()
    write_image(smooth, tmp_path / "a.jpg")
    assert (read_image(tmp_path / "a.jpg").int() - smooth.int()).abs().max() <= 4


def test_the_same_picture_is_the_same_bytes(frame, tmp_path):
    for name in ("a.jpg", "b.jpg", "a.png", "b.png"):
        write_image(frame, tmp_path / name)
    for ending in ("jpg", "png"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_whatever_the_mode_three_channels_come(mode, tmp_path):
    Image.new(mode, (8, 12)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (3, 12, 8)


def test_a_missing_file_is_named(tmp_path):
    for read in (read_image,):
        with pytest.raises(
            FileNotFoundError, match=r"a\.png does not exist, although it was listed"
        ):
            read(tmp_path / "a.png")


def claiming(side: int, kind: str, path) -> None:
    """A small picture whose header claims to be a square of this side."""
    Image.effect_noise((16, 16), 50).convert("RGB").save(path, kind, progressive=True)
    content = bytearray(path.read_bytes())
    if kind == "png":
        content[16:24] = struct.pack(">II", side, side)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    else:
        at = content.index(b"\xff\xc2")
        content[at + 5 : at + 9] = struct.pack(">HH", side, side)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("side", [9_000, 60_000])
def test_a_small_file_that_claims_to_be_enormous_is_refused_undecoded(
    tmp_path, monkeypatch, kind, side
):
    claiming(side, kind, tmp_path / "a")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    for read in (read_image,):
        with pytest.raises(
            ValueError, match=r"a is not a readable image .*pixels.*; copy the file"
        ):
            read(tmp_path / "a")


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_cut_anywhere_is_named(frame, tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    write_image(frame, path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 24, 7):  # the last bytes of PNG hold no pixel
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a readable image"):
            read_image(path)


def test_pictures_are_read_with_their_names(tmp_path):
    put(tmp_path / "b.png", (10, 20, 30))
    put(tmp_path / "a.png", (40, 50, 60))
    frames, names = read_folder(tmp_path, **SIZE)
    assert names == ["a.png", "b.png"]
    assert (frames.dtype, frames.shape) == (torch.uint8, (2, 3, 6, 8))
    assert frames[:, :, 0, 0].tolist() == [[40, 50, 60], [10, 20, 30]]


def test_names_are_sorted_paths_whatever_the_file_system_says(tmp_path, backwards):
    names = ["2.png", "a/1.png", "a/b/3.png", "b.png", "c/1.png"]
    for name in names:
        put(tmp_path / name)
    assert read_folder(tmp_path, **SIZE).names == names


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.png", "a.webp", "a.bmp", "A.JPG", "a.Png"])
def test_every_usual_kind_of_file_is_read(tmp_path, name):
    put(tmp_path / name, (200, 100, 50))
    frames, names = read_folder(tmp_path, **SIZE)
    assert names == [name]
    expected = torch.tensor([200, 100, 50]).expand(6, 8, 3)
    assert_close(rearrange(frames[0], "c h w -> h w c").long(), expected, atol=3, rtol=0)


@pytest.mark.parametrize("name", [".a.png", ".cache/a.png", "a.txt", "png", "folder.png/notes.txt"])
def test_what_is_hidden_or_no_picture_does_not_count(tmp_path, name):
    put(tmp_path / "kept.png")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("nothing to see")
    assert read_folder(tmp_path, **SIZE).names == ["kept.png"]


def test_pictures_in_a_hidden_folder_count_if_that_folder_was_asked_for(tmp_path):
    put(tmp_path / ".cache" / "a.png")
    assert read_folder(tmp_path / ".cache", **SIZE).names == ["a.png"]


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (2, 2), (9, 3), (None, 3)])
def test_a_limit_takes_the_first_names_and_opens_no_others(tmp_path, limit, count):
    for name in ("1.png", "2.png", "3.png"):
        put(tmp_path / name)
    if limit == 1:
        (tmp_path / "3.png").write_bytes(b"damaged")
    frames, names = read_folder(tmp_path, **SIZE, limit=limit)
    assert names == ["1.png", "2.png", "3.png"][:count]
    assert len(frames) == count


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(tmp_path, limit):
    put(tmp_path / "a.png")
    with pytest.raises(ValueError, match=f"limit of 1 or more.*got {limit}"):
        read_folder(tmp_path, **SIZE, limit=limit)


def test_a_picture_in_the_right_size_is_left_as_it_is(tmp_path):
    frame = torch.randint(256, (6, 8, 3), generator=torch.Generator().manual_seed(0)).byte()
    Image.fromarray(frame.numpy()).save(tmp_path / "a.png")
    frame = rearrange(frame, "h w c -> c h w")
    assert torch.equal(read_folder(tmp_path, **SIZE).frames[0], frame)
    assert torch.equal(read_image(tmp_path / "a.png"), frame)


def test_reducing_a_picture_averages_its_pixels(tmp_path):
    checks = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * 255
    Image.fromarray(checks.byte().numpy()).save(tmp_path / "a.png")
    frames = read_folder(tmp_path, height=8, width=8).frames
    assert_close(frames.float(), torch.full((1, 3, 8, 8), 127.5), atol=2, rtol=0)


def test_pictures_of_unlike_sizes_become_one_size_but_are_whole_on_request(tmp_path):
    put(tmp_path / "tall.png", size=(10, 30))
    put(tmp_path / "wide.png", size=(50, 4))
    assert read_folder(tmp_path, **SIZE).frames.shape == (2, 3, 6, 8)
    assert read_image(tmp_path / "tall.png").shape == (3, 30, 10)
    assert read_image(tmp_path / "wide.png").shape == (3, 4, 50)


def test_a_picture_in_a_folder_below_is_whole_on_request(tmp_path):
    put(tmp_path / "below" / "a.png", (1, 2, 3))
    assert read_image(tmp_path / "below/a.png")[:, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("orientation", "row", "column"), [(1, 0, 0), (3, 1, 2), (6, 0, 1), (8, 2, 0)]
)
def test_a_picture_is_turned_as_its_camera_was(tmp_path, orientation, row, column):
    picture = Image.new("RGB", (3, 2))
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    whole = read_image(tmp_path / "a.png")
    assert whole.shape == ((3, 2, 3) if orientation < 5 else (3, 3, 2))
    assert whole[0].nonzero().tolist() == [[row, column]]
    height, width = whole.shape[1:]
    assert torch.equal(read_folder(tmp_path, height=height, width=width).frames[0], whole)


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
    assert read_folder(tmp_path, **SIZE).frames[0, :, 3, 3].tolist() == shown


def test_a_palette_with_a_transparent_colour_is_read(tmp_path):
    put(tmp_path / "a.png", 0, mode="P", transparency=bytes([0, 255]))
    assert read_image(tmp_path / "a.png")[:, 0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_of_grey_become_eight(tmp_path):
    Image.fromarray(torch.tensor([[0, 256, 65535]], dtype=torch.uint16).numpy()).save(
        tmp_path / "a.png"
    )
    assert read_image(tmp_path / "a.png")[:, 0].tolist() == [[0, 1, 255]] * 3


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        read_folder(tmp_path / "nowhere", **SIZE)


def test_a_folder_without_pictures_says_what_would_be_one(tmp_path):
    (tmp_path / "notes.txt").write_text("none yet")
    with pytest.raises(ValueError, match=r"expected pictures \(\.jpg, .*got none"):
        read_folder(tmp_path, **SIZE)


@pytest.mark.parametrize("damage", ["emptied", "cut", "replaced"])
@pytest.mark.parametrize("ending", images.ENDINGS)
def test_a_damaged_picture_is_named(tmp_path, ending, damage):
    path = tmp_path / "good" / f"bad{ending}"
    put(tmp_path / "a.png")
    put(path, size=(64, 64))
    content = path.read_bytes()
    changed = {"emptied": b"", "cut": content[: len(content) // 2], "replaced": bytes(range(256))}
    path.write_bytes(changed[damage])
    said = rf"bad\{ending} is not a readable image \(.*\); copy the file anew"
    with pytest.raises(ValueError, match=said):
        read_folder(tmp_path, **SIZE)
    for read in (read_image, read_image):
        with pytest.raises(ValueError, match=said):
            read(path)
    if damage != "cut":  # which the first bytes do not tell
        with pytest.raises(ValueError, match=said):
            upright_size(path)


def test_the_size_of_a_picture_that_claims_to_be_enormous_is_refused(tmp_path):
    path = tmp_path / "a.png"
    put(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png is not a readable image"):
        upright_size(path)


def test_the_largest_picture_that_fits_is_below_the_limit_of_pillow(tmp_path, monkeypatch):
    assert images.LARGEST < Image.MAX_IMAGE_PIXELS  # from where on it warns
    monkeypatch.setattr(images, "LARGEST", 48)
    put(tmp_path / "a.png", size=(8, 6))
    put(tmp_path / "larger" / "a.png", size=(7, 7))
    assert read_image(tmp_path / "a.png").shape == (3, 6, 8)
    for read in (read_image, upright_size):
        with pytest.raises(ValueError, match="at most 48 pixels, got 7 x 7"):
            read(tmp_path / "larger/a.png")
