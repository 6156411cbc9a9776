"""Visible shares against full-canvas recomputation; the search against trying every step."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.occlude import Slide, slide_to, visible_fraction
from stages.types import Patch, Rejected

values = st.sampled_from([0, 1, 100, 254, 255])
turns = st.one_of(st.sampled_from([0.0, 0.5 * math.pi, math.pi, 1.5 * math.pi]), st.floats(0, 2 * math.pi))


def alphas(h, w):
    return hnp.arrays(np.uint8, (h, w), elements=values)


def picture(alpha):
    return np.dstack([np.full((*alpha.shape, 3), 90, np.uint8), alpha])


patches = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda hw: alphas(*hw).map(picture))


def shape(kind, h, w):
    if kind == "box":
        return np.full((h, w), 255, np.uint8)
    y, x = (np.arange(n) * 2.0 + 1 - n for n in (h, w))
    away = np.hypot(y[:, None] / h, x[None] / w)
    return np.rint(255 * np.clip((1 - away) * min(h, w) / 2, 0, 1)).astype(np.uint8)


def on(size, alpha, left, top):
    out = np.zeros((size, size), np.uint8)
    h, w = alpha.shape
    out[top : top + h, left : left + w] = alpha
    return picture(out)


def naive_visible(target, others, patch, dx=0, dy=0):
    """Both coverings drawn on a canvas with a wide border, summed in plain Python."""
    size, pad = target.shape[0], 200
    wide = np.zeros((size + 2 * pad, size + 2 * pad))
    h, w = patch.rgba.shape[:2]
    top, left = patch.y + dy + pad, patch.x + dx + pad
    wide[top : top + h, left : left + w] = patch.rgba[..., 3] / 255
    cover = wide[pad:-pad, pad:-pad]
    shown = whole = 0.0
    for y, x in zip(*np.nonzero(target[..., 3]), strict=True):
        a = int(target[y, x, 3]) / 255
        whole += a
        shown += a * (1 - int(others[y, x, 3]) / 255) * (1 - cover[y, x])
    return shown / whole


def centred(target, occluder, turn, others=None):
    """Target in the middle of 100 px, the occluder's middle on the target's."""
    h, w = target.shape
    canvas = on(100, target, 50 - w // 2, 50 - h // 2)
    patch = Patch(picture(occluder), 50 - occluder.shape[1] // 2, 50 - occluder.shape[0] // 2)
    clear = np.zeros_like(canvas) if others is None else others
    return canvas, Slide(canvas, clear, patch, (math.cos(turn), math.sin(turn)))


@given(st.data(), st.integers(1, 8), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_visible_fraction_is_the_naive_sum(data, h, w):
    fg, oc = data.draw(alphas(h, w)), data.draw(alphas(h, w))
    total = sum(int(v) for v in fg.flat)
    shown = sum(int(f) * (255 - int(o)) / 255 for f, o in zip(fg.flat, oc.flat, strict=True))
    assert visible_fraction(fg, oc) == pytest.approx(shown / total if total else 0.0, abs=1e-6)


def test_visible_fraction_bounds():
    fg, none, all_of_it = np.full((300, 300), 200, np.uint8), *np.zeros((2, 300, 300), np.uint8)
    all_of_it[:] = 255
    assert visible_fraction(fg, none) == 1.0
    assert visible_fraction(fg, all_of_it) == 0.0
    assert visible_fraction(none, none) == 0.0


@given(st.data(), st.integers(-20, 20), st.integers(-20, 20), turns)
@settings(max_examples=100, deadline=None)
def test_a_slide_sees_what_the_whole_canvas_shows(data, left, top, turn):
    target, others = (picture(data.draw(alphas(11, 11))) for _ in range(2))
    if not target[..., 3].any():
        target[3, 4, 3] = 128
    patch = Patch(data.draw(patches), left, top)
    slide = Slide(target, others, patch, (math.cos(turn), math.sin(turn)))
    for step in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)):
        dx, dy = round(step * math.cos(turn)), round(step * math.sin(turn))
        moved = slide.at(step)
        assert moved.rgba is patch.rgba
        assert (moved.x, moved.y) == (left + dx, top + dy)
        assert slide.visible(step) == pytest.approx(naive_visible(target, others, patch, dx, dy), abs=1e-5)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(-60, 60), st.integers(-60, 60), turns)
@settings(max_examples=150, deadline=None)
def test_past_reach_the_patch_is_clear_of_the_target_wherever_it_started(h, w, left, top, turn):
    target = on(40, shape("box", 10, 14), 13, 15)
    patch = Patch(picture(shape("box", h, w)), left, top)
    slide = Slide(target, np.zeros_like(target), patch, (math.cos(turn), math.sin(turn)))
    reach = slide.reach()
    assert reach >= 0
    assert [slide.visible(reach + k) for k in range(150)] == [1.0] * 150


@given(
    st.sampled_from(["box", "disc"]),
    st.tuples(st.integers(12, 40), st.integers(12, 40)),
    st.sampled_from(["box", "disc"]),
    st.floats(1.25, 1.5),
    turns,
    st.floats(0.3, 0.95),
)
@settings(max_examples=150, deadline=None)
def test_convex_shapes_meet_the_asked_share_at_the_outermost_place(kind, sides, over, larger, turn, asked):
    cover = shape(over, *(math.ceil(1.2 * larger * n) for n in sides))
    target, slide = centred(shape(kind, *sides), cover, turn)
    tolerance = 0.5 * 1.5 / min(sides) * 2  # half of the most that a step of one pixel each way can hide
    got = slide_to(slide, asked, tolerance)
    assert isinstance(got, Patch)
    share = naive_visible(target, np.zeros_like(target), got)
    assert abs(share - asked) <= tolerance + 1e-6
    steps = range(slide.reach() + 20)
    chosen = max(s for s in steps if slide.at(s)[1:] == got[1:])
    farther = [slide.visible(s) for s in steps if s > chosen]
    assert min(farther) > asked
    closest = min(abs(slide.visible(s) - asked) for s in steps)
    assert abs(share - asked) == pytest.approx(closest, abs=1e-5)


def test_the_search_holds_at_the_documented_tolerance_on_ordinary_sizes():
    for asked in np.linspace(0.3, 0.95, 14):
        for turn in np.linspace(0, 6, 9):
            target, slide = centred(shape("disc", 60, 50), shape("disc", 80, 70), turn)
            got = slide_to(slide, float(asked), 0.03)
            assert isinstance(got, Patch)
            assert abs(naive_visible(target, np.zeros_like(target), got) - asked) <= 0.03


def test_a_search_is_deterministic():
    once, again = (slide_to(centred(shape("disc", 40, 30), shape("box", 44, 50), 1.0)[1], 0.6, 0.03) for _ in range(2))
    assert once[1:] == again[1:]


def test_what_else_hides_the_target_counts():
    others = on(100, shape("box", 100, 10), 30, 0)
    target, slide = centred(shape("box", 40, 40), shape("box", 60, 60), math.pi, others)
    assert slide.visible(slide.reach()) == pytest.approx(0.75)
    got = slide_to(slide, 0.5, 0.03)
    assert naive_visible(target, others, got) == pytest.approx(0.5, abs=0.03)


def test_a_target_that_others_hide_more_than_asked_is_rejected():
    others = on(100, shape("box", 100, 50), 0, 0)
    _, slide = centred(shape("box", 40, 40), shape("box", 60, 60), 0.0, others)
    assert isinstance(slide_to(slide, 0.7, 0.03), Rejected)


def test_an_occluder_too_small_is_rejected_with_what_it_can_do():
    _, slide = centred(shape("box", 40, 40), shape("box", 20, 20), 0.0)
    got = slide_to(slide, 0.4, 0.03)
    assert got == Rejected("occluder_too_small", "least visible 0.750, asked 0.400")
    assert isinstance(slide_to(slide, 0.74, 0.03), Patch)  # within tolerance of the most it hides


def test_a_see_through_occluder_is_rejected():
    pane = np.full((80, 80), 51, np.uint8)
    _, slide = centred(shape("box", 40, 40), pane, 0.0)
    assert slide_to(slide, 0.5, 0.03) == Rejected("occluder_too_small", "least visible 0.800, asked 0.500")


def test_a_share_between_two_neighbouring_pixels_is_rejected():
    _, slide = centred(shape("box", 40, 1), shape("box", 60, 60), 0.0)
    assert slide_to(slide, 0.5, 0.03) == Rejected("visible_fraction_jumps", "0.000 beside 0.500")


def test_what_others_hide_already_is_not_blamed_on_the_occluder():
    target, patch = np.zeros((100, 100, 4), np.uint8), np.zeros((20, 20, 4), np.uint8)
    others = np.zeros((100, 100, 4), np.uint8)
    target[40:60, 40:60, 3], others[40:60, 40:55, 3], patch[..., 3] = 255, 255, 255
    slide = Slide(target, others, Patch(patch, 40, 40), (1.0, 0.0))
    assert slide_to(slide, 0.5, 0.03) == Rejected("already_hidden", "0.250 without the occluder, asked 0.500")
