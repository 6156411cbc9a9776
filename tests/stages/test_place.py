"""Placement priors: what must hold for every draw, checked over many draws and extreme inputs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import place
from stages.geometry import crop_plate
from stages.light import shadow_density
from stages.place import Footing
from stages.rng import generator
from stages.types import Patch

sizes = st.integers(16, 1024)
seeds = st.integers(0, 10_000)
shares = st.floats(0, 1)
horizons = st.one_of(st.none(), st.floats(-2, 0.8))


def rng(seed):
    return generator(0, "place", seed)


def box_of(footing, box):
    """Left, top, right, bottom of the box that stands at that footing."""
    left = footing.x - footing.anchor_x * box[0]
    top = footing.y - footing.anchor_y * box[1]
    return left, top, left + box[0], top + box[1]


def within(frame, size):
    return frame[0] >= -1e-6 and frame[1] >= -1e-6 and frame[2] <= size + 1e-6 and frame[3] <= size + 1e-6


@given(seeds, st.integers(1, 3000), st.integers(1, 3000), sizes, horizons, st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_plate_stays_in_its_photograph(seed, h, w, size, horizon, grounded):
    plate, _ = place.draw_plate(rng(seed), "photo", (h, w), size, horizon, grounded)
    assert plate.asset == "photo"
    assert all(float(v).is_integer() for v in (plate.x, plate.y, plate.side))
    assert plate.x >= 0
    assert plate.y >= 0
    assert plate.side >= 1
    assert plate.x + plate.side <= w
    assert plate.y + plate.side <= h


@given(seeds, sizes, shares, shares, horizons)
@settings(max_examples=300, deadline=None)
def test_a_plate_is_never_enlarged_more_than_a_quarter_where_the_photograph_allows(seed, size, h, w, horizon):
    least = math.ceil(size / 1.25)
    shape = tuple(least + round(share * 40) for share in (h, w))
    plate, _ = place.draw_plate(rng(seed), "photo", shape, size, horizon, True)
    assert size / plate.side <= 1.25


def test_no_draw_of_a_plate_is_enlarged_more_than_a_quarter():
    sides = [place.draw_plate(rng(k), "a", (420, 700), 512, 0.5, True)[0].side for k in range(500)]
    assert 512 / min(sides) <= 1.25
    assert len(set(sides)) > 5


def test_a_photograph_too_small_is_used_whole():
    plate, _ = place.draw_plate(rng(0), "a", (100, 250), 512, None, False)
    assert plate.side == 100


@given(seeds, st.integers(80, 900), st.integers(80, 900), st.floats(0.02, 0.8))
@settings(max_examples=100, deadline=None)
def test_the_horizon_is_where_the_crop_shows_it(seed, h, w, horizon):
    """A photograph black above its horizon and white below, cropped: the change is at the returned line."""
    size = 64
    row = round(horizon * h)
    photo = np.zeros((h, w, 3), np.uint8)
    photo[row:] = 255
    plate, line = place.draw_plate(rng(seed), "a", (h, w), size, row / h, True)
    crop = crop_plate(photo, plate, size)
    seen = size - crop[:, size // 2, 0].sum(dtype=float) / 255
    assert seen == pytest.approx(min(max(line, 0), size), abs=0.6)
    assert np.array_equal(crop, crop[:, ::-1])


@given(seeds, st.integers(200, 900), st.integers(200, 900), st.floats(-1, 0.8))
@settings(max_examples=100, deadline=None)
def test_a_grounded_plate_leaves_ground_where_the_photograph_has_it(seed, h, w, horizon):
    plate, line = place.draw_plate(rng(seed), "a", (h, w), 100, horizon, True)
    lowest = (horizon * h - (h - plate.side)) / plate.side  # the crop at the photograph's bottom
    assert line / 100 <= max(0.72, lowest + 0.01)


def test_an_unknown_horizon_is_drawn_within_its_prior():
    lines = [place.draw_plate(rng(k), "a", (500, 700), 100, None, True)[1] for k in range(300)]
    assert min(lines) >= 30
    assert max(lines) <= 55
    assert np.ptp(lines) > 15


def test_plates_are_mirrored_half_of_the_time_and_vary():
    plates = [place.draw_plate(rng(k), "a", (900, 1200), 256, 0.5, False)[0] for k in range(400)]
    assert 150 < sum(p.flip for p in plates) < 250
    assert all(len({getattr(p, key) for p in plates}) > 100 for key in ("x", "y", "side"))


@pytest.mark.parametrize(
    ("horizon", "ground", "surface"),
    [(None, True, False), (0.4, True, False), (0.95, False, False), (-0.1, True, False), (-2.0, True, True)],
)
def test_what_a_horizon_says_of_a_photograph(horizon, ground, surface):
    assert place.has_ground(horizon) is ground
    assert place.is_surface(horizon) is surface


def test_areas_are_log_normal_within_bounds():
    draws = np.array([place.draw_area(rng(k), 0.12, 0.6, (0.01, 0.6)) for k in range(2000)])
    assert draws.min() >= 0.01
    assert draws.max() <= 0.6
    assert np.median(draws) == pytest.approx(0.12, rel=0.06)
    assert np.log(draws).std() == pytest.approx(0.6, rel=0.08)


@given(seeds, st.floats(0.001, 0.9), st.floats(0, 2), st.floats(0.001, 0.4), st.floats(1, 2))
@settings(max_examples=100, deadline=None)
def test_areas_keep_their_bounds_even_where_the_median_does_not(seed, median, sigma, low, ratio):
    assert low <= place.draw_area(rng(seed), median, sigma, (low, low * ratio)) <= low * ratio


def test_an_area_out_of_reach_is_the_nearest_bound():
    assert place.draw_area(rng(0), 0.5, 0.0, (0.1, 0.2)) == 0.2
    assert place.draw_area(rng(0), 0.01, 0.0, (0.1, 0.2)) == 0.1


@given(seeds, sizes, st.floats(0.02, 0.94), st.floats(0.02, 0.94), st.floats(-1, 0.9))
@settings(max_examples=200, deadline=None)
def test_a_box_that_fits_is_put_inside_the_frame(seed, size, w, h, horizon):
    box = (w * size, h * size)
    for footing, anchor in (
        (place.stand(rng(seed), box, horizon * size, size), (0.5, 1.0)),
        (place.lie(rng(seed), box, size), (0.5, 1.0)),
        (place.hover(rng(seed), box, size), (0.5, 0.5)),
    ):
        assert footing[:2] == anchor
        assert within(box_of(footing, box), size)


@given(seeds, sizes, st.floats(0.95, 4), st.floats(0.95, 4))
@settings(max_examples=100, deadline=None)
def test_a_box_too_large_still_meets_the_frame(seed, size, w, h):
    box = (w * size, h * size)
    for footing in (
        place.stand(rng(seed), box, 0.4 * size, size),
        place.lie(rng(seed), box, size),
        place.hover(rng(seed), box, size),
    ):
        left, top, right, bottom = box_of(footing, box)
        assert left < size
        assert top < size
        assert footing.y <= size or footing.anchor_y == 0.5  # the foot shows
        assert right > 0
        assert bottom > 0


def test_what_stands_has_its_foot_below_the_horizon_and_larger_is_nearer():
    small, large = (
        np.array([place.stand(rng(k), (20, share * 256), 100, 256).y for k in range(300)]) for share in (0.1, 0.5)
    )
    assert small.min() > 100
    assert large.mean() > small.mean() + 20
    assert small.std() > 5


def test_hovering_prefers_the_upper_part():
    ys = np.array([place.hover(rng(k), (20, 20), 256).y for k in range(500)])
    assert ys.mean() < 128
    assert np.ptp(ys) > 150


def test_cropping_sideways_hides_a_tenth_to_a_third_on_either_side():
    footing, size = Footing(0.5, 1.0, 80.0, 90.0), 128
    seen = set()
    for k in range(200):
        moved = place.crop_sideways(rng(k), footing, 50.0, size)
        left, _, right, _ = box_of(moved, (50.0, 30.0))
        out = max(-left, right - size) / 50
        assert 0.1 - 1e-9 <= out <= 0.35 + 1e-9
        assert moved[:2] == footing[:2]
        assert moved.y == footing.y
        seen.add(left < 0)
    assert seen == {True, False}


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("cut", ["l", "t", "r", "b", "lb", "rt", "rb"])
def test_a_cut_side_lies_one_pixel_over_the_border_also_mirrored(cut, flip):
    footing, box, size = Footing(0.5, 1.0, 60.0, 70.0), (30.0, 20.0), 128
    moved = place.against_border(cut, flip, footing, size)
    frame = dict(zip("ltrb", box_of(moved, box), strict=True))
    where = {"l": -1.0, "t": -1.0, "r": size + 1.0, "b": size + 1.0}
    sides = {{"l": "r", "r": "l"}.get(s, s) if flip else s for s in cut}
    for side in sides:
        assert frame[side] == where[side]
    if not sides & {"l", "r"}:
        assert (moved.x, moved.anchor_x) == (60.0, 0.5)
    if not sides & {"t", "b"}:
        assert (moved.y, moved.anchor_y) == (70.0, 1.0)


def test_nothing_cut_is_nothing_moved():
    footing = Footing(0.5, 1.0, 60.0, 70.0)
    assert place.against_border("", True, footing, 128) == footing


@given(st.floats(-500, 1500), st.floats(-500, 1500), st.floats(-500, 1500))
def test_perspective_is_bounded(foot, target, horizon):
    assert 0.5 <= place.perspective(foot, target, horizon) <= 1.8


def test_perspective_is_the_ratio_of_depths_below_the_horizon():
    assert place.perspective(180, 180, 100) == 1.0
    assert place.perspective(220, 180, 100) == pytest.approx(120 / 80)
    assert place.perspective(150, 180, 100) == pytest.approx(50 / 80)
    assert place.perspective(90, 180, 100) == 0.5


def test_shadows_fall_both_ways_mostly_away_and_within_the_asked_density():
    drawn = [place.draw_shadow(rng(k), (0.2, 0.6), False) for k in range(400)]
    assert 140 < sum(s.shear > 0 for s in drawn) < 260
    assert 240 < sum(s.rise > 0 for s in drawn) < 400
    assert all(s.rise != 0 and s.lift == 0 and 0 < s.contact <= 1 and 0.2 <= s.density <= 0.6 for s in drawn)
    flat = [place.draw_shadow(rng(k), (0.2, 0.6), True) for k in range(50)]
    assert all(s.lift > 0 and s.contact == 0 for s in flat)


@pytest.mark.parametrize("seed", range(8))
def test_drawn_shadows_fall_to_the_side_that_their_signs_say(seed):
    """The pixels agree: shear > 0 is right of the object, rise > 0 above its foot."""
    shadow = place.draw_shadow(rng(seed), (0.5, 0.6), False).model_copy(update={"contact": 0.0})
    density = shadow_density(Patch(np.full((60, 60, 4), 255, np.uint8), 98, 98), shadow, 256)
    ys, xs = np.nonzero(density > 20)
    assert np.sign(xs.mean() - 127.5) == np.sign(shadow.shear)
    assert np.sign(157.5 - ys.mean()) == np.sign(shadow.rise)
