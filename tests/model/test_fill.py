"""The smooth fill against a plain pyramid in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.fill import smooth_fill
from tests.model.tiny import generator, mask, picture

F64 = NDArray[np.float64]


def halved(values: F64) -> F64:
    """Means of 2 x 2 squares, of what there is of them at the end of odd sides."""
    height, width = values.shape
    out = np.empty(((height + 1) // 2, (width + 1) // 2))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = values[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean()
    return out


def stretched(values: F64, height: int, width: int) -> F64:
    """Bilinear between centres, the border's value beyond them."""
    out = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            at = []
            for i, size, small in ((y, height, values.shape[0]), (x, width, values.shape[1])):
                centre = min(max((i + 0.5) * small / size - 0.5, 0), small - 1)
                low = int(centre)
                at.append((low, min(low + 1, small - 1), centre - low))
            (top, bottom, v), (left, right, u) = at
            upper = (1 - u) * values[top, left] + u * values[top, right]
            lower = (1 - u) * values[bottom, left] + u * values[bottom, right]
            out[y, x] = (1 - v) * upper + v * lower
    return out


def push_pull(colour: F64, weight: F64) -> F64:
    """`colour` is multiplied by `weight` already."""
    if colour.size == 1:
        return colour / weight
    coarse = push_pull(halved(colour), halved(weight))
    return colour + (1 - weight) * stretched(coarse, *colour.shape)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99), soft=st.booleans())
def test_it_is_push_pull(height: int, width: int, seed: int, soft: bool) -> None:
    seen = picture(seed, 2, height, width, batch=1)
    weights = torch.rand((1, 1, height, width), generator=generator(seed + 1))
    known = weights if soft else (weights < 0.5).float()
    known[..., seed % height, seed % width] = 1.0
    found = smooth_fill(seen, known)
    for channel in range(2):
        weight = known[0, 0].double().numpy()
        expected = push_pull(seen[0, channel].double().numpy() * weight, weight)
        np.testing.assert_allclose(found[0, channel], expected, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(8, 12), (7, 13), (1, 5), (64, 64)])
def test_what_is_known_is_kept_to_the_bit(height: int, width: int) -> None:
    seen, known = picture(1, 3, height, width), mask(2, height, width)
    keep = known.bool().expand_as(seen)
    found = smooth_fill(seen, known)
    assert torch.equal(found[keep], seen[keep])
    assert torch.equal(smooth_fill(seen, torch.ones_like(known)), seen)


def test_what_is_not_known_has_no_influence() -> None:
    known = mask(2)
    seen = picture(1)
    other = torch.where(known.bool(), seen, picture(9))
    assert torch.equal(smooth_fill(other, known), smooth_fill(seen, known))


def test_it_stays_between_the_colours_that_are_known() -> None:
    seen, known = picture(1, 1, 33, 20) * 0.3 + 0.4, mask(2, 33, 20)
    found = smooth_fill(seen, known)
    inside = torch.where(known.bool(), seen, 0.4)
    for i in range(2):
        assert inside[i].min() - 1e-6 <= found[i].min()
        assert found[i].max() <= inside[i].max() + 1e-6


@pytest.mark.parametrize("share", [0.003, 0.3, 1.0])
def test_a_constant_is_continued(share: float) -> None:
    known = (torch.rand((1, 1, 40, 56), generator=generator(0)) < share).float()
    known[..., 3, 5] = 1.0
    found = smooth_fill(torch.full((1, 3, 40, 56), -0.7), known)
    torch.testing.assert_close(found, torch.full_like(found, -0.7))


@pytest.mark.parametrize("side", [64, 1500])
def test_one_known_pixel_fills_the_picture(side: int) -> None:
    seen, known = torch.zeros(1, 1, side, side), torch.zeros(1, 1, side, side)
    seen[..., 10, 20], known[..., 10, 20] = 0.5, 1.0
    found = smooth_fill(seen, known)
    assert (found - 0.5).abs().max() < 1e-3


def test_nothing_known_is_the_middle() -> None:
    seen = picture(1)
    found = smooth_fill(seen, torch.zeros_like(seen[:, :1]))
    assert torch.equal(found, torch.zeros_like(seen))


def test_each_picture_is_its_own() -> None:
    seen, known = picture(1), mask(2)
    both = smooth_fill(seen, known)
    for i in range(2):
        torch.testing.assert_close(smooth_fill(seen[i : i + 1], known[i : i + 1])[0], both[i])
    assert torch.isfinite(both).all()
