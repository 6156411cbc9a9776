"""Measurements of a cut-out: how large, how whole, how clean, photograph or drawing; and repairs of its edge.

All of them read one straight sRGB RGBA picture, (h, w, 4) uint8.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # top, left, bottom, right; bottom and right exclusive

_SOLID = 127  # alpha above this belongs to the object's shape
_CLEAR, _OPAQUE = 5, 250  # alpha strictly between these is soft


# A fringe is believed from this share and this fit on. Measured on 147 clean cut-outs: 2 % fooled it, while it
# took the alpha-weighted error of a full white fringe from 21.7 to 0.8 levels and of a half one from 10.9 to 1.5.
_MIN_FRINGE_SHARE, _MIN_FRINGE_FIT = 0.3, 0.4
_MIN_FRINGE_PIXELS = 30


class Quality(NamedTuple):
    """What `measure` finds. Shares are in [0, 1]; see each field for what it is a share of."""

    long_side: int  # px, of the box that holds every pixel with alpha > 0
    alpha_coverage: float  # of that box: pixels with alpha > 127
    soft_share: float  # of pixels with alpha > 0: those with 5 < alpha < 250
    main_component: float  # of pixels with alpha > 127: those in the largest 8-connected component; 0 if none
    cut_left: float  # of the picture's left edge: its longest unbroken run with alpha > 127
    cut_top: float
    cut_right: float
    cut_bottom: float
    sharpness: float  # variance of the Laplacian of luma, squared 8-bit levels; see `sharpness`
    flatness: float  # of neighbouring pixel pairs inside: those of exactly equal colour; see `flatness`


class Fringe(NamedTuple):
    """The old background in soft pixels: colour = (1 - m) true + m ground, with m = share (1 - alpha)."""

    ground: int  # 255 white or 0 black: the background that explains the soft pixels better
    share: float  # 0 is clean, 1 is a picture that was simply masked; outside [0, 1] it explains nothing
    fit: float  # R^2 of that explanation, at most 1


def measure(rgba: NDArray[np.uint8]) -> Quality:
    """Measure a cut-out (h, w, 4) uint8, straight sRGB.

    The cut_* shares refer to the edges of the picture as given, so measure before trimming: a long run means
    that the photograph's frame, not the object, ended there. Raises ValueError if every pixel is transparent.
    """
    top, left, bottom, right = alpha_box(rgba)
    alpha = rgba[top:bottom, left:right, 3]
    solid = rgba[..., 3] > _SOLID
    soft = (alpha > _CLEAR) & (alpha < _OPAQUE)
    return Quality(
        long_side=max(bottom - top, right - left),
        alpha_coverage=float(np.mean(alpha > _SOLID)),
        soft_share=float(np.count_nonzero(soft) / np.count_nonzero(alpha)),
        main_component=_main_component(solid),
        cut_left=_longest_run(solid[:, 0]),
        cut_top=_longest_run(solid[0]),
        cut_right=_longest_run(solid[:, -1]),
        cut_bottom=_longest_run(solid[-1]),
        sharpness=sharpness(rgba),
        flatness=flatness(rgba),
    )


def alpha_box(rgba: NDArray[np.uint8]) -> Box:
    """The smallest box (top, left, bottom, right; last two exclusive) that holds every pixel with alpha > 0.

    Raises ValueError if there is no such pixel.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8:
        raise ValueError(f"rgba: must be (h, w, 4) uint8, got {rgba.shape} {rgba.dtype}")
    seen = rgba[..., 3] > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if rows.size == 0:
        raise ValueError(f"rgba: every pixel of the {rgba.shape[0]} x {rgba.shape[1]} picture is transparent")
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def trim(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Box]:
    """The picture cut to its `alpha_box` (a copy), and that box. ValueError if every pixel is transparent."""
    top, left, bottom, right = box = alpha_box(rgba)
    return rgba[top:bottom, left:right].copy(), box


