"""Objects onto the canvas: scale, mirror, rotate, trim, place, clip."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.alpha import premultiply_pm, unpremultiply
from stages.types import U8, Patch, Plate

F64 = NDArray[np.float64]


def object_matrix(width: int, height: int, scale: float, rotation: float, flip: bool) -> F64:
    """The 2x3 matrix from asset pixels to an upright box at the origin that holds the whole turned asset.

    `rotation` is in degrees, counter-clockwise as seen (y down); `flip` mirrors left-right first.
    """
    angle = math.radians(rotation)
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    m = np.array([[c, s, 0.0], [-s, c, 0.0]])
    if flip:
        m = m @ np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    corners = m @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], dtype=np.float64)
    m[:, 2] -= corners.min(axis=1)
    return m


def box_size(width: int, height: int, scale: float, rotation: float) -> tuple[float, float]:
    """(width, height) in canvas pixels of the upright box around the scaled and turned asset."""
    angle = math.radians(rotation)
    c, s = abs(math.cos(angle)), abs(math.sin(angle))
    return scale * (width * c + height * s), scale * (width * s + height * c)


def warp_object(rgba: U8, scale: float, rotation: float, flip: bool) -> tuple[U8, F64]:
    """Resample a cut-out and trim it to its alpha.

    Colour is filtered premultiplied, in float, so that no colour of transparent pixels leaks into edges.
    A strong shrink first averages areas (INTER_AREA): a bilinear warp alone would alias.

    Returns:
        uint8 (h, w, 4) straight, RGB 0 where alpha 0, at least 1x1; and the 2x3 matrix from asset pixels to
        pixels of that array.
    """
    matrix = object_matrix(rgba.shape[1], rgba.shape[0], scale, rotation, flip)
    pm = premultiply_pm(rgba)
    pre = np.eye(3)
    if scale < 0.75 or (rotation == 0.0 and scale < 1.0):
        w, h = (max(1, round(n * scale)) for n in (rgba.shape[1], rgba.shape[0]))
        pm = np.asarray(cv2.resize(pm, (w, h), interpolation=cv2.INTER_AREA), np.float32)
        pre = np.diag([rgba.shape[1] / w, rgba.shape[0] / h, 1.0])
    out_w, out_h = (math.ceil(n) + 2 for n in box_size(rgba.shape[1], rgba.shape[0], scale, rotation))
    matrix[:, 2] += 1.0  # a border of one pixel keeps the edge's anti-aliasing
    warped = cv2.warpAffine(pm, pixel_centred(matrix @ pre), (out_w, out_h), flags=cv2.INTER_LINEAR)
    straight = unpremultiply(np.asarray(warped, np.float32))
    x, y, w, h = alpha_box(straight)
    matrix[:, 2] -= (x, y)
    return np.ascontiguousarray(straight[y : y + h, x : x + w]), matrix


def pixel_centred(matrix: F64) -> F64:
    """The 2x3 matrix that OpenCV needs for ours: it has integer coordinates at pixel centres, not corners."""
    out = matrix.copy()
    out[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return out


def alpha_box(rgba: U8) -> tuple[int, int, int, int]:
    """(x, y, w, h) of the pixels with alpha > 0; (0, 0, 1, 1) if there is none."""
    x, y, w, h = cv2.boundingRect(rgba[..., 3])
    return (x, y, w, h) if w else (0, 0, 1, 1)


def anchor_patch(rgba: U8, anchor_x: float, anchor_y: float, x: float, y: float) -> Patch:
    """Put the point (anchor_x, anchor_y) of the box, in shares of it, on canvas point (x, y), to whole pixels."""
    left = x - anchor_x * rgba.shape[1]
    top = y - anchor_y * rgba.shape[0]
    return Patch(rgba, int(np.rint(left)), int(np.rint(top)))


def on_canvas(patch: Patch, size: int) -> U8:
    """The patch alone on a transparent canvas: uint8 (size, size, 4)."""
    out = np.zeros((size, size, 4), np.uint8)
    x0, y0 = max(0, patch.x), max(0, patch.y)
    x1, y1 = min(size, patch.x + patch.rgba.shape[1]), min(size, patch.y + patch.rgba.shape[0])
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = patch.rgba[y0 - patch.y : y1 - patch.y, x0 - patch.x : x1 - patch.x]
    return out


def crop_plate(photo: U8, plate: Plate, size: int) -> U8:
    """Cut the plate's square out of `photo` (h, w, 3) and resample it to (size, size, 3)."""
    x, y, side = (int(np.rint(v)) for v in (plate.x, plate.y, plate.side))
    crop = photo[y : y + side, x : x + side]
    assert crop.shape[:2] == (side, side), f"plate {plate} leaves its photograph {photo.shape}"
    method = cv2.INTER_AREA if side >= size else cv2.INTER_CUBIC
    out = cv2.resize(crop, (size, size), interpolation=method)
    return np.ascontiguousarray(out[:, ::-1] if plate.flip else out)
