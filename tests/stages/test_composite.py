"""Whole scenes: the layers recompose, each holds what it should and nothing else, and every reason is reachable."""

from dataclasses import astuple, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import geometry
from stages.composite import render
from stages.light import shadow_density
from stages.masks import MASK_KINDS, NUM_JITTER
from stages.types import MaskDraw, Occlusion, Placement, Plate, Recipe, Rejected, Sample, Shadow

SIZE = 96
SHADOW = Shadow(shear=0.6, rise=0.3, lift=0.0, blur=0.03, density=0.5, contact=0.6)
LAYERS = ("composite", "background", "foreground", "shadow", "occluder", "mask")


def disc(seed, h=50, w=40):
    """A soft-edged disc of coloured noise."""
    y, x = (np.arange(n) * 2.0 + 1 - n for n in (h, w))
    away = np.hypot(y[:, None] / h, x[None] / w)
    rgba = np.random.default_rng(seed).integers(0, 256, (h, w, 4), dtype=np.uint8)
    rgba[..., 3] = np.rint(255 * np.clip((1 - away) * min(h, w) / 4, 0, 1))
    return rgba


def dotted():
    rgba = np.full((40, 56, 4), (0, 0, 0, 255), np.uint8)
    rgba[10:15, 30:35, :3] = 255
    return rgba


