"""Structural similarity (Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity",
IEEE Transactions on Image Processing 13(4), 2004), equations 12 to 14 and section III.C."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvalError
from stages.types import U8, Mask

WINDOW = 11  # pixels
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

F64 = NDArray[np.float64]


def ssim(made: U8, truth: U8, region: Mask | None = None) -> float:
    """Mean SSIM in [-1, 1] of (h, w, 3) uint8 sRGB pictures over a (h, w) bool region, or over all.

    The mean of `ssim_map` over the pixels of the region whose window lies in the picture, so that the score of all
    pixels is that of the paper and of scikit-image with `gaussian_weights=True, use_sample_covariance=False,
    data_range=255`. (torchmetrics 1.9 averages the border too, over reflected pixels.) NaN where no such pixel is in
    the region.

    Raises:
        EvalError: a side is shorter than WINDOW pixels.
    """
    values = ssim_map(made, truth)
    if region is not None:
        assert region.shape == truth.shape[:2], f"region is {region.shape}, pictures are {truth.shape}"
        edge = WINDOW // 2
        values = values[region[edge:-edge, edge:-edge]]
    return float(values.mean()) if values.size else math.nan


def ssim_map(made: U8, truth: U8) -> F64:
    """SSIM of each pixel but the WINDOW // 2 outermost on each side, (h - 10, w - 10) float64, a mean over channels.

    Statistics are of each channel under a Gaussian window of 11 x 11 pixels and sigma 1.5.

    Raises:
        EvalError: a side is shorter than WINDOW pixels.
    """
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    h, w = truth.shape[:2]
    if min(h, w) < WINDOW:
        raise EvalError(f"SSIM: both sides must be at least {WINDOW} pixels, the picture is {w} x {h}")
    x, y = made.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _windowed(x), _windowed(y)
    var_x, var_y = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2
    cov = _windowed(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + _C1) * (2 * cov + _C2)
    bottom = (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    return np.asarray((top / bottom).mean(axis=2))


def _windowed(values: F64) -> F64:
    """Gaussian means of (h, w, c) where the window fits."""
    edge = WINDOW // 2
    blurred = cv2.GaussianBlur(values, (WINDOW, WINDOW), _SIGMA)
    return np.asarray(blurred[edge:-edge, edge:-edge], np.float64)
