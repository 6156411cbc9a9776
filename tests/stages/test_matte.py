import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from stages.matte import cut_out, main_part
from stages.quality import alpha_box, measure
from stages.types import Rejected

OPTIONS = {"long_side": 512, "refine": False, "foreground": "none"}


def photograph(height, width, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def disc(height, width, y, x, radius, edge=2.0):
    yy, xx = np.mgrid[:height, :width] + 0.5
    return np.clip((radius - np.hypot(yy - y, xx - x)) / edge + 0.5, 0, 1).astype(np.float32)


def test_the_cut_out_is_the_photograph_where_the_object_is():
    rgb, alpha = photograph(200, 300), disc(200, 300, 90, 140, 50)
    out = cut_out(rgb, alpha, **OPTIONS)
    top, left, bottom, right = alpha_box(out)
    ys, xs = np.nonzero(np.rint(alpha * 255))
    assert (bottom - top, right - left) == (np.ptp(ys) + 1, np.ptp(xs) + 1)  # not enlarged
    there = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    levels = np.rint(alpha[there] * 255)
    np.testing.assert_array_equal(out[top:bottom, left:right, 3], levels)
    np.testing.assert_array_equal(out[top:bottom, left:right, :3], rgb[there] * (levels > 0)[..., None])
    assert not out[out[..., 3] == 0].any()
    assert out.dtype == np.uint8


@settings(max_examples=40, deadline=None)
@given(
    y=st.integers(0, 160),
    x=st.integers(0, 240),
    radius=st.integers(20, 90),
    long_side=st.integers(24, 300),
    refine=st.booleans(),
    rough=st.booleans(),
)
def test_size_and_borders(y, x, radius, long_side, refine, rough):
    rgb, alpha = photograph(160, 240), disc(160, 240, y, x, radius)
    out = cut_out(rgb, alpha, long_side=long_side, refine=refine, foreground="none", rough=rough)
    if isinstance(out, Rejected):
        assert refine  # a random picture says nothing about edges
        return
    top, left, bottom, right = alpha_box(out)
    assert max(bottom - top, right - left) <= long_side
    quality = measure(out)
    touched = {"cut_top": alpha[0], "cut_left": alpha[:, 0], "cut_bottom": alpha[-1], "cut_right": alpha[:, -1]}
    borders = {"cut_top": out[0], "cut_left": out[:, 0], "cut_bottom": out[-1], "cut_right": out[:, -1]}
    for side, edge in touched.items():
        if not (edge >= 0.5 / 255).any():
            assert not borders[side].any()
        elif np.count_nonzero(edge > 0.9) > 30 and not refine:
            assert getattr(quality, side) > 0


def test_a_shrunk_object_nearly_fills_what_it_may():
    rgb, alpha = photograph(900, 900), disc(900, 900, 450, 450, 400)
    for refine in (False, True):
        out = cut_out(cv2.blur(rgb, (5, 5)), alpha, long_side=256, refine=refine, foreground="none")
        top, left, bottom, right = alpha_box(out)
        assert 245 <= max(bottom - top, right - left) <= 256


def test_shrinking_averages_areas():
    """A chessboard of single pixels: its average is grey; every other way to shrink it by 4 shows a pattern."""
    board = np.indices((240, 240)).sum(axis=0) % 2 * 255
    rgb, alpha = np.repeat(board[..., None], 3, axis=2).astype(np.uint8), np.zeros((240, 240), np.float32)
    alpha[40:200, 40:200] = 1
    out = cut_out(rgb, alpha, **OPTIONS | {"long_side": 41})
    top, _, bottom, _ = alpha_box(out)
    assert bottom - top in (40, 41)
    opaque = out[out[..., 3] == 255][:, :3]
    assert opaque.std() < 10
    assert abs(opaque.mean() - 127.5) < 2


def test_a_full_size_object_is_not_resampled_for_nothing():
    rgb, alpha = photograph(128, 128), disc(128, 128, 64, 64, 70)
    assert cut_out(rgb, alpha, long_side=128, refine=True, foreground="none").shape == (128, 128, 4)


def test_specks_go_and_what_hangs_on_softly_stays():
    alpha = disc(100, 100, 50, 40, 20)
    tail = np.zeros_like(alpha)
    tail[48:52, 55:75] = 0.2
    both = np.maximum(alpha, tail)
    dirty = both.copy()
    dirty[10:14, 80:84] = 1.0  # a speck
    dirty[80:95, 80:95] = 0.3  # soft, alone
    np.testing.assert_array_equal(main_part(dirty), both)


def test_of_two_objects_the_larger_is_the_object_and_a_rough_mask_keeps_both():
    large, small = disc(100, 200, 50, 50, 30), disc(100, 200, 50, 150, 20)
    both = np.maximum(large, small)
    np.testing.assert_array_equal(main_part(both), large)
    np.testing.assert_array_equal(main_part(both, 0.05), both)
    speck = both.copy()
    speck[2:5, 100:103] = 1
    np.testing.assert_array_equal(main_part(speck, 0.05), both)
    rgb = cv2.GaussianBlur(photograph(100, 200), (0, 0), 3)
    out = cut_out(rgb, (both > 0.5).astype(np.float32), **OPTIONS | {"refine": True}, rough=True)
    assert ndimage.label(out[..., 3] > 127)[1] == 2


def test_nothing_is_filled():
    alpha = disc(100, 100, 50, 50, 40)
    alpha[45:55, 45:55] = 0
    np.testing.assert_array_equal(main_part(alpha), alpha)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.05, 0.5, 1.0]))
