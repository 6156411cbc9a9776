"""Samples from shards: what Pillow reads, averaged as the definition says, and what damaged shards are called."""

import io
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data.download import DataError
from model.data.index import Row, open_dataset
from model.data.sample import CHANNELS, crop_to, read_members, read_pictures, read_pixels, shrink
from model.data.source import Folder, Shard
from stages.codec import encode_png
from tests.damage import write_tar

NAMES = tuple(CHANNELS)
KEY = "train_000000003"


def stored(row: Row) -> dict[str, np.ndarray]:
    """The pictures as other readers see them."""
    with tarfile.open(row.shard.path()) as tar:
        members = {n: tar.extractfile(f"{row.key}.{n}") for n in NAMES}
        return {n: np.array(Image.open(io.BytesIO(m.read()))) for n, m in members.items() if m}


def weights(big: int, small: int) -> np.ndarray:
    """(small, big): which share of a small pixel each big one covers."""
    edges = np.arange(small + 1) * (big / small)
    ends = np.arange(big)
    cover = np.minimum(edges[1:, None], ends + 1) - np.maximum(edges[:-1, None], ends)
    return np.clip(cover, 0, None) * (small / big)


def averaged(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """float64 (height, width, c): the mean of each small pixel's area."""
    flat = picture.astype(np.float64).reshape(*picture.shape[:2], -1)
    rows, columns = weights(picture.shape[0], height), weights(picture.shape[1], width)
    return np.einsum("yh,hwc,xw->yxc", rows, flat, columns, optimize=True)


@pytest.mark.parametrize("size", [(48, 48), (64, 64), (40, 40), (96, 96)])
def test_pictures_are_area_means(built: Path, size: tuple[int, int]) -> None:
    for row in open_dataset(str(built), "train").rows[::5]:
        made, truth = read_pixels(row, *size), stored(row)
        for name in ("composite", "background"):
            assert np.abs(getattr(made, name) - averaged(truth[f"{name}.png"], *size)).max() <= 0.51
        share = averaged(truth["mask.png"], *size)[..., 0] / 255
        clear = np.abs(share - 0.5) > 0.01
        np.testing.assert_array_equal(made.mask[clear], share[clear] > 0.5)
        for name in ("foreground", "occluder"):
            check_layer(getattr(made, name), truth[f"{name}.png"], size)


def check_layer(made: np.ndarray, truth: np.ndarray, size: tuple[int, int]) -> None:
    """Alpha is a mean, colour a mean weighted by alpha, and black where nothing is."""
    alpha = truth[..., 3:].astype(np.float64)
    mean, colour = averaged(alpha, *size), averaged(truth[..., :3] * alpha, *size)
    assert np.abs(made[..., 3:] - mean).max() <= 0.51
    seen = made[..., 3] > 0
    assert np.abs(made[..., :3] - colour / np.maximum(mean, 1e-9))[seen].max(initial=0) <= 0.51
    assert not made[~seen].any()


def test_whole_samples_are_not_changed(built: Path) -> None:
    row = open_dataset(str(built), "val").rows[1]
    made, truth = read_pixels(row, 96, 96), stored(row)
    for name in ("composite", "background", "foreground", "occluder"):
        np.testing.assert_array_equal(getattr(made, name), truth[f"{name}.png"])
    np.testing.assert_array_equal(made.mask, truth["mask.png"] == 255)


def test_colour_under_no_alpha_does_not_leak() -> None:
    """Half a pixel of red beside half a pixel of nothing is half a pixel of pure red."""
    pair = np.zeros((2, 2, 4), np.uint8)
    pair[:, 0] = (200, 10, 30, 255)
    assert shrink(pair, 1, 1).tolist() == [[[200, 10, 30, 128]]]
    pair[:, 1] = (0, 0, 0, 1)
    assert shrink(pair, 1, 1).tolist() == [[[199, 10, 30, 128]]]
    assert not shrink(np.zeros((4, 4, 4), np.uint8), 2, 2).any()


@pytest.mark.parametrize(("size", "cut"), [((64, 32), (24, 72, 0, 96)), ((32, 64), (0, 96, 24, 72))])
def test_the_middle_is_kept(built: Path, size: tuple[int, int], cut: tuple[int, int, int, int]) -> None:
    row = open_dataset(str(built), "train").rows[0]
    top, bottom, left, right = cut
    truth = stored(row)["composite.png"][top:bottom, left:right]
    assert np.abs(read_pixels(row, *size).composite - averaged(truth, *size)).max() <= 0.51


def test_odd_ratios_are_met_as_well_as_pixels_allow() -> None:
    picture = np.zeros((100, 100), np.uint8)
    assert crop_to(picture, 96, 64).shape == (67, 100)
    assert crop_to(picture, 64, 96).shape == (100, 67)
    assert crop_to(picture[:10], 3, 4).shape == (10, 8)
    assert crop_to(picture, 7, 7).shape == (100, 100)


def test_members_that_are_asked_for(built: Path) -> None:
    row = open_dataset(str(built), "train").rows[-1]
    with tarfile.open(row.shard.path()) as tar:
        for names in (("mask.png",), ("json", "composite.png"), ("occluder.png", "background.png")):
            truth = {name: tar.extractfile(f"{row.key}.{name}") for name in names}
            assert read_members(row, names) == {n: m.read() for n, m in truth.items() if m}


def pictures(**changes: bytes) -> dict[str, bytes]:
    made = {n: encode_png(np.zeros((8, 8) if c == 1 else (8, 8, c), np.uint8)) for n, c in CHANNELS.items()}
    return made | {name.replace("_", "."): data for name, data in changes.items()}


def shard_of(folder: Path, members: dict[str, bytes], key: str = KEY, offset: int = 0) -> Row:
    """A shard of one sample, and another one behind it."""
    path = folder / "data" / "s.tar"
    path.parent.mkdir()
    both = [
        (f"{k}.{name}", data) for k, found in ((key, members), ("next_1", pictures())) for name, data in found.items()
    ]
    write_tar(path, both)
    return Row(KEY, Shard(Folder(str(folder)), "data/s.tar", path.stat().st_size, None), offset, 8)


def png_of(pixels: np.ndarray) -> bytes:
    return encode_png(pixels.astype(np.uint8))


def deep(size: int) -> bytes:
    """A PNG that says it is `size` pixels a side, and is almost nothing."""
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    body = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


RGB, RGBA = np.zeros((8, 8, 3)), np.zeros((8, 8, 4))
FLIPPED = bytearray(png_of(RGB))
FLIPPED[45] ^= 4


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"composite_png": b""}, "composite.png: PNG: the first 8 bytes are not the PNG signature"),
        ({"mask_png": b"\x80\x04K\x01." * 20}, "mask.png: [0-9]+ x [0-9]+ pixels, the index says 8 x 8"),
        (
            {"background_png": bytes(FLIPPED)},
            "background.png: PNG: checksum of chunk b'IDAT' at byte 33 does not match",
        ),
        ({"foreground_png": png_of(RGB)}, "foreground.png: 3 channels, must be 4"),
        ({"composite_png": png_of(RGBA)}, "composite.png: 4 channels, must be 3"),
        ({"composite_png": png_of(RGB[..., 0])}, "composite.png: 1 channels, must be 3"),
        ({"mask_png": png_of(RGB)}, "mask.png: 3 channels, must be 1"),
        ({"occluder_png": png_of(RGBA[:4])}, "occluder.png: 8 x 4 pixels, the index says 8 x 8"),
        ({"composite_png": deep(30000)}, "composite.png: 30000 x 30000 pixels, the index says 8 x 8"),
        ({"composite_png": deep(8)}, "composite.png: PNG: pixel data must be 200 bytes, a complete stream; found 0"),
    ],
    ids=str,
)
def test_damaged_pictures_are_named(tmp_path: Path, change: dict[str, bytes], text: str) -> None:
    row = shard_of(tmp_path, pictures(**change))
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/s\.tar: {KEY}\.{text}$"):
        read_pixels(row, 8, 8)


