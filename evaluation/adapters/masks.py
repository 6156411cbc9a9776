"""The rough mask of a test picture whose data set gives a matte only."""

from typing import Literal

import cv2
import numpy as np

from evaluation.metrics.regions import dilated
from stages.decode import DecodeError
from stages.types import F32, U8, Mask

MaskFrom = Literal["dilate", "box", "trimap"]


def mask_from_alpha(alpha: F32, how: MaskFrom, grow: int, trimap: U8 | None, name: str) -> Mask:
    """A mask (h, w) bool as a user would give it, made from alpha (h, w) in [0, 1]; nothing in it is random.

    The object is alpha > 0.5, or alpha > 0 where that is nowhere (glass, smoke). `dilate`: the object and all within
    `grow` pixels of it, Euclidean. `box`: the object's bounding box. `trimap`: what the trimap does not call
    background. Raises DecodeError: no_object where alpha is 0 everywhere, missing where there is no trimap.
    """
    thing = alpha > 0.5
    thing = thing if thing.any() else alpha > 0
    if not thing.any():
        raise DecodeError("no_object", f"{name}: alpha is 0 everywhere, so there is no object")
    if how == "trimap":
        if trimap is None:
            raise DecodeError("missing", f"{name}: no trimap, which mask = 'trimap' needs")
        return trimap > 0
    return _box(thing) if how == "box" else dilated(thing, grow)


def _box(mask: Mask) -> Mask:
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    out = np.zeros_like(mask)
    out[y : y + h, x : x + w] = True
    return out


def unit(values: U8) -> F32:
    """0..255 to float32 0..1."""
    return values.astype(np.float32) / np.float32(255)
