"""Compositing kernels against exact rational arithmetic over random arrays and over whole value ranges."""

import itertools
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.alpha import over_rgb, over_rgba, premultiply_pm, recompose, shade, unpremultiply
from stages.types import Patch

LEVELS = np.arange(256, dtype=np.uint8)
EXTREMES = (0, 1, 127, 128, 254, 255)
side = st.integers(1, 6)
values = st.one_of(st.sampled_from(EXTREMES), st.integers(0, 255))
offset = st.integers(-8, 8)


def pixels(channels, shape=None):
    sizes = st.tuples(side, side) if shape is None else st.just(shape)
    return sizes.flatmap(lambda hw: hnp.arrays(np.uint8, (*hw, *channels), elements=values))


patches = st.builds(Patch, pixels((4,)), offset, offset)
scenes = st.tuples(side, side).flatmap(
    lambda hw: st.tuples(*(pixels(c, hw) for c in ((3,), (4,), (), (4,))))
)  # background, foreground, shadow, occluder


def nearest(value):
    return floor(value + Fraction(1, 2))


def naive_over(canvas, patch):
    """Porter and Duff's OVER for straight colour, pixel by pixel; an absent canvas alpha is 1."""
    out = canvas.copy()
    for (row, column), _ in np.ndenumerate(patch.rgba[..., 0]):
        y, x = row + patch.y, column + patch.x
        a = Fraction(int(patch.rgba[row, column, 3]), 255)
        if not (0 <= y < canvas.shape[0] and 0 <= x < canvas.shape[1]) or a == 0:
            continue
        below = canvas[y, x].tolist()
        b = Fraction(below[3], 255) if len(below) == 4 else Fraction(1)
        union = a + (1 - a) * b
        for c in range(3):
            out[y, x, c] = nearest((a * int(patch.rgba[row, column, c]) + (1 - a) * b * below[c]) / union)
        if len(below) == 4:
            out[y, x, 3] = nearest(255 * union)
    return out


def pasted(canvas, patch):
    out = canvas.copy()
    (over_rgb if canvas.shape[2] == 3 else over_rgba)(out, patch)
    return out


def naive_recompose(bg, fg, sh, oc):
    """The formula of the sample contract, on Fractions in [0, 1]."""
    out = np.zeros_like(bg)
    for y, x, c in np.ndindex(*bg.shape):
        a_fg, a_oc, dark = (Fraction(int(v), 255) for v in (fg[y, x, 3], oc[y, x, 3], sh[y, x]))
        shaded = bg[y, x, c].item() - dark * (bg[y, x, c].item() - a_oc * oc[y, x, c].item())
        front = a_oc * oc[y, x, c].item() + (1 - a_oc) * fg[y, x, c].item()
        out[y, x, c] = nearest((1 - a_fg) * shaded + a_fg * front)
    return out


