"""Colour error of an extracted object, seen on several grounds.

One ground can hide an error: a halo of the old background is invisible on a ground of its colour.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stages.types import U8

_FLAT = {"black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "green": (0, 255, 0)}
GROUNDS = (*_FLAT, "checkerboard")
_SQUARE = 8  # pixels a side
_DARK, _LIGHT = 64, 192


def colour_errors(made: U8, truth: U8) -> dict[str, float]:
    """Mean absolute error in 8-bit levels of two (h, w, 4) straight uint8 sRGB objects, for each of GROUNDS.

    Both are composited on the ground (over, in sRGB, unrounded) and compared where the true alpha is above 0, as a
    mean over those pixels and channels; NaN where there are none.
    """
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    there = truth[..., 3] > 0
    if not there.any():
        return dict.fromkeys(GROUNDS, math.nan)
    return {name: float(np.abs(_over(made, g) - _over(truth, g))[there].mean()) for name, g in _grounds(there.shape)}


def colour_error(made: U8, truth: U8) -> float:
    """The mean of `colour_errors` over all grounds."""
    return float(np.mean(list(colour_errors(made, truth).values())))


def _grounds(shape: tuple[int, ...]) -> list[tuple[str, NDArray[np.float64]]]:
    """Name and levels, (1, 1, 3) or (h, w, 1), of each ground."""
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    board = np.where((ys // _SQUARE + xs // _SQUARE) % 2, _LIGHT, _DARK)[..., None].astype(np.float64)
    flat = [(name, np.array(levels, np.float64)[None, None]) for name, levels in _FLAT.items()]
    return [*flat, ("checkerboard", board)]


def _over(rgba: U8, ground: NDArray[np.float64]) -> NDArray[np.float64]:
    alpha = rgba[..., 3:] / 255.0
    return np.asarray(alpha * rgba[..., :3] + (1 - alpha) * ground)
