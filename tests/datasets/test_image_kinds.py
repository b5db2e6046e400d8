"""Images as cameras and tools save them: the same pixels in every reader."""

import logging
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from einops import rearrange
from PIL import ExifTags, Image
from torch import Tensor
from torch.testing import assert_close

from ssn3d.datasets import coco, dukemtmc, folder, ilids_vid, images, keypoints, labelling, mars
from ssn3d.datasets.clips import Clips, Request, resized_frames
from ssn3d.datasets.frame_cache import packed
from ssn3d.datasets.images import read_folder, read_image
from ssn3d.datasets.tracklets import Split, Tracklet, load_frames
from ssn3d.synthetic import pedestrians
from ssn3d.widgets.annotator import Annotator
from tests.datasets.image_files import chunk, png, saved, tiff

GREY = np.array([[0, 40, 255], [90, 200, 17]], np.uint8)
WIDE = GREY.astype(np.uint16) * 256 + 77
COLOURS = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
WIDE_COLOURS = COLOURS.astype(np.uint16) * 256 + 77
CLEAR = np.zeros((2, 3, 1), np.uint16)
NEXT = {"save_all": True, "append_images": [Image.new("RGB", (3, 2))]}
"""Another, black picture in the file."""

KINDS = {
    "grey PNG of 16 bits": (png(WIDE), GREY),
    "grey TIFF of 16 bits": (tiff(WIDE), GREY),
    "grey TIFF of 16 bits, big end first": (tiff(WIDE, ">"), GREY),
    "grey TIFF of 16 bits, 0 is white": (tiff(65535 - WIDE, white_is_0=True), GREY),
    "grey TIFF of 16 bits, turned": (tiff(WIDE, orientation=6), GREY.T[:, ::-1]),
    "grey TIFF of 12 bits": (
        tiff(np.zeros((2, 2), np.uint16), packed=bytes.fromhex("280fff0005a0")),
        np.array([[0x28, 0xFF], [0x00, 0x5A]], np.uint8),
    ),
    "grey PNG of 16 bits, opaque": (png(np.dstack([WIDE, CLEAR + 65535])), GREY),
    "grey PNG of 16 bits, one shade clear": (
        png(WIDE, chunks=chunk(b"tRNS", struct.pack(">H", 77))),
        np.where(GREY == 0, 255, GREY).astype(np.uint8),
    ),
    "PNG of 16 bits": (png(WIDE_COLOURS), COLOURS),
    "PNG of 16 bits, opaque": (png(np.dstack([WIDE_COLOURS, CLEAR + 65535])), COLOURS),
    "PNG of 16 bits, clear": (png(np.dstack([WIDE_COLOURS, CLEAR])), COLOURS * 0 + 255),
    "TIFF of 16 bits": (tiff(WIDE_COLOURS), COLOURS),
    "TIFF of 16 bits, big end first": (tiff(WIDE_COLOURS, ">"), COLOURS),
    "TIFF of 16 bits, opaque": (tiff(np.dstack([WIDE_COLOURS, CLEAR + 65535])), COLOURS),
    "palette": (saved(Image.fromarray(GREY).convert("P"), "PNG"), GREY),
    "grey and opaque": (saved(Image.fromarray(GREY).convert("LA"), "PNG"), GREY),
    "1 bit": (saved(Image.fromarray(GREY > 50), "PNG"), (GREY > 50) * np.uint8(255)),
    "CMYK": (saved(Image.fromarray(COLOURS).convert("CMYK"), "TIFF"), COLOURS),
    "several pages": (saved(Image.fromarray(COLOURS), "TIFF", **NEXT), COLOURS),
    "animated PNG": (saved(Image.fromarray(COLOURS), "PNG", **NEXT), COLOURS),
    "animated WebP": (saved(Image.fromarray(COLOURS), "WEBP", lossless=True, **NEXT), COLOURS),
    "GIF": (saved(Image.fromarray(GREY), "GIF"), GREY),
}
"""A file of each kind, and the pixels that a viewer shows."""

TURNED = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],
    7: lambda stored: stored.swapaxes(0, 1)[::-1, ::-1],
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}
"""What a viewer shows of stored pixels, by orientation (EXIF 2.3, 4.6.4 A)."""


def tensor(shown: np.ndarray) -> Tensor:
    """Pixels as `read_image` gives them."""
    colours = np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown
    return rearrange(torch.from_numpy(colours.copy()), "h w c -> c h w")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPG", "a.Tiff"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_as_a_viewer_shows_it_whatever_its_name(tmp_path, kind, name):
    content, shown = KINDS[kind]
    (tmp_path / name).write_bytes(content)
    assert torch.equal(read_image(tmp_path / name), tensor(shown))


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_each_orientation_is_turned_upright(tmp_path, kind, orientation):
    stored = COLOURS.repeat(16, axis=0).repeat(16, axis=1)  # blocks of JPEG
    options = {"quality": 100, "subsampling": 0} if kind in ("JPEG", "MPO") else {}
    options = {"lossless": True} if kind == "WEBP" else options
    (tmp_path / "a").write_bytes(saved(Image.fromarray(stored), kind, orientation, **options))
    shown = tensor(TURNED[orientation](stored))
    assert_close(read_image(tmp_path / "a").int(), shown.int(), atol=4, rtol=0)


