"""Geometry against naive loops, numpy turns and mirrors, and a bright dot that shows where a point went."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages import geometry
from stages.types import Patch, Plate

side = st.integers(1, 40)
scales = st.floats(0.2, 1.6)
angles = st.one_of(st.sampled_from([0.0, 90.0, -90.0, 180.0]), st.floats(-180, 180))
cutouts = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda hw: hnp.arrays(np.uint8, (*hw, 4), elements=st.sampled_from([0, 1, 90, 200, 255]))
)
ALL_TURNS = [
    (scale, turn, flip) for scale in (0.4, 0.9, 1.25) for turn in (0.0, 37.0, -115.0) for flip in (False, True)
]


def noise(h, w, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 4), dtype=np.uint8)


def clean(rgba):
    return np.where(rgba[..., 3:] > 0, rgba, 0)


def disc(size=80, rgb=(200, 120, 40)):
    """A soft disc of one colour; what its transparent pixels hold is garbage."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    alpha = np.rint(255 * np.clip(size * 0.4 - np.hypot(x, y), 0, 1))
    out = noise(size, size)
    out[..., 3] = alpha
    out[alpha > 0, :3] = rgb
    return out


def naive_trim(rgba):
    shown = [(y, x) for y, x in np.ndindex(*rgba.shape[:2]) if rgba[y, x, 3]] or [(0, 0)]
    top, left = min(y for y, _ in shown), min(x for _, x in shown)
    bottom, right = max(y for y, _ in shown), max(x for _, x in shown)
    return rgba[top : bottom + 1, left : right + 1]


@given(side, side, scales, angles, st.booleans())
def test_the_matrix_is_a_turn_that_puts_the_asset_in_a_box_at_the_origin(w, h, scale, turn, flip):
    m = geometry.object_matrix(w, h, scale, turn, flip)
    corners = m @ np.array([[0, w, 0, w], [0, 0, h, h], [1, 1, 1, 1]])
    assert np.allclose(corners.min(axis=1), 0, atol=1e-9)
    assert np.allclose(corners.max(axis=1), geometry.box_size(w, h, scale, turn))
    mirror = np.diag([-1.0, 1.0]) if flip else np.eye(2)
    assert np.allclose(
        m[:, :2] @ mirror @ (1, 0), scale * np.array([math.cos(math.radians(turn)), -math.sin(math.radians(turn))])
    )
    assert np.allclose(m[:, :2] @ m[:, :2].T, scale**2 * np.eye(2))
    assert np.sign(np.linalg.det(m[:, :2])) == (-1 if flip else 1)


@given(cutouts)
@settings(max_examples=60, deadline=None)
def test_no_change_asked_is_no_change_but_the_trim(rgba):
    got, m = geometry.warp_object(rgba, 1.0, 0.0, False)
    np.testing.assert_array_equal(got, naive_trim(clean(rgba)))
    x, y = geometry.alpha_box(rgba)[:2]
    if rgba[..., 3].any():
        np.testing.assert_allclose(m, [[1, 0, -x], [0, 1, -y]], atol=1e-9)


@given(cutouts, st.integers(0, 3), st.booleans())
@settings(max_examples=60, deadline=None)
def test_quarter_turns_are_numpys_counter_clockwise_and_a_flip_comes_first(rgba, quarters, flip):
    mirrored = clean(rgba)[:, ::-1] if flip else clean(rgba)
    got, _ = geometry.warp_object(rgba, 1.0, 90.0 * quarters, flip)
    np.testing.assert_array_equal(got, naive_trim(np.rot90(mirrored, quarters)))


def test_two_flips_are_none():
    rgba = noise(9, 14)
    once, _ = geometry.warp_object(rgba, 1.0, 0.0, True)
    twice, _ = geometry.warp_object(once, 1.0, 0.0, True)
    np.testing.assert_array_equal(twice, clean(rgba))


