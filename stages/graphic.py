"""Photograph, drawing or lettering: three measurements of a cut-out (h, w, 4) uint8, straight sRGB.

Thresholds hold for pictures of 512 px or less on the long side. Larger photographs look like drawings to the first
two: their smooth parts change by less than a level from pixel to pixel.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.types import F32, U8, Mask

SOLID = 127  # alpha above this belongs to the object's shape
OPAQUE = 250  # alpha from this on shows the object's own colour

_RGB_BITS = np.array([255, 255, 255, 0], np.uint8).view(np.uint32)[0]
_COMMONEST = 8


def flatness(rgba: U8) -> float:
    """Share of horizontally and vertically neighbouring pixel pairs, both with alpha >= 250, of equal colour.

    High for drawings, which are filled, and low for photographs, which carry noise. 0 if there is no pair.
    """
    packed, inside = _packed(rgba), rgba[..., 3] >= OPAQUE
    pairs = equal = 0
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        both = inside[a] & inside[b]
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (packed[a] == packed[b])))
    return equal / pairs if pairs else 0.0


def palette(rgba: U8) -> float:
    """Share of the pixels with alpha >= 250 that have one of the 8 commonest exact colours. 0 if there is none.

    High for drawings. Unlike `flatness` it stays low for smooth photographs, whose many colours each fill little.
    """
    colours = _packed(rgba)[rgba[..., 3] >= OPAQUE]
    if not colours.size:
        return 0.0
    counts = np.sort(np.unique(colours, return_counts=True)[1])
    return float(counts[-_COMMONEST:].sum() / colours.size)


def text_like(rgba: U8) -> float:
    """How much a cut-out is lettering, a musical note, a logo, a line drawing of one ink: in [0, 1].

    The product of three shares: of pixels with alpha > 127 in the commonest of 4096 colours (4 bits a channel);
    1 - variation (standard deviation over mean) of the stroke's half width along its middle line, at least 0; and
    the shape's area over twice the square of its greatest width, at most 1, which is low for compact shapes. The
    middle line is every pixel at least as far from the outside as its 8 neighbours, and farther than 1 px. That
    strokes of text are even is from Epshtein et al., "Detecting text in natural scenes with stroke width
    transform", CVPR 2010.
    Lettering on a sign or on an object is not found. 0 if no pixel is solid.
    """
    solid = rgba[..., 3] > SOLID
    if not solid.any():
        return 0.0
    depth = _depth(solid)
    widest = 2.0 * float(depth.max())
    slender = min(1.0, float(np.count_nonzero(solid)) / (2 * widest * widest))
    return _ink(rgba[solid]) * _evenness(depth) * slender


def _packed(rgba: U8) -> NDArray[np.uint32]:
    """One number a colour; alpha left out."""
    bits: NDArray[np.uint32] = np.ascontiguousarray(rgba).view(np.uint32)[..., 0] & _RGB_BITS
    return bits


def _ink(pixels: U8) -> float:
    cells = (pixels[:, :3] >> 4).astype(np.int64) @ np.array([256, 16, 1])
    return float(np.bincount(cells).max() / cells.size)


def _depth(solid: Mask) -> F32:
    """Distance in pixels from each pixel's centre to the nearest centre outside; the frame counts as outside."""
    padded = np.pad(solid, 1).view(np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _evenness(depth: F32) -> float:
    highest = cv2.dilate(depth, np.ones((3, 3), np.uint8))
    ridge = depth[(depth > 1) & (depth >= highest)].astype(np.float64)
    return max(0.0, 1.0 - float(ridge.std() / ridge.mean())) if ridge.size else 0.0
