"""One sample from its shard, decoded safely and shrunk. Arrays are uint8, straight alpha, sRGB-encoded."""

import os
import struct
import tarfile
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np

from model.data.download import DataError
from model.data.index import Row
from stages.codec import decode_png
from stages.types import U8, Mask

CHANNELS = {"composite.png": 3, "background.png": 3, "foreground.png": 4, "occluder.png": 4, "mask.png": 1}
_BLOCK = tarfile.BLOCKSIZE


class Pixels(NamedTuple):
    """(h, w, 3) composite and background, (h, w, 4) foreground and occluder, (h, w) bool mask."""

    composite: U8
    background: U8
    foreground: U8
    occluder: U8
    mask: Mask


def read_pixels(row: Row, width: int, height: int) -> Pixels:
    """A sample at `width` x `height`. Raises DataError."""
    small = (shrink(pixels, width, height) for pixels in read_pictures(row, tuple(CHANNELS)))
    composite, background, foreground, occluder, mask = small
    return Pixels(composite, background, foreground, occluder, mask >= 128)


def read_pictures(row: Row, names: tuple[str, ...]) -> list[U8]:
    """Some of the pictures of a sample, as stored. Raises DataError naming shard, key and member."""
    members = read_members(row, names)
    return [_decode(row, name, members[name]) for name in names]


def read_members(row: Row, names: tuple[str, ...]) -> dict[str, bytes]:
    """The bytes of some members of a sample. Raises DataError naming shard, key and member."""
    found: dict[str, bytes] = {}
    path = row.shard.path()
    try:
        with path.open("rb") as file:
            file.seek(row.offset)
            while len(found) < len(names):
                header = tarfile.TarInfo.frombuf(file.read(_BLOCK), "ascii", "strict")
                key, _, member = header.name.partition(".")
                if key != row.key:
                    break
                _check_header(header, row, file)
                if member in names:
                    found[member] = file.read(header.size)
                file.seek(-header.size % _BLOCK + (0 if member in names else header.size), os.SEEK_CUR)
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"{row.shard}: {row.key}: cannot be read at byte {row.offset}: {error}") from None
    for name in names:
        if name not in found:
            raise DataError(f"{row.shard}: {row.key}: no member '{name}' at byte {row.offset}")
    return found


def _check_header(header: tarfile.TarInfo, row: Row, file: BinaryIO) -> None:
    """A size is believed only where the shard holds as much, so that none makes us go back or take all memory."""
    left = row.shard.num_bytes - file.tell()
    if not (header.isreg() and 0 <= header.size <= left):
        raise DataError(f"{row.shard}: {header.name}: not a file of 0 to {left} bytes")


def _decode(row: Row, member: str, data: bytes) -> U8:
    where = f"{row.shard}: {row.key}.{member}"
    size = struct.unpack_from(">II", data, 16) if len(data) >= 24 else (row.size, row.size)
    if size != (row.size, row.size):  # seen before anything is inflated
        raise DataError(f"{where}: {size[0]} x {size[1]} pixels, the index says {row.size} x {row.size}")
    try:
        pixels = decode_png(data)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    found = 1 if pixels.ndim == 2 else pixels.shape[2]
    if found != CHANNELS[member]:
        raise DataError(f"{where}: {found} channels, must be {CHANNELS[member]}")
    return pixels


def shrink(pixels: U8, width: int, height: int) -> U8:
    """The middle of a picture at the aspect ratio of `width` x `height`, averaged down to it; alpha-weighted."""
    cut = crop_to(pixels, width, height)
    if cut.shape[:2] == (height, width):
        return np.ascontiguousarray(cut)
    if cut.ndim == 2 or cut.shape[2] == 3:
        return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return _shrink_rgba(cut, width, height)


def _shrink_rgba(pixels: U8, width: int, height: int) -> U8:
    out = np.zeros((height, width, 4), np.uint8)
    alpha = cv2.extractChannel(pixels, 3)
    if alpha.any():
        weight = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
        weighted = cv2.multiply(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), weight, dtype=cv2.CV_32F)
        small, mean = (
            cv2.resize(a, (width, height), interpolation=cv2.INTER_AREA) for a in (weighted, alpha.astype(np.float32))
        )
        out[..., :3] = np.rint(small / np.maximum(mean, 1e-6)[..., None]).clip(0, 255)
        out[..., 3] = np.rint(mean)
        out[out[..., 3] == 0] = 0
    return out


def crop_to(pixels: U8, width: int, height: int) -> U8:
    """The largest middle part with the aspect ratio of `width` x `height`."""
    h, w = pixels.shape[:2]
    cut_w, cut_h = min(w, round(h * width / height)), min(h, round(w * height / width))
    x, y = (w - cut_w) // 2, (h - cut_h) // 2
    return pixels[y : y + cut_h, x : x + cut_w]
