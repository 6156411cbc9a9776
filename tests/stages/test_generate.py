"""Procedural foregrounds: reproducible, whole, textured, with true coverage at the edge and no fringe."""

import numpy as np
import pytest
from scipy import ndimage

from stages.generate import FAMILIES, MIN_SIZE, Generated, procedural
from stages.procedural import layout as lay
from stages.procedural.drawing import lathe, slab, smooth, vessel
from stages.procedural.field import field
from stages.procedural.program import Material, Part, Thing, compile_thing, rotation
from stages.procedural.scene import fit, render_square, view_of
from stages.procedural.solids import flat
from stages.rng import generator

SIZE = 96
GREY = Material(((0.4, 0.4, 0.4),) * 3)


@pytest.fixture(scope="module")
def pictures() -> dict[str, Generated]:
    return {name: procedural(11, i, SIZE, name) for i, name in enumerate(FAMILIES)}


def _program(*parts: Part):
    return compile_thing(Thing(list(parts), [GREY], "thing"))


def _view(program, seed: int = 3):
    return view_of(generator(seed, "view", 0), Thing([], [GREY], "thing"), program)


def _distance(program, points: np.ndarray) -> np.ndarray:
    ids = np.arange(len(program.parts))
    return np.array([field(*p, program.parts, program.grids, ids, len(ids))[0] for p in points.astype(float)])


def test_there_are_many_families():
    assert len(FAMILIES) == len(set(FAMILIES)) >= 24


@pytest.mark.parametrize("family", ["vase", "rock", "lighthouse", "teddy"])
def test_same_arguments_same_bytes(family):
    a, b = (procedural(5, 9, 64, family) for _ in range(2))
    assert a.rgba.tobytes() == b.rgba.tobytes()
    assert a[1:] == b[1:]


def test_a_draw_does_not_depend_on_earlier_draws(pictures):
    i = FAMILIES.index("mug")
    assert procedural(11, i, SIZE, "mug").rgba.tobytes() == pictures["mug"].rgba.tobytes()


def test_seed_and_index_change_the_picture():
    variants = [procedural(s, i, 48, "vase").rgba.tobytes() for s in (1, 2) for i in (0, 1, 2)]
    assert len(set(variants)) == 6


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_a_whole_object(pictures, family):
    rgba = pictures[family].rgba
    alpha = rgba[..., 3]
    assert rgba.dtype == np.uint8
    assert rgba.flags.c_contiguous
    assert (alpha == 255).mean() > 0.1
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])), "trimmed to the alpha box"
    assert not rgba[alpha == 0].any()
    labels, count = ndimage.label(alpha > 127, np.ones((3, 3)))
    assert np.bincount(labels.ravel())[1:].max() > 0.98 * (alpha > 127).sum(), f"{count} pieces"


@pytest.mark.parametrize("family", FAMILIES)
def test_long_side_is_close_to_size_and_nothing_is_cut(pictures, family):
    long_side = max(pictures[family].rgba.shape[:2])
    assert 0.85 * SIZE <= long_side <= SIZE - 2


def test_edges_have_many_levels_of_alpha(pictures):
    for family, made in pictures.items():
        partial = np.unique(made.rgba[..., 3])
        assert partial.size > 40, family


def test_edge_colour_is_the_colour_of_the_object(pictures):
    """A fringe would shift partly covered pixels away from the nearest opaque ones, all towards one colour."""
    signed = []
    for made in pictures.values():
        alpha, rgb = made.rgba[..., 3], made.rgba[..., :3].astype(float)
        where = ndimage.distance_transform_edt(alpha < 255, return_distances=False, return_indices=True)
        edge = (alpha > 0) & (alpha < 255)
        gap = (rgb - rgb[where[0], where[1]])[edge]
        assert np.median(np.abs(gap)) < 30.0, made.family
        signed.append(gap.mean())
    assert abs(np.mean(signed)) < 10.0, "more than the darkening of a limb"


def test_surfaces_are_shaded_not_flat(pictures):
    for family, made in pictures.items():
        opaque = made.rgba[..., :3][made.rgba[..., 3] == 255].astype(float)
        assert opaque.mean(1).std() > 6.0, family


def test_colours_vary_between_indices():
    means = []
    for i in range(24):
        rgba = procedural(2, i, 32, "bowling_pin").rgba
        means.append(rgba[rgba[..., 3] == 255][:, :3].mean(0))
    assert np.std(means, axis=0).min() > 20.0


def test_families_come_evenly():
    n = len(FAMILIES)
    names = [procedural(4, i, MIN_SIZE).family for i in range(2 * n)]
    assert set(names[:n]) == set(names[n:]) == set(FAMILIES)
    assert names[:n] != names[n:]


