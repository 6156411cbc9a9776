"""SSIM against scikit-image, torchmetrics and the closed form for flat pictures."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from evaluation.errors import EvalError
from evaluation.metrics.ssim import ssim, ssim_map
from tests.evaluation.metrics.pictures import DAMAGE, damaged, disc, picture, strictly_rising

OPTIONS = {"gaussian_weights": True, "use_sample_covariance": False, "data_range": 255, "channel_axis": 2}


@pytest.mark.parametrize("levels", DAMAGE)
@pytest.mark.parametrize(("height", "width"), [(48, 56), (11, 11), (12, 31)])
def test_agrees_with_scikit_image(levels, height, width):
    truth = picture(1, height, width)
    made = damaged(truth, 2, levels)
    assert ssim(made, truth) == pytest.approx(structural_similarity(truth, made, **OPTIONS), abs=1e-9)


def test_map_agrees_with_scikit_image():
    truth, made = picture(3), np.random.default_rng(4).integers(0, 256, (48, 56, 3), np.uint8)
    _, full = structural_similarity(truth, made, full=True, **OPTIONS)
    np.testing.assert_allclose(ssim_map(made, truth), full.mean(2)[5:-5, 5:-5], atol=1e-9)


def test_map_agrees_with_torchmetrics():
    """Its own mean also takes the border, over reflected pixels."""
    truth = picture(5)
    made = damaged(truth, 6, 15)
    a, b = (torch.from_numpy(p).permute(2, 0, 1)[None].double() for p in (made, truth))
    _, full = structural_similarity_index_measure(a, b, data_range=255.0, sigma=1.5, return_full_image=True)
    np.testing.assert_allclose(ssim_map(made, truth), full[0].mean(0)[5:-5, 5:-5].numpy(), atol=1e-9)


def test_flat_pictures_by_hand():
    """Without variance only the luminance term is left: (2ab + C1) / (a^2 + b^2 + C1)."""
    a, b = 100, 50
    made, truth = (np.full((16, 16, 3), level, np.uint8) for level in (a, b))
    c1 = 2.55**2
    assert ssim(made, truth) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1))
    assert ssim(truth, truth) == pytest.approx(1)


def test_a_region_is_a_mean_of_the_map():
    truth, region = picture(7), disc()
    made = damaged(truth, 8, 25)
    inner = region[5:-5, 5:-5]
    assert ssim(made, truth, region) == pytest.approx(ssim_map(made, truth)[inner].mean())
    inside, outside = ssim(made, truth, region), ssim(made, truth, ~region)
    share = inner.mean()
    assert share * inside + (1 - share) * outside == pytest.approx(ssim(made, truth))


def test_only_what_the_windows_see_counts():
    truth = picture(9)
    made = damaged(truth, 10, 20)
    far = ~disc(radius=22)
    other = np.where(far[..., None], 0, made).astype(np.uint8)
    assert ssim(other, truth, disc(radius=12)) == pytest.approx(ssim(made, truth, disc(radius=12)))
    assert ssim(other, truth) < ssim(made, truth)


def test_no_score_without_a_window_in_the_picture():
    made = truth = picture(11)
    edge = np.ones((48, 56), np.bool_)
    edge[5:-5, 5:-5] = False
    assert math.isnan(ssim(made, truth, edge))
    assert math.isnan(ssim(made, truth, edge & ~edge))
    assert not math.isnan(ssim(made, truth, ~edge))


def test_falls_as_damage_grows():
    truth = picture(12)
    for where in (None, disc(), ~disc()):
        values = [ssim(damaged(truth, 13, levels), truth, where) for levels in DAMAGE]
        assert values[0] == pytest.approx(1)
        assert strictly_rising(values[::-1])


def test_does_not_depend_on_order_or_side():
    truth = picture(14)
    made = damaged(truth, 15, 30)
    value = ssim(made, truth)
    assert ssim(truth, made) == pytest.approx(value)
    assert ssim(made[::-1], truth[::-1]) == pytest.approx(value)
    assert ssim(made.transpose(1, 0, 2), truth.transpose(1, 0, 2)) == pytest.approx(value)
    assert ssim(made[..., ::-1], truth[..., ::-1]) == pytest.approx(value)


def test_too_small_a_picture():
    small = picture(16, 10, 40)
    with pytest.raises(EvalError, match=r"^SSIM: both sides must be at least 11 pixels, the picture is 40 x 10$"):
        ssim(small, small)
