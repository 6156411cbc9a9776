"""Checks of a sample's pictures. Written apart from `stages`, in whole numbers, so that it can disagree with it."""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.manifest import Manifest
from pipeline.schema import SampleMeta
from stages.types import U8

I64 = NDArray[np.int64]

CHANNELS = {
    "composite.png": 3,
    "background.png": 3,
    "foreground.png": 4,
    "shadow.png": 1,
    "occluder.png": 4,
    "mask.png": 1,
}
_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}  # PNG specification, table 11.1
_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
_SHADE_ERROR = 2.0**-22  # the renderer rounds twice to float32 a pixel: 2 * 2^-24 of the sum, and a margin
_UNOCCLUDED = 0.98  # what must show where nothing was asked to hide it


class Pictures(NamedTuple):
    """The decoded members of a sample, uint8 (h, w[, c]) RGB order, and what its JSON says."""

    composite: U8
    background: U8
    foreground: U8
    shadow: U8
    occluder: U8
    mask: U8
    meta: SampleMeta
    manifest: Manifest


def decode(data: bytes, channels: int, size: int) -> U8 | str:
    """Decode one PNG with OpenCV (the writer has a codec of its own); a string says what is wrong with it."""
    fault = _structure(data)
    if fault:
        return fault
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    if (width, height, depth, colour) != (size, size, 8, _COLOUR_TYPE[channels]):
        asked = f"{size} x {size}, 8 bit, colour type {_COLOUR_TYPE[channels]}"
        return f"is {width} x {height}, {depth} bit, colour type {colour}; must be {asked}"
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    shape = (size, size) if channels == 1 else (size, size, channels)
    if pixels is None or pixels.shape != shape or pixels.dtype != np.uint8:
        return "does not decode"
    return np.asarray(cv2.cvtColor(pixels, _TO_RGB[channels]) if channels > 1 else pixels, np.uint8)


