"""The first pass: what each pixel's centre sees."""

from stages.procedural.field import field
from stages.procedural.layout import EYE, WINDOW, Array, Ints, inlined, kernel
from stages.procedural.march import gradient, hit, ray


@kernel
def _trace(
    camera: Array,
    i: int,
    j: int,
    start: float,
    guess: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
    depth: Array,
    part: Ints,
    normals: Array,
) -> None:
    """Trace pixel (i, j); a `guess` of its depth (-1: none) is taken if the surface is within a pixel of it."""
    x, y, z = ray(camera, j + 0.5, i + 0.5)
    pixel, t, k = camera[WINDOW + 2], -1.0, -1
    if guess > 0.0:
        ex, ey, ez = camera[EYE] + guess * x, camera[EYE + 1] + guess * y, camera[EYE + 2] + guess * z
        d, k = field(ex, ey, ez, parts, grids, ids, count)
        if abs(d) < 0.5 * pixel * guess:
            t = guess + d
    if t < 0.0:
        t, k = hit(camera, x, y, z, start, 1e9, parts, grids, ids, count)
    if t < 0.0:
        return
    depth[i, j], part[i, j] = t, k
    h = 0.7 * pixel * t
    nx, ny, nz, _ = gradient(
        camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z, h, parts, grids, ids, count, k
    )
    normals[i, j, 0], normals[i, j, 1], normals[i, j, 2] = nx, ny, nz


@inlined
def _plane_depth(camera: Array, i: int, j: int, depth: Array, normals: Array, r: int, c: int) -> float:
    """Depth at pixel (r, c) of the plane that touches the surface at pixel (i, j); -1 where that was missed."""
    if depth[i, j] < 0.0:
        return -1.0
    ax, ay, az = ray(camera, j + 0.5, i + 0.5)
    bx, by, bz = ray(camera, c + 0.5, r + 0.5)
    nx, ny, nz = normals[i, j, 0], normals[i, j, 1], normals[i, j, 2]
    down = bx * nx + by * ny + bz * nz
    return depth[i, j] * (ax * nx + ay * ny + az * nz) / down if down < -0.15 else -1.0


@kernel
def trace_pixels(
    camera: Array,
    side: int,
    tile: int,
    starts: Array,
    tile_ids: Ints,
    counts: Ints,
    parts: Array,
    grids: Array,
    depth: Array,
    part: Ints,
    normals: Array,
) -> None:
    """First hit through each pixel's centre: depth (side, side), -1 for none, part index, and unit normals (.., 3).

    depth and part start as -1. Of each 2 x 2 block the first pixel is marched, the others tried on its tangent plane.
    """
    for i in range(0, side, 2):
        for j in range(0, side, 2):
            a, b = i // tile, j // tile
            if starts[a, b] < 0.0:
                continue
            ids, count = tile_ids[a, b], counts[a, b]
            for r in range(i, min(i + 2, side)):
                for c in range(j, min(j + 2, side)):
                    guess = _plane_depth(camera, i, j, depth, normals, r, c) if r > i or c > j else -1.0
                    _trace(camera, r, c, starts[a, b], guess, parts, grids, ids, count, depth, part, normals)
