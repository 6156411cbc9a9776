"""Regions against a brute-force search for the nearest pixel of the mask."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.metrics.regions import REGIONS, regions
from tests.evaluation.metrics.pictures import disc, masks


def naive_ring(mask, ring):
    """Pixels outside the mask within `ring` of one inside, in whole numbers."""
    out = np.zeros_like(mask)
    inside = list(zip(*np.nonzero(mask), strict=True))
    for y, x in itertools.product(*map(range, mask.shape)):
        near = any((y - v) ** 2 + (x - u) ** 2 <= ring**2 for v, u in inside)
        out[y, x] = near and not mask[y, x]
    return out


@settings(deadline=None)
@given(masks(), st.integers(0, 6))
def test_ring_is_a_dilation_by_a_disc(mask, ring):
    assert (regions(mask, ring)["ring"] == naive_ring(mask, ring)).all()


@given(masks(), st.integers(0, 6))
def test_mask_and_outside_share_the_picture(mask, ring):
    found = regions(mask, ring)
    assert tuple(found) == REGIONS == ("whole", "mask", "ring", "outside")
    assert found["whole"].all()
    assert (found["mask"] == mask).all()
    assert (found["outside"] == ~mask).all()
    assert not (found["ring"] & mask).any()
    assert all(region.dtype == np.bool_ for region in found.values())


def test_ring_by_hand():
    """Around one pixel, radius 2: the 13-pixel disc without its centre; corners at distance 2.83 are out."""
    mask = np.zeros((7, 7), np.bool_)
    mask[3, 3] = True
    ring = regions(mask, 2)["ring"]
    assert ring.sum() == 12
    assert ring[3, 5]
    assert ring[2, 2]
    assert not ring[1, 1]


def test_rings_grow():
    sizes = [regions(disc(), ring)["ring"].sum() for ring in range(6)]
    assert sizes[0] == 0
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("full", [False, True])
def test_no_ring_without_an_edge(full):
    assert not regions(np.full((5, 4), full), 3)["ring"].any()


def test_the_given_mask_is_not_shared():
    mask = disc()
    found = regions(mask, 3)
    found["mask"][:] = False
    assert mask.any()
