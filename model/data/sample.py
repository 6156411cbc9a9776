"""One sample from its shard, decoded safely and shrunk. Arrays are uint8, straight alpha, sRGB-encoded."""

import os
import tarfile
from typing import NamedTuple

import cv2
import numpy as np

from model.data.index import DataError, Row
from stages.codec import decode_png
from stages.types import U8, Mask

_BLOCK = tarfile.BLOCKSIZE


class Pixels(NamedTuple):
    """(h, w, 3) composite and background, (h, w, 4) foreground and occluder, (h, w) bool mask."""

    composite: U8
    background: U8
    foreground: U8
    occluder: U8
    mask: Mask


def read_members(row: Row, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """The bytes of some members of a sample. Raises DataError naming shard, key and member."""
    found: dict[str, bytes] = {}
    try:
        with row.shard.open("rb") as file:
            file.seek(row.offset)
            while len(found) < len(wanted):
                header = tarfile.TarInfo.frombuf(file.read(_BLOCK), "ascii", "strict")
                key, _, member = header.name.partition(".")
                if key != row.key:
                    break
                if member in wanted:
                    found[member] = file.read(header.size)
                    file.seek(-header.size % _BLOCK, os.SEEK_CUR)
                else:
                    file.seek(header.size + -header.size % _BLOCK, os.SEEK_CUR)
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{row.shard}: {row.key}: cannot be read: {error}") from None
    missing = [m for m in wanted if m not in found]
    if missing:
        raise DataError(f"{row.shard}: {row.key}: no member '{missing[0]}'")
    return found


def decode(row: Row, member: str, data: bytes) -> U8:
    """Pixels of one member. Raises DataError naming shard, key and member."""
    try:
        return decode_png(data)
    except ValueError as error:
        raise DataError(f"{row.shard}: {row.key}.{member}: {error}") from None


def shrink(pixels: U8, width: int, height: int) -> U8:
    """The middle of a picture at the aspect ratio of `width` x `height`, averaged down to it; alpha-weighted."""
    cut = crop_to(pixels, width / height)
    if cut.shape[:2] == (height, width):
        return cut
    if cut.ndim == 2 or cut.shape[2] == 3:
        return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    alpha = cut[..., 3:].astype(np.float32) / 255
    small = cv2.resize(
        np.concatenate([cut[..., :3] * alpha, alpha], axis=2), (width, height), interpolation=cv2.INTER_AREA
    )
    colour = np.where(small[..., 3:] > 0, small[..., :3] / np.maximum(small[..., 3:], 1e-6), 0)
    out = np.rint(np.concatenate([colour, small[..., 3:] * 255], axis=2)).clip(0, 255).astype(np.uint8)
    out[out[..., 3] == 0] = 0
    return out


def crop_to(pixels: U8, aspect: float) -> U8:
    """The largest middle part with width / height = `aspect`."""
    height, width = pixels.shape[:2]
    w, h = min(width, round(height * aspect)), min(height, round(width / aspect))
    x, y = (width - w) // 2, (height - h) // 2
    return pixels[y : y + h, x : x + w]


def read_pixels(row: Row, width: int, height: int) -> Pixels:
    """A sample at `width` x `height`. Raises DataError."""
    names = ("composite.png", "background.png", "foreground.png", "occluder.png", "mask.png")
    data = read_members(row, names)
    parts = [shrink(decode(row, name, data[name]), width, height) for name in names]
    return Pixels(*parts[:4], parts[4] >= 128)
