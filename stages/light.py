"""Light: shadows that touch their object, and colours that belong to the scene."""

import cv2
import numpy as np
from numba import njit, types

from stages.geometry import pixel_centred
from stages.types import F32, U8, Patch, Shadow

_QUARTER = 4  # shadows are soft: they are drawn at a quarter of the size and enlarged
_READ = types.Array(types.uint8, 3, "C", readonly=True)


def shadow_density(patch: Patch, shadow: Shadow, size: int) -> U8:
    """Density of the shadow that an object throws on the ground: uint8 (size, size), 0 = none.

    The silhouette is thrown by an affine map that keeps the ground line (the patch's lowest row) fixed, so the
    shadow always touches the object; a tight dark core under the lowest tenth of the object is the contact
    shadow (ambient light that the object blocks). The far end of a cast shadow is softer and paler, as the
    penumbra of a light with some width is.
    """
    small = -(-size // _QUARTER)
    height = patch.rgba.shape[0]
    sigma = max(0.6, shadow.blur * height / _QUARTER)
    thrown = _thrown(patch, shadow, small) * np.float32(shadow.density)
    cast = np.asarray(cv2.GaussianBlur(thrown, (0, 0), sigma), np.float32)
    if shadow.contact > 0:
        core = _contact(patch, small, height) * np.float32(shadow.contact)
        cast = 1 - (1 - cast) * (1 - core)
    full = cv2.resize(cast, (small * _QUARTER, small * _QUARTER), interpolation=cv2.INTER_LINEAR)[:size, :size]
    return np.ascontiguousarray(np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8))


def _thrown(patch: Patch, shadow: Shadow, small: int) -> F32:
    alpha = patch.rgba[..., 3].astype(np.float32)
    alpha *= np.float32(1 / 255)
    height = alpha.shape[0]
    if shadow.lift > 0:
        dx, dy = shadow.shear * shadow.lift * height, shadow.lift * height
        matrix = np.array([[1.0, 0.0, patch.x + dx], [0.0, 1.0, patch.y + dy]])
    else:
        fade = np.linspace(0.35, 1.0, height, dtype=np.float32)  # paler towards the top, the far end
        alpha *= fade[:, None]
        # (x, y) -> (x + shear (h - y), h - rise (h - y)), then to the canvas
        base = patch.y + height
        matrix = np.array(
            [
                [1.0, -shadow.shear, patch.x + shadow.shear * height],
                [0.0, shadow.rise, base - shadow.rise * height],
            ]
        )
    matrix = matrix / _QUARTER
    step = max(1, min(_QUARTER, height // 32))
    if step > 1:  # average before the shrink, or thin parts would flicker
        h, w = alpha.shape
        small_size = (max(1, w // step), max(1, h // step))
        alpha = np.asarray(cv2.resize(alpha, small_size, interpolation=cv2.INTER_AREA), np.float32)
        matrix[:, :2] *= (w / alpha.shape[1], h / alpha.shape[0])
    return np.asarray(cv2.warpAffine(alpha, pixel_centred(matrix), (small, small), flags=cv2.INTER_LINEAR), np.float32)


def _contact(patch: Patch, small: int, height: int) -> F32:
    width = patch.rgba.shape[1]
    rows = max(2, round(height * 0.1))
    foot = np.zeros((3, width), np.float32)
    foot[1] = patch.rgba[-rows:, :, 3].max(axis=0) / np.float32(255)
    depth = max(2.0, 0.05 * min(width, height))  # canvas pixels that one row of `foot` becomes
    centre = patch.y + height - 0.35 * depth
    columns = max(1, width // _QUARTER)  # averaged as the silhouette is, or a thin leg would flicker
    foot = np.asarray(cv2.resize(foot, (columns, 3), interpolation=cv2.INTER_AREA), np.float32)
    matrix = np.array([[width / columns, 0.0, patch.x], [0.0, depth, centre - 1.5 * depth]]) / _QUARTER
    core = cv2.warpAffine(foot, pixel_centred(matrix), (small, small), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(core, (0, 0), max(0.7, 0.45 * depth / _QUARTER)), np.float32)


def harmonize(rgba: U8, scene: U8, strength: float) -> U8:
    """Move an object's colours towards a scene's by one look-up table per channel.

    Mean and contrast follow Reinhard et al., "Color Transfer between Images" (2001), on the encoded channels
    of thumbnails, but bounded: an object keeps its own colour and takes on the scene's light.

    Args:
        rgba: uint8 (h, w, 4) straight.
        scene: uint8 (h, w, 3), the plate where the object will stand.
        strength: 0 (as it is) to 1 (bounded transfer in full).

    Returns:
        uint8 (h, w, 4), alpha unchanged, RGB 0 where alpha 0.
    """
    if strength <= 0:
        return rgba
    table = transfer_table(_moments(rgba), _moments(scene), strength)
    return np.asarray(_look_up(np.ascontiguousarray(rgba), table))


@njit(types.uint8[:, :, ::1](_READ, types.uint8[:, ::1]), cache=True, nogil=True)
def _look_up(rgba: U8, table: U8) -> U8:
    out = np.zeros(rgba.shape, np.uint8)
    for y in range(rgba.shape[0]):
        for x in range(rgba.shape[1]):
            if rgba[y, x, 3] > 0:
                for c in range(3):
                    out[y, x, c] = table[rgba[y, x, c], c]
                out[y, x, 3] = rgba[y, x, 3]
    return out


def transfer_table(own: tuple[F32, F32], scene: tuple[F32, F32], strength: float) -> U8:
    """Look-up table uint8 (256, 3) from per-channel (mean, standard deviation) of object and scene."""
    (mean, std), (to_mean, to_std) = own, scene
    tint = np.clip(to_mean / max(1.0, float(to_mean.mean())), 0.8, 1.25)  # grey-world estimate of the light
    gain = np.clip((to_std + 8) / (std + 8), 0.75, 1.25)
    shift = np.clip(float(to_mean.mean()) - mean.mean(), -40, 40) * np.float32(0.6)
    levels = np.arange(256, dtype=np.float32)[:, None]
    moved = ((levels - mean) * gain + mean + shift) * tint
    mixed = levels + np.float32(strength) * (moved - levels)
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), np.uint8)


def _moments(pixels: U8) -> tuple[F32, F32]:
    """Mean and standard deviation a channel, alpha-weighted, of about 32 x 32 pixels on a grid."""
    step_y, step_x = (max(1, n // 32) for n in pixels.shape[:2])
    flat = pixels[::step_y, ::step_x].reshape(-1, pixels.shape[2]).astype(np.float32)
    weight = flat[:, 3:] if flat.shape[1] == 4 else np.ones((len(flat), 1), np.float32)
    weight = weight / max(1.0, float(weight.sum()))
    mean = (flat[:, :3] * weight).sum(axis=0)
    return mean, np.sqrt(((flat[:, :3] - mean) ** 2 * weight).sum(axis=0))
