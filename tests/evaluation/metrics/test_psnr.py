"""PSNR against hand-computed cases, scikit-image and torchmetrics."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torch_psnr

from evaluation.metrics.psnr import CAP, decibels, psnr, weighted_psnr
from tests.evaluation.metrics.pictures import DAMAGE, damaged, disc, picture, strictly_rising

small = hnp.arrays(np.uint8, (3, 4, 3))


def test_by_hand():
    """One of 12 numbers off by the whole range: MSE 255^2 / 12; in its own pixel 255^2 / 3."""
    truth = np.zeros((2, 2, 3), np.uint8)
    made = truth.copy()
    made[0, 1, 2] = 255
    one = np.array([[False, True], [False, False]])
    assert psnr(made, truth) == pytest.approx(10 * math.log10(12))
    assert psnr(made, truth, one) == pytest.approx(10 * math.log10(3))
    assert psnr(made, truth, ~one) == CAP
    assert math.isnan(psnr(made, truth, one & ~one))


@given(small, small)
def test_agrees_with_scikit_image(made, truth):
    if (made == truth).all():
        assert psnr(made, truth) == CAP
    else:
        assert psnr(made, truth) == pytest.approx(peak_signal_noise_ratio(truth, made, data_range=255))


def test_published_figure():
    """The example of torchmetrics' manual: levels 0 to 3 against 3 to 0, a range of 3: 2.5527 dB."""
    made, truth = (np.array(v, np.uint8)[..., None].repeat(3, 2) * 85 for v in ([[0, 1], [2, 3]], [[3, 2], [1, 0]]))
    assert psnr(made, truth) == pytest.approx(2.5527, abs=5e-5)


def test_agrees_with_torchmetrics():
    truth = picture(1)
    made = damaged(truth, 2, 20)
    expected = torch_psnr(torch.from_numpy(made).double(), torch.from_numpy(truth).double(), data_range=255.0)
    assert psnr(made, truth) == pytest.approx(expected.item())


@given(small, small, hnp.arrays(np.bool_, (3, 4)))
def test_does_not_depend_on_order_or_place(made, truth, region):
    value = psnr(made, truth, region)
    assert psnr(truth, made, region) == pytest.approx(value, nan_ok=True)
    assert psnr(made[:, ::-1], truth[:, ::-1], region[:, ::-1]) == pytest.approx(value, nan_ok=True)
    assert psnr(made[..., ::-1], truth[..., ::-1], region) == pytest.approx(value, nan_ok=True)


def test_falls_as_damage_grows():
    truth, region = picture(3), disc()
    for where in (None, region, ~region):
        values = [psnr(damaged(truth, 4, levels), truth, where) for levels in DAMAGE]
        assert values[0] == CAP
        assert strictly_rising(values[::-1])


def test_only_the_region_counts():
    truth, region = picture(5), disc()
    made = damaged(truth, 6, 10)
    other = np.where(region[..., None], made, 0).astype(np.uint8)
    assert psnr(other, truth, region) == psnr(made, truth, region)
    assert psnr(other, truth) < psnr(made, truth)


def test_one_level_in_a_large_picture_meets_the_cap():
    """MSE 1 / (3 * 256^2) is 101 dB."""
    truth = np.zeros((256, 256, 3), np.uint8)
    made = truth.copy()
    made[0, 0, 0] = 1
    assert psnr(made, truth) == CAP
    assert psnr(made[:64, :64], truth[:64, :64]) == pytest.approx(10 * math.log10(255**2 * 3 * 64 * 64))


def test_decibels():
    assert decibels(255.0**2) == 0
    assert decibels(0) == CAP
    assert decibels(650.25) == pytest.approx(20)


@given(small, small, hnp.arrays(np.bool_, (3, 4)))
def test_weights_of_0_and_1_are_a_region(made, truth, region):
    assert weighted_psnr(made, truth, region.astype(np.float32)) == pytest.approx(
        psnr(made, truth, region), nan_ok=True
    )


@given(small, small, hnp.arrays(np.uint8, (3, 4)), st.sampled_from([0.5, 2.0, 16.0]))
def test_only_the_ratio_of_weights_matters(made, truth, weight, scale):
    light = weight.astype(np.float32)
    value = weighted_psnr(made, truth, light)
    assert weighted_psnr(made, truth, light * np.float32(scale)) == pytest.approx(value, nan_ok=True)


def test_weights_by_hand():
    """Errors 100^2 and 10^2 in two pixels weighted 1 to 3: MSE 2575."""
    truth = np.zeros((1, 2, 3), np.uint8)
    made = np.array([[[100] * 3, [10] * 3]], np.uint8)
    value = weighted_psnr(made, truth, np.array([[0.25, 0.75]], np.float32))
    assert value == pytest.approx(10 * math.log10(255**2 / 2575))
