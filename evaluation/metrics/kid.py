"""Kernel distance of two sets of pictures (Binkowski et al., "Demystifying MMD GANs", ICLR 2018): KID if the features
are those of Inception-v3's last pooling layer."""

import math
from collections.abc import Iterable

import numpy as np

from evaluation.metrics.features import F64, Extractor, SetScore, compare
from stages.types import U8


def kid(made: Iterable[U8], truth: Iterable[U8], extractor: Extractor) -> SetScore:
    """`polynomial_mmd2` of the features of (h, w, 3) uint8 pictures, over the whole sets at once.

    Unbiased for sets of any size, so small ones can be compared; it can be negative. Raises EvalError as `features`.
    """
    return compare("KID", polynomial_mmd2, made, truth, extractor)


def polynomial_mmd2(made: F64, truth: F64) -> float:
    """Squared maximum mean discrepancy of features (N, D), (M, D) under the kernel (x.y / D + 1)^3.

    The unbiased estimate: pairs of one picture with itself do not count (Gretton et al., JMLR 13, 2012, equation 3).
    NaN for less than 2 a side.
    """
    if min(len(made), len(truth)) < 2:
        return math.nan
    return _within(made) + _within(truth) - 2 * float(_kernel(made, truth).mean())


def _kernel(a: F64, b: F64) -> F64:
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def _within(a: F64) -> float:
    """Mean kernel of two different members."""
    values = _kernel(a, a)
    n = len(a)
    return float((values.sum() - values.trace()) / (n * (n - 1)))
