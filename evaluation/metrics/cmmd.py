"""Kernel distance under a Gaussian (Jayasumana et al., "Rethinking FID: Towards a Better Evaluation Metric for Image
Generation", CVPR 2024): CMMD if the features are CLIP's image embeddings (ViT-L/14 at 336 pixels)."""

import math
from collections.abc import Iterable

import numpy as np

from evaluation.metrics.features import F64, Extractor, SetScore, compare
from stages.types import U8

_SIGMA = 10.0
_SCALE = 1000.0


def cmmd(made: Iterable[U8], truth: Iterable[U8], extractor: Extractor) -> SetScore:
    """1000 times `gaussian_mmd2` at sigma 10 of the features of (h, w, 3) uint8 pictures.

    The features are used as they come: the kernel's width suits CLIP's. Raises EvalError as `features`.
    """
    return compare("CMMD", lambda a, b: _SCALE * gaussian_mmd2(a, b), made, truth, extractor)


def gaussian_mmd2(made: F64, truth: F64, sigma: float = _SIGMA) -> float:
    """Squared maximum mean discrepancy of features (N, D), (M, D) under exp(-|x - y|^2 / (2 sigma^2)).

    The biased estimate, as the authors compute it: all pairs count (Gretton et al., JMLR 13, 2012, equation 5), so it
    is >= 0 and 0 for equal sets. NaN for an empty set.
    """
    if not min(len(made), len(truth)):
        return math.nan
    within = _mean_kernel(made, made, sigma) + _mean_kernel(truth, truth, sigma)
    return max(0.0, within - 2 * _mean_kernel(made, truth, sigma))


def _mean_kernel(a: F64, b: F64, sigma: float) -> float:
    apart = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
    return float(np.exp(-np.clip(apart, 0, None) / (2 * sigma**2)).mean())