def test_pickles_are_bytes_like_others(tmp_path: Path) -> None:
    """Readers that decode by a member's name would run them."""
    row = shard_of(tmp_path, {"pyd": b"cos\nsystem\n(S'false'\ntR.", **pictures()})
    assert len(read_pictures(row, NAMES)) == 5


def test_a_member_that_is_missing(tmp_path: Path) -> None:
    members = pictures()
    del members["occluder.png"]
    row = shard_of(tmp_path, members)
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/s\.tar: {KEY}: no member 'occluder\.png' at byte 0$"):
        read_pixels(row, 8, 8)


@pytest.mark.parametrize("offset", [512, 10**9, -512])
def test_offsets_that_lead_nowhere(tmp_path: Path, offset: int) -> None:
    row = shard_of(tmp_path, pictures(), offset=offset)
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/s\.tar: {KEY}: cannot be read at byte {offset}: "):
        read_pixels(row, 8, 8)


def test_another_sample_is_not_taken_for_the_one(tmp_path: Path) -> None:
    row = shard_of(tmp_path, pictures(), key="train_000000004")
    with pytest.raises(DataError, match=rf"{KEY}: no member 'composite\.png' at byte 0$"):
        read_pixels(row, 8, 8)


def forge(row: Row, size: bytes, kind: bytes = b"0") -> None:
    """Give the first member another size and kind, with the checksum that belongs to them."""
    path = row.shard.path()
    data = bytearray(path.read_bytes())
    data[124:136], data[156:157], data[148:156] = size, kind, b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        (b"\xff" * 8 + (-2048 & 0xFFFFFFFF).to_bytes(4, "big"), b"0"),  # back to before the header, for ever
        (b"77777777777\0", b"0"),  # 8 GiB
        (b"\x80" + (1 << 60).to_bytes(11, "big"), b"0"),
        (b"00000000100\0", b"2"),  # a link
        (b"00000000100\0", b"5"),  # a folder
    ],
    ids=str,
)
@pytest.mark.parametrize("names", [NAMES, ("mask.png",)], ids=len)
def test_sizes_and_kinds_are_not_believed(tmp_path: Path, size: bytes, kind: bytes, names: tuple[str, ...]) -> None:
    row = shard_of(tmp_path, pictures())
    forge(row, size, kind)
    with pytest.raises(
        DataError, match=rf"^{tmp_path}/data/s\.tar: {KEY}\.composite\.png: not a file of 0 to \d+ bytes"
    ):
        read_pictures(row, names)


def test_a_name_that_is_not_ascii(tmp_path: Path) -> None:
    row = shard_of(tmp_path, pictures(), key="tr\xe4in")
    with pytest.raises(DataError, match=rf"^{tmp_path}/data/s\.tar: {KEY}: cannot be read at byte 0: 'ascii' codec"):
        read_pixels(row, 8, 8)
