"""The Frechet distance against closed forms, scipy's matrix square root and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import _compute_fid

from evaluation.metrics.fid import frechet
from tests.evaluation.metrics.pictures import strictly_rising
from tests.evaluation.metrics.sets import gaussian, rotation, spread


def test_of_gaussians_with_axes_in_common():
    """|m1 - m2|^2 + sum (s1 - s2)^2 over the deviations along the common axes."""
    axes = rotation(1, 3)
    d1, d2, apart = np.array([1.0, 2.0, 0.5]), np.array([3.0, 2.0, 0.1]), np.array([0.3, -0.4, 1.2])
    made = gaussian(2, 50, np.zeros(3), axes @ np.diag(d1**2) @ axes.T)
    truth = gaussian(3, 80, apart, axes @ np.diag(d2**2) @ axes.T)
    assert frechet(made, truth) == pytest.approx(apart @ apart + ((d1 - d2) ** 2).sum())


def test_of_one_number():
    made, truth = np.array([[0.0], [2.0]]), np.array([[5.0], [9.0]])  # deviations sqrt 2 and sqrt 8
    assert frechet(made, truth) == pytest.approx(36 + (math.sqrt(8) - math.sqrt(2)) ** 2)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_scipy_and_torchmetrics(seed):
    c1, c2 = spread(seed, 5), spread(seed + 100, 5)
    apart = np.random.default_rng(seed).standard_normal(5)
    found = frechet(gaussian(seed, 40, np.zeros(5), c1), gaussian(seed + 1, 60, apart, c2))
    by_scipy = apart @ apart + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    by_torchmetrics = _compute_fid(*map(torch.from_numpy, (np.zeros(5), c1, apart, c2))).item()
    assert found == pytest.approx(by_scipy)
    assert found == pytest.approx(by_torchmetrics)


def test_of_a_set_with_itself_and_backwards():
    made, truth = gaussian(5, 30, np.zeros(4), spread(6, 4)), gaussian(7, 20, np.ones(4), spread(8, 4))
    assert frechet(made, made) == pytest.approx(0, abs=1e-9)
    assert frechet(truth, made) == pytest.approx(frechet(made, truth))


def test_does_not_depend_on_order_or_axes():
    made, truth = gaussian(9, 30, np.zeros(4), spread(10, 4)), gaussian(11, 20, np.ones(4), spread(12, 4))
    value, turn = frechet(made, truth), rotation(13, 4)
    assert frechet(made[::-1], truth) == pytest.approx(value)
    assert frechet(made @ turn + 7, truth @ turn + 7) == pytest.approx(value)


def test_fewer_pictures_than_features():
    """Covariances of rank 3 in 20 dimensions, where a plain matrix square root fails; equal sets stay at 0."""
    rng = np.random.default_rng(14)
    made, truth = rng.standard_normal((4, 20)), rng.standard_normal((4, 20))
    assert frechet(made, made) == pytest.approx(0, abs=1e-6)
    expected = _compute_fid(
        *(torch.from_numpy(x) for s in (made, truth) for x in (s.mean(0), np.cov(s, rowvar=False)))
    ).item()
    assert frechet(made, truth) == pytest.approx(expected, rel=1e-4)


def test_grows_with_the_shift():
    made = gaussian(15, 30, np.zeros(3), spread(16, 3))
    assert strictly_rising([frechet(made + shift, made) for shift in (0, 0.5, 1, 4)])
    assert strictly_rising([frechet(made * scale, made) for scale in (1, 1.2, 2, 5)])


def test_needs_two_a_side():
    two, one = np.eye(2), np.ones((1, 2))
    assert math.isnan(frechet(one, two))
    assert math.isnan(frechet(two, one))
    assert not math.isnan(frechet(two, two))
