"""Answers that cheat must lose: copying the input never wins removal in the mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics.psnr import CAP, psnr
from evaluation.metrics.recomposition import recomposition_psnr
from evaluation.metrics.regions import regions
from evaluation.metrics.ssim import ssim
from evaluation.metrics.stlpips import StLpips
from tests.evaluation.metrics.pictures import disc, picture


def mean_fill(composite, mask):
    """The mask in the mean colour of all else: the weakest fill there is."""
    made = composite.copy()
    made[mask] = np.rint(composite[~mask].mean(axis=0)).astype(np.uint8)
    return made


def stripes(period, low, high):
    xs = np.arange(56) // period % 2
    return np.broadcast_to(np.where(xs, high, low)[None, :, None], (48, 56, 3)).astype(np.uint8)


def ramp(low, high):
    return np.broadcast_to(np.linspace(low, high, 56).round()[None, :, None], (48, 56, 3)).astype(np.uint8)


GROUNDS = {
    "flat": np.full((48, 56, 3), 90, np.uint8),
    "ramp": ramp(60, 130),
    "stripes": stripes(3, 80, 120),
    "smooth": picture(1),
    "noise": np.random.default_rng(2).integers(70, 120, (48, 56, 3), np.uint8),
}
OBJECTS = {"white": (255, 255, 255), "black": (0, 0, 0), "red": (255, 20, 20), "blue": (10, 10, 240)}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("colour", OBJECTS)
@pytest.mark.parametrize("radius", [4, 9, 16])
def test_copy_input_loses_in_the_mask(ground, colour, radius):
    clean, mask = GROUNDS[ground], disc(radius=radius)
    composite = clean.copy()
    composite[mask] = OBJECTS[colour]
    where = regions(mask, 3)
    copied, filled = (psnr(made, clean, where["mask"]) for made in (composite, mean_fill(composite, mask)))
    assert copied < filled - 1
    assert psnr(composite, clean, where["outside"]) == CAP  # what makes the copy tempting
    assert psnr(composite, clean) < psnr(mean_fill(composite, mask), clean)


@settings(deadline=None)
@given(
    ground=st.integers(60, 195), texture=st.floats(0, 15), off=st.integers(50, 255), sign=st.sampled_from([-1, 1]),
    size=st.integers(2, 8), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_copy_input_loses_wherever_the_object_stands_out(ground, texture, off, sign, size, seed):
    """The object is at least 50 levels from the mean of a ground whose texture deviates by 15 at most."""
    rng = np.random.default_rng(seed)
    clean = np.clip(np.rint(rng.normal(ground, texture, (24, 24, 3))), 0, 255).astype(np.uint8)
    level = ground + sign * off
    level = level if 0 <= level <= 255 else (255 if ground < 128 else 0)
    y, x = rng.integers(0, 24 - size, 2)
    mask = np.zeros((24, 24), np.bool_)
    mask[y : y + size, x : x + size] = True
    composite = np.where(mask[..., None], np.uint8(level), clean)
    assert psnr(composite, clean, mask) < psnr(mean_fill(composite, mask), clean, mask)


def test_other_scores_of_the_mask_punish_the_copy_too():
    clean, mask = GROUNDS["smooth"], disc(radius=12)
    composite = clean.copy()
    composite[mask] = np.random.default_rng(3).integers(0, 256, (mask.sum(), 3), np.uint8)
    filled, perceive = mean_fill(composite, mask), StLpips()
    assert ssim(composite, clean, mask) < ssim(filled, clean, mask)
    assert perceive(composite, clean, mask) > perceive(filled, clean, mask)


def test_recomposition_alone_can_be_cheated():
    """The copy as both layers recomposes without error: it must never be told without the scores of the layers."""
    composite = picture(4)
    copied = np.dstack([composite, np.full((48, 56), 255, np.uint8)])
    assert recomposition_psnr(copied, composite, composite) == CAP