def test_main_part_against_a_flood_fill(seed, share):
    levels = np.random.default_rng(seed).choice([0.0, 0.03, 0.2, 0.8], (9, 11), p=[0.5, 0.1, 0.15, 0.25])
    alpha = levels.astype(np.float32)
    solid, count = ndimage.label(alpha > 0.5, np.ones((3, 3)))
    areas = [int((solid == i).sum()) for i in range(1, count + 1)]
    if share == 1:
        chosen = [1 + areas.index(max(areas))]
    else:
        chosen = [i for i, a in enumerate(areas, 1) if a >= share * max(areas)]
    kept = np.isin(solid, chosen)
    while (more := ndimage.binary_dilation(kept, np.ones((3, 3))) & (alpha > 0.05)).sum() > kept.sum():
        kept = more
    halo = ndimage.binary_dilation(kept, np.ones((5, 5))) & (alpha <= 0.05)
    np.testing.assert_array_equal(main_part(alpha, share) > 0, (kept | halo) & (alpha > 0))


def test_colour_and_alpha_of_a_soft_photograph_come_back():
    """A disc blurred over a ground of another colour: every step at once, against the truth."""
    truth = disc(240, 240, 120, 120, 80, edge=4)
    noise = np.random.default_rng(0).normal(0, 1.5, (240, 240, 3))
    mixed = truth[..., None] * (190, 110, 50) + (1 - truth[..., None]) * (20, 70, 160) + noise
    rgb = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    matte = cv2.GaussianBlur(truth, (0, 0), 2)
    errors = {}
    for refine, foreground in ((False, "none"), (True, "nearest"), (True, "ml")):
        out = cut_out(rgb, matte, long_side=512, refine=refine, foreground=foreground)
        seen = out[..., 3] > 25
        errors[foreground] = float(np.abs(out[seen][:, :3] - np.array([190.0, 110, 50])).max(axis=0).mean())
        if refine:
            assert abs(float(out[..., 3].sum(dtype=np.int64)) / 255 - float(truth.sum())) < 0.01 * truth.sum()
    assert errors["none"] > 80
    assert errors["nearest"] < 25
    assert errors["ml"] < 40


def test_pictures_without_an_object_are_rejected():
    rgb = photograph(100, 100)
    empty = Rejected("no_object", "object covers 0.00000 of the picture, at least 0.002")
    assert cut_out(rgb, np.zeros((100, 100), np.float32), **OPTIONS) == empty
    assert cut_out(rgb, np.full((100, 100), 0.4, np.float32), **OPTIONS) == empty
    speck = np.zeros((100, 100), np.float32)
    speck[:3, :6] = 1
    assert cut_out(rgb, speck, **OPTIONS) == Rejected(
        "no_object", "object covers 0.00180 of the picture, at least 0.002"
    )


def test_an_object_that_is_the_picture_is_rejected():
    full = np.ones((100, 100), np.float32)
    full[:5] = 0
    found = cut_out(photograph(100, 100), full, **OPTIONS)
    assert found == Rejected("fills_picture", "object covers 0.950 of the picture, at most 0.9")


def test_a_ghost_is_rejected_and_hair_is_not():
    rgb, alpha = photograph(200, 200), disc(200, 200, 100, 100, 80)
    ghost = alpha.copy()
    ghost[60:120, 60:120] = 0.6
    found = cut_out(rgb, ghost, **OPTIONS)
    assert isinstance(found, Rejected)
    assert found.reason == "unsure_matte"
    assert found.detail.endswith("of the object is deep inside see-through regions, at most 0.1")
    hair = alpha.copy()
    hair[30:170:4, 30:170] *= 0.5  # as many soft pixels, but thin
    assert isinstance(cut_out(rgb, hair, **OPTIONS), np.ndarray)


def test_the_same_bytes_twice():
    rgb, alpha = cv2.GaussianBlur(photograph(150, 150), (0, 0), 2), disc(150, 150, 75, 75, 50, 8)
    options = {"long_side": 90, "refine": True, "foreground": "ml"}
    first, second = (cut_out(rgb, alpha, **options) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_two_pictures_are_refused():
    with pytest.raises(ValueError, match=r"rgb \(4, 5, 3\) and alpha \(5, 4\) are not one picture"):
        cut_out(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32), **OPTIONS)