def sharpness(rgba: NDArray[np.uint8]) -> float:
    """Variance of the 4-neighbour Laplacian of luma (BT.601), in squared 8-bit levels; 0 if none is inside.

    "LAPV" of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000. Only pixels
    whose whole 3 x 3 neighbourhood has alpha >= 250 count, so that the cut itself is never taken for detail.
    """
    inside = cv2.erode((rgba[..., 3] >= _OPAQUE).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    luma = cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY)
    values = cv2.Laplacian(luma, cv2.CV_16S)[inside != 0]
    return float(values.var(dtype=np.float64)) if values.size else 0.0


def flatness(rgba: NDArray[np.uint8]) -> float:
    """Share of horizontally and vertically neighbouring pixel pairs, both with alpha >= 250, of equal colour.

    High for drawings, which are filled, and low for photographs, which carry noise. 0 if there is no pair.
    """
    packed = np.ascontiguousarray(rgba).view(np.uint32)[..., 0] & _RGB_BITS
    inside = rgba[..., 3] >= _OPAQUE
    pairs = equal = 0
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        both = inside[a] & inside[b]
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (packed[a] == packed[b])))
    return equal / pairs if pairs else 0.0


def fringe(rgba: NDArray[np.uint8]) -> Fringe:
    """How much white or black background is left in the soft pixels of a cut-out (h, w, 4) uint8.

    Least squares over soft pixels within 2.5 px of an opaque one, whose colour stands for the true one.
    Share and fit are 0 where fewer than 30 pixels can tell.
    """
    soft, nearest = _soft_and_nearest(rgba)
    if np.count_nonzero(soft) < _MIN_FRINGE_PIXELS:
        return Fringe(255, 0.0, 0.0)
    true = rgba.reshape(-1, 4)[nearest[soft], :3].astype(np.float64)
    off = rgba[soft][:, :3] - true
    clear = 1 - rgba[soft][:, 3:] / 255.0
    found = []
    for ground in (255, 0):
        pull = clear * (ground - true)
        share = float((pull * off).sum() / max((pull * pull).sum(), 1e-9))
        left = ((off - share * pull) ** 2).sum() / max((off * off).sum(), 1e-9)
        found.append(Fringe(ground, share, float(1 - left)))
    return max(found, key=lambda f: f.fit if f.share > 0 else -1.0)


def defringe(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of the cut-out with a white or black `fringe` taken out of pixels with 0 < alpha < 250.

    It inverts the mixture of `Fringe`; a cut-out whose fringe is weak or unsure comes back as it was. Alpha,
    opaque and invisible pixels never change.
    """
    out = rgba.copy()
    found = fringe(rgba)
    if found.share < _MIN_FRINGE_SHARE or found.fit < _MIN_FRINGE_FIT:
        return out
    mixed = (rgba[..., 3] > 0) & (rgba[..., 3] < _OPAQUE)
    m = min(found.share, 1.0) * (1 - rgba[mixed][:, 3:] / 255.0)
    true = (rgba[mixed][:, :3] - m * found.ground) / np.maximum(1 - m, 0.1)  # 8 bits hold no more at low alpha
    out[mixed, :3] = np.rint(np.clip(true, 0, 255)).astype(np.uint8)
    return out


def _soft_and_nearest(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """(h, w) soft pixels with alpha > 25 close to an opaque one, and (h, w) flat index of the nearest opaque."""
    opaque = rgba[..., 3] >= _OPAQUE
    if not opaque.any():
        return opaque, np.zeros(opaque.shape, dtype=np.intp)
    distance, label = cv2.distanceTransformWithLabels(
        (~opaque).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.zeros(int(np.max(label)) + 1, dtype=np.intp)
    places[np.asarray(label)[opaque]] = np.flatnonzero(opaque)
    return ~opaque & (rgba[..., 3] > 25) & (np.asarray(distance) <= 2.5), places[np.asarray(label)]


_RGB_BITS = np.array([255, 255, 255, 0], np.uint8).view(np.uint32)[0]


def _main_component(solid: NDArray[np.bool_]) -> float:
    stats = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)[2]
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]  # the first is what is not solid
    return float(areas.max() / areas.sum()) if areas.size else 0.0


def _longest_run(edge: NDArray[np.bool_]) -> float:
    bounds = np.flatnonzero(np.diff(edge, prepend=False, append=False))
    return float((bounds[1::2] - bounds[::2]).max() / edge.size) if bounds.size else 0.0