def test_captions_read_as_english(pictures):
    for family, made in pictures.items():
        article, rest = made.caption.split(" ", 1)
        assert article == ("an" if rest[0] in "aeiou" else "a"), family
        assert made.caption == made.caption.strip()
        assert "  " not in made.caption
        assert "_" not in made.caption
        assert made.caption.isascii()


def test_light_comes_from_above_and_is_a_unit_vector(pictures):
    for made in pictures.values():
        assert np.linalg.norm(made.light) == pytest.approx(1.0)
        assert made.light[1] > 0.0
        assert 5.0 <= made.elevation <= 30.0


def test_unknown_family_names_the_choices():
    with pytest.raises(ValueError, match=r"^family: 'vaze' is not one of .*vase") as error:
        procedural(1, 0, 64, "vaze")
    assert all(name in str(error.value) for name in FAMILIES)


def test_too_small_a_size_is_refused():
    with pytest.raises(ValueError, match=r"^size: 15 is under the minimum of 16 px$"):
        procedural(1, 0, 15)


@pytest.mark.parametrize("size", [16, 33, 97])
def test_border_is_empty_before_trimming(size):
    program = _program(Part(lay.SUPER, (1.0, 0.3, 0.7, 0.4, 0.5), (0.0, 0.5, 0.0)))
    alpha = render_square(program, _view(program), size)[..., 3]
    assert alpha.any()
    assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()


def test_coverage_of_a_ball_is_that_of_its_projection():
    """A sphere on the optical axis projects to a disc of radius tan(asin(R / distance)): sampled 16 x 16 a pixel."""
    program = _program(Part(lay.BALL, (0.6, 0.6, 0.6), (0.1, 0.7, -0.2)))
    view, size = _view(program), 64
    camera = fit(view.camera, program, size)
    distance = np.linalg.norm(camera[lay.BOUND : lay.BOUND + 3] - camera[lay.EYE : lay.EYE + 3])
    radius = np.tan(np.arcsin(0.6 / distance)) / camera[lay.WINDOW + 2]
    x0, y0 = -camera[lay.WINDOW] / camera[lay.WINDOW + 2], camera[lay.WINDOW + 1] / camera[lay.WINDOW + 2]
    at = (np.arange(size * 16) + 0.5) / 16
    inside = np.hypot(at[None, :] - x0, at[:, None] - y0) < radius
    expected = inside.reshape(size, 16, size, 16).mean((1, 3))
    alpha = render_square(program, view, size)[..., 3] / 255.0
    assert np.abs(alpha - expected).max() < 0.12
    assert alpha.sum() == pytest.approx(expected.sum(), rel=0.003)


def test_distances_of_simple_solids_match_closed_forms():
    r = np.random.default_rng(0)
    p = r.uniform(-2, 2, (200, 3))
    ball = _program(Part(lay.BALL, (0.5, 0.5, 0.5), (0.1, 0.2, 0.3)))
    near = np.abs(_distance(ball, p) - (np.linalg.norm(p - [0.1, 0.2, 0.3], axis=1) - 0.5))
    assert near.max() < 1e-9
    turn = (20.0, 50.0, -30.0)
    half = np.array([0.3, 0.5, 0.7])
    q = np.abs((p - [0.1, 0.0, 0.2]) @ rotation(turn)) - half
    exact = np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)
    got = _distance(_program(Part(lay.BOX, (*half, 0.0), (0.1, 0.0, 0.2), turn)), p)
    close = got < 0.8
    assert np.allclose(got[close], exact[close])
    assert (got <= exact + 1e-9).all(), "the far bound is below the distance"


def test_carving_joining_and_mirroring_follow_boolean_logic():
    r = np.random.default_rng(1)
    p = r.uniform(-1.2, 1.2, (400, 3))
    ball, bar = Part(lay.BALL, (0.4, 0.4, 0.4), (0.5, 0.0, 0.0), mirror=1), Part(lay.BOX, (2.0, 0.1, 0.1, 0.0))
    inside = np.minimum(*(np.linalg.norm(p - [x, 0, 0], axis=1) for x in (0.5, -0.5))) < 0.4
    in_bar = (np.abs(p) <= [2.0, 0.1, 0.1]).all(1)
    assert ((_distance(_program(ball, bar), p) < 0) == (inside | in_bar)).all()
    assert ((_distance(_program(ball, bar._replace(op=lay.CARVE)), p) < 0) == (inside & ~in_bar)).all()
    assert ((_distance(_program(ball, bar._replace(op=lay.KEEP)), p) < 0) == (inside & in_bar)).all()


