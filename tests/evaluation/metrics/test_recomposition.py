"""Recomposition against hand-computed cases and the exact compositing of the data engine."""

import math

import numpy as np
import pytest

from evaluation.metrics.psnr import CAP
from evaluation.metrics.recomposition import recomposition_psnr
from stages.alpha import over_rgb
from stages.types import Patch
from tests.evaluation.metrics.pictures import DAMAGE, damaged, disc, picture, soft_disc, strictly_rising


def layers(seed):
    alpha = np.rint(soft_disc() * 255).astype(np.uint8)
    foreground, background = np.dstack([picture(seed), alpha]), picture(seed + 1)
    composite = background.copy()
    over_rgb(composite, Patch(foreground, 0, 0))
    return foreground, background, composite


def test_by_hand():
    """Alpha 51 / 255 of 200 over 100 is 120; the picture has 130."""
    foreground = np.array([[[200, 200, 200, 51]]], np.uint8)
    background, composite = (np.full((1, 1, 3), level, np.uint8) for level in (100, 130))
    assert recomposition_psnr(foreground, background, composite) == pytest.approx(10 * math.log10(255**2 / 100))


def test_true_layers_differ_by_rounding_only():
    """An error of at most half a level, 1 / 12 squared on average, is 58.9 dB."""
    assert recomposition_psnr(*layers(1)) > 10 * math.log10(255**2 / 0.25)


def test_opaque_and_absent_objects_are_exact():
    foreground, background, composite = layers(2)
    for alpha, expected in ((0, background), (255, foreground[..., :3])):
        plain = np.dstack([foreground[..., :3], np.full(composite.shape[:2], alpha, np.uint8)])
        assert recomposition_psnr(plain, background, expected) == CAP


def test_falls_as_damage_grows():
    foreground, background, composite = layers(3)
    values = [recomposition_psnr(foreground, damaged(background, 4, s), composite) for s in DAMAGE]
    assert strictly_rising(values[::-1])


def test_hidden_pixels_do_not_count():
    foreground, background, composite = layers(5)
    occluded = np.where(disc(x=34, radius=6)[..., None], 0, composite).astype(np.uint8)
    hidden = disc(x=34, radius=6).astype(np.float32)
    assert recomposition_psnr(foreground, background, occluded) < 30
    assert recomposition_psnr(foreground, background, occluded, hidden) > 50
    faint = hidden * np.float32(0.019)
    assert recomposition_psnr(foreground, background, occluded, faint) < 30
    assert math.isnan(recomposition_psnr(foreground, background, occluded, np.ones_like(hidden)))
