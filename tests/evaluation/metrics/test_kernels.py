"""KID and CMMD against double loops, hand-computed cases and torchmetrics."""

import itertools
import math

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from evaluation.metrics.cmmd import gaussian_mmd2
from evaluation.metrics.kid import polynomial_mmd2
from tests.evaluation.metrics.pictures import strictly_rising
from tests.evaluation.metrics.sets import rotation

DISTANCES = (polynomial_mmd2, gaussian_mmd2)


def normal(seed, count, size=4, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, size)) + shift


def naive_kid(made, truth):
    """Pairs of different members within, all pairs across."""

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    def within(rows):
        pairs = [(i, j) for i, j in itertools.product(range(len(rows)), repeat=2) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    across = [kernel(a, b) for a, b in itertools.product(made, truth)]
    return within(made) + within(truth) - 2 * sum(across) / len(across)


def naive_cmmd(made, truth, sigma):
    """All pairs, within and across."""

    def mean(left, right):
        values = [math.exp(-(math.dist(a, b) ** 2) / (2 * sigma**2)) for a, b in itertools.product(left, right)]
        return sum(values) / len(values)

    return mean(made, made) + mean(truth, truth) - 2 * mean(made, truth)


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0.0), (7, 4, 0.5), (9, 12, 3.0)])
def test_double_loops(n, m, shift):
    made, truth = normal(1, n, shift=shift), normal(2, m)
    assert polynomial_mmd2(made, truth) == pytest.approx(naive_kid(made.tolist(), truth.tolist()))
    for sigma in (0.7, 10.0):
        expected = naive_cmmd(made.tolist(), truth.tolist(), sigma)
        assert gaussian_mmd2(made, truth, sigma) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_kid_agrees_with_torchmetrics():
    made, truth = normal(3, 20, 16, shift=0.3), normal(4, 20, 16)
    expected = poly_mmd(torch.from_numpy(made), torch.from_numpy(truth)).item()
    assert polynomial_mmd2(made, truth) == pytest.approx(expected)


def test_kid_by_hand():
    """D = 1, sets {0, 1} and {2, 2}: 1 within the first, 125 within the second, across 1, 1, 27, 27."""
    assert polynomial_mmd2(np.array([[0.0], [1.0]]), np.array([[2.0], [2.0]])) == pytest.approx(1 + 125 - 2 * 14)


def test_cmmd_by_hand():
    """One picture a side at distance 10 with sigma 10."""
    made, truth = np.array([[0.0, 0.0]]), np.array([[6.0, 8.0]])
    assert gaussian_mmd2(made, truth) == pytest.approx(2 - 2 * math.exp(-0.5))


def test_kid_is_not_biased_for_small_sets():
    """Sets of 5 from one distribution: the mean over many is 0 within 4 standard errors, and some are negative."""
    pool = normal(5, 10 * 800).reshape(800, 2, 5, 4)
    values = np.array([polynomial_mmd2(a, b) for a, b in pool])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(len(values))
    assert values.min() < 0


def test_equal_sets():
    made = normal(6, 8)
    assert gaussian_mmd2(made, made) == pytest.approx(0, abs=1e-12)
    assert gaussian_mmd2(made, made[::-1]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_does_not_depend_on_order_or_axes(distance):
    made, truth, turn = normal(7, 8, shift=1.0), normal(8, 6), rotation(9, 4)
    value = distance(made, truth)
    assert distance(truth, made) == pytest.approx(value)
    assert distance(made[::-1], truth) == pytest.approx(value)
    assert distance(made @ turn, truth @ turn) == pytest.approx(value)


@pytest.mark.parametrize("distance", DISTANCES)
def test_grows_with_the_shift(distance):
    made, truth = normal(10, 30), normal(11, 30)
    assert strictly_rising([distance(made + shift, truth) for shift in (0, 0.5, 1, 2)])


def test_too_few():
    one, two, none = np.ones((1, 2)), np.eye(2), np.empty((0, 2))
    assert math.isnan(polynomial_mmd2(one, two))
    assert math.isnan(polynomial_mmd2(two, one))
    assert math.isnan(gaussian_mmd2(none, two))
    assert math.isnan(gaussian_mmd2(two, none))
    assert gaussian_mmd2(one, two) > 0
