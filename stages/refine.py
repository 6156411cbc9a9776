"""Refine: the soft or unsure edge of a matte, solved anew from the picture's colours.

Closed-form matting (Levin, Lischinski & Weiss, "A closed-form solution to natural image matting", TPAMI 2008),
held to the matte that is there as the paper holds to scribbles: x minimises x'Lx + hold * |x - matte|^2 over the
unknown pixels, L being the matting Laplacian (eq. 12). Without that hold single pictures come out better, but a matte
that is wrong in whole regions is made much worse (a net before plants: SAD 79 to 107 thousand pixels).
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from stages.types import F32, U8, Mask

F64 = NDArray[np.float64]
Index = NDArray[np.intp]

_CLEAR, _OPAQUE = 0.05, 0.95  # alpha strictly between these is soft
# Lowest mean error among bands of 1, 2, 4 and 5 px and holds of 1e-6 to 0.3; see benchmarks/matting.py.
_MATTE_PX = 1.0
_MASK_SHARE, _MASK_PX = 0.01, 1.5  # of the square root of the object's area; at least so many px
_HOLD = 1e-3
_EPSILON = 1e-7  # regularises the colour covariance of a window; colours in [0, 1]
_TOLERANCE, _STEPS = 1e-4, 1000
_PIXELS = 100_000  # windows at a time: bounds the memory of their 9 x 9 matrices


def trimap(alpha: F32, width: float) -> U8:
    """Trimap of a matte (h, w) in [0, 1]: uint8, 0 background, 255 foreground, 128 unknown.

    Unknown are soft pixels (0.05 < alpha < 0.95), those on either side of the 0.5 contour, and all within
    `width` pixels of them. The picture's frame is no contour.
    """
    solid = (alpha >= 0.5).astype(np.uint8)
    contour = cv2.morphologyEx(solid, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    core = (contour > 0) | ((alpha > _CLEAR) & (alpha < _OPAQUE))
    out = solid * np.uint8(255)
    if core.any():
        distance = np.asarray(cv2.distanceTransform((~core).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))
        out[distance <= width] = 128
    return out


def refine(rgb: U8, alpha: F32) -> F32:
    """Solve the soft pixels of a matte anew: uint8 (h, w, 3) sRGB and (h, w) in [0, 1] -> (h, w) in [0, 1].

    Sure pixels become exactly 0 or 1.
    """
    return _solve(rgb, alpha, trimap(alpha, _MATTE_PX))


def refine_mask(rgb: U8, mask: Mask) -> F32:
    """A matte from a rough mask (h, w), as annotators draw them: the edge is free within a band around it.

    The band reaches 1 % of the square root of the object's area to either side, at least 1.5 px.
    """
    reach = max(_MASK_PX, _MASK_SHARE * float(np.sqrt(np.count_nonzero(mask))))
    alpha = mask.astype(np.float32)
    return _solve(rgb, alpha, trimap(alpha, reach))


def _solve(rgb: U8, alpha: F32, known: U8) -> F32:
    if rgb.shape != (*alpha.shape, 3):
        raise ValueError(f"rgb {rgb.shape} and alpha {alpha.shape} are not one picture")
    start = np.where(known == 128, alpha, known > 128).astype(np.float64)
    if min(alpha.shape) < 3 or not (known == 128).any():  # no 3 x 3 window fits
        return start.astype(np.float32)
    unknown = np.flatnonzero(known == 128)
    values, columns = _laplacian_rows(rgb / 255.0, known == 128, unknown)
    start.flat[unknown] = np.clip(_minimum(values, columns, start.ravel(), unknown), 0, 1)
    return start.astype(np.float32)


def _minimum(values: F64, columns: Index, x0: F64, unknown: Index) -> F64:
    """The unknown part of x: (L_uu + hold) x_u = hold x0_u - L_uk x0_k."""
    place = np.full(x0.size, -1, np.intp)
    place[unknown] = np.arange(unknown.size)
    inside = place[columns] >= 0
    right = _HOLD * x0[unknown] - np.where(inside, 0.0, values * x0[columns]).sum(axis=1)
    ends = np.concatenate([[0], np.cumsum(inside.sum(axis=1))])
    matrix = csr_array((values[inside], place[columns[inside]], ends), (unknown.size, unknown.size))
    return _conjugate_gradients(matrix, right, x0[unknown])


def _conjugate_gradients(laplacian: csr_array, right: F64, x: F64) -> F64:
    """Jacobi-preconditioned CG for (L + hold I) x = right; sums are numpy's own, so threads change nothing."""
    inverse = 1.0 / (laplacian.diagonal() + _HOLD)
    residual = right - laplacian @ x - _HOLD * x
    enough = _TOLERANCE * float(np.sqrt((right * right).sum()))
    step = inverse * residual
    energy = float((residual * step).sum())
    for _ in range(_STEPS):
        if float(np.sqrt((residual * residual).sum())) <= enough:
            break
        image = laplacian @ step + _HOLD * step
        length = energy / float((step * image).sum())
        x = x + length * step
        residual = residual - length * image
        scaled = inverse * residual
        before, energy = energy, float((residual * scaled).sum())
        step = scaled + energy / before * step
    return x


def _laplacian_rows(colours: F64, free: Mask, unknown: Index) -> tuple[F64, Index]:
    """Rows of the matting Laplacian for the unknown pixels: (n, 25) values and their flat (n, 25) columns.

    Windows are 3 x 3 and lie inside the picture. A column is the pixel at offset (-2..2, -2..2); where that is
    outside, its value is 0 and the column some other pixel's.
    """
    width = free.shape[1]
    reach = cv2.dilate(free.view(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    centres = np.flatnonzero(np.pad(reach, 1))
    row_of = np.full(free.size, unknown.size, np.intp)  # rows of known pixels all fall into one that is dropped
    row_of[unknown] = np.arange(unknown.size)
    values = np.zeros((unknown.size + 1, 25))
    for part in range(0, centres.size, _PIXELS):
        _add_windows(values, row_of, centres[part : part + _PIXELS], colours)
    dy, dx = np.divmod(np.arange(25), 5) - np.array([2])
    return values[:-1], np.clip(unknown[:, None] + dy * width + dx, 0, free.size - 1)


def _add_windows(values: F64, row_of: Index, centres: Index, colours: F64) -> None:
    y, x = np.divmod(np.arange(9), 3) - np.array([1])
    pixels = centres[:, None] + y * colours.shape[1] + x
    c = colours.reshape(-1, 3)[pixels]
    c = c - c.mean(axis=1, keepdims=True)
    covariance = (c.swapaxes(1, 2) @ c + _EPSILON * np.eye(3)) / 9
    affinity = (1 + c @ np.linalg.inv(covariance) @ c.swapaxes(1, 2)) / 9
    for a in range(9):
        for b in range(9):
            offset = 5 * (y[b] - y[a] + 2) + x[b] - x[a] + 2
            values[row_of[pixels[:, a]], offset] += (a == b) - affinity[:, a, b]
