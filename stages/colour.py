"""Colour: the object's own colour in soft pixels, which in a photograph are mixed with what was behind.

Every pixel is C = alpha F + (1 - alpha) B; a cut-out that keeps C carries its old background in every hair.
"""

from typing import Literal

import numpy as np

from stages.lazy import own_kernels
from stages.nearest import nearest_pixel
from stages.types import F32, U8

Foreground = Literal["ml", "nearest", "none"]
_OPAQUE = 0.98


def estimate_foreground(rgb: U8, alpha: F32, method: Foreground) -> U8:
    """The colour F of the object: uint8 (h, w, 3) sRGB and alpha (h, w) in [0, 1] -> uint8 (h, w, 3).

    `ml`: multi-level estimation (Germer et al., "Fast multi-level foreground estimation", ICPR 2020).
    `nearest`: the colour of the nearest pixel with alpha >= 0.98, where there is any. `none`: C itself.
    Opaque pixels keep their colour.
    """
    if rgb.shape != (*alpha.shape, 3):
        raise ValueError(f"rgb {rgb.shape} and alpha {alpha.shape} are not one picture")
    match method:
        case "ml":
            return _multi_level(rgb, alpha)
        case "nearest":
            return _nearest(rgb, alpha)
        case "none":
            return rgb.copy()


def _multi_level(rgb: U8, alpha: F32) -> U8:
    with own_kernels():
        from pymatting import estimate_foreground_ml

    colour = estimate_foreground_ml(rgb / np.float32(255), alpha)
    # Opaque pixels are not mixed; the solver would smooth them all the same.
    straight = np.where(alpha[..., None] < 1, np.clip(colour, 0, 1) * 255, rgb)
    return np.rint(straight).astype(np.uint8)


def _nearest(rgb: U8, alpha: F32) -> U8:
    opaque = alpha >= _OPAQUE
    if not opaque.any():
        return rgb.copy()
    return np.asarray(rgb.reshape(-1, 3)[nearest_pixel(opaque)[1]])
