"""Frechet distance of two sets of pictures (Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a
Local Nash Equilibrium", NIPS 2017): FID if the features are those of Inception-v3's last pooling layer."""

import math
from collections.abc import Iterable

import numpy as np

from evaluation.metrics.features import F64, Extractor, SetScore, compare
from stages.types import U8


def fid(made: Iterable[U8], truth: Iterable[U8], extractor: Extractor) -> SetScore:
    """`frechet` of the features of (h, w, 3) uint8 pictures. Raises EvalError as `features`.

    It is biased upwards for small sets, the more the larger D is: compare only sets of one size, or use KID.
    """
    return compare("FID", frechet, made, truth, extractor)


def frechet(made: F64, truth: F64) -> float:
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of features (N, D), (M, D); >= 0, NaN for less than 2 a side.

    S are covariances with N - 1. The trace of the square root is taken from the eigenvalues of S1^(1/2) S2 S1^(1/2),
    which are those of S1 S2 but real and not negative also where a covariance has no full rank.
    """
    if min(len(made), len(truth)) < 2:
        return math.nan
    apart = made.mean(axis=0) - truth.mean(axis=0)
    s1, s2 = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (made, truth))
    root = _root(s1)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ s2 @ root), 0, None)).sum()
    return max(0.0, float(apart @ apart + np.trace(s1) + np.trace(s2) - 2 * cross))


def _root(matrix: F64) -> F64:
    """Square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)
