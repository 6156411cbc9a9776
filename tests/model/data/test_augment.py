"""Augmentation: off is nothing, a draw is a function of its stream alone, and each part does what it says."""

import cv2
import numpy as np
import pytest

from model.data.augment import augment, camera, other_mask, visible_alpha
from model.data.options import DataOptions
from model.data.sample import Pixels
from stages.rng import generator

SIDE = 48


def options(**given: float) -> DataOptions:
    return DataOptions(location=("x",), **({"flip": 0.0} | given))


def pixels(seed: int = 0) -> Pixels:
    """A disc, partly behind a bar, over a smooth picture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8), (0, 0), 3)
    layers = [
        np.dstack([rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8), a.astype(np.uint8)])
        for a in (255 * ((x - 20) ** 2 + (y - 26) ** 2 < 150), 255 * (abs(x - 26) < 3))
    ]
    return Pixels(smooth, smooth[::-1].copy(), layers[0], layers[1], (x > 10) & (x < 30) & (y > 12))


def same(a: Pixels, b: Pixels) -> list[bool]:
    return [np.array_equal(x, y) for x, y in zip(a, b, strict=True)]


def test_off_is_the_identity() -> None:
    for serial in range(20):
        assert same(augment(pixels(), options(), generator(0, "augment", serial)), pixels()) == [True] * 5


@pytest.mark.parametrize("part", ["flip", "noise", "blur", "jpeg", "mask_noise"])
def test_a_draw_is_a_function_of_its_stream(part: str) -> None:
    made = [augment(pixels(), options(**{part: 0.5}), generator(7, "augment", k % 30)) for k in range(60)]
    assert all(same(a, b) == [True] * 5 for a, b in zip(made[:30], made[30:], strict=True))
    changed = sum(not all(same(m, pixels())) for m in made[:30])
    assert 5 < changed < 25, f"{part} with probability 0.5 changed {changed} of 30"


@pytest.mark.parametrize("part", ["noise", "blur", "jpeg"])
def test_the_camera_sees_the_composite_alone(part: str) -> None:
    made = augment(pixels(), options(**{part: 1.0}), generator(0, "augment", 0))
    assert same(made, pixels()) == [False, True, True, True, True]
    error = made.composite.astype(int) - pixels().composite
    assert 0 < np.abs(error).mean() < 15
    assert made.composite.shape == (SIDE, SIDE, 3)
    assert made.composite.dtype == np.uint8


def test_a_flip_is_of_everything() -> None:
    made = augment(pixels(), options(flip=1.0), generator(0, "augment", 0))
    assert same(made, Pixels._make(a[:, ::-1] for a in pixels())) == [True] * 5
    assert all(a.flags.c_contiguous for a in made)


def test_a_camera_keeps_colours_in_their_channels() -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    for seed in range(5):
        made = camera(red, True, False, True, np.random.default_rng(seed))
        assert np.abs(made.astype(int) - red).max() < 12


def test_noise_has_the_strength_it_says() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    spreads = [camera(grey, False, True, False, np.random.default_rng(s)).std() for s in range(30)]
    assert 1 < min(spreads) < 3 < 6 < max(spreads) < 8.2


def test_what_shows_is_what_nothing_hides() -> None:
    own, before = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    layers = [np.dstack([own] * 3 + [a]) for a in (own, before)]
    made = visible_alpha(Pixels(own, own, layers[0], layers[1], own > 0))
    exact = own.astype(np.float64) * (255 - before.astype(np.float64)) / 255
    assert np.abs(made - exact).max() <= 0.5


def test_other_masks_mark_what_shows() -> None:
    true = visible_alpha(pixels()) >= 128
    rng = np.random.default_rng(0)
    made = [other_mask(pixels(), rng) for _ in range(40)]
    assert len({m.tobytes() for m in made}) > 30
    for mask in made:
        assert mask.dtype == bool
        assert np.count_nonzero(mask & true) > 0.3 * np.count_nonzero(true)


def test_a_hidden_object_keeps_its_mask() -> None:
    hidden = pixels()._replace(occluder=np.full((SIDE, SIDE, 4), 255, np.uint8))
    np.testing.assert_array_equal(other_mask(hidden, np.random.default_rng(0)), hidden.mask)