@given(
    st.integers(40, 90), st.integers(40, 90), scales, angles, st.booleans(), st.tuples(st.floats(0, 1), st.floats(0, 1))
)
@settings(max_examples=60, deadline=None)
def test_the_matrix_says_where_a_dot_goes(w, h, scale, turn, flip, at):
    x, y = round(8 + at[0] * (w - 17)), round(8 + at[1] * (h - 17))
    rgba = np.zeros((h, w, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[y - 2 : y + 3, x - 2 : x + 3, :3] = 255
    got, m = geometry.warp_object(rgba, scale, turn, flip)
    glow = got[..., 0] * (got[..., 3] / 255)
    ys, xs = np.mgrid[: got.shape[0], : got.shape[1]] + 0.5
    seen = np.array([(glow * xs).sum(), (glow * ys).sum()]) / glow.sum()
    assert np.abs(seen - m @ (x + 0.5, y + 0.5, 1)).max() < 0.3


@pytest.mark.parametrize("change", ALL_TURNS)
def test_one_colour_stays_that_colour_with_no_fringe_and_no_bleeding(change):
    got, _ = geometry.warp_object(disc(), *change)
    shown = got[..., 3] > 0
    assert (got[shown][:, :3] == (200, 120, 40)).all()
    assert not got[~shown].any()
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous


@pytest.mark.parametrize("change", ALL_TURNS)
def test_alpha_is_kept_in_sum_and_the_array_is_trimmed(change):
    rgba = disc()
    got, _ = geometry.warp_object(rgba, *change)
    assert got[..., 3].sum(dtype=float) == pytest.approx(change[0] ** 2 * rgba[..., 3].sum(dtype=float), rel=0.02)
    for edge in (got[0], got[-1], got[:, 0], got[:, -1]):
        assert edge[:, 3].any()
    assert got.shape[:2] == pytest.approx((64 * change[0],) * 2, abs=4)


def test_a_strong_shrink_averages_what_a_bare_warp_would_alias():
    stripes = np.full((96, 96, 4), 255, np.uint8)
    stripes[:, ::2, :3] = 0
    got, _ = geometry.warp_object(stripes, 0.25, 0.0, False)
    assert got.shape == (24, 24, 4)
    assert np.abs(got[..., :3].astype(int) - 127.5).max() <= 1
    turned, _ = geometry.warp_object(stripes, 0.25, 20.0, False)
    solid = turned[..., 3] == 255
    assert np.abs(turned[solid][:, :3].astype(int) - 127.5).max() <= 1


def test_an_edge_of_the_asset_is_not_lost_at_any_turn():
    solid = np.full((30, 50, 4), 255, np.uint8)
    for scale, turn in [(1.0, 45.0), (1.25, 10.0), (0.5, 0.0), (0.37, -80.0), (0.99, 0.0)]:
        got, m = geometry.warp_object(solid, scale, turn, False)
        assert got[..., 3].sum() / 255 == pytest.approx(1500 * scale**2, rel=0.01)
        corners = m @ np.array([[0, 50, 0, 50], [0, 0, 30, 30], [1, 1, 1, 1]])
        assert np.all(corners.min(axis=1) > -1.01)
        assert np.all(corners.max(axis=1) < np.array(got.shape[1::-1]) + 1.01)
    soft, _ = geometry.warp_object(np.full((40, 60, 4), 255, np.uint8), 1.25, 0.0, False)
    np.testing.assert_array_equal(soft, soft[::-1, ::-1])


def test_nothing_left_to_see_is_one_clear_pixel():
    for rgba in (np.full((5, 6, 4), (9, 9, 9, 0), np.uint8), np.full((1, 1, 4), (9, 9, 9, 1), np.uint8)):
        got, _ = geometry.warp_object(rgba, 0.3, 12.0, True)
        assert got.shape == (1, 1, 4)
        assert not got.any()


def test_assets_may_be_read_only_and_stay_as_they_are():
    rgba, before = noise(20, 30), noise(20, 30)
    rgba.flags.writeable = False
    for scale in (0.5, 1.0, 1.2):
        geometry.warp_object(rgba, scale, 15.0, True)
    np.testing.assert_array_equal(rgba, before)


@given(cutouts)
@settings(deadline=None)
def test_alpha_box_is_the_naive_trim(rgba):
    x, y, w, h = geometry.alpha_box(rgba)
    np.testing.assert_array_equal(rgba[y : y + h, x : x + w], naive_trim(rgba))


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), st.floats(0, 1), st.floats(-20, 20), st.floats(-20, 20))
def test_the_anchor_lies_on_the_point_to_half_a_pixel(w, h, anchor_x, anchor_y, x, y):
    rgba = np.zeros((h, w, 4), np.uint8)
    patch = geometry.anchor_patch(rgba, anchor_x, anchor_y, x, y)
    assert patch.rgba is rgba
    assert abs(patch.x + anchor_x * w - x) <= 0.5 + 1e-9
    assert abs(patch.y + anchor_y * h - y) <= 0.5 + 1e-9
    assert all(type(v) is int for v in patch[1:])


@given(cutouts, st.integers(-15, 15), st.integers(-15, 15), st.integers(1, 12))
@settings(deadline=None)
def test_on_canvas_is_a_clipped_copy(rgba, x, y, size):
    expected = np.zeros((size, size, 4), np.uint8)
    for row, column in np.ndindex(*rgba.shape[:2]):
        if 0 <= row + y < size and 0 <= column + x < size:
            expected[row + y, column + x] = rgba[row, column]
    got = geometry.on_canvas(Patch(rgba, x, y), size)
    np.testing.assert_array_equal(got, expected)
    assert not np.shares_memory(got, rgba)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("enlarge", "x", "y"), [(1, 0, 0), (2, 4, 9), (3, 5.4, 2.6), (5, 0.5, 1.5)])
def test_a_crop_that_shrinks_by_a_whole_number_is_the_mean_of_blocks(enlarge, x, y, flip):
    photo = noise(70, 90)[..., :3] // 4 * 4  # no mean of 4, 9 or 25 of these is a tie
    photo.flags.writeable = False
    got = geometry.crop_plate(photo, Plate(asset="a", x=x, y=y, side=12 * enlarge, flip=flip), 12)
    left, top = round(x), round(y)
    crop = photo[top : top + 12 * enlarge, left : left + 12 * enlarge].astype(float)
    blocks = crop.reshape(12, enlarge, 12, enlarge, 3).mean(axis=(1, 3))
    np.testing.assert_array_equal(got, np.rint(blocks)[:, ::-1] if flip else np.rint(blocks))
    assert got.flags.writeable
    assert got.flags.c_contiguous


def test_a_crop_is_enlarged_by_cubic_interpolation():
    photo = noise(40, 40)[..., :3]
    got = geometry.crop_plate(photo, Plate(asset="a", x=3, y=7, side=20, flip=False), 25)
    np.testing.assert_array_equal(got, cv2.resize(photo[7:27, 3:23], (25, 25), interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("where", [(31, 0), (0, 21), (-1, 0), (0, -1)])
def test_a_plate_that_leaves_its_photograph_is_our_bug(where):
    plate = Plate(asset="a", x=where[0], y=where[1], side=20, flip=False)
    with pytest.raises(AssertionError, match=r"plate .* leaves its photograph \(40, 50, 3\)"):
        geometry.crop_plate(np.zeros((40, 50, 3), np.uint8), plate, 10)
