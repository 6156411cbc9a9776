"""Peak signal-to-noise ratio of 8-bit pictures."""

import math

import numpy as np

from stages.types import F32, U8, Mask

CAP = 100.0  # dB; of equal pictures, so that means stay finite
_PEAK = 255.0


def psnr(made: U8, truth: U8, region: Mask | None = None) -> float:
    """PSNR in dB of (h, w, 3) uint8 sRGB pictures over a (h, w) bool region, or over all.

    10 log10(255^2 / MSE), the MSE a mean over the pixels of the region and the three channels together. At most CAP;
    NaN for an empty region.
    """
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    if region is not None:
        assert region.shape == truth.shape[:2], f"region is {region.shape}, pictures are {truth.shape}"
        made, truth = made[region], truth[region]
    if truth.size == 0:
        return math.nan
    off = np.subtract(made, truth, dtype=np.int32)
    return decibels(float(np.mean(off * off)))


def weighted_psnr(made: F32 | U8, truth: F32 | U8, weight: F32) -> float:
    """PSNR in dB of (h, w, 3) pictures in 0..255 whose pixels count in proportion to `weight`, (h, w), >= 0.

    At most CAP; NaN where all weights are 0.
    """
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    assert weight.shape == truth.shape[:2], f"weight is {weight.shape}, pictures are {truth.shape}"
    total = float(weight.sum(dtype=np.float64))
    if total <= 0:
        return math.nan
    error = (made.astype(np.float64) - truth) ** 2
    return decibels(float((error.mean(axis=2) * weight).sum() / total))


def decibels(mse: float) -> float:
    """The PSNR in dB of a mean squared error in 8-bit levels squared, at most CAP."""
    return min(CAP, 10 * math.log10(_PEAK**2 / mse)) if mse > 0 else CAP
