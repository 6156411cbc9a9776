"""Confidence intervals of a mean over pictures (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
section 13.3: the percentile interval)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.rng import generator

_AT_ONCE = 1 << 20  # numbers drawn at a time


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, the ends of its interval, and how many pictures had a score; NaN where none had."""

    mean: float
    low: float
    high: float
    count: int


def interval(values: Sequence[float], seed: int, level: float = 0.95, draws: int = 2000) -> Interval:
    """The mean of `values`, one a picture, and its percentile bootstrap interval of confidence `level` in (0, 1).

    Pictures without a score (NaN) are left out and not counted. `draws` resamples of the pictures, with replacement,
    depend on `seed` and the count alone. The interval of one picture is its value: it says nothing of the spread.
    """
    assert 0 < level < 1, f"level must be in (0, 1), is {level}"
    assert draws >= 1, f"draws must be at least 1, is {draws}"
    scores = np.asarray(values, np.float64)
    scores = scores[~np.isnan(scores)]
    if not scores.size:
        return Interval(math.nan, math.nan, math.nan, 0)
    tail = (1 - level) / 2
    low, high = np.quantile(_means(scores, seed, draws), (tail, 1 - tail))
    return Interval(float(scores.mean()), float(low), float(high), scores.size)


def paired(a: Sequence[float], b: Sequence[float], seed: int, level: float = 0.95, draws: int = 2000) -> Interval:
    """`interval` of a - b picture by picture, over those where both have a score; the two must be in one order.

    An interval that leaves out 0 says that one method is better on pictures like these.
    """
    assert len(a) == len(b), f"one score a picture: {len(a)} and {len(b)}"
    return interval((np.asarray(a, np.float64) - np.asarray(b, np.float64)).tolist(), seed, level, draws)


def _means(scores: NDArray[np.float64], seed: int, draws: int) -> NDArray[np.float64]:
    """Means of `draws` resamples, (draws,)."""
    rng = generator(seed, "bootstrap", 0)
    rows = max(1, _AT_ONCE // scores.size)
    sizes = [min(rows, draws - at) for at in range(0, draws, rows)]
    return np.concatenate([scores[rng.integers(scores.size, size=(n, scores.size))].mean(axis=1) for n in sizes])
