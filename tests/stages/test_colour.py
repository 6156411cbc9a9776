import numpy as np
import pytest

from stages.colour import estimate_foreground


def mixture(size=96, seed=0):
    """A smooth object with a wide soft edge over a very different ground: rgb, alpha, true colour."""
    y, x = np.mgrid[:size, :size] / size
    alpha = np.clip((0.38 - np.hypot(x - 0.5, y - 0.5)) / 0.12 + 0.5, 0, 1).astype(np.float32)
    true = np.stack([180 + 40 * x, 60 + 40 * y, 40 + 0 * x], axis=2)
    ground = np.stack([20 + 0 * x, 90 + 60 * y, 200 - 40 * x], axis=2)
    mixed = alpha[..., None] * true + (1 - alpha[..., None]) * ground
    return np.rint(mixed).astype(np.uint8), alpha, true


def edge_error(colour, alpha, true):
    soft = (alpha > 0.02) & (alpha < 0.98)
    weights = alpha[soft][:, None]
    return float((np.abs(colour[soft] - true[soft]) * weights).sum() / (3 * weights.sum()))


def test_both_methods_take_most_of_the_ground_out_of_the_edge():
    rgb, alpha, true = mixture()
    error = {m: edge_error(estimate_foreground(rgb, alpha, m), alpha, true) for m in ("none", "nearest", "ml")}
    assert error["none"] > 25
    assert error["nearest"] < error["none"] / 4
    assert error["ml"] < error["none"] / 4


@pytest.mark.parametrize("method", ["none", "nearest", "ml"])
def test_opaque_pixels_keep_their_colour(method):
    rgb, alpha, _ = mixture()
    rgb ^= np.random.default_rng(0).integers(0, 16, rgb.shape, dtype=np.uint8)
    out = estimate_foreground(rgb, alpha, method)
    assert out.dtype == np.uint8
    np.testing.assert_array_equal(out[alpha == 1], rgb[alpha == 1])


def test_none_is_a_copy():
    rgb, alpha, _ = mixture()
    out = estimate_foreground(rgb, alpha, "none")
    np.testing.assert_array_equal(out, rgb)
    assert not np.shares_memory(out, rgb)


def test_nearest_is_the_nearest_of_all_opaque_pixels():
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (17, 23, 3), dtype=np.uint8)
    alpha = np.where(rng.random((17, 23)) < 0.1, 1, 0.3).astype(np.float32)
    out = estimate_foreground(rgb, alpha, "nearest")
    opaque = np.argwhere(alpha == 1)
    for y, x in np.ndindex(alpha.shape):
        distance = np.hypot(*(opaque - (y, x)).T)
        # The 5 x 5 chamfer metric is within 5 % of the Euclidean one.
        near = opaque[distance <= distance.min() * 1.05 + 1e-9]
        assert any((rgb[p[0], p[1]] == out[y, x]).all() for p in near)


@pytest.mark.parametrize("method", ["none", "nearest", "ml"])
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_an_even_alpha_is_no_trouble(method, level):
    rgb = np.random.default_rng(4).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    out = estimate_foreground(rgb, np.full((9, 5), level, np.float32), method)
    assert out.shape == rgb.shape
    if level == 1.0 or method != "ml":
        np.testing.assert_array_equal(out, rgb)


def test_two_pictures_are_refused():
    with pytest.raises(ValueError, match=r"rgb \(4, 5, 3\) and alpha \(5, 4\) are not one picture"):
        estimate_foreground(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4), np.float32), "ml")
