import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages import refine as module
from stages.refine import refine, refine_mask, trimap


def disc(size=80, radius=25.0, edge=3.0):
    """A disc of one colour on another, with noise, and its true alpha."""
    y, x = np.mgrid[:size, :size] + 0.5
    alpha = np.clip((radius - np.hypot(x - size / 2, y - size / 2)) / edge + 0.5, 0, 1)
    noise = np.random.default_rng(0).normal(0, 2, (size, size, 3))
    mixed = alpha[..., None] * (200, 120, 40) + (1 - alpha[..., None]) * (30, 60, 150) + noise
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), alpha.astype(np.float32)


def sad(a, b):
    return float(np.abs(a - b).sum(dtype=np.float64))


def test_the_laplacian_is_pymattings():
    pymatting = pytest.importorskip("pymatting")
    colours = np.random.default_rng(1).random((12, 15, 3))
    free = np.zeros((12, 15), np.bool_)
    free[2:9, :11] = True  # at the picture's edge too
    free[11, 14] = True
    unknown = np.flatnonzero(free)
    values, columns = module._laplacian_rows(colours, free, unknown)
    dense = np.zeros((unknown.size, free.size))
    np.add.at(dense, (np.arange(unknown.size)[:, None], columns), values)
    np.testing.assert_allclose(dense, pymatting.cf_laplacian(colours).toarray()[unknown], atol=1e-12)


def test_many_windows_are_the_sum_of_their_parts(monkeypatch):
    rgb, alpha = disc()
    whole = refine(rgb, cv2.GaussianBlur(alpha, (0, 0), 4))
    monkeypatch.setattr(module, "_PIXELS", 97)
    np.testing.assert_array_equal(refine(rgb, cv2.GaussianBlur(alpha, (0, 0), 4)), whole)


def test_the_solution_is_the_minimum():
    """Against a dense solve of the same quadratic, built from the definition in the paper."""
    rgb, alpha = disc(size=24, radius=7)
    soft = np.clip(alpha + np.random.default_rng(2).normal(0, 0.05, alpha.shape) * (alpha > 0) * (alpha < 1), 0, 1)
    soft = soft.astype(np.float32)
    known = trimap(soft, 1.0)
    free = (known == 128).ravel()
    laplacian = dense_laplacian(rgb / 255.0)
    start = np.where(known == 128, soft, known > 128).ravel().astype(np.float64)
    left = laplacian[np.ix_(free, free)] + module._HOLD * np.eye(free.sum())
    right = module._HOLD * start[free] - laplacian[np.ix_(free, ~free)] @ start[~free]
    start[free] = np.clip(np.linalg.solve(left, right), 0, 1)
    np.testing.assert_allclose(refine(rgb, soft).ravel(), start, atol=2e-3)


def dense_laplacian(colours):
    height, width = colours.shape[:2]
    index = np.arange(height * width).reshape(height, width)
    out = np.zeros((height * width, height * width))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            pixels = index[y - 1 : y + 2, x - 1 : x + 2].ravel()
            c = colours.reshape(-1, 3)[pixels]
            c = c - c.mean(axis=0)
            inverse = np.linalg.inv(c.T @ c / 9 + 1e-7 / 9 * np.eye(3))
            out[np.ix_(pixels, pixels)] += np.eye(9) - (1 + c @ inverse @ c.T) / 9
    return out


def test_a_blurred_matte_becomes_sharper():
    rgb, alpha = disc()
    blurred = cv2.GaussianBlur(alpha, (0, 0), 2)
    assert sad(refine(rgb, blurred), alpha) < 0.4 * sad(blurred, alpha)


def test_a_rough_mask_finds_the_edge():
    rgb, alpha = disc()
    y, x = np.mgrid[:80, :80] + 0.5
    angle = np.arctan2(y - 40, x - 40)
    mask = np.hypot(x - 40, y - 40) < 25 + 1.5 * np.sin(9 * angle)  # within the band of 1.5 px
    found = refine_mask(rgb, mask)
    assert found.dtype == np.float32
    assert sad(found, alpha) < 0.4 * sad(mask, alpha)


def test_a_strong_hold_gives_the_matte_back_and_a_weaker_one_moves_it_further(monkeypatch):
    rgb, alpha = disc()
    blurred = cv2.GaussianBlur(alpha, (0, 0), 2)
    kept = np.where(trimap(blurred, 1.0) == 128, blurred, blurred > 0.5)
    moved = []
    for hold in (1e9, 1.0, 1e-1, 1e-3):
        monkeypatch.setattr(module, "_HOLD", hold)
        moved.append(sad(refine(rgb, blurred), kept))
    assert moved[0] < 1e-3
    assert moved == sorted(moved)
    assert moved[-1] > 50


def test_the_trimap_follows_softness_and_contour():
    alpha = np.zeros((9, 12), np.float32)
    alpha[:, 6:] = 1
    hard = trimap(alpha, 0)
    assert hard[4].tolist() == [0] * 5 + [128] * 2 + [255] * 5
    assert trimap(alpha, 2)[4].tolist() == [0] * 3 + [128] * 6 + [255] * 3
    alpha[:, 2] = 0.3
    alpha[:, 11] = 0.7
    assert trimap(alpha, 0)[4].tolist() == [0, 0, 128, 0, 0, 128, 128, 255, 255, 255, 255, 128]
    assert hard.dtype == np.uint8


def test_the_frame_is_no_contour():
    assert np.unique(trimap(np.ones((5, 5), np.float32), 2)).tolist() == [255]
    assert np.unique(trimap(np.zeros((5, 5), np.float32), 2)).tolist() == [0]


def test_the_band_of_a_mask_grows_with_it():
    changed = []
    for size in (100, 1200):
        mask = np.zeros((size, 40), np.bool_)
        mask[:, 20:] = True
        mask = np.repeat(mask, size // 40, axis=1)
        noise = np.random.default_rng(0).integers(0, 256, (*mask.shape, 3), dtype=np.uint8)
        found = refine_mask(noise, mask)
        columns = np.flatnonzero((found != mask).any(axis=0))
        changed.append((columns.max() - columns.min() + 1) / 2)
    assert changed[0] <= 3
    assert 0.008 * 1200 / np.sqrt(2) < changed[1] <= 0.01 * 1200 / np.sqrt(2) + 1.5


@settings(max_examples=30, deadline=None)
@given(
    alpha=hnp.arrays(np.float32, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.floats(0, 1, width=32)),
    seed=st.integers(0, 9),
)
def test_any_matte_gives_a_matte(alpha, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (*alpha.shape, 3), dtype=np.uint8)
    out = refine(rgb, alpha)
    assert out.shape == alpha.shape
    assert out.dtype == np.float32
    assert ((out >= 0) & (out <= 1)).all()
    known = trimap(alpha, 1.0)
    np.testing.assert_array_equal(out[known != 128], known[known != 128] / 255)


def test_two_pictures_are_refused():
    with pytest.raises(ValueError, match=r"rgb \(4, 5, 3\) and alpha \(5, 4\) are not one picture"):
        refine(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32))
