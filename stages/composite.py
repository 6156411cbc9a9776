"""Render: a recipe and asset pixels become a sample, or a reason why not. No randomness."""

from collections.abc import Callable

import numpy as np

from stages import alpha, geometry, light, masks, occlude
from stages.geometry import F64
from stages.types import U8, Mask, Occlusion, Patch, Placement, Recipe, Rejected, Role, Sample

Pixels = Callable[[str], U8]
"""Asset id -> uint8 (h, w, 3) photograph or (h, w, 4) cut-out; must not be written to."""

_UNOCCLUDED = 0.98  # a scene planned without occlusion may lose this much to soft edges, no more


def render(recipe: Recipe, pixels: Pixels) -> Sample | Rejected:
    """Draw a scene and take it apart; see `Sample`.

    The layers are quantised first and the composite computed from them, so they recompose it to the bit.

    Returns:
        A `Sample`, or `Rejected` with reason `target_out_of_frame`, `target_too_small`, `target_hidden`,
        `unplanned_occlusion`, `already_hidden`, `occluder_too_small` or `visible_fraction_jumps`.
    """
    plate = geometry.crop_plate(pixels(recipe.plate.asset), recipe.plate, recipe.size)
    placed = [_place(o, pixels(o.asset), plate) for o in recipe.objects]
    patches = [p for p, _ in placed]
    roles = [o.role for o in recipe.objects]
    target = roles.index("target")
    foreground = geometry.on_canvas(patches[target], recipe.size)
    area = float(foreground[..., 3].sum(dtype=np.int64)) / (255 * recipe.size**2)
    if area == 0 or area < recipe.min_area:
        return Rejected("target_out_of_frame" if area == 0 else "target_too_small", f"area {area:.5f}")
    if recipe.occlusion is not None:
        moved = _occlude(recipe.occlusion, foreground, patches, roles)
        if isinstance(moved, Rejected):
            return moved
        patches[recipe.occlusion.slider] = moved
    occluder = _flatten([p for p, r in zip(patches, roles, strict=True) if r == "front"], recipe.size)
    visible = occlude.visible_fraction(foreground[..., 3], occluder[..., 3])
    if recipe.occlusion is None and visible < _UNOCCLUDED:
        return Rejected("unplanned_occlusion", f"visible {visible:.3f}")
    return _finish(recipe, plate, patches, [m for _, m in placed], (foreground, occluder), (visible, area))


def _place(spec: Placement, rgba: U8, plate: U8) -> tuple[Patch, F64]:
    warped, matrix = geometry.warp_object(rgba, spec.scale, spec.rotation, spec.flip)
    patch = geometry.anchor_patch(warped, spec.anchor_x, spec.anchor_y, spec.x, spec.y)
    size = plate.shape[0]
    margin = warped.shape[1] // 2
    left, right = max(0, patch.x - margin), min(size, patch.x + warped.shape[1] + margin)
    around = plate[max(0, patch.y) : max(1, patch.y + warped.shape[0]), left:right]
    scene = around if around.size else plate
    return patch._replace(rgba=light.harmonize(warped, scene, spec.harmonize)), matrix


def _occlude(plan: Occlusion, foreground: U8, patches: list[Patch], roles: list[Role]) -> Patch | Rejected:
    size = foreground.shape[0]
    others = _flatten(
        [p for k, (p, r) in enumerate(zip(patches, roles, strict=True)) if r == "front" and k != plan.slider], size
    )
    slide = occlude.Slide(foreground, others, patches[plan.slider], (plan.dx, plan.dy))
    return occlude.slide_to(slide, plan.visible, plan.tolerance)


def _flatten(patches: list[Patch], size: int) -> U8:
    if len(patches) == 1:
        return geometry.on_canvas(patches[0], size)
    out = np.zeros((size, size, 4), np.uint8)
    for patch in patches:
        alpha.over_rgba(out, patch)
    return out


def _finish(
    recipe: Recipe,
    plate: U8,
    patches: list[Patch],
    matrices: list[F64],
    layers: tuple[U8, U8],
    shares: tuple[float, float],
) -> Sample | Rejected:
    foreground, occluder = layers
    visible_mask = _visible_mask(foreground[..., 3], occluder[..., 3])
    if np.count_nonzero(visible_mask) < max(1, recipe.min_visible_px):
        return Rejected("target_hidden", f"{np.count_nonzero(visible_mask)} visible pixels")
    background = _background(plate, recipe, patches, occluder)
    shadow = _target_shadow(recipe, patches)
    draw = recipe.mask
    mask = masks.imperfect_mask(visible_mask, draw.kind, draw.strength, draw.jitter)
    return Sample(
        composite=alpha.recompose(background, foreground, shadow, occluder),
        background=background,
        foreground=foreground,
        shadow=shadow,
        occluder=occluder,
        mask=mask.astype(np.uint8) * np.uint8(255),
        visible=shares[0],
        area=shares[1],
        mask_iou=masks.mask_iou(mask, visible_mask),
        affines=tuple(_final_matrix(m, p) for m, p in zip(matrices, patches, strict=True)),
    )


def _visible_mask(foreground_alpha: U8, occluder_alpha: U8) -> Mask:
    shown = foreground_alpha.astype(np.uint16) * (255 - occluder_alpha.astype(np.uint16))
    return np.asarray(shown > 255 * 255 // 2)


def _background(plate: U8, recipe: Recipe, patches: list[Patch], occluder: U8) -> U8:
    canvas = plate  # crop_plate made it for us
    for spec, patch in zip(recipe.objects, patches, strict=True):
        if spec.role != "target" and spec.shadow is not None:
            alpha.shade(canvas, light.shadow_density(patch, spec.shadow, recipe.size))
    for spec, patch in zip(recipe.objects, patches, strict=True):
        if spec.role == "behind":
            alpha.over_rgb(canvas, patch)
    alpha.over_rgb(canvas, Patch(occluder, 0, 0))
    return canvas


def _target_shadow(recipe: Recipe, patches: list[Patch]) -> U8:
    for spec, patch in zip(recipe.objects, patches, strict=True):
        if spec.role == "target" and spec.shadow is not None:
            return light.shadow_density(patch, spec.shadow, recipe.size)
    return np.zeros((recipe.size, recipe.size), np.uint8)


def _final_matrix(matrix: F64, patch: Patch) -> tuple[float, ...]:
    shifted = matrix.copy()
    shifted[:, 2] += (patch.x, patch.y)
    return tuple(float(v) for v in shifted.ravel())
