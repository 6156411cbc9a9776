"""Layers at a picture's own size from layers at a smaller one, with the detail that the picture itself shows.

Pictures are float32 (h, w, 3), levels 0 to 255, sRGB-encoded; alpha is float32 (h, w) in [0, 1].
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from model.resize import guided_alpha, resample
from stages.types import F32, U8, Mask

_AGREE = 32.0  # levels: layers that miss the picture by this much hardly show it
_FAINT = 0.02  # weight of colours that alpha hides


class Small(NamedTuple):
    """What a model saw and made, all of one size: picture, background and object's colour (h, w, 3), alpha (h, w)."""

    picture: F32
    background: F32
    colour: F32
    alpha: F32


class Full(NamedTuple):
    """Layers at the picture's own size."""

    background: F32
    colour: F32
    alpha: F32


def enlarge(small: Small, height: int, width: int) -> Full:
    """Resampled alone, colours weighted by alpha; the same where the sizes are equal."""
    weight = small.alpha[..., None] + np.float32(_FAINT)
    colour = resample(small.colour * weight, height, width) / resample(weight[..., 0], height, width)[..., None]
    if small.alpha.shape == (height, width):
        colour = small.colour
    background, alpha = (resample(layer, height, width) for layer in (small.background, small.alpha))
    return Full(background, colour, alpha)


def enlarge_detailed(small: Small, picture: F32, mask: Mask) -> Full:
    """As `enlarge`, and then three kinds of detail from the full `picture`; hidden things stay as soft as they were.

    Alpha gets its edges from the picture (`guided_alpha`). Away from mask and object the background gets what the
    picture lost when it was made small, so that slow changes, such as a shadow that the model removed, stay. Where
    the small layers recompose the picture, the object's colour is the picture's, less the background it lets through.
    """
    height, width = picture.shape[:2]
    plain = enlarge(small, height, width)
    larger = height * width > small.alpha.size
    alpha = guided_alpha(small.alpha, small.picture, picture) if larger else plain.alpha
    lost = picture - resample(small.picture, height, width)
    away = 1 - near(np.maximum(mask.astype(np.float32), alpha), pixel_of(small.alpha, picture))
    background = plain.background + away[..., None] * lost
    full = Full(np.clip(background, 0, 255), plain.colour, alpha)
    return full._replace(colour=_seen_colour(full, picture, resample(agreement(small), height, width)))


def agreement(small: Small) -> F32:
    """(h, w) in [0, 1]: 1 where object over background is the picture, 0 where something hides the object."""
    alpha = small.alpha[..., None]
    made = alpha * small.colour + (1 - alpha) * small.background
    miss = np.abs(made - small.picture).max(axis=2) / _AGREE
    return np.asarray(np.exp(-(miss**2)), np.float32)


def near(cover: F32, reach: int) -> F32:
    """(h, w) in [0, 1]: `cover` where it is highest, down to 0 at twice `reach` pixels from all of it."""
    side = (2 * reach + 1, 2 * reach + 1)
    grown = cv2.dilate(cover, np.ones(side, np.uint8))
    return np.clip(np.asarray(cv2.blur(grown, side), np.float32), 0, 1)


def pixel_of(small: F32, full: F32 | U8) -> int:
    """How many full pixels a small one is long, rounded up."""
    return int(max(math.ceil(full.shape[0] / small.shape[0]), math.ceil(full.shape[1] / small.shape[1])))


def paste_known(background: U8, picture: U8, mask: Mask, reach: int) -> U8:
    """The picture's own pixels beyond twice `reach` pixels from the mask, the background's in it, blended between.

    uint8 (h, w, 3) each, and bool (h, w).
    """
    keep = near(mask.astype(np.float32), reach)[..., None]
    return np.rint(keep * background + (1 - keep) * picture).astype(np.uint8)


def _seen_colour(full: Full, picture: F32, agrees: F32) -> F32:
    alpha = full.alpha[..., None]
    own = (picture - (1 - alpha) * full.background) / np.maximum(alpha, 0.5)
    seen = agrees[..., None] * np.clip(2 * alpha - 1, 0, 1)
    return np.clip(full.colour + seen * (np.clip(own, 0, 255) - full.colour), 0, 255)