def _structure(data: bytes) -> str:
    """Walk the chunks of a PNG, which OpenCV forgives a lot: signature, IHDR first, CRCs, IEND last."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return "is not a PNG"
    at, kind = 8, b""
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind = data[at + 4 : at + 8]
        stored = data[at + 8 + length : at + 12 + length]
        if len(stored) < 4 or zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(stored, "big"):
            return f"CRC of chunk {kind.decode('latin-1')} at byte {at} is wrong"
        at += 12 + length
    return "" if kind == b"IEND" and at == len(data) else "does not end with IEND"


def mask_values(p: Pictures) -> list[str]:
    """Values and emptiness of the mask."""
    odd = np.count_nonzero((p.mask != 0) & (p.mask != 255))
    problems = [f"{odd} pixels of mask.png are neither 0 nor 255"] if odd else []
    return problems if p.mask.any() else [*problems, "mask.png is empty"]


def hidden_colour(p: Pictures) -> list[str]:
    """Colour under alpha 0."""
    layers = (("foreground.png", p.foreground), ("occluder.png", p.occluder))
    counts = [(name, _coloured_and_clear(rgba)) for name, rgba in layers]
    return [f"{count} pixels of {name} have colour under alpha 0" for name, count in counts if count]


def _coloured_and_clear(rgba: U8) -> int:
    packed = np.ascontiguousarray(rgba).view(np.uint32)[..., 0]  # any bit of the four bytes
    return int(np.count_nonzero((rgba[..., 3] == 0) & (packed != 0)))


def layer_presence(p: Pictures) -> list[str]:
    """Occluder and shadow against the metadata. (A shadow that is thrown may still fall outside the frame.)"""
    front = any(layer.role == "front" for layer in p.meta.layers)
    problems = []
    if front != bool(p.occluder.any()):
        problems.append(f"occluder.png is {'empty' if front else 'not empty'}, layers in front: {front}")
    if p.shadow.any() and not p.meta.shadow:
        problems.append("shadow.png is not empty, but the target throws no shadow")
    return problems if p.foreground[..., 3].any() else [*problems, "foreground.png is empty"]


def recomposition(p: Pictures) -> list[str]:
    """The composite against `recompose_int64`."""
    layers = (p.background, p.foreground, p.shadow, p.occluder)
    touched = (p.foreground[..., 3] != 0) | (p.shadow != 0)  # elsewhere the formula says: the background
    expected = p.background.astype(np.int16)
    expected[touched] = recompose_int64(*(layer[touched] for layer in layers))
    error = np.abs(expected - p.composite)
    wrong = np.count_nonzero(error.any(axis=2)) if error.any() else 0
    return [f"composite.png differs from its layers in {wrong} pixels, by up to {error.max()}"] if wrong else []


def recompose_int64(background: U8, foreground: U8, shadow: U8, occluder: U8) -> I64:
    """The picture that uint8 layers (..., c) stand for, rounded to nearest: int64 (..., 3) in 0..255.

    With a = alpha / 255: bg_s = bg - sh (bg - a_oc oc), composite = (1 - a_fg) bg_s + a_fg (a_oc oc +
    (1 - a_oc) fg), over the common denominator 255^3, which is odd: no tie.
    """
    bg, sh = background.astype(np.int64), shadow[..., None].astype(np.int64)
    fg, a_fg = foreground[..., :3].astype(np.int64), foreground[..., 3:].astype(np.int64)
    oc, a_oc = occluder[..., :3].astype(np.int64), occluder[..., 3:].astype(np.int64)
    shaded = 255**2 * bg - sh * (255 * bg - a_oc * oc)  # bg_s, times 255^2
    front = a_oc * oc + (255 - a_oc) * fg  # occluder over target, times 255
    total = (255 - a_fg) * shaded + 255 * a_fg * front
    return (2 * total + 255**3) // (2 * 255**3)


def fractions(p: Pictures) -> list[str]:
    """Stored shares against those of the layers."""
    a_fg, a_oc = p.foreground[..., 3].astype(np.int64), p.occluder[..., 3].astype(np.int64)
    covered, shown = int(a_fg.sum()), int((a_fg * (255 - a_oc)).sum())
    seen = 2 * a_fg * (255 - a_oc) > 255**2  # more than half of the pixel is target
    drawn = p.mask != 0
    visible = shown / (255 * covered) if covered else 0.0
    union = int(np.count_nonzero(seen | drawn))
    found = {
        "area_fraction": (covered / (255 * p.mask.size), 1e-12),
        "visible_fraction": (visible, _SHADE_ERROR),
        "occlusion_rate": (1 - visible, _SHADE_ERROR),
        "mask_iou": (int(np.count_nonzero(seen & drawn)) / union if union else 1.0, 1e-12),
    }
    stored = {name: float(getattr(p.meta, name)) for name in found}
    return [
        f"{name} is {stored[name]!r}, the layers give {value!r}"
        for name, (value, tolerance) in found.items()
        if not abs(stored[name] - value) <= tolerance
    ]


def asked_occlusion(p: Pictures) -> list[str]:
    """Visible share against the asked one."""
    asked, shown, tolerance = p.meta.asked_visible_fraction, p.meta.visible_fraction, p.manifest.occlusion.tolerance
    if p.meta.occluded:
        met = abs(asked - shown) <= tolerance + _SHADE_ERROR
        return [] if met else [f"{shown:.4f} is visible, asked {asked:.4f} within {tolerance}"]
    return [] if shown >= _UNOCCLUDED else [f"{shown:.4f} is visible of a target that is not occluded"]


CHECKS: dict[str, Callable[[Pictures], list[str]]] = {
    "mask_values": mask_values,
    "hidden_colour": hidden_colour,
    "layer_presence": layer_presence,
    "recomposition": recomposition,
    "fractions": fractions,
    "asked_occlusion": asked_occlusion,
}
