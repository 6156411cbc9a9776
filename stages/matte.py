"""Matte: a photograph and the alpha of its object become a cut-out of the object."""

import math

import cv2
import numpy as np

from stages.colour import Foreground, estimate_foreground
from stages.networks import Matter, OnnxMatter, RembgMatter
from stages.refine import refine as refine_matte
from stages.refine import refine_mask
from stages.types import F32, U8, Mask, Rejected

__all__ = ["Matter", "OnnxMatter", "RembgMatter", "cut_out", "main_part"]

_MIN_SHARE, _MAX_SHARE = 0.002, 0.9  # of the picture, of pixels with alpha > 0.5
_FAINT = 0.05  # alpha that still holds two parts of an object together
_SPECK = 0.05  # of the largest part of a rough mask
_VISIBLE = 0.5 / 255
_MARGIN_PX, _MARGIN_SHARE = 2, 0.03  # of the result; of the object's long side: colours that refining looks at
# On 16 photographs: 0.17 to 0.85 where a ghost was to be seen, at most 0.02 where not.
_GHOST, _DEEP_SHARE, _MAX_DEEP = (0.1, 0.9), 0.02, 0.1
_REACH = 0.012  # of the long side: how far refining may move an edge


def cut_out(
    rgb: U8, alpha: F32, *, long_side: int, refine: bool, foreground: Foreground, rough: bool = False
) -> U8 | Rejected:
    """Cut the object out of a photograph: uint8 (h, w, 3) sRGB and alpha (h, w) in [0, 1].

    Keeps the main part of the object, crops with a margin that is fully transparent except where the object
    touches the photograph's edge (there the crop ends with it), shrinks so that the object is at most
    `long_side` px long (never enlarges), refines the soft edge and takes the old background out of it.
    `rough`: alpha is a mask drawn by hand; its parts are kept but for specks, and its edge is refined as such.

    Returns:
        Straight sRGB uint8 (h, w, 4), RGB 0 where alpha is 0; or Rejected: no_object, fills_picture, unsure_matte
        (more than 10 % of the object is see-through and farther than 2 % of its crop from what is not).
    """
    if rgb.shape != (*alpha.shape, 3):
        raise ValueError(f"rgb {rgb.shape} and alpha {alpha.shape} are not one picture")
    covered = float(np.mean(alpha > 0.5))
    if covered > _MAX_SHARE:
        return Rejected("fills_picture", f"object covers {covered:.3f} of the picture, at most {_MAX_SHARE}")
    parts = _SPECK if rough else 1.0
    alpha = main_part(alpha, parts)
    if empty := _no_object(alpha):
        return empty
    rgb, alpha, inside = _crop_and_shrink(rgb, alpha, long_side, refine)
    if refine:
        solved = refine_mask(rgb, alpha > 0.5) if rough else refine_matte(rgb, alpha)
        alpha = main_part(solved, parts)
    alpha = np.where(inside, alpha, np.float32(0))
    return _no_object(alpha) or _unsure(alpha) or _quantised(estimate_foreground(rgb, alpha, foreground), alpha)


def main_part(alpha: F32, share: float = 1.0) -> F32:
    """A matte (h, w) without what is not of its object; nothing is filled.

    Kept are the largest 8-connected part with alpha > 0.5, every such part of at least `share` of its area, and
    what hangs together with these through alpha > 0.05; fainter pixels only beside that.
    """
    faint = (alpha > _FAINT).astype(np.uint8)
    _, solid, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8), connectivity=8)
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]
    if not areas.size:
        return np.zeros_like(alpha)
    large = 1 + np.flatnonzero(areas >= share * areas.max())[: None if share < 1 else 1]
    _, joined = cv2.connectedComponents(faint, connectivity=8)
    kept = np.isin(joined, np.unique(np.asarray(joined)[np.isin(solid, large)])) & (faint > 0)
    beside = cv2.dilate(kept.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(kept | (beside & (faint == 0)), alpha, np.float32(0))


def _no_object(alpha: F32) -> Rejected | None:
    share = float(np.mean(alpha > 0.5))
    if share >= _MIN_SHARE:
        return None
    return Rejected("no_object", f"object covers {share:.5f} of the picture, at least {_MIN_SHARE}")


def _unsure(alpha: F32) -> Rejected | None:
    """A ghost: the network could not tell, and left whole regions see-through. Hair and blur are narrower."""
    soft = (alpha > _GHOST[0]) & (alpha < _GHOST[1])
    reach = max(2, round(_DEEP_SHARE * max(alpha.shape)))
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    deep = cv2.erode(soft.view(np.uint8), ball)
    share = float(np.count_nonzero(deep) / np.count_nonzero(alpha > _GHOST[0]))
    if share <= _MAX_DEEP:
        return None
    return Rejected(
        "unsure_matte", f"{share:.3f} of the object is deep inside see-through regions, at most {_MAX_DEEP}"
    )


def _crop_and_shrink(rgb: U8, alpha: F32, long_side: int, refine: bool) -> tuple[U8, F32, Mask]:
    """Picture and alpha around the object; and False in border pixels where the object ends before the frame."""
    x, y, w, h = cv2.boundingRect((alpha >= _VISIBLE).astype(np.uint8))
    height, width = alpha.shape
    reach = 2 * math.ceil(max(2.0, _REACH * long_side)) if refine else 0
    fits = max(min(w + reach, width), min(h + reach, height)) <= long_side
    # A pixel more than it is long: an object that does not begin with a pixel touches one more.
    scale = 1.0 if fits else min(1.0, max(1, long_side - 1 - reach) / max(w, h))
    margin = math.ceil(_MARGIN_PX / scale + _MARGIN_SHARE * max(w, h))
    top, left, bottom, right = (
        max(0, y - margin),
        max(0, x - margin),
        min(height, y + h + margin),
        min(width, x + w + margin),
    )
    rgb, alpha = np.ascontiguousarray(rgb[top:bottom, left:right]), np.ascontiguousarray(alpha[top:bottom, left:right])
    if scale < 1:
        size = (max(1, math.floor((right - left) * scale)), max(1, math.floor((bottom - top) * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    inside = np.ones(alpha.shape, np.bool_)
    inside[0] &= y == 0
    inside[-1] &= y + h == height
    inside[:, 0] &= x == 0
    inside[:, -1] &= x + w == width
    return rgb, alpha, inside


def _quantised(colour: U8, alpha: F32) -> U8:
    levels = np.rint(alpha * 255).astype(np.uint8)
    return np.dstack([np.where(levels[..., None] > 0, colour, np.uint8(0)), levels])
