"""Measurements of a cut-out against naive loops over pixels, scipy, and pictures with known answers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from stages.quality import alpha_box, flatness, measure, sharpness, trim

alphas = st.sampled_from([0, 1, 5, 6, 127, 128, 249, 250, 255])
cutouts = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: st.builds(
        lambda rgb, alpha: np.dstack([rgb, alpha]),
        hnp.arrays(np.uint8, (*size, 3), elements=st.sampled_from([10, 200])),
        hnp.arrays(np.uint8, size, elements=alphas).filter(np.any),
    )
)


def picture(alpha, rgb=(120, 130, 140)):
    alpha = np.asarray(alpha, np.uint8)
    return np.dstack([np.broadcast_to(np.array(rgb, np.uint8), (*alpha.shape, 3)), alpha])


def naive_run(edge):
    best = run = 0
    for alpha in edge.tolist():
        run = run + 1 if alpha > 127 else 0
        best = max(best, run)
    return best / len(edge)


@given(cutouts)
@settings(max_examples=150, deadline=None)
def test_against_naive_counts(rgba):
    got, alpha = measure(rgba), rgba[..., 3].astype(int)
    ys, xs = np.nonzero(alpha)
    height, width = ys.max() - ys.min() + 1, xs.max() - xs.min() + 1
    assert got.long_side == max(height, width)
    assert got.alpha_coverage == pytest.approx((alpha > 127).sum() / (height * width))
    assert got.soft_share == pytest.approx(((alpha > 5) & (alpha < 250)).sum() / (alpha > 0).sum())
    labels, count = ndimage.label(alpha > 127, np.ones((3, 3)))
    sizes = [(labels == i + 1).sum() for i in range(count)]
    assert got.main_component == pytest.approx(max(sizes) / sum(sizes) if sizes else 0.0)
    edges = (alpha[:, 0], alpha[0], alpha[:, -1], alpha[-1])
    cuts = (got.cut_left, got.cut_top, got.cut_right, got.cut_bottom)
    assert cuts == pytest.approx([naive_run(edge) for edge in edges])


@given(cutouts)
@settings(max_examples=100, deadline=None)
def test_flatness_against_a_loop_over_pairs(rgba):
    h, w = rgba.shape[:2]
    pairs = [((y, x), (y, x + 1)) for y in range(h) for x in range(w - 1)]
    pairs += [((y, x), (y + 1, x)) for y in range(h - 1) for x in range(w)]
    inside = [(a, b) for a, b in pairs if rgba[a][3] >= 250 and rgba[b][3] >= 250]
    equal = [(a, b) for a, b in inside if rgba[a][:3].tolist() == rgba[b][:3].tolist()]
    assert flatness(rgba) == pytest.approx(len(equal) / len(inside) if inside else 0.0)


def test_sharpness_against_the_definition():
    rng = np.random.default_rng(0)
    rgba = rng.integers(0, 256, (24, 31, 4), dtype=np.uint8)
    rgba[..., 3] = np.where(rng.random((24, 31)) < 0.03, 200, 250)
    luma = np.rint(rgba[..., :3].astype(float) @ [0.299, 0.587, 0.114])
    values = [
        luma[y - 1, x] + luma[y + 1, x] + luma[y, x - 1] + luma[y, x + 1] - 4 * luma[y, x]
        for y in range(1, 23)
        for x in range(1, 30)
        if (rgba[y - 1 : y + 2, x - 1 : x + 2, 3] >= 250).all()
    ]
    assert len(values) > 100
    assert sharpness(rgba) == pytest.approx(np.var(values), rel=1e-3)  # luma may round the other way


def test_sharpness_falls_with_blur_and_ignores_the_cut():
    rng = np.random.default_rng(1)
    rgba = picture(np.full((40, 40), 255))
    rgba[..., :3] = rng.integers(0, 256, (40, 40, 1))
    blurred = rgba.copy()
    blurred[..., :3] = ndimage.gaussian_filter(rgba[..., :3].astype(float), (1.5, 1.5, 0))
    assert measure(blurred).sharpness < 0.1 * measure(rgba).sharpness
    flat = np.where(np.indices((40, 40))[0] < 20, 255, 0)
    cut = picture(flat, (255, 255, 255))
    cut[20:, :, :3] = 0
    assert measure(cut).sharpness == 0.0
    assert measure(picture([[255, 255], [255, 255]])).sharpness == 0.0


def test_a_drawing_is_flat_and_a_photograph_is_not():
    rng = np.random.default_rng(2)
    drawing = picture(np.full((60, 60), 255), (250, 200, 0))
    drawing[20:40, 20:40, :3] = (0, 0, 250)
    photograph = drawing.copy()
    noisy = drawing[..., :3] + rng.normal(0, 2, (60, 60, 3))
    photograph[..., :3] = np.rint(np.clip(noisy, 0, 255))
    assert measure(drawing).flatness > 0.95
    assert measure(photograph).flatness < 0.05


def test_an_object_cut_by_the_frame_shows_it_on_that_side_only():
    alpha = np.zeros((50, 40), np.uint8)
    alpha[10:, 5:30] = 255
    got = measure(picture(alpha))
    assert (got.cut_left, got.cut_top, got.cut_right, got.cut_bottom) == (0.0, 0.0, 0.0, 25 / 40)


@given(cutouts)
def test_trim_keeps_everything_that_can_be_seen(rgba):
    before = rgba.copy()
    trimmed, (top, left, bottom, right) = trim(rgba)
    np.testing.assert_array_equal(trimmed, before[top:bottom, left:right])
    rest = before[..., 3].copy()
    rest[top:bottom, left:right] = 0
    assert not rest.any()
    assert trimmed[0, :, 3].any()
    assert trimmed[-1, :, 3].any()
    assert trimmed[:, 0, 3].any()
    assert trimmed[:, -1, 3].any()
    trimmed[:] = 7
    np.testing.assert_array_equal(rgba, before)
    assert alpha_box(before) == (top, left, bottom, right)


@pytest.mark.parametrize("function", [measure, trim, alpha_box])
@pytest.mark.parametrize(
    ("rgba", "text"),
    [
        (np.zeros((7, 5, 4), np.uint8), "rgba: every pixel of the 7 x 5 picture is transparent"),
        (np.zeros((0, 5, 4), np.uint8), "rgba: every pixel of the 0 x 5 picture is transparent"),
        (np.ones((7, 5, 3), np.uint8), "rgba: must be (h, w, 4) uint8, got (7, 5, 3) uint8"),
        (np.ones((7, 5, 4), np.float32), "rgba: must be (h, w, 4) uint8, got (7, 5, 4) float32"),
    ],
)
def test_errors_say_what_is_wrong(function, rgba, text):
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        function(rgba)
