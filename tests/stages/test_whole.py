"""Whole or not: cut-outs with known outlines placed inside a frame, over its sides, and damaged mattes."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.alpha import over_rgba
from stages.quality import trim
from stages.types import Patch
from stages.whole import Whole, wholeness
from tests.assets import NUM_CUTOUTS, cutout

FRAME = 256
WHOLE = [k for k in range(NUM_CUTOUTS) if k not in (5, 11, 17)]  # those are cut by their own picture
SIDES = {"top": 0, "right": 1, "bottom": 2, "left": 3}


def framed(rgba, x, y, height=FRAME, width=FRAME):
    layer = np.zeros((height, width, 4), np.uint8)
    over_rgba(layer, Patch(np.ascontiguousarray(rgba), x, y))
    return layer


def centred(k):
    thing = trim(cutout(k))[0]
    return framed(thing, (FRAME - thing.shape[1]) // 2, (FRAME - thing.shape[0]) // 2)


def cut(k, side, share):
    """Cut-out `k` with that share of its extent beyond the named side of the frame."""
    thing = np.rot90(trim(cutout(k))[0], SIDES[side])
    up = framed(thing, (FRAME - thing.shape[1]) // 2, -max(1, round(share * thing.shape[0])))
    return np.rot90(up, -SIDES[side])


@pytest.mark.parametrize("k", WHOLE)
def test_an_object_inside_its_frame_is_whole(k):
    assert wholeness(centred(k)) == Whole(True, "", "")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_an_object_over_the_frames_side_is_not(side, share):
    for k in WHOLE:
        found = wholeness(cut(k, side, share))
        assert (found.ok, found.reason) == (False, "touches_edge")
        assert found.detail == f"0 px from the {side}, at least 4"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("short", [1, 3, 4, 6, 9])
def test_a_matte_that_stops_before_the_frame_does_not_hide_the_cut(side, short):
    for k in WHOLE:
        layer = np.rot90(cut(k, side, 0.3), SIDES[side]).copy()
        layer[:short] = 0
        found = wholeness(np.rot90(layer, -SIDES[side]))
        assert (found.ok, found.reason) == (False, "touches_edge" if short < 4 else "clipped")
        assert f"{short} px from the {side}, at " in found.detail


def test_the_same_straight_end_far_from_the_frame_is_the_objects_own():
    layer = np.zeros((FRAME, FRAME, 4), np.uint8)
    for gap, ok in ((4, False), (9, False), (10, True), (40, True)):
        layer[:] = 0
        layer[60 : FRAME - gap, 80:150] = 255
        assert wholeness(layer).ok is ok


def test_a_round_end_near_the_frame_is_whole():
    y, x = np.mgrid[:FRAME, :FRAME] + 0.5
    for gap in (4, 6, 9):
        round_ = np.hypot(x - 128, y - 60 - gap) < 60
        layer = np.dstack([np.zeros((FRAME, FRAME, 3), np.uint8), np.where(round_, 255, 0).astype(np.uint8)])
        assert wholeness(layer).ok


def test_faint_noise_and_specks_at_the_frame_do_not_count():
    layer = centred(0)
    layer[:2, :, 3] = 100
    layer[:, -2:, 3] = 127
    layer[-3:, 10:13, 3] = 255
    assert wholeness(layer).ok
    layer[-8:, :40, 3] = 255  # now a part of its own
    assert wholeness(layer).reason == "touches_edge"


@pytest.mark.parametrize(
    ("boxes", "reason", "detail"),
    [
        ([], "empty", "0.00% of the frame, at least 0.5%"),
        ([(50, 50, 60, 60)], "empty", "0.15% of the frame, at least 0.5%"),
        ([(2, 2, 254, 254)], "fills_frame", "96.9% of the frame, at most 90%"),
        ([(50, 50, 130, 130), (140, 140, 180, 180)], "fragments", "the main part is 80.0%, at least 90%"),
    ],
)
def test_reasons_name_bound_and_value(boxes, reason, detail):
    layer = np.zeros((FRAME, FRAME, 4), np.uint8)
    for top, left, bottom, right in boxes:
        layer[top:bottom, left:right] = 255
    assert wholeness(layer) == Whole(False, reason, detail)


def test_parts_that_touch_at_a_corner_are_one():
    layer = np.zeros((FRAME, FRAME, 4), np.uint8)
    layer[50:130, 50:130] = layer[130:180, 130:180] = 255
    assert wholeness(layer).ok


@given(st.integers(60, 200), st.integers(60, 200), st.integers(-40, 120), st.integers(-40, 120), st.sampled_from(WHOLE))
@settings(max_examples=100, deadline=None)
def test_turning_or_mirroring_the_picture_changes_nothing(height, width, x, y, k):
    layer = framed(trim(cutout(k))[0], x, y, height, width)
    found = wholeness(layer)
    same = [np.rot90(layer, turns) for turns in range(4)] + [layer[::-1], layer[:, ::-1], layer.transpose(1, 0, 2)]
    assert all(wholeness(other).ok == found.ok for other in same)
    inside = layer[..., 3] > 127
    if found.ok:
        assert not inside[[0, -1]].any()
        assert not inside[:, [0, -1]].any()


@pytest.mark.parametrize(
    ("rgba", "text"),
    [
        (np.zeros((7, 5, 3), np.uint8), "rgba: must be (h, w, 4) uint8, got (7, 5, 3) uint8"),
        (np.zeros((7, 5, 4), np.float32), "rgba: must be (h, w, 4) uint8, got (7, 5, 4) float32"),
        (np.zeros((0, 5, 4), np.uint8), "rgba: must be (h, w, 4) uint8, got (0, 5, 4) uint8"),
    ],
)
def test_errors_say_what_is_wrong(rgba, text):
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        wholeness(rgba)
