"""Measure: the bytes of a file become the pixels that scenes are made of, and facts about them.

Everything that decides prepared pixels is here and in `stages`, so the cache is keyed by this module's version.
"""

from typing import NamedTuple

import cv2
import numpy as np

from stages.decode import DecodeError, decode_image
from stages.dedupe import perceptual_hash
from stages.geometry import warp_object
from stages.quality import defringe, measure, trim
from stages.types import U8, Rejected

CUT_RUN = 0.3  # an opaque run along this share of an edge: the photograph's edge cut the object
MAX_PIXELS = 100_000_000


class Measured(NamedTuple):
    """Prepared pixels, uint8 (h, w, 3) or straight (h, w, 4), and columns of the asset table."""

    pixels: U8
    facts: dict[str, object]


def measure_file(data: bytes, name: str, role: str, canvas: int) -> Measured | Rejected:
    """Decode an image file and prepare it for scenes of `canvas` pixels.

    Backgrounds are shrunk to a short side of 1.5 canvases, cut-outs to a long side of 1: no scene shows more of
    them. Nothing is enlarged.
    """
    try:
        if role == "background":
            return measure_background(decode_image(data, name=name, max_pixels=MAX_PIXELS, want="rgb"), canvas)
        return measure_cutout(decode_image(data, name=name, max_pixels=MAX_PIXELS, want="rgba"), canvas)
    except DecodeError as error:
        return refusal(error, name)


def refusal(error: DecodeError, name: str) -> Rejected:
    """The reason for which a file is not used, without its name: the same file may have others."""
    return Rejected(error.reason, str(error).removeprefix(f"{name}: "))


def measure_background(rgb: U8, canvas: int) -> Measured:
    """Shrink a photograph (h, w, 3) to a short side of 1.5 canvases and measure it."""
    rgb = _shrink(rgb, 1.5 * canvas / min(rgb.shape[:2]))
    return Measured(rgb, {"cut": "", "area_px": float(rgb.shape[0] * rgb.shape[1]), **_common(rgb)})


def measure_cutout(rgba: U8, canvas: int, *, cut_run: float = CUT_RUN, fringed: bool = True) -> Measured | Rejected:
    """Trim a cut-out, un-mix its fringe (if `fringed`), shrink and measure it.

    `cut_run` is the share of an edge from which on an opaque run means that the photograph ended there. Rejected
    as `transparent` if nothing is left.
    """
    if not rgba[..., 3].any():
        return Rejected("transparent", "alpha is 0 everywhere")
    trimmed = trim(rgba)[0]
    trimmed = defringe(trimmed) if fringed else trimmed
    small = _shrink(trimmed, canvas / max(trimmed.shape[:2]))
    quality = measure(rgba, small)
    runs = {"l": quality.cut_left, "t": quality.cut_top, "r": quality.cut_right, "b": quality.cut_bottom}
    facts = {
        # An opaque run along the file's own border, before trimming: the photograph ended there.
        "cut": "".join(side for side, run in runs.items() if run > cut_run),
        "area_px": float(small[..., 3].sum(dtype=np.int64)) / 255,
        "coverage": float(quality.alpha_coverage),
        "soft_share": float(quality.soft_share),
        "main_component": float(quality.main_component),
        "flatness": float(quality.flatness),
        "palette": float(quality.palette),
        "text_like": float(quality.text_like),
        "sharpness": float(quality.sharpness),
        "clipped": float(quality.clipped),
    }
    return Measured(small, facts | _common(small))


def _common(pixels: U8) -> dict[str, object]:
    height, width = pixels.shape[:2]
    return {"height": height, "width": width, "phash": f"{perceptual_hash(pixels):016x}"}


def _shrink(pixels: U8, factor: float) -> U8:
    """Area-average to `factor` of the size, colour premultiplied. Never enlarges."""
    if factor >= 1:
        return np.ascontiguousarray(pixels)
    if pixels.shape[2] == 4:
        return warp_object(pixels, factor, 0.0, False)[0]
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