def wide_recompose(bg, fg, sh, oc):
    """The same in int64 over 255^3 (the formula has 255^4 with a common factor 255)."""
    bg, fg, sh, oc = (v.astype(np.int64) for v in (bg, fg, sh[..., None], oc))
    fa, oa = fg[..., 3:], oc[..., 3:]
    shaded = 255 * 255 * bg - sh * (255 * bg - oa * oc[..., :3])
    front = 255 * (oa * oc[..., :3] + (255 - oa) * fg[..., :3])
    total = (255 - fa) * shaded + fa * front
    return ((2 * total + 255**3) // (2 * 255**3)).astype(np.uint8)


@given(pixels((3,)), patches)
@settings(max_examples=150, deadline=None)
def test_over_rgb_is_exact_wherever_the_patch_lies(canvas, patch):
    np.testing.assert_array_equal(pasted(canvas, patch), naive_over(canvas, patch))


@given(pixels((4,)), patches)
@settings(max_examples=150, deadline=None)
def test_over_rgba_is_exact_wherever_the_patch_lies(canvas, patch):
    np.testing.assert_array_equal(pasted(canvas, patch), naive_over(canvas, patch))


@pytest.mark.parametrize("alpha", [*range(0, 255, 17), 1, 127, 128, 254, 255])
def test_over_rgb_for_every_pair_of_levels(alpha):
    canvas = np.repeat(np.tile(LEVELS, (256, 1))[..., None], 3, axis=2)
    patch = np.dstack([canvas.transpose(1, 0, 2), np.full((256, 256), alpha, np.uint8)])
    exact = (alpha * patch[..., :3].astype(np.int64) + (255 - alpha) * canvas.astype(np.int64)) / 255
    np.testing.assert_array_equal(pasted(canvas, Patch(patch, 0, 0)), np.rint(exact))


def test_over_rgba_for_every_pair_of_alphas():
    rng = np.random.default_rng(1)
    canvas, patch = rng.integers(0, 256, (2, 256, 256, 4), dtype=np.uint8)
    canvas[..., 3], patch[..., 3] = LEVELS[:, None], LEVELS
    a, b = (v[..., 3:].astype(np.int64) for v in (patch, canvas))
    union = 255 * a + (255 - a) * b
    colour = 255 * a * patch[..., :3] + (255 - a) * b * canvas[..., :3]
    exact = (2 * colour + union) // np.maximum(1, 2 * union)  # halves go up
    got = pasted(canvas, Patch(patch, 0, 0))
    np.testing.assert_array_equal(got[..., 3], np.rint(union[..., 0] / 255))
    np.testing.assert_array_equal(got[..., :3], np.where(a == 0, canvas[..., :3], exact))


@given(pixels((3,)), patches)
@settings(max_examples=50, deadline=None)
def test_over_rgba_on_an_opaque_canvas_is_over_rgb(canvas, patch):
    opaque = np.dstack([canvas, np.full(canvas.shape[:2], 255, np.uint8)])
    got = pasted(opaque, patch)
    np.testing.assert_array_equal(got[..., :3], pasted(canvas, patch))
    assert (got[..., 3] == 255).all()


@given(st.one_of(pixels((3,)), pixels((4,))), patches)
@settings(max_examples=50, deadline=None)
def test_over_with_alpha_0_leaves_and_with_alpha_255_replaces(canvas, patch):
    clear, solid = patch.rgba.copy(), patch.rgba.copy()
    clear[..., 3], solid[..., 3] = 0, 255
    np.testing.assert_array_equal(pasted(canvas, patch._replace(rgba=clear)), canvas)
    expected = np.pad(canvas, ((20, 20), (20, 20), (0, 0)))
    h, w = solid.shape[:2]
    expected[patch.y + 20 : patch.y + 20 + h, patch.x + 20 : patch.x + 20 + w] = solid[..., : canvas.shape[2]]
    np.testing.assert_array_equal(pasted(canvas, patch._replace(rgba=solid)), expected[20:-20, 20:-20])


def test_colour_stays_0_where_the_union_of_layers_is_clear():
    clean = np.array([[[9, 8, 7, 255], [0, 0, 0, 0]]], np.uint8)
    dirty = np.array([[[50, 60, 70, 0], [50, 60, 70, 0]]], np.uint8)
    np.testing.assert_array_equal(pasted(clean, Patch(dirty, 0, 0)), clean)


def test_patches_may_be_strided_and_read_only():
    rng = np.random.default_rng(2)
    canvas, rgba = rng.integers(0, 256, (5, 7, 3), np.uint8), rng.integers(0, 256, (6, 8, 4), np.uint8)
    mirrored = rgba[::2, ::-1]
    rgba.flags.writeable = False
    for patch in (mirrored, rgba):
        expected = naive_over(canvas, Patch(patch, -1, 2))
        np.testing.assert_array_equal(pasted(canvas, Patch(patch, -1, 2)), expected)
        both = pasted(np.dstack([canvas, canvas[..., :1]]), Patch(patch, -1, 2))
        np.testing.assert_array_equal(both, naive_over(np.dstack([canvas, canvas[..., :1]]), Patch(patch, -1, 2)))
        np.testing.assert_array_equal(premultiply_pm(patch), premultiply_pm(patch.copy()))


def test_shade_for_every_level_and_density():
    canvas = np.dstack([np.tile(LEVELS, (256, 1)), np.tile(LEVELS[::-1], (256, 1)), np.full((256, 256), 77, np.uint8)])
    density = np.ascontiguousarray(np.tile(LEVELS[:, None], 256))
    exact = canvas * (255 - density[..., None].astype(np.int64)) / 255
    shaded = canvas.copy()
    shade(shaded, density)
    np.testing.assert_array_equal(shaded, np.rint(exact))
    np.testing.assert_array_equal(shaded[0], canvas[0])
    assert not shaded[255].any()


@given(scenes)
@settings(max_examples=100, deadline=None)
def test_recompose_is_the_contract_in_exact_fractions(layers):
    np.testing.assert_array_equal(recompose(*layers), naive_recompose(*layers))


def test_recompose_at_every_mix_of_extremes_and_at_random():
    grid = np.array(list(itertools.product(EXTREMES, repeat=6)), np.uint8).reshape(216, 216, 6)
    noise = np.random.default_rng(3).integers(0, 256, (300, 1000, 6), dtype=np.uint8)
    for v in (grid, noise):
        bg = np.dstack([v[..., 0], 255 - v[..., 0], v[..., 1]])
        fg, oc = np.dstack([v[..., 1], v[..., 3], v[..., 0], v[..., 2]]), np.dstack([v[..., [3, 1, 4]], v[..., 4]])
        layers = (bg, fg, np.ascontiguousarray(v[..., 5]), oc)
        np.testing.assert_array_equal(recompose(*layers), wide_recompose(*layers))


@given(scenes)
@settings(max_examples=50, deadline=None)
def test_recompose_without_target_is_the_background_and_opaque_target_is_over(layers):
    bg, fg, sh, oc = layers
    fg[..., 3] = 0
    np.testing.assert_array_equal(recompose(bg, fg, np.zeros_like(sh), oc), bg)
    fg[..., 3] = 255
    np.testing.assert_array_equal(recompose(bg, fg, sh, oc), pasted(fg[..., :3].copy(), Patch(oc, 0, 0)))
    oc[..., 3] = 0
    fg[..., 3], shaded = 0, bg.copy()
    shade(shaded, sh)
    np.testing.assert_array_equal(recompose(bg, fg, sh, oc), shaded)


@given(scenes)
@settings(max_examples=100, deadline=None)
def test_recompose_is_the_painters_algorithm_within_one_level(layers):
    """front OVER target OVER shadow OVER behind, painted from the back in float64."""
    behind, fg, sh, oc = layers
    picture = behind * (1 - sh[..., None] / 255)
    for layer in (fg, oc):
        picture = picture + layer[..., 3:] / 255 * (layer[..., :3] - picture)
    got = recompose(pasted(behind, Patch(oc, 0, 0)), fg, sh, oc)
    assert np.abs(got - picture).max() <= 1 + 1e-9


def test_recompose_takes_read_only_layers_and_leaves_them():
    rng = np.random.default_rng(4)
    layers = [rng.integers(0, 256, (5, 4, *c), np.uint8) for c in ((3,), (4,), (), (4,))]
    before = [layer.copy() for layer in layers]
    for layer in layers:
        layer.flags.writeable = False
    np.testing.assert_array_equal(recompose(*layers), wide_recompose(*before))


def test_layers_of_different_sizes_are_our_bug():
    bg, fg, sh = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    for wrong in ((bg, fg[:3], sh, fg), (bg, fg, sh[:2], fg), (bg, fg, sh, fg[:1])):
        with pytest.raises(AssertionError, match=r"\(4, 4, 3\)"):
            recompose(*wrong)
    with pytest.raises(AssertionError, match=r"\(4, 4, 3\)"):
        shade(bg, sh[:2])


def test_premultiplying_and_back_keeps_every_colour_that_shows():
    rgba = np.dstack([np.tile(LEVELS, (256, 1))] * 3 + [np.tile(LEVELS[:, None], 256)])
    pm = premultiply_pm(rgba)
    assert pm.dtype == np.float32
    np.testing.assert_allclose(pm[..., :3], rgba[..., :3] * (rgba[..., 3:] / 255.0), rtol=1e-6)
    np.testing.assert_array_equal(pm[..., 3], rgba[..., 3])
    rgba[0] = 0
    np.testing.assert_array_equal(unpremultiply(pm), rgba)


@given(hnp.arrays(np.float32, st.tuples(side, side, st.just(4)), elements=st.floats(0, 260, width=32)))
@settings(deadline=None)
def test_unpremultiply_rounds_to_nearest_and_bounds(pm):
    got, wide = unpremultiply(pm), pm.astype(np.float64)
    kept = np.rint(wide[..., 3]) >= 1
    np.testing.assert_array_equal(got[..., 3], np.minimum(np.rint(wide[..., 3]), 255))
    assert not got[~kept].any()
    exact = np.minimum(wide[kept][:, :3] * 255 / wide[kept][:, 3:], 255)
    assert np.abs(got[kept][:, :3] - exact).max(initial=0) <= 0.5 + 1e-4
