"""Imperfect masks: bounds that scipy's exact distances give, algebraic relations, scale and place invariance."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import Delaunay

from stages.masks import MASK_KINDS, NUM_JITTER, imperfect_mask, mask_iou

RNG = np.random.default_rng(0)
JITTERS = RNG.random((6, NUM_JITTER)).tolist()
IMPERFECT = MASK_KINDS[1:]
unit = st.floats(0, 1, exclude_max=True)
jitters = st.lists(unit, min_size=NUM_JITTER, max_size=NUM_JITTER)


def disc(size=128, radius=40.0, centre=(64, 60)):
    y, x = np.mgrid[:size, :size]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def animal():
    """A body, a head and two legs."""
    out = np.zeros((128, 128), np.uint8)
    cv2.ellipse(out, (64, 60), (34, 20), 10, 0, 360, 1, -1)
    cv2.circle(out, (28, 44), 11, 1, -1)
    out[60:100, 44:52] = out[60:102, 80:89] = 1
    return out.astype(bool)


def split():
    out = animal()
    out[:, 58:70] = False
    return out


def corner():
    return disc(centre=(120, 5))


def hairline():
    out = np.zeros((128, 128), bool)
    out[20:110, 64] = True
    return out


def speck():
    out = np.zeros((128, 128), bool)
    out[127, 0] = True
    return out


def everything():
    return np.ones((128, 128), bool)


ORDINARY = (disc, animal, split)
ODD = (corner, hairline, speck, everything)


def radius_of(mask):
    return np.sqrt(mask.sum() / np.pi)


@pytest.mark.parametrize("shape", ORDINARY + ODD)
@pytest.mark.parametrize("kind", MASK_KINDS)
@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_is_a_fresh_non_empty_bool_mask_and_deterministic(shape, kind, strength):
    visible = shape()
    before = visible.copy()
    for jitter in JITTERS[:2]:
        got = imperfect_mask(visible, kind, strength, jitter)
        assert got.dtype == np.bool_
        assert got.shape == visible.shape
        assert got.any()
        assert not np.shares_memory(got, visible)
        np.testing.assert_array_equal(visible, before)
        np.testing.assert_array_equal(got, imperfect_mask(visible.copy(), kind, strength, tuple(jitter)))


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_memory_layout_does_not_matter(kind):
    visible = animal()
    frozen, column_major, strided = visible.copy(), np.asfortranarray(visible), np.repeat(visible, 2, 1)[:, ::2]
    frozen.setflags(write=False)
    expected = imperfect_mask(visible, kind, 0.5, JITTERS[0])
    for same in (frozen, column_major, strided):
        np.testing.assert_array_equal(imperfect_mask(same, kind, 0.5, JITTERS[0]), expected)


@pytest.mark.parametrize("shape", ORDINARY + ODD)
def test_exact_is_the_object(shape):
    np.testing.assert_array_equal(imperfect_mask(shape(), "exact", 1.0, JITTERS[0]), shape())


@pytest.mark.parametrize("kind", [k for k in MASK_KINDS if k not in ("box", "convex_hull", "ellipse")])
@given(strength=st.floats(0, 1), jitter=jitters, shape=st.sampled_from(ORDINARY))
@settings(max_examples=25, deadline=None)
def test_stays_an_annotation_of_the_object(kind, strength, jitter, shape):
    assert mask_iou(imperfect_mask(shape(), kind, strength, jitter), shape()) >= 0.4


@pytest.mark.parametrize("kind", ["box", "convex_hull", "ellipse"])
@given(strength=st.floats(0, 1), jitter=jitters)
@settings(max_examples=25, deadline=None)
def test_outer_shapes_stay_near_a_compact_object(kind, strength, jitter):
    assert mask_iou(imperfect_mask(disc(), kind, strength, jitter), disc()) >= 0.55


@pytest.mark.parametrize("kind", IMPERFECT)
def test_strength_makes_it_worse_and_jitter_makes_it_different(kind):
    many = np.random.default_rng(1).random((20, NUM_JITTER)).tolist()
    careful, careless = ([imperfect_mask(disc(), kind, s, j) for j in many] for s in (0.0, 1.0))
    assert np.mean([mask_iou(m, disc()) for m in careless]) < np.mean([mask_iou(m, disc()) for m in careful])
    assert len({m.tobytes() for m in careless}) > 10


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", ORDINARY)
def test_eroded_and_dilated_keep_to_their_distance(shape, strength):
    visible = shape()
    reach = radius_of(visible) * (0.02 + 0.18 * strength)
    depth, distance = ndimage.distance_transform_edt(visible), ndimage.distance_transform_edt(~visible)
    for jitter in JITTERS:
        eroded = imperfect_mask(visible, "eroded", strength, jitter)
        assert not (eroded & ~visible).any()
        assert eroded[depth > 1.55 * reach + 0.5].all()
        dilated = imperfect_mask(visible, "dilated", strength, jitter)
        assert dilated[visible].all()
        assert not dilated[distance > 1.55 * reach + 0.5].any()
        if shape is disc:  # far above the floor on IoU, so nothing steps back
            assert not eroded[depth < 0.45 * reach].any()
            assert dilated[distance < 0.45 * reach].all()


def test_erosion_does_not_eat_from_the_edge_of_the_picture():
    visible = np.zeros((100, 100), bool)
    visible[40:] = True
    eroded = imperfect_mask(visible, "eroded", 1.0, JITTERS[0])
    assert eroded[-1].all()
    assert eroded[:, 0].sum() > 40
    assert not eroded[40].any()


@pytest.mark.parametrize("shape", [*ORDINARY, corner, hairline, everything])
def test_careful_box_and_hull_are_the_exact_ones(shape):
    visible = shape()
    ys, xs = np.nonzero(visible)
    box = np.zeros_like(visible)
    box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    np.testing.assert_array_equal(imperfect_mask(visible, "box", 0.0, JITTERS[0]), box)
    if shape is not hairline:
        inside = Delaunay(np.stack([ys, xs], 1)).find_simplex(np.argwhere(np.ones_like(visible))) >= 0
        hull = imperfect_mask(visible, "convex_hull", 0.0, JITTERS[0])
        assert hull[visible].all()
        assert mask_iou(hull, inside.reshape(visible.shape)) > 0.97


def test_box_sides_move_by_their_own_jitter():
    jitter = [0.999, 0.0, 0.3, 0.3] + [0.0] * (NUM_JITTER - 4)  # 0.3 is where a side stays
    got = imperfect_mask(disc(), "box", 1.0, jitter)
    ys, xs = np.nonzero(got)
    true_ys, true_xs = np.nonzero(disc())
    assert xs.min() == true_xs.min() - round(0.14 * 40)
    assert ys.min() == true_ys.min() + round(0.06 * 40)
    assert (xs.max(), ys.max()) == (true_xs.max(), true_ys.max())


@pytest.mark.parametrize("angle", [0, 35, 90, 140])
@pytest.mark.parametrize("axes", [(50, 20), (40, 40), (55, 3)])
def test_ellipse_of_an_ellipse_is_itself(axes, angle):
    drawn = np.zeros((160, 160), np.uint8)
    cv2.ellipse(drawn, (80, 80), axes, angle, 0, 360, 1, -1)
    got = imperfect_mask(drawn.astype(bool), "ellipse", 0.0, JITTERS[0])
    assert mask_iou(got, drawn.astype(bool)) > (0.95 if min(axes) > 5 else 0.75)


def test_ellipse_of_a_long_object_is_not_cut_off():
    visible = np.zeros((60, 400), bool)
    visible[28:32, 60:340] = True
    xs = np.nonzero(imperfect_mask(visible, "ellipse", 0.0, JITTERS[0]))[1]
    half = 280 / np.sqrt(3)  # twice the standard deviation of a uniform line
    assert xs.min() == pytest.approx(199.5 - half, abs=2)
    assert xs.max() == pytest.approx(199.5 + half, abs=2)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_polygon_has_few_straight_sides_near_the_outline(strength):
    visible = disc()
    edge = ndimage.distance_transform_edt(visible) + ndimage.distance_transform_edt(~visible)
    slack = radius_of(visible) * ((0.03, 0.12)[int(strength)] + np.sqrt(2) * (0.01, 0.07)[int(strength)]) + 2
    for jitter in JITTERS:
        got = imperfect_mask(visible, "polygon", strength, jitter)
        assert edge[got != visible].max() <= slack
        outline = cv2.findContours(got.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
        assert len(cv2.approxPolyDP(outline, 1.5, True)) <= (20, 10)[int(strength)]


@pytest.mark.parametrize("strength", [0.0, 1.0])
@pytest.mark.parametrize("shape", ORDINARY)
def test_brush_covers_the_object_and_stays_near_it(shape, strength):
    visible = shape()
    distance = ndimage.distance_transform_edt(~visible)
    for jitter in JITTERS:
        got = imperfect_mask(visible, "brush", strength, jitter)
        assert distance[got].max() <= 0.33 * radius_of(visible) + 2
        assert (got & visible).sum() >= 0.6 * visible.sum()


@pytest.mark.parametrize("shape", ORDINARY)
def test_holes_only_take_away_and_mark_both_inside_and_outline(shape):
    visible = shape()
    inner = ndimage.binary_erosion(visible, iterations=4)
    missing = [visible & ~imperfect_mask(visible, "holes", 1.0, jitter) for jitter in JITTERS]
    for jitter in JITTERS:
        assert not (imperfect_mask(visible, "holes", 1.0, jitter) & ~visible).any()
    assert all(0.01 < m.sum() / visible.sum() < 0.58 for m in missing)
    assert any((m & inner).any() for m in missing)
    assert all((m & visible & ~ndimage.binary_erosion(visible)).any() for m in missing)


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_shift_is_a_translation_of_the_asked_length(strength):
    visible = disc()
    for jitter in JITTERS:
        got = imperfect_mask(visible, "shift", strength, jitter)
        move = np.rint(np.subtract(ndimage.center_of_mass(got), ndimage.center_of_mass(visible))).astype(int)
        np.testing.assert_array_equal(got, np.roll(visible, move, axis=(0, 1)))
        assert np.hypot(*move) == pytest.approx((0.03 + 0.15 * strength) * radius_of(visible), abs=0.8)


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_place_and_canvas_do_not_matter(kind):
    small, large = animal(), np.zeros((300, 400), bool)
    large[150:278, 200:328] = small
    for jitter in JITTERS:
        expected = np.zeros_like(large)
        padded = np.zeros((228, 228), bool)  # room for what would leave the small canvas
        padded[50:178, 50:178] = small
        expected[100:300, 150:378] = imperfect_mask(padded, kind, 0.7, jitter)[:200]
        np.testing.assert_array_equal(imperfect_mask(large, kind, 0.7, jitter), expected)


@pytest.mark.parametrize("kind", MASK_KINDS)
@pytest.mark.parametrize("shape", ORDINARY)
def test_resolution_does_not_matter(kind, shape):
    visible = shape()
    large = np.kron(visible, np.ones((4, 4))).astype(bool)
    for jitter in JITTERS:
        coarse = imperfect_mask(visible, kind, 0.6, jitter)
        fine = imperfect_mask(large, kind, 0.6, jitter).reshape(128, 4, 128, 4).mean(axis=(1, 3)) > 0.5
        assert mask_iou(coarse, fine) > 0.85


@given(st.integers(0, 2**30 - 1), st.integers(0, 2**30 - 1))
def test_iou_counts_pixels(a, b):
    one, two = (np.array([v >> i & 1 for i in range(30)], bool).reshape(5, 6) for v in (a, b))
    union = (a | b).bit_count()
    assert mask_iou(one, two) == ((a & b).bit_count() / union if union else 1.0)


def test_iou_refuses_different_shapes():
    with pytest.raises(ValueError, match=re.escape("mask_iou: shapes differ: (2, 3) and (3, 2)")):
        mask_iou(np.ones((2, 3), bool), np.ones((3, 2), bool))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"visible_mask": np.zeros((9, 9), bool)}, "visible_mask: is empty, there is no object to mask"),
        ({"visible_mask": np.ones((9, 8), np.uint8)}, "visible_mask: must be (h, w) bool, got (9, 8) uint8"),
        ({"visible_mask": np.ones((9, 8, 1), bool)}, "visible_mask: must be (h, w) bool, got (9, 8, 1) bool"),
        ({"kind": "blob"}, f"mask kind: unknown 'blob', choose one of {', '.join(MASK_KINDS)}"),
        ({"strength": 1.5}, "mask strength: must be in [0, 1], got 1.5"),
        ({"strength": float("nan")}, "mask strength: must be in [0, 1], got nan"),
        ({"jitter": [0.5] * 3}, f"mask jitter: must hold {NUM_JITTER} numbers, got 3"),
        ({"jitter": [0.5] * 23 + [1.0]}, "mask jitter: every number must be in [0, 1), got 1.0 at 23"),
    ],
)
def test_errors_name_the_key_the_bound_and_the_value(change, text):
    arguments = {"visible_mask": disc(), "kind": "box", "strength": 0.5, "jitter": [0.5] * NUM_JITTER} | change
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        imperfect_mask(**arguments)
