"""Errors of alpha mattes.

SAD, MSE, Grad and Conn were proposed by Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting",
CVPR 2009. Published tables follow the evaluation code of Xu et al., "Deep Image Matting", CVPR 2017, which fixes what
the first paper leaves open: the filter of Grad, the steps of Conn, and sums told in thousands. So do these functions.
Alpha is (h, w) float32 in [0, 1]; `region` is (h, w) bool, the unknown part of a trimap say, or None for all pixels.
All but `soft_iou` are 0 for a perfect matte and NaN over an empty region.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.types import F32, U8, Mask

_SIGMA = 1.4
_EPSILON = 1e-2  # the filter of Grad ends where the Gaussian's density falls to this
_STEPS = 10  # of 0.1
_THETA = np.float32(0.15)  # smaller gaps to the connected level do not count


def unknown(trimap: U8) -> Mask:
    """Where a (h, w) trimap in {0, 128, 255} leaves alpha open, (h, w) bool."""
    return np.asarray(trimap == 128)


def pinned(made: F32, trimap: U8) -> F32:
    """`made` with 0 and 1 where the trimap says so, as methods that are given a trimap are scored; a new array."""
    return np.where(trimap == 128, made, (trimap == 255).astype(np.float32)).astype(np.float32)


def sad(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Sum of absolute differences in thousands of pixels."""
    return _thousands(np.abs(_gap(made, truth)), region)


def mse(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Mean squared error, in [0, 1]. (Tables often give it times 1000.)"""
    return _mean(_gap(made, truth) ** 2, region)


def mae(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Mean absolute error, in [0, 1]; called MAD in some tables."""
    return _mean(np.abs(_gap(made, truth)), region)


def grad(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Gradient error in thousands: sum of squared differences of the two gradient magnitudes.

    Gradients are by first derivatives of a Gaussian of sigma 1.4 (Rhemann et al., section 3.2), 9 x 9 taps scaled to
    unit energy, with the edge pixels repeated outwards. Unlike Xu's code, it does not first stretch each alpha to
    [0, 1]: for mattes that reach both 0 and 1 that changes nothing, and a faint matte would otherwise pass for a
    full one.
    """
    return _thousands((_slope(made) - _slope(truth)) ** 2, region)


def conn(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Connectivity error in thousands (Rhemann et al., equation 3, with p = 1, theta = 0.15 and steps of 0.1).

    The level l of a pixel is the last of 0, 0.1 ... 1 up to which it belongs to the source: at each threshold the
    largest 4-connected part, the first in reading order of equal ones, of the pixels where both mattes reach it. The
    connectedness of a pixel is 1 - d where its alpha exceeds l by d >= theta, else 1; the error is the sum of the
    absolute differences of both.
    """
    level = _connected_level(made, truth)
    return _thousands(np.abs(_excess(made, level) - _excess(truth, level)), region)


def soft_iou(made: F32, truth: F32, region: Mask | None = None) -> float:
    """Sum of the smaller alpha over sum of the larger, in [0, 1]; 1 is perfect, NaN where both are 0 everywhere."""
    smaller, larger = (f(made, truth) for f in (np.minimum, np.maximum))
    if region is not None:
        smaller, larger = smaller[region], larger[region]
    union = float(larger.sum(dtype=np.float64))
    return float(smaller.sum(dtype=np.float64)) / union if union > 0 else math.nan


def _gap(made: F32, truth: F32) -> NDArray[np.float64]:
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    return np.asarray(made.astype(np.float64) - truth)


def _mean(values: NDArray[np.float64], region: Mask | None) -> float:
    inside = values if region is None else values[region]
    return float(inside.mean()) if inside.size else math.nan


def _thousands(values: NDArray[np.float64], region: Mask | None) -> float:
    inside = values if region is None else values[region]
    return float(inside.sum()) / 1000 if inside.size else math.nan


def _slope(alpha: F32) -> NDArray[np.float64]:
    """Gradient magnitude (h, w)."""
    half = math.ceil(_SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * _SIGMA * _EPSILON)))
    taps = np.arange(-half, half + 1, dtype=np.float64)
    smooth = np.exp(-(taps**2) / (2 * _SIGMA**2))
    slope = taps * smooth
    smooth, slope = smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)
    wide = alpha.astype(np.float64)
    dx = cv2.sepFilter2D(wide, -1, slope, smooth, borderType=cv2.BORDER_REPLICATE)
    dy = cv2.sepFilter2D(wide, -1, smooth, slope, borderType=cv2.BORDER_REPLICATE)
    return np.hypot(dx, dy)


def _connected_level(made: F32, truth: F32) -> F32:
    """The level up to which each pixel is connected to the source of both mattes, (h, w) in 0, 0.1 ... 1."""
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    both = np.minimum(made, truth).astype(np.float32)
    level = np.zeros(both.shape, np.float32)
    connected = np.ones(both.shape, np.bool_)
    for step in range(1, _STEPS + 1):
        threshold = np.float32(step / _STEPS)
        connected &= _largest(both >= threshold)  # who falls off once stays off
        level[connected] = threshold
    return level


def _largest(mask: Mask) -> Mask:
    """The largest 4-connected component, or nothing."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(labels == 1 + int(np.argmax(sizes))) if sizes.size else np.zeros_like(mask)


def _excess(alpha: F32, level: F32) -> NDArray[np.float64]:
    """By how much alpha exceeds the connected level, 0 below theta: 1 - connectedness."""
    above = alpha.astype(np.float32) - level
    return np.where(above >= _THETA, above, 0).astype(np.float64)
