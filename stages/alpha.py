"""Compositing with exact rounding (Porter & Duff, "Compositing Digital Images", SIGGRAPH 1984).

All colour is straight and sRGB-encoded, uint8, as PNG viewers composite it. Every result is the exact
rational value rounded to nearest. Over opaque pictures the denominators (255, 255^3) are odd, so no tie
exists; the colour of a union of two soft layers has an even one at times, and its ties go up.
"""

import numpy as np
from numba import njit, types

from stages.types import F32, U8, Patch

_CUBE = 255 * 255 * 255
_WRITE = types.Array(types.uint8, 3, "C")
_READ = types.Array(types.uint8, 3, "C", readonly=True)  # cached assets may not be written to
_READ_2D = types.Array(types.uint8, 2, "C", readonly=True)


@njit(types.void(_WRITE, _READ, types.int64, types.int64), cache=True, nogil=True)
def _over_rgb(canvas: U8, patch: U8, x0: int, y0: int) -> None:
    for y in range(max(0, -y0), min(patch.shape[0], canvas.shape[0] - y0)):
        for x in range(max(0, -x0), min(patch.shape[1], canvas.shape[1] - x0)):
            a = np.uint32(patch[y, x, 3])
            if a == 0:
                continue
            for c in range(3):
                below = np.uint32(canvas[y + y0, x + x0, c])
                canvas[y + y0, x + x0, c] = (a * patch[y, x, c] + (255 - a) * below + 127) // 255


@njit(types.void(_WRITE, _READ, types.int64, types.int64), cache=True, nogil=True)
def _over_rgba(canvas: U8, patch: U8, x0: int, y0: int) -> None:
    for y in range(max(0, -y0), min(patch.shape[0], canvas.shape[0] - y0)):
        for x in range(max(0, -x0), min(patch.shape[1], canvas.shape[1] - x0)):
            a = np.uint32(patch[y, x, 3])
            if a == 0:
                continue
            b = np.uint32(canvas[y + y0, x + x0, 3])
            total = 255 * a + (255 - a) * b  # alpha of the union, times 255
            for c in range(3):
                top = 255 * a * patch[y, x, c]
                below = (255 - a) * b * np.uint32(canvas[y + y0, x + x0, c])
                canvas[y + y0, x + x0, c] = (2 * (top + below) + total) // (2 * total)
            canvas[y + y0, x + x0, 3] = (total + 127) // 255


@njit(types.void(_WRITE, _READ_2D), cache=True, nogil=True)
def _shade(canvas: U8, density: U8) -> None:
    for y in range(canvas.shape[0]):
        for x in range(canvas.shape[1]):
            keep = 255 - np.uint32(density[y, x])
            if keep == 255:
                continue
            for c in range(3):
                canvas[y, x, c] = (keep * canvas[y, x, c] + 127) // 255


@njit(types.void(_READ, _READ, _READ_2D, _READ, _WRITE), cache=True, nogil=True)
def _recompose(background: U8, foreground: U8, shadow: U8, occluder: U8, out: U8) -> None:
    # Over 255^3: (255 - fa) * [255 bg (255 - sh) + sh oa oc] + 255 fa * [oa oc + (255 - oa) fg].
    # At most 255^4 + 255^3 / 2 < 2^32, so uint32 holds it.
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            fa = np.uint32(foreground[y, x, 3])
            sh = np.uint32(shadow[y, x])
            if fa == 0 and sh == 0:
                for c in range(3):
                    out[y, x, c] = background[y, x, c]
                continue
            oa = np.uint32(occluder[y, x, 3])
            for c in range(3):
                bg = np.uint32(background[y, x, c])
                front = oa * occluder[y, x, c]
                behind = 255 * bg * (255 - sh) + sh * front
                target = front + (255 - oa) * foreground[y, x, c]
                total = (255 - fa) * behind + 255 * fa * target
                out[y, x, c] = (total + _CUBE // 2) // _CUBE


@njit(types.float32[:, :, ::1](_READ), cache=True, nogil=True)
def _premultiply(rgba: U8) -> F32:
    out = np.empty(rgba.shape, np.float32)
    for y in range(rgba.shape[0]):
        for x in range(rgba.shape[1]):
            a = np.float32(rgba[y, x, 3])
            share = a * np.float32(1 / 255)
            for c in range(3):
                out[y, x, c] = share * np.float32(rgba[y, x, c])
            out[y, x, 3] = a
    return out


@njit("u1[:,:,::1](f4[:,:,::1])", cache=True, nogil=True)
def _unpremultiply(pm: F32) -> U8:
    out = np.zeros(pm.shape, np.uint8)
    for y in range(pm.shape[0]):
        for x in range(pm.shape[1]):
            a = np.rint(pm[y, x, 3])
            if a < 1:
                continue
            gain = np.float32(255) / pm[y, x, 3]
            for c in range(3):
                out[y, x, c] = np.uint8(min(np.float32(255), max(np.float32(0), np.rint(pm[y, x, c] * gain))))
            out[y, x, 3] = np.uint8(min(np.float32(255), a))
    return out


def premultiply_pm(rgba: U8) -> F32:
    """Colour times alpha: uint8 (h, w, 4) straight to float32 (h, w, 4) in [0, 255], alpha in [0, 255]."""
    return np.asarray(_premultiply(np.ascontiguousarray(rgba)))


def unpremultiply(pm: F32) -> U8:
    """Back to uint8 straight, rounded to nearest; RGB is 0 where alpha rounds to 0."""
    return np.asarray(_unpremultiply(np.ascontiguousarray(pm)))


def over_rgb(canvas: U8, patch: Patch) -> None:
    """Put `patch` OVER the opaque `canvas` (h, w, 3), in place. Parts outside the canvas are ignored."""
    _over_rgb(canvas, np.ascontiguousarray(patch.rgba), patch.x, patch.y)


def over_rgba(canvas: U8, patch: Patch) -> None:
    """Put `patch` OVER the RGBA `canvas` (h, w, 4), in place; RGB stays 0 where alpha is 0."""
    _over_rgba(canvas, np.ascontiguousarray(patch.rgba), patch.x, patch.y)


def shade(canvas: U8, density: U8) -> None:
    """Black at opacity `density` (h, w) / 255 over the opaque `canvas` (h, w, 3), in place."""
    assert canvas.shape[:2] == density.shape, f"shade: {canvas.shape} by {density.shape}"
    _shade(canvas, np.ascontiguousarray(density))


def recompose(background: U8, foreground: U8, shadow: U8, occluder: U8) -> U8:
    """The composite that a sample's layers stand for, exactly as stored: uint8 (h, w, 3).

    With a = alpha / 255: bg_s = bg - sh (bg - a_oc oc) and
    composite = (1 - a_fg) bg_s + a_fg (a_oc oc + (1 - a_oc) fg), rounded to nearest.

    Args:
        background: uint8 (h, w, 3), the scene without target and its shadow.
        foreground: uint8 (h, w, 4), the whole target.
        shadow: uint8 (h, w), density of the target's shadow.
        occluder: uint8 (h, w, 4), what is in front of the target; already part of `background`.
    """
    bg, fg, sh, oc = (np.ascontiguousarray(layer) for layer in (background, foreground, shadow, occluder))
    shapes = [layer.shape for layer in (bg, fg, sh, oc)]
    assert len({shape[:2] for shape in shapes}) == 1, f"recompose: layers of different sizes {shapes}"
    out = np.empty_like(bg)
    _recompose(bg, fg, sh, oc, out)
    return out
