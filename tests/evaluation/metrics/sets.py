"""Sets of features and of pictures, and extractors without weights."""

import numpy as np

from evaluation.metrics.features import Extractor

MEAN_COLOUR = Extractor("mean colour", lambda pictures: pictures.mean(axis=(2, 3)))
MOMENTS = Extractor(  # in shares of the range: CMMD saturates where sets are much farther apart than its sigma
    "mean and deviation", lambda p: np.concatenate([p.mean(axis=(2, 3)), p.std(axis=(2, 3))], axis=1) / 255
)


def gaussian(seed, count, mean, cov):
    """`count` numbers whose sample mean and sample covariance (N - 1) are exactly these, float64 (count, D)."""
    raw = np.random.default_rng(seed).standard_normal((count, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white @ np.linalg.cholesky(np.asarray(cov, float)).T + mean


def spread(seed, size):
    """A random covariance of full rank."""
    root = np.random.default_rng(seed).standard_normal((size, size))
    return root @ root.T / size + 0.1 * np.eye(size)


def rotation(seed, size):
    """A random orthogonal matrix."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
