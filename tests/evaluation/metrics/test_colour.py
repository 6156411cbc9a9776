"""Colour errors against exact rational arithmetic."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evaluation.metrics.colour import GROUNDS, colour_error, colour_errors
from tests.evaluation.metrics.pictures import damaged, picture, soft_disc, strictly_rising

FLAT = {"black": (0, 0, 0), "white": (255,) * 3, "grey": (128,) * 3, "green": (0, 255, 0)}
objects = hnp.arrays(np.uint8, (2, 18, 4), elements=st.one_of(st.sampled_from([0, 255]), st.integers(0, 255)))


def ground(name, y, x):
    """Squares of 8 pixels, the dark one at the top left."""
    return FLAT.get(name) or ((192,) * 3 if (y // 8 + x // 8) % 2 else (64,) * 3)


def naive(made, truth, name):
    total, count = Fraction(0), 0
    for y, x in itertools.product(*map(range, truth.shape[:2])):
        if truth[y, x, 3] == 0:
            continue
        for c, below in enumerate(ground(name, y, x)):
            seen = [Fraction(int(p[y, x, 3]), 255) for p in (made, truth)]
            a, b = (t * int(p[y, x, c]) + (1 - t) * below for t, p in zip(seen, (made, truth), strict=True))
            total, count = total + abs(a - b), count + 1
    return float(total / count) if count else math.nan


@settings(deadline=None)
@given(objects, objects)
def test_errors_are_the_naive_ones(made, truth):
    found = colour_errors(made, truth)
    assert tuple(found) == GROUNDS == ("black", "white", "grey", "green", "checkerboard")
    for name, value in found.items():
        assert value == pytest.approx(naive(made, truth, name), abs=1e-9, nan_ok=True)
    assert colour_error(made, truth) == pytest.approx(sum(found.values()) / 5, nan_ok=True)


def test_by_hand():
    """An opaque green pixel made with 51 / 255 of its alpha: nothing to see on green, 204 levels of green on black."""
    truth = np.array([[[0, 255, 0, 255]]], np.uint8)
    made = np.array([[[0, 255, 0, 51]]], np.uint8)
    found = colour_errors(made, truth)
    assert found["green"] == pytest.approx(0)
    assert found["black"] == pytest.approx(204 / 3)
    assert found["white"] == pytest.approx(2 * 204 / 3)
    assert found["grey"] == pytest.approx(0.8 * (128 + 127 + 128) / 3)
    assert found["checkerboard"] == pytest.approx(0.8 * (64 + 191 + 64) / 3)


def test_unseen_colour_does_not_count():
    truth = np.dstack([picture(1), np.rint(soft_disc() * 255).astype(np.uint8)])
    made = truth.copy()
    made[truth[..., 3] == 0, :3] = 7
    assert colour_error(made, truth) == 0
    assert all(math.isnan(v) for v in colour_errors(made, truth * np.uint8(0)).values())


def test_grows_with_damage():
    alpha = np.rint(soft_disc() * 255).astype(np.uint8)
    truth = np.dstack([picture(2), alpha])
    values = [colour_error(np.dstack([damaged(picture(2), 3, s), alpha]), truth) for s in (0, 4, 12, 30)]
    assert values[0] == 0
    assert strictly_rising(values)
    fading = [np.dstack([picture(2), (alpha * (1 - s)).astype(np.uint8)]) for s in (0, 0.3, 0.6, 0.9)]
    assert strictly_rising([colour_error(made, truth) for made in fading])
