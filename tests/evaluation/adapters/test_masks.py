"""Masks made from mattes, against a search of all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from evaluation.adapters.masks import mask_from_alpha
from evaluation.metrics.regions import dilated
from stages.decode import DecodeError
from tests.evaluation.adapters.folders import grown, matte, unit

MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)).filter(np.any)


@given(MASKS, st.integers(0, 9))
@settings(deadline=None, max_examples=150)
def test_dilation_is_by_euclidean_distance(mask, pixels):
    np.testing.assert_array_equal(dilated(mask, pixels), grown(mask, pixels))


@pytest.mark.parametrize("pixels", [1, 5, 13, 25])
def test_whole_distances_count_as_within(pixels):
    mask = np.zeros((61, 61), bool)
    mask[30, 30] = True
    found = dilated(mask, pixels)
    np.testing.assert_array_equal(found, grown(mask, pixels))
    assert found[30, 30 + pixels]
    assert not found[30, 31 + pixels]


@given(MASKS)
@settings(deadline=None, max_examples=50)
def test_boxes_are_the_smallest(mask):
    ys, xs = np.nonzero(mask)
    expected = np.zeros_like(mask)
    expected[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    found = mask_from_alpha(mask.astype(np.float32), "box", 3, None, "x")
    np.testing.assert_array_equal(found, expected)


def test_the_object_is_alpha_over_one_half():
    alpha = unit(matte())
    found = mask_from_alpha(alpha, "dilate", 2, None, "x")
    np.testing.assert_array_equal(found, grown(matte() >= 128, 2))
    np.testing.assert_array_equal(mask_from_alpha(alpha, "dilate", 0, None, "x"), matte() >= 128)


def test_glass_is_an_object_too():
    alpha = unit(matte()) * np.float32(0.4)
    np.testing.assert_array_equal(mask_from_alpha(alpha, "dilate", 0, None, "x"), matte() > 0)


def test_trimaps_and_what_has_no_mask():
    trimap = np.array([[0, 128, 255]], np.uint8)
    alpha = np.array([[0.0, 0.2, 0.9]], np.float32)
    assert mask_from_alpha(alpha, "trimap", 3, trimap, "x").tolist() == [[False, True, True]]
    with pytest.raises(DecodeError, match=r"^x: no trimap, which mask = 'trimap' needs$"):
        mask_from_alpha(alpha, "trimap", 3, None, "x")
    with pytest.raises(DecodeError, match=r"^x: alpha is 0 everywhere, so there is no object$"):
        mask_from_alpha(alpha * 0, "box", 3, None, "x")
