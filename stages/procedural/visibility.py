"""The second pass: how much of the sky and of the key light each 2 x 2 block sees."""

import numpy as np

from stages.procedural.layout import BOUND, EYE, KEY, WINDOW, Array, Ints, kernel
from stages.procedural.march import lit, occlusion, ray
from stages.procedural.shade import dot3


@kernel
def visibility(
    camera: Array, light: Array, parts: Array, grids: Array, everyone: Ints, depth: Array, normals: Array, seen: Array
) -> None:
    """Ambient and key visibility once for each 2 x 2 block, into seen (side/2, side/2, 3); the third is its depth."""
    for i in range(seen.shape[0]):
        for j in range(seen.shape[1]):
            seen[i, j, 2] = -1.0
            for k in range(4):
                r, c = min(2 * i + k // 2, depth.shape[0] - 1), min(2 * j + k % 2, depth.shape[1] - 1)
                t = depth[r, c]
                if t < 0.0:
                    continue
                x, y, z = ray(camera, c + 0.5, r + 0.5)
                nx, ny, nz = normals[r, c, 0], normals[r, c, 1], normals[r, c, 2]
                lift = 1.5 * camera[WINDOW + 2] * t
                px, py, pz = (
                    camera[EYE] + t * x + lift * nx,
                    camera[EYE + 1] + t * y + lift * ny,
                    camera[EYE + 2] + t * z + lift * nz,
                )
                seen[i, j, 0] = occlusion(
                    px, py, pz, nx, ny, nz, light, 0.28 * camera[BOUND + 3], parts, grids, everyone
                )
                facing = dot3(light, KEY, nx, ny, nz)
                seen[i, j, 1] = lit(px, py, pz, light, camera, parts, grids, everyone) if facing > -0.12 else 0.0
                seen[i, j, 2] = t
                break


@kernel
def gather(seen: Array, px: float, py: float, t: float, scale: float) -> tuple[float, float]:
    """Visibility at window position (px, py), depth t: bilinear over the blocks of like depth."""
    u, v = 0.5 * px - 0.5, 0.5 * py - 0.5
    i, j = int(np.floor(v)), int(np.floor(u))
    a, b, total = 0.0, 0.0, 1e-9
    for k in range(4):
        r, c = i + k // 2, j + k % 2
        if r < 0 or c < 0 or r >= seen.shape[0] or c >= seen.shape[1] or seen[r, c, 2] < 0.0:
            continue
        gap = (seen[r, c, 2] - t) / scale
        w = (1.02 - abs(v - r)) * (1.02 - abs(u - c)) / (1.0 + gap * gap)
        a, b, total = a + w * seen[r, c, 0], b + w * seen[r, c, 1], total + w
    return (a / total, b / total) if total > 1e-6 else (0.7, 0.5)
