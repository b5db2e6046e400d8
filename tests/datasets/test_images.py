import struct
import zlib

import pytest
import torch
from PIL import Image

from ssn3d.datasets.images import read_image, write_image


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
    with pytest.raises(FileNotFoundError, match=r"a\.png does not exist, although the data set"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_damaged_file_is_named(content, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.png is not a readable image .*; copy the file anew"):
        read_image(tmp_path / "a.png")


def test_a_cut_file_is_named(frame, tmp_path):
    write_image(frame, tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a\.jpg is not a readable image"):
        read_image(tmp_path / "a.jpg")


def test_a_picture_that_pretends_to_be_enormous_is_refused(monkeypatch, frame, tmp_path):
    write_image(frame, tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"a\.png is not a readable image"):
        read_image(tmp_path / "a.png")


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
@pytest.mark.parametrize("side", [7_000, 60_000])
def test_a_small_file_that_claims_to_be_enormous_is_refused_undecoded(
    tmp_path, monkeypatch, kind, side
):
    claiming(side, kind, tmp_path / "a")
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr("torchvision.io.decode_jpeg", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"a is not a readable image .*pixels.*; copy the file"):
        read_image(tmp_path / "a")


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_cut_anywhere_is_named(frame, tmp_path, kind):
    import torchvision  # noqa: F401  which then decodes JPEG files

    path = tmp_path / f"a.{kind}"
    write_image(frame, path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 24, 7):  # the last bytes of PNG hold no pixel
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a readable image"):
            read_image(path)