@pytest.mark.parametrize(
    "pixels",
    [
        WIDE.astype(np.uint32),
        WIDE.astype(np.int32),
        GREY.astype(np.int16),
        GREY.astype(np.float32) / 255,
        GREY.astype(np.float32),
        GREY.astype(np.float64),
        COLOURS.astype(np.float32),
    ],
    ids=lambda pixels: f"{pixels.dtype} to {pixels.max()}",
)
def test_numbers_without_a_known_white_are_refused_not_guessed(tmp_path, pixels):
    for order in "<>":
        (tmp_path / "a.tif").write_bytes(tiff(pixels, order))
        with pytest.raises(ValueError, match=r"a\.tif is not .*; .* or convert it to JPEG or PNG"):
            read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"heix"])
def test_heic_is_named_with_what_to_do(tmp_path, brand):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(200))
    with pytest.raises(ValueError, match=r"a\.jpg .*\(it is HEIC or a film\).*convert it to JPEG"):
        read_image(tmp_path / "a.jpg")


def test_a_folder_of_heic_alone_says_what_to_do(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(ValueError, match=r"got none .*such as IMG_1\.HEIC; .* to JPEG or PNG"):
        read_folder(tmp_path, height=2, width=3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_with_damaged_exif_are_read(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera of some make"
    whole = exif.tobytes()
    for length in range(6, len(whole), 3):
        options = {"exif": whole[:length], "quality": 100}
        (tmp_path / "a").write_bytes(saved(Image.fromarray(COLOURS), kind, **options))
        assert sorted(read_image(tmp_path / "a").shape) == [2, 3, 3]


def test_an_almost_black_picture_is_named_once_for_its_folder(tmp_path, caplog):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(WIDE // 16))
        read_image(tmp_path / name)
    assert caplog.text.count("almost black") == 1 and str(tmp_path) in caplog.text


def test_a_black_picture_is_nothing_to_warn_of(tmp_path, caplog):
    (tmp_path / "a.png").write_bytes(png(WIDE * 0))
    assert not read_image(tmp_path / "a.png").any()
    assert not caplog.records


SIZE = (6, 4)
STORED = np.random.default_rng(0).integers(0, 256, (6, 4), dtype=np.uint8)
SIDEWAYS = STORED.T[::-1]
"""Turned so that orientation 6 shows it upright."""
FRAMES = {
    "16 bits": png(STORED.astype(np.uint16) * 256 + 77),
    "turned PNG": saved(Image.fromarray(SIDEWAYS), "PNG", 6),
    "turned JPEG": saved(Image.fromarray(SIDEWAYS), "JPEG", 6),
    "turned and transparent WebP": saved(Image.fromarray(SIDEWAYS).convert("LA"), "WEBP", 6),
    "turned TIFF of 16 bits": tiff(SIDEWAYS.astype(np.uint16) * 256, orientation=6),
}


def by_layout(layout) -> Callable[[Path, bytes], Tensor]:
    """Write a set, replace the first frame's file, read that frame."""

    def read(place: Path, content: bytes) -> Tensor:
        blank = torch.zeros(2, 3, *SIZE, dtype=torch.uint8)
        train = [Tracklet(blank, p, c) for p in (1, 2) for c in (1, 2)]
        query = [Tracklet(blank, p, 1) for p in (3, 4)]
        gallery = [Tracklet(blank, p, 2) for p in (3, 4)]
        held = [] if layout is ilids_vid else query
        layout.write(Split(train, query, [*held, *gallery]), place / "set")
        tracklet = layout.read(place / "set").train[0]
        tracklet.frames[0].write_bytes(content)
        return load_frames(layout.read(place / "set").train[0], [0])[0]

    return read


def tracklet_of(place: Path, content: bytes) -> Tracklet:
    (place / "a.jpg").write_bytes(content)
    return Tracklet([place / "a.jpg"], 1, 1)


def by_clips(place: Path, content: bytes) -> Tensor:
    clips = Clips([tracklet_of(place, content)], frames=1, stride=1, size=SIZE, flip=False)
    return clips[Request(0, (0,))].frames[0]


def by_frame_cache(place: Path, content: bytes) -> Tensor:
    split = Split([tracklet_of(place, content)], [], [])
    return load_frames(packed(split, SIZE, place / "cache" / "a.frames").train[0], [0])[0]


def by_test(place: Path, content: bytes) -> Tensor:
    return resized_frames(tracklet_of(place, content), [0], SIZE)[0]


def by_read_folder(place: Path, content: bytes) -> Tensor:
    tracklet_of(place, content)
    return read_folder(place, height=SIZE[0], width=SIZE[1]).frames[0]


def by_pedestrians(place: Path, content: bytes) -> Tensor:
    tracklet_of(place, content)
    labels = coco.Labels(["head"], {"a.jpg": torch.full((1, 2), 0.5)})
    coco.write(labels, place / "labels.json", {"a.jpg": SIZE})
    return pedestrians.read(place, height=SIZE[0], width=SIZE[1]).frames[0]


def by_annotator(place: Path, content: bytes) -> Tensor:
    tracklet_of(place, content)
    sent = Image.open(BytesIO(Annotator(place, ["head"]).picture))
    return tensor(np.asarray(sent))


READERS = {
    "MARS": by_layout(mars),
    "iLIDS-VID": by_layout(ilids_vid),
    "DukeMTMC": by_layout(dukemtmc),
    "folder": by_layout(folder),
    "clips": by_clips,
    "test clips": by_test,
    "frame cache": by_frame_cache,
    "pictures": by_read_folder,
    "pedestrians": by_pedestrians,
    "annotator": by_annotator,
}


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_sees_the_same_pixels(tmp_path, reader, kind):
    seen = READERS[reader](tmp_path, FRAMES[kind])
    tolerance = 60 if "JPEG" in kind or "WebP" in kind else 0  # noise, which they blur
    assert_close(seen.int(), tensor(STORED).int(), atol=tolerance, rtol=0)
    (tmp_path / "alone").write_bytes(FRAMES[kind])
    assert torch.equal(seen, read_image(tmp_path / "alone"))


def test_an_estimator_is_given_upright_frames(tmp_path):
    root = tmp_path / "set"
    by_layout(folder)(tmp_path, FRAMES["turned PNG"])
    given: list[Tensor] = []

    def estimate(frames: Tensor) -> Tensor:
        given.append(frames)
        return torch.full((len(frames), len(keypoints.PARTS), 2), 0.5)

    labelling.label(folder.read(root), root, estimate)
    assert any(torch.equal(frames[0], tensor(STORED)) for frames in given)


def test_a_click_on_an_upright_picture_is_where_training_reads_it(tmp_path):
    tracklet_of(tmp_path, FRAMES["turned JPEG"])
    annotator = Annotator(tmp_path, ["head"])
    annotator.put(0, 0.25, 0.5)
    read = pedestrians.read(tmp_path, height=12, width=8)
    assert_close(read.labels, torch.tensor([[[0.25, 0.5]]]))
    assert '"width": 4, "height": 6' in (tmp_path / "labels.json").read_text()


def test_skipped_files_are_counted_and_named(tmp_path, caplog):
    (tmp_path / "a.png").write_bytes(png(GREY))
    for name in ("b.heic", "c.mp4", "below/d.gif", "e.txt", "below/f.avif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    read_folder(tmp_path, height=2, width=3)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "5 files" in record.getMessage()
    assert "b.heic, below/d.gif, below/f.avif;" in record.getMessage()


@pytest.mark.parametrize(
    "name",
    [
        *("Thumbs.db", "desktop.ini", ".DS_Store", "labels.json", "truth.json", "points.npz"),
        *("below/labels.json", "@eaDir/a.png/thumb.jpg", "__MACOSX/a.png", ".cache/notes.txt"),
    ],
)
def test_files_of_systems_and_our_own_are_not_worth_a_word(tmp_path, caplog, name):
    (tmp_path / "a.png").write_bytes(png(GREY))
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"damaged")
    assert read_folder(tmp_path, height=2, width=3).names == ["a.png"]
    assert not caplog.records


def test_every_ending_is_that_of_an_image_in_capital_letters_too():
    for ending in images.ENDINGS:
        assert images.is_image(f"a{ending}") and images.is_image(f"a{ending.upper()}")
    assert not images.is_image("a.heic") and not images.is_image("jpg")


def sideways(place: Path) -> None:
    """A picture of 4 x 8 pixels, stored lying, and labelled as it lies in the file."""
    turned = Image.new("RGB", (8, 4))
    turned.getexif()[ExifTags.Base.Orientation] = 6
    turned.save(place / "a.jpg", exif=turned.getexif())
    labels = coco.Labels(["head"], {"a.jpg": torch.full((1, 2), 0.5)})
    coco.write(labels, place / "labels.json", {"a.jpg": (4, 8)})


def test_labels_of_a_picture_as_it_lies_in_its_file_are_refused(tmp_path):
    sideways(tmp_path)
    with pytest.raises(ValueError, match=r"labels.json: 'a.jpg': expected labels of 4 x 8 pixels"):
        pedestrians.read(tmp_path, height=8, width=4)
