"""Pictures, masks and damage for the tests of metrics."""

from itertools import pairwise

import cv2
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DAMAGE = (0, 4, 12, 30, 80)  # levels, each worse than the one before


def picture(seed, height=48, width=56):
    """A smooth uint8 (h, w, 3) picture in 60..195 with some texture: room for damage on both sides."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(80, 175, (4, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(coarse + rng.normal(0, 6, coarse.shape), 60, 195).round().astype(np.uint8)


def damaged(truth, seed, levels):
    """The picture with noise of a given standard deviation, the same noise at every strength."""
    noise = np.random.default_rng(seed).standard_normal(truth.shape)
    return np.clip(np.rint(truth + levels * noise), 0, 255).astype(np.uint8)


def disc(height=48, width=56, y=24.0, x=28.0, radius=12.0):
    """A filled circle, bool (h, w)."""
    ys, xs = np.ogrid[:height, :width]
    return (ys - y) ** 2 + (xs - x) ** 2 <= radius**2


def soft_disc(height=48, width=56, y=24.0, x=28.0, radius=12.0):
    """A circle with a rim of 4 pixels, float32 (h, w) in [0, 1], in steps of 1 / 255."""
    ys, xs = np.ogrid[:height, :width]
    rim = (radius - np.hypot(ys - y, xs - x)) / 4 + 0.5
    return (np.rint(np.clip(rim, 0, 1) * 255) / 255).astype(np.float32)


def masks(most=9):
    """Small bool masks of any content."""
    side = st.integers(1, most)
    return st.tuples(side, side).flatmap(lambda hw: hnp.arrays(np.bool_, hw))


def strictly_rising(values):
    """Whether each number is greater than the one before."""
    return all(a < b for a, b in pairwise(values))