ASSETS = {
    "photo": np.random.default_rng(9).integers(0, 256, (150, 200, 3), dtype=np.uint8),
    "target": disc(1),
    "recoloured": np.dstack([disc(5)[..., :3], disc(1)[..., 3]]),
    "pale": np.where(np.arange(4) == 3, disc(1) // 3, disc(1)),
    "front": disc(2, 60, 60),
    "front2": disc(3, 20, 20),
    "behind": disc(4, 70, 50),
    "dotted": dotted(),
    "ramp": np.dstack([np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(4, 0).repeat(4, 1)] * 4),
}
for pixels in ASSETS.values():
    pixels.flags.writeable = False


def thing(role, asset=None, **changes):
    plain = {"scale": 0.8, "rotation": 0.0, "flip": False, "anchor_x": 0.5, "anchor_y": 1.0, "x": 48.0, "y": 80.0}
    return Placement(role=role, asset=asset or role, **(plain | {"harmonize": 0.0, "shadow": None} | changes))


def recipe(*objects, occlusion=None, kind="exact", **changes):
    mask = MaskDraw(kind=kind, strength=0.5, jitter=(0.3, 0.8) * (NUM_JITTER // 2))
    plate = Plate(asset="photo", x=20, y=10, side=120, flip=True)
    plain = {"size": SIZE, "plate": plate, "mask": mask, "min_area": 0.001, "min_visible_px": 16}
    return Recipe(objects=objects, occlusion=occlusion, **(plain | changes))


def slide(slider, visible, tolerance=0.05, dx=1.0, dy=0.0):
    return Occlusion(slider=slider, dx=dx, dy=dy, visible=visible, tolerance=tolerance)


def drawn(*objects, **changes):
    got = render(recipe(*objects, **changes), ASSETS.__getitem__)
    assert isinstance(got, Sample), got
    return got


def crowd(target="target"):
    """All roles at once: one object behind, two in front of which the first slides, shadows under all."""
    return drawn(
        thing("behind", x=60.0, y=75.0, shadow=SHADOW, harmonize=0.7, rotation=-8.0),
        thing("target", target, shadow=SHADOW, rotation=12.0, flip=True),
        thing("front", shadow=SHADOW, y=86.0),
        thing("front", "front2", x=10.0, y=90.0, shadow=SHADOW),
        occlusion=slide(2, 0.6),
    )


def contract(sample):
    """The sample contract's formula in whole numbers, over 255^4."""
    fa, oa = (v[..., 3:].astype(object) for v in (sample.foreground, sample.occluder))
    bg, fg, oc = (v[..., :3].astype(object) for v in (sample.background, sample.foreground, sample.occluder))
    sh = sample.shadow[..., None].astype(object)
    under = 255 * 255 * bg - sh * (255 * bg - oa * oc)
    total = (255 - fa) * under * 255 + fa * 255 * 255 * (oa * oc + (255 - oa) * fg)
    return ((2 * total + 255**4) // (2 * 255**4)).astype(np.uint8)


def layer(spec, affine):
    """The object alone on the canvas, put where the affine says."""
    warped, matrix = geometry.warp_object(ASSETS[spec.asset], spec.scale, spec.rotation, spec.flip)
    x, y = (round(affine[k] - matrix[k // 3, 2]) for k in (2, 5))
    return geometry.Patch(warped, x, y)


SCENES = {
    "alone": lambda: drawn(thing("target")),
    "shadow": lambda: drawn(thing("target", shadow=SHADOW)),
    "crowd": crowd,
    "harmonized": lambda: drawn(thing("target", harmonize=1.0, shadow=SHADOW), thing("behind", harmonize=0.5)),
    "cut off": lambda: drawn(thing("target", x=5.0, y=130.0, scale=1.2, shadow=SHADOW)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_layers_recompose_the_picture_to_the_bit(scene):
    got = SCENES[scene]()
    np.testing.assert_array_equal(got.composite, contract(got))


@pytest.mark.parametrize("scene", SCENES)
def test_layers_have_the_forms_of_the_contract(scene):
    got = SCENES[scene]()
    assert tuple(f.name for f in fields(got))[:6] == LAYERS
    for name, channels in zip(LAYERS, ((3,), (3,), (4,), (), (4,), ()), strict=True):
        assert getattr(got, name).shape == (SIZE, SIZE, *channels)
        assert getattr(got, name).dtype == np.uint8
    for rgba in (got.foreground, got.occluder):
        assert not rgba[rgba[..., 3] == 0].any()
    assert set(np.unique(got.mask)) == {0, 255}
    assert got.area == pytest.approx(got.foreground[..., 3].mean() / 255)


def test_rendering_again_gives_the_same_bytes():
    for a, b in zip(astuple(crowd()), astuple(crowd()), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_lone_target_leaves_the_plate_as_it_was():
    got = drawn(thing("target", shadow=SHADOW))
    crop = geometry.crop_plate(ASSETS["photo"], recipe().plate, SIZE)
    np.testing.assert_array_equal(got.background, crop)
    assert not got.occluder.any()
    assert got.visible == 1.0
    np.testing.assert_array_equal(got.composite[:20], crop[:20])


@pytest.mark.parametrize("visible", [0.4, 0.6, 0.9])
def test_the_background_is_everything_but_the_target_painted_from_the_back(visible):
    at = {"behind": (60.0, 75.0), "target": (48.0, 80.0), "front": (48.0, 86.0)}
    objects = [thing(role, x=x, y=y, shadow=SHADOW) for role, (x, y) in at.items()]
    got = drawn(*objects, occlusion=slide(2, visible))
    patches = [layer(spec, affine) for spec, affine in zip(objects, got.affines, strict=True)]
    picture = geometry.crop_plate(ASSETS["photo"], recipe().plate, SIZE).astype(float)
    for k in (0, 2):
        picture *= 1 - shadow_density(patches[k], SHADOW, SIZE)[..., None] / 255
    for k in (0, 2):
        rgba = geometry.on_canvas(patches[k], SIZE)
        picture += rgba[..., 3:] / 255 * (rgba[..., :3] - picture)
    assert np.abs(got.background - picture).max() <= 2  # four roundings of half a level
    np.testing.assert_array_equal(got.foreground, geometry.on_canvas(patches[1], SIZE))
    np.testing.assert_array_equal(got.occluder, geometry.on_canvas(patches[2], SIZE))
    np.testing.assert_array_equal(got.shadow, shadow_density(patches[1], SHADOW, SIZE))


def test_other_colours_of_the_target_change_no_other_layer():
    one, other = crowd(), crowd(target="recoloured")
    for name in ("background", "shadow", "occluder", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.foreground[..., 3], other.foreground[..., 3])


def test_the_targets_shadow_is_in_its_own_layer_only():
    with_shadow, without = (drawn(thing("behind"), thing("target", shadow=s)) for s in (SHADOW, None))
    assert with_shadow.shadow.max() > 60
    assert not without.shadow.any()
    for name in ("background", "foreground", "occluder"):
        np.testing.assert_array_equal(getattr(with_shadow, name), getattr(without, name))


def test_several_objects_in_front_are_flattened_in_their_order():
    fronts = [thing("front", x=20.0, y=40.0), thing("front", "front2", x=30.0, y=40.0, scale=1.2)]
    got = drawn(thing("target", x=80.0, y=94.0, scale=0.5), *fronts)
    first, second = (geometry.on_canvas(layer(s, a), SIZE) for s, a in zip(fronts, got.affines[1:], strict=True))
    a, b = second[..., 3] / 255, first[..., 3] / 255
    union = a + (1 - a) * b
    top, low = (rgba[..., :3] * share[..., None] for rgba, share in ((second, a), (first, (1 - a) * b)))
    exact = np.divide(top + low, union[..., None], where=union[..., None] > 0, out=np.zeros_like(top))
    assert np.abs(got.occluder[..., 3] - 255 * union).max() <= 0.5 + 1e-9
    assert np.abs(got.occluder[..., :3] - exact).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("visible", [0.3, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("direction", [(1.0, 0.0), (-1.0, 0.0), (0.6, 0.8)])
def test_the_asked_share_is_met_and_the_occluder_slid_along_its_line(visible, direction):
    objects = (thing("target", y=70.0), thing("front", y=74.0, scale=1.0))
    got = drawn(*objects, occlusion=slide(1, visible, 0.05, *direction))
    fa, oa = (v[..., 3].astype(float) / 255 for v in (got.foreground, got.occluder))
    assert (fa * (1 - oa)).sum() / fa.sum() == pytest.approx(got.visible, abs=1e-5)
    assert got.visible == pytest.approx(visible, abs=0.051)
    start = layer(objects[1], got.affines[1])
    went = np.array([start.x - 18, start.y - 14])
    assert went @ direction > 0
    assert abs(went @ (direction[1], -direction[0])) <= 1


@given(st.floats(0.5, 1.2), st.floats(-180, 180), st.booleans(), st.sampled_from(["target", "front"]))
@settings(max_examples=30, deadline=None)
def test_affines_lead_from_asset_pixels_to_the_layer(scale, rotation, flip, role):
    spec = thing(role, "dotted", scale=scale, rotation=rotation, flip=flip, anchor_y=0.5, x=100.0, y=100.0)
    other = thing("front" if role == "target" else "target", scale=1.2, anchor_y=0.5, x=100.0, y=100.0)
    objects = (spec, other) if role == "target" else (other, spec)
    got = render(recipe(*objects, occlusion=slide(1, 0.85, 0.06, 0.8, 0.6), size=200), ASSETS.__getitem__)
    assert isinstance(got, Sample), got
    rgba = (got.foreground if role == "target" else got.occluder).astype(float)
    ys, xs = np.mgrid[:200, :200] + 0.5
    x, y = np.reshape(got.affines[objects.index(spec)], (2, 3)) @ (32.5, 12.5, 1)
    glow = rgba[..., 0] * (rgba[..., 3] / 255) * (np.hypot(xs - x, ys - y) < 10)
    seen = ((glow * xs).sum() / glow.sum(), (glow * ys).sum() / glow.sum())
    assert seen == pytest.approx((x, y), abs=0.4)


@pytest.mark.parametrize("kind", MASK_KINDS)
def test_the_mask_is_of_the_visible_object_and_its_iou_is_true(kind):
    got = drawn(thing("target", "ramp", scale=1.0), thing("front"), occlusion=slide(1, 0.6, 0.05, 0.0, 1.0), kind=kind)
    fa, oa = (v[..., 3].astype(int) for v in (got.foreground, got.occluder))
    visible = 2 * fa * (255 - oa) > 255 * 255
    mask = got.mask == 255
    assert mask.any()
    assert got.mask_iou == pytest.approx((mask & visible).sum() / (mask | visible).sum())
    assert (kind == "exact") == (got.mask_iou == 1.0)


def rejected(*objects, **changes):
    got = render(recipe(*objects, **changes), ASSETS.__getitem__)
    assert isinstance(got, Rejected)
    return got.reason, got.detail


def test_every_reason_to_reject_is_reachable_and_says_why():
    target, front = thing("target"), thing("front")
    for least in (0.01, 0.0):
        assert rejected(thing("target", x=-500.0), min_area=least) == ("target_out_of_frame", "area 0.00000")
    assert rejected(thing("target", x=-500.0), front, min_area=0.0, occlusion=slide(1, 0.5))[0] == "target_out_of_frame"
    covered = drawn(target).area
    assert rejected(target, min_area=0.5) == ("target_too_small", f"area {covered:.5f}")
    assert rejected(thing("target", "pale"), min_visible_px=0) == ("target_hidden", "0 visible pixels")
    assert rejected(target, min_visible_px=5000)[0] == "target_hidden"
    assert rejected(target, front)[0] == "unplanned_occlusion"
    small, detail = rejected(target, thing("front", "front2"), occlusion=slide(1, 0.2))
    assert (small, detail[-12:]) == ("occluder_too_small", " asked 0.200")
    jump, detail = rejected(target, front, occlusion=slide(1, 0.5, 1e-9))
    assert (jump, detail[-13:]) == ("visible_fraction_jumps", " beside 0.500")
