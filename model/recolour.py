"""Another colour at the same luminance. Pictures are uint8 (h, w, 3), sRGB-encoded.

Luminance is that of linear light (ITU-R BT.709), linear light that of IEC 61966-2-1. A colour that leaves the gamut
comes back along the way to the grey of its luminance.
"""

import colorsys

import numpy as np
from numpy.typing import NDArray

from stages.types import F32, U8

_SHARES = np.array([0.2126, 0.7152, 0.0722], np.float32)


def to_linear(levels: NDArray[np.uint8]) -> F32:
    """Linear light in [0, 1] of encoded levels."""
    encoded = np.arange(256) / 255
    table = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return np.asarray(table.astype(np.float32)[levels])


def to_levels(linear: F32) -> U8:
    """The inverse of `to_linear`, rounded to nearest."""
    light = np.clip(linear, 0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * encoded), np.uint8)


def turn_hue(rgb: U8, hue: float) -> U8:
    """All colours in one hue, as strong as they were; greys stay.

    `hue` is in degrees, 0 to 360, as in HSV: 0 red, 120 green, 240 blue.
    """
    full = np.array([round(255 * c) for c in colorsys.hsv_to_rgb(hue / 360, 1, 1)], np.uint8)
    way = _chroma(to_linear(full))
    strength = np.linalg.norm(_chroma(to_linear(rgb)), axis=-1, keepdims=True)
    return _with_chroma(rgb, way / np.linalg.norm(way) * strength)


def tint(rgb: U8, colour: tuple[int, int, int]) -> U8:
    """All in shades of one colour: as strong as it is, in proportion to luminance."""
    target = to_linear(np.array(colour, np.uint8))
    light = float(target @ _SHARES)
    share = _chroma(target) / max(light, 1e-6)
    return _with_chroma(rgb, share * (to_linear(rgb) @ _SHARES)[..., None])


def _chroma(linear: F32) -> F32:
    """What a colour adds to the grey of its luminance; its own luminance is 0."""
    return np.asarray(linear - (linear @ _SHARES)[..., None], np.float32)


def _with_chroma(rgb: U8, chroma: F32) -> U8:
    light = (to_linear(rgb) @ _SHARES)[..., None]
    room = np.where(chroma > 0, 1 - light, light)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.where(chroma == 0, np.inf, room / np.abs(chroma)).min(axis=-1, keepdims=True)
    return to_levels(np.asarray(light + np.minimum(1, reach) * chroma, np.float32))
