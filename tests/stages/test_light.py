"""Shadows touch what throws them and fall where they are told to; colours move towards the scene, never alpha."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stages.light import harmonize, shadow_density, transfer_table
from stages.types import Patch, Shadow

SIZE = 256
values = st.sampled_from([0, 1, 60, 128, 200, 254, 255])
cutouts = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda hw: hnp.arrays(np.uint8, (*hw, 4), elements=values)
)
pictures = hnp.arrays(np.uint8, (9, 7, 3), elements=values)


def block(height, width=None, left=100, top=60):
    return Patch(np.full((height, width or height, 4), 255, np.uint8), left, top)


def disc(size, left=90, top=70):
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    rgba = np.zeros((size, size, 4), np.uint8)
    rgba[..., 3] = np.rint(255 * np.clip(size / 2 - np.hypot(x, y), 0, 1))
    return Patch(rgba, left, top)


def shadow(**changes):
    plain = {"shear": 0.5, "rise": 0.4, "lift": 0.0, "blur": 0.02, "density": 0.6, "contact": 0.0}
    return Shadow(**(plain | changes))


def drawn(patch, size=SIZE, **changes):
    return shadow_density(patch, shadow(**changes), size)


def centroid(density):
    ys, xs = np.mgrid[: density.shape[0], : density.shape[1]] + 0.5
    weight = density / density.sum(dtype=float)
    return np.array([(weight * xs).sum(), (weight * ys).sum()])


def variance(weights):
    xs = np.arange(len(weights))
    return np.average((xs - np.average(xs, weights=weights)) ** 2, weights=weights)


@pytest.mark.parametrize("size", [1, 2, 63, 128, 131, 255])
def test_density_fits_the_canvas_and_is_the_same_each_time(size):
    patch = disc(40, -10, size // 3)
    got = drawn(patch, size, contact=0.8)
    assert got.shape == (size, size)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, drawn(patch, size, contact=0.8))


@pytest.mark.parametrize("contact", [0.0, 0.8])
@pytest.mark.parametrize("rise", [0.4, -0.3])
@pytest.mark.parametrize("make", [block, disc])
def test_a_shadow_touches_its_object_and_ends(make, rise, contact):
    patch = make(80)
    got = drawn(patch, rise=rise, contact=contact)
    ground, middle = patch.y + 80, patch.x + 40
    assert got[ground - 3 : ground + 3, middle - 3 : middle + 3].min() > 10
    reach = 80 * 0.02 * 4 + 3 * 4  # four sigma of the blur, and the quarter-size grid
    box = np.zeros_like(got, bool)
    top, bottom = sorted((ground - 80 * rise, ground))
    box[int(top - reach) : int(bottom + reach), int(patch.x - reach) : int(patch.x + 80 + 0.5 * 80 + reach)] = True
    assert not got[~box].any()


def test_contact_darkens_under_the_foot_only():
    patch = block(80)
    without, with_contact = (drawn(patch, contact=c).astype(int) for c in (0.0, 0.9))
    more = with_contact - without
    assert more.min() >= 0
    assert more[138:142, 110:170].min() > 30
    assert not more[np.r_[:120, 160:SIZE]].any()
    alone = drawn(patch, density=0.0, contact=0.9)
    assert alone[138:142, 110:170].min() > 30
    assert centroid(alone) == pytest.approx((140, 140), abs=4)
    assert np.abs(2.0 * drawn(patch, density=0.0, contact=0.45) - alone).max() <= 2


def test_contact_is_where_the_object_stands():
    """A table on two legs: dark under each, not between."""
    patch = block(120, 120, 60, 40)
    patch.rgba[20:, 20:100, 3] = 0
    got = drawn(patch, density=0.0, contact=0.9)
    assert min(got[158:160, 64:76].min(), got[158:160, 164:176].min()) > 30
    assert not got[:, 100:140].any()


@pytest.mark.parametrize("what", [{"density": 0.0, "contact": 0.9}, {"density": 0.9, "lift": 0.01}])
@pytest.mark.parametrize("width", [1, 2, 6])
def test_the_shadow_of_a_thin_leg_does_not_depend_on_the_grid(width, what):
    amounts = []
    for left in range(60, 68):
        table = block(130, 60, left, 40)
        table.rgba[:, :, 3] = 0
        table.rgba[100:, 30 : 30 + width, 3] = 255
        amounts.append(drawn(table, **what).sum(dtype=float))
    assert max(amounts) < 1.5 * min(amounts)


@pytest.mark.parametrize("shear", [-1.0, -0.4, 0.4, 1.0])
@pytest.mark.parametrize("rise", [-0.3, 0.15, 0.4])
def test_shear_moves_the_far_end_sideways_and_rise_away_or_near(shear, rise):
    patch = block(64, 64, 96, 90)
    x, y = centroid(drawn(patch, shear=shear, rise=rise))
    assert np.sign(x - 128) == np.sign(shear)
    assert np.sign(y - 154) == -np.sign(rise)
    steep = centroid(drawn(patch, shear=2 * shear, rise=rise))[0]
    assert abs(steep - 128) > abs(x - 128) + 3
    tall = centroid(drawn(patch, shear=shear, rise=2 * rise))[1]
    assert abs(tall - 154) > abs(y - 154) + 3


def test_mirrored_objects_throw_mirrored_shadows():
    patch = block(64, 40, 100, 90)
    mirrored = patch._replace(x=SIZE - 100 - 40)
    got, other = drawn(patch, contact=0.5), drawn(mirrored, shear=-0.5, contact=0.5)
    assert np.abs(got.astype(int) - other[:, ::-1]).max() <= 1


@pytest.mark.parametrize("lift", [0.05, 0.2])
@pytest.mark.parametrize("height", [48, 64, 128])
def test_lift_shifts_the_whole_silhouette(lift, height):
    patch = disc(height, 40, 44)
    got = drawn(patch, shear=-0.5, lift=lift, density=1.0)
    middle = np.array([40 + height / 2, 44 + height / 2])
    assert centroid(got) == pytest.approx(middle + np.array([-0.5, 1.0]) * lift * height, abs=0.7)
    assert got.sum(dtype=float) == pytest.approx(patch.rgba[..., 3].sum(dtype=float), rel=0.03)
    assert got.max() > 240


def test_more_density_is_darker_in_proportion_and_none_is_none():
    half, whole = (drawn(disc(80), density=d).astype(int) for d in (0.4, 0.8))
    assert np.abs(2 * half - whole).max() <= 2
    assert not drawn(disc(80), density=0.0).any()


def test_blur_softens_and_keeps_the_amount():
    crisp, soft = (drawn(disc(80), blur=b).astype(float) for b in (0.01, 0.1))
    assert soft.sum() == pytest.approx(crisp.sum(), rel=0.02)
    assert np.abs(np.diff(soft, axis=1)).max() < 0.7 * np.abs(np.diff(crisp, axis=1)).max()
    crisp, soft = (variance(drawn(disc(80), lift=0.01, blur=b).sum(axis=0, dtype=float)) for b in (0.05, 0.1))
    assert soft - crisp == pytest.approx(80**2 * (0.1**2 - 0.05**2), rel=0.15)  # sigma^2, in pixels


def test_a_shadow_scales_with_the_picture():
    small, large = drawn(disc(64, 60, 50), 256, contact=0.5), drawn(disc(128, 120, 100), 512, contact=0.5)
    assert 2 * centroid(small) == pytest.approx(centroid(large), abs=2)
    assert 4 * small.sum(dtype=float) == pytest.approx(large.sum(dtype=float), rel=0.1)


def test_an_object_out_of_the_picture_throws_nothing_into_it():
    for left, top in ((-500, 50), (50, -500), (700, 50), (50, 700)):
        assert not drawn(block(60, 60, left, top), contact=0.8).any()
    assert not drawn(Patch(np.zeros((50, 50, 4), np.uint8), 90, 90), contact=0.8).any()


@given(cutouts, pictures, st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_harmonize_keeps_alpha_clears_what_does_not_show_and_at_strength_0_changes_nothing(rgba, scene, strength):
    before = rgba.copy()
    got = harmonize(rgba, scene, strength)
    np.testing.assert_array_equal(rgba, before)
    np.testing.assert_array_equal(got[..., 3], rgba[..., 3])
    assert strength == 0 or not got[rgba[..., 3] == 0].any()
    np.testing.assert_array_equal(harmonize(rgba, scene, 0.0), before)


def test_harmonize_takes_strided_and_read_only_objects():
    rgba = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    scene = np.full((5, 5, 3), 40, np.uint8)
    expected = harmonize(rgba, scene, 0.5)
    np.testing.assert_array_equal(harmonize(np.asfortranarray(rgba), scene, 0.5), expected)
    rgba.flags.writeable = False
    np.testing.assert_array_equal(harmonize(rgba, scene, 0.5), expected)


@pytest.mark.parametrize("scene", [(30, 30, 30), (220, 220, 220), (150, 120, 90), (90, 120, 150)])
def test_harmonize_moves_a_grey_object_towards_the_scene_and_more_with_strength(scene):
    rng = np.random.default_rng(1)
    rgba = np.full((32, 32, 4), 255, np.uint8)
    rgba[..., :3] = np.rint(np.clip(rng.normal(120, 20, (32, 32, 1)), 0, 255))
    place = np.full((32, 32, 3), scene, np.uint8)
    strengths = (0.0, 0.25, 0.5, 1.0)
    means = np.array([harmonize(rgba, place, s)[..., :3].mean(axis=(0, 1)) for s in strengths])
    away = np.abs(means - scene).sum(axis=1)
    assert np.all(np.diff(away) < -1)


def test_harmonize_weighs_pixels_by_alpha():
    """Hidden white pixels of a black object do not make it bright."""
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[:16, :, 3] = 255
    garbage = rgba.copy()
    garbage[16:, :, :3] = 255
    scene = np.random.default_rng(2).integers(0, 200, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(harmonize(rgba, scene, 1.0), harmonize(garbage, scene, 1.0))


channel = st.tuples(*[st.floats(0, 255, width=32)] * 3).map(np.float32)


def rounded_line(x, y):
    """Slope and start of a line that rounds to the whole numbers y; there is one if no two pairs contradict."""
    step = (x[None] - x[:, None])[np.triu_indices(len(x), 1)]
    rise = (y[None] - y[:, None])[np.triu_indices(len(x), 1)]
    least, most = ((rise - 1) / step).max(), ((rise + 1) / step).min()
    assert least <= most + 1e-9
    slope = (least + most) / 2
    rest = y - slope * x
    return slope, (rest.min() + rest.max()) / 2


def bounded(value, low, high):
    return min(max(value, low), high)


@given(channel, channel, channel, channel, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_table_moves_mean_and_contrast_within_bounds(mean, std, to_mean, to_std, strength):
    """Whatever the bounds are: a straight line per channel, monotone, and blended with the identity."""
    full = transfer_table((mean, std), (to_mean, to_std), 1.0)
    part = transfer_table((mean, std), (to_mean, to_std), strength)
    assert (full.shape, full.dtype) == ((256, 3), np.uint8)
    levels = np.arange(256)
    for c in range(3):
        line = full[:, c].astype(int)
        inside = np.flatnonzero((line > 0) & (line < 255))
        assert np.all(np.diff(line) >= 0)
        if len(inside) > 2:
            slope, start = rounded_line(inside, line[inside])
            blend = levels + strength * (slope * levels + start - levels)
            assert np.abs(np.clip(blend, 0, 255) - part[:, c])[inside].max() <= 1.6
    assert np.array_equal(transfer_table((mean, std), (to_mean, to_std), 0.0), np.tile(levels[:, None], 3))


def test_the_table_rounds_to_nearest():
    """Equal steps up and down of a grey scene move every level equally; truncation would not."""
    grey, std = np.full(3, 120, np.float32), np.full(3, 30, np.float32)
    up, down = (transfer_table((grey, std), (grey + by, std), 0.9)[40:200].astype(int) for by in (3.3, -3.3))
    np.testing.assert_array_equal(up - np.arange(40, 200)[:, None], np.arange(40, 200)[:, None] - down)
    assert (up > down).all()


def test_the_table_of_equal_grey_statistics_is_the_identity():
    same = (np.full(3, 120, np.float32), np.full(3, 30, np.float32))
    np.testing.assert_array_equal(transfer_table(same, same, 1.0), np.tile(np.arange(256)[:, None], 3))
    calmer = (same[0], np.full(3, 20, np.float32))
    less, more = (transfer_table(a, b, 1.0).astype(int) for a, b in ((same, calmer), (calmer, same)))
    assert np.ptp(less[[90, 150]]) < 60 < np.ptp(more[[90, 150]])
