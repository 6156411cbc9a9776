"""Measurements of a cut-out: how large, how whole, how clean, how sharp, how exposed, and what kind of picture.

All of them read one straight sRGB RGBA picture, (h, w, 4) uint8.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.fringe import Fringe, defringe, fringe
from stages.graphic import OPAQUE, SOLID, flatness, palette, text_like

__all__ = [
    "Box",
    "Fringe",
    "Quality",
    "alpha_box",
    "clipped",
    "defringe",
    "flatness",
    "fringe",
    "measure",
    "palette",
    "sharpness",
    "text_like",
    "trim",
]

Box = tuple[int, int, int, int]  # top, left, bottom, right; bottom and right exclusive

_CLEAR = 5  # alpha strictly between this and OPAQUE is soft


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
    palette: float  # of opaque pixels: those of the 8 commonest colours; see `palette`
    clipped: float  # of opaque pixels: those black or white to within a level; see `clipped`
    text_like: float  # 0 to 1, how even and of one ink the strokes of the shape are; see `text_like`


def measure(rgba: NDArray[np.uint8], prepared: NDArray[np.uint8] | None = None) -> Quality:
    """Measure a cut-out (h, w, 4) uint8, straight sRGB.

    The cut_* shares refer to the edges of the picture as given, so measure before trimming: a long run means
    that the photograph's frame, not the object, ended there. From `sharpness` on, the fields are measured on
    `prepared` where it is given: the same cut-out at the size in which it will be used, which is where their
    thresholds hold. Raises ValueError if every pixel is transparent.
    """
    used = rgba if prepared is None else prepared
    top, left, bottom, right = alpha_box(rgba)
    alpha = rgba[top:bottom, left:right, 3]
    solid = rgba[..., 3] > SOLID
    soft = (alpha > _CLEAR) & (alpha < OPAQUE)
    return Quality(
        long_side=max(bottom - top, right - left),
        alpha_coverage=float(np.mean(alpha > SOLID)),
        soft_share=float(np.count_nonzero(soft) / np.count_nonzero(alpha)),
        main_component=_main_component(solid),
        cut_left=_longest_run(solid[:, 0]),
        cut_top=_longest_run(solid[0]),
        cut_right=_longest_run(solid[:, -1]),
        cut_bottom=_longest_run(solid[-1]),
        sharpness=sharpness(used),
        flatness=flatness(used),
        palette=palette(used),
        clipped=clipped(used),
        text_like=text_like(used),
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
    inside = cv2.erode((rgba[..., 3] >= OPAQUE).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
    luma = cv2.cvtColor(rgba, cv2.COLOR_RGBA2GRAY)
    values = cv2.Laplacian(luma, cv2.CV_16S)[inside != 0]
    return float(values.var(dtype=np.float64)) if values.size else 0.0


def clipped(rgba: NDArray[np.uint8]) -> float:
    """Share of pixels with alpha >= 250 whose channels are all 0 or 1, or all 254 or 255. 0 if there is none.

    Such pixels say nothing any more about the object's surface: over- or under-exposed, or painted.
    """
    r, g, b, alpha = cv2.split(rgba)
    opaque = np.asarray(alpha) >= OPAQUE
    if not opaque.any():
        return 0.0
    black = np.asarray(cv2.max(cv2.max(r, g), b)) <= 1
    white = np.asarray(cv2.min(cv2.min(r, g), b)) >= 254
    return float(np.count_nonzero(opaque & (black | white)) / np.count_nonzero(opaque))


def _main_component(solid: NDArray[np.bool_]) -> float:
    stats = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)[2]
    areas = np.asarray(stats)[1:, cv2.CC_STAT_AREA]  # the first is what is not solid
    return float(areas.max() / areas.sum()) if areas.size else 0.0


def _longest_run(edge: NDArray[np.bool_]) -> float:
    bounds = np.flatnonzero(np.diff(edge, prepend=False, append=False))
    return float((bounds[1::2] - bounds[::2]).max() / edge.size) if bounds.size else 0.0