def test_a_ring_repeats_a_part_about_the_axis():
    p = np.random.default_rng(2).uniform(-1.5, 1.5, (400, 3))
    got = _distance(_program(Part(lay.BALL, (0.3, 0.3, 0.3), (0.8, 0.0, 0.0), ring=5)), p) < 0
    a = 2 * np.pi * np.arange(5) / 5
    centres = np.stack([0.8 * np.cos(a), 0 * a, 0.8 * np.sin(a)], 1)
    assert (got == (np.linalg.norm(p[:, None] - centres, axis=2).min(1) < 0.3)).all()


def test_a_lathe_is_hollow_where_its_outline_is():
    program = _program(lathe(vessel([(0.5, 0.0), (0.5, 1.0)], 0.1, 0.15)))
    points = np.array([[0.45, 0.5, 0.0], [0.0, 0.5, 0.2], [0.0, 0.07, 0.0], [0.0, 1.3, 0.0], [0.0, 0.5, -0.45]])
    assert np.array_equal(np.sign(_distance(program, points)), [-1, 1, -1, 1, -1])


def test_a_lathe_outside_its_grid_is_a_bound_and_has_no_jump():
    program = _program(lathe([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]))
    x = np.linspace(0.3, 1.0, 400)
    d = _distance(program, np.stack([x, 0.5 + 0 * x, 0 * x], 1))
    assert np.abs(np.diff(d)).max() < 3 * (x[1] - x[0])
    assert (d <= x - 0.5 + 0.01).all()


def test_a_slab_keeps_its_outline_and_depth():
    program = _program(slab([(-0.5, -0.5), (0.5, -0.5), (0.0, 0.5)], 0.2, 0.0))
    points = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.25], [0.4, 0.3, 0.0], [0.3, -0.4, 0.15]])
    assert np.array_equal(np.sign(_distance(program, points)), [-1, 1, 1, -1])


def test_smooth_keeps_corners_and_does_not_overshoot():
    curve = np.array(smooth([(0.5, 0.0), (0.1, 0.5), (0.1, 0.5), (0.6, 0.6), (0.2, 2.0)]))
    assert curve[:, 0].min() == pytest.approx(0.1)
    assert curve[:, 0].max() == pytest.approx(0.6)
    assert (np.diff(curve[:, 1]) >= 0).all()


def test_smooth_passes_through_its_points():
    points = [(0.2, 0.0), (0.6, 0.5), (0.3, 1.0)]
    curve = np.array(smooth(points))
    assert all(np.linalg.norm(curve - p, axis=1).min() < 1e-9 for p in points)


@pytest.mark.parametrize("kind", ["knot", "tube", "coil", "gem", "super"])
def test_tracing_finds_what_small_steps_find(kind):
    """The rendered silhouette against rays walked in steps of 1/500 of the object."""
    part = {
        "knot": Part(lay.KNOT, (0.7, 0.3, 0.15, 2.0, 3.0), (0.0, 0.5, 0.0)),
        "tube": Part(lay.TUBE, (-0.8, 0.2, 0.0, 0.0, 1.5, 0.3, 0.8, 0.2, 0.0, 0.2, 0.1)),
        "coil": Part(lay.COIL, (0.5, 0.4, 0.1, 0.8), (0.0, 0.8, 0.0)),
        "gem": Part(lay.NGON, (6.0, 0.6, 0.1, 0.9, 0.6, -0.8, 0.8, 0.02), (0.0, 0.8, 0.0)),
        "super": Part(lay.SUPER, (0.8, 0.6, 0.7, 0.35, 0.8), (0.0, 0.6, 0.0)),
    }[kind]
    program, size = _program(part), 20
    view = _view(program)
    camera = fit(view.camera, program, size)
    right, up, ahead = (camera[i : i + 3] for i in (lay.RIGHT, lay.CAM_UP, lay.FORWARD))
    left, top, cell = camera[lay.WINDOW : lay.BOUND]
    radius = program.bound[3]
    middle = np.linalg.norm(program.bound[:3] - camera[:3])
    t = np.linspace(middle - radius, middle + radius, 500)
    alpha = render_square(program, view, size)[..., 3]
    for i, j in np.random.default_rng(3).integers(0, size, (60, 2)):
        ray = ahead + (left + (j + 0.5) * cell) * right + (top - (i + 0.5) * cell) * up
        least = _distance(program, camera[:3] + t[:, None] * ray / np.linalg.norm(ray)).min()
        if abs(least) > 0.6 * cell * middle:
            assert (alpha[i, j] == 255) == (least < 0), (i, j)


def test_flat_is_the_euclidean_length():
    assert flat.py_func(3.0, -4.0) == 5.0
