"""Measurements of a cut-out against naive loops over pixels, scipy, and pictures with known answers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from stages.quality import alpha_box, defringe, flatness, fringe, measure, sharpness, trim

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


def soft_object():
    """True colour (h, w, 3) float64 and alpha (h, w) uint8 of a soft-edged, shaded, mid-tone object."""
    y, x = np.mgrid[:90, :110].astype(float)
    outside = np.hypot((x - 55) / 1.3, y - 45) - 32
    alpha = np.rint(255 * np.clip(0.5 - outside / 3, 0, 1)).astype(np.uint8)
    colour = 100 + np.stack([40 * np.sin(x / 17), 30 * np.cos(y / 13), 20 * np.sin((x + y) / 19)], axis=2)
    return colour + np.random.default_rng(0).normal(0, 2, colour.shape), alpha


def masked_from(ground, share):
    colour, alpha = soft_object()
    m = share * (1 - alpha[..., None] / 255)
    return np.dstack([np.rint((1 - m) * colour + m * ground).astype(np.uint8), alpha])


def over(rgba, ground):
    a = rgba[..., 3:] / 255
    return a * rgba[..., :3] + (1 - a) * np.array(ground)


@pytest.mark.parametrize("ground", [255, 0])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_fringe_is_measured_and_taken_out_on_every_ground(ground, share):
    dirty, clean = masked_from(ground, share), masked_from(ground, 0.0)
    found = fringe(dirty)
    assert found.ground == ground
    assert found.share == pytest.approx(share, abs=0.08)
    assert found.fit > 0.9
    repaired = defringe(dirty)
    soft = (dirty[..., 3] > 0) & (dirty[..., 3] < 250)
    for under in ((0, 0, 0), (255, 255, 255), (40, 160, 40)):
        before, after = (np.abs(over(p, under) - over(clean, under))[soft].mean() for p in (dirty, repaired))
        assert before > 7
        assert after < 0.25 * before


@pytest.mark.parametrize("ground", [255, 0])
def test_defringe_touches_soft_colour_only(ground):
    dirty = masked_from(ground, 1.0)
    before = dirty.copy()
    repaired = defringe(dirty)
    np.testing.assert_array_equal(dirty, before)
    np.testing.assert_array_equal(repaired[..., 3], dirty[..., 3])
    still = (dirty[..., 3] == 0) | (dirty[..., 3] >= 250)
    np.testing.assert_array_equal(repaired[still], dirty[still])
    assert (repaired != dirty).any()


def test_a_clean_a_hard_and_a_glassy_cut_out_come_back_as_they_were():
    clean = masked_from(255, 0.0)
    hard = masked_from(255, 1.0)
    hard[..., 3] = np.where(hard[..., 3] > 127, 255, 0)
    glassy = picture(np.full((20, 20), 90))
    for rgba in (clean, hard, glassy):
        np.testing.assert_array_equal(defringe(rgba), rgba)
        assert not np.shares_memory(defringe(rgba), rgba)
    assert abs(fringe(clean).share) < 0.1
    assert fringe(hard) == fringe(glassy) == (255, 0.0, 0.0)


def test_memory_layout_does_not_matter():
    rgba = masked_from(255, 0.7)
    frozen, column_major, strided = rgba.copy(), np.asfortranarray(rgba), np.repeat(rgba, 2, 1)[:, ::2]
    frozen.setflags(write=False)
    for same in (frozen, column_major, strided):
        assert measure(same) == measure(rgba)
        assert fringe(same) == fringe(rgba)
        np.testing.assert_array_equal(defringe(same), defringe(rgba))
