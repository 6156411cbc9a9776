"""Files whose grey levels are values, not light: masks, mattes and trimaps.

Colour profiles say how light is encoded. Mattes get one by accident (image editors embed "Dot Gain 20%" in whatever is
grey), and the data sets' own loaders ignore it; here it is cut out of the file before it is decoded.
"""

import numpy as np

from stages.decode import DecodeError, decode_image
from stages.types import U8

_COLOURED = 8  # levels between channels; JPEG's chroma of a grey picture stays under that


def decode_values(data: bytes, name: str) -> U8:
    """The values of a mask file: uint8 (h, w), 16-bit samples rounded to 8 bits, the first of three equal channels.

    `name` is used in messages only. Raises DecodeError: `coloured` for a picture in colour, else as `decode_image`
    does (a partly transparent file has none of the values that viewers show, and is refused).
    """
    rgb = decode_image(without_profile(data), name=name, want="rgb")
    spread = int((rgb.max(axis=2).astype(np.int16) - rgb.min(axis=2)).max())
    if spread > _COLOURED:
        text = f"channels differ by up to {spread} levels, must be grey (at most {_COLOURED})"
        raise DecodeError("coloured", f"{name}: {text}")
    return np.ascontiguousarray(rgb[..., 0])


def nearest_trimap(values: U8) -> U8:
    """Values (h, w) to the nearest of 0, 128 and 255."""
    return np.where(values < 64, 0, np.where(values < 192, 128, 255)).astype(np.uint8)


def without_profile(data: bytes) -> bytes:
    """A PNG or JPEG file without its ICC profile; any other file, and damage, as it is."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    return _jpeg(data) if data[:2] == b"\xff\xd8" else data


def _png(data: bytes) -> bytes:
    """Without iCCP chunks (PNG, third edition, sections 5.3 and 11.3.2.3)."""
    kept, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] != b"iCCP":
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _jpeg(data: bytes) -> bytes:
    """Without APP2 segments that hold a profile (ICC.1:2022, annex B.4); they precede the start of scan."""
    kept, at = [data[:2]], 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] not in (b"", b"\xff", b"\xda"):
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != 0xE2 or data[at + 4 : at + 16] != b"ICC_PROFILE\0":
            kept.append(data[at:end])
        at = end
    return b"".join(kept) + data[at:]
