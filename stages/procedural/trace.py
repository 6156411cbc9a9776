"""The first pass: what each pixel's centre sees."""

from stages.procedural.field import field
from stages.procedural.layout import EYE, WINDOW, Array, Ints, inlined, kernel
from stages.procedural.march import cone_march, gradient, hit, ray


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
    pixel, t, d, k = camera[WINDOW + 2], -1.0, 0.0, -1
    if guess > 0.0:
        ex, ey, ez = camera[EYE] + guess * x, camera[EYE + 1] + guess * y, camera[EYE + 2] + guess * z
        d, k = field(ex, ey, ez, parts, grids, ids, count)
        if abs(d) < 0.5 * pixel * guess:
            t = guess
    if t < 0.0:
        t, d, k = hit(camera, x, y, z, start, 1e9, parts, grids, ids, count)
    if t < 0.0:
        return
    depth[i, j], part[i, j] = t + d, k
    ex, ey, ez = camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z
    nx, ny, nz, _ = gradient(ex, ey, ez, d, 0.7 * pixel * t, parts, grids, ids, count, k)
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

    depth and part start as -1. Of each 2 x 2 block the first pixel is marched, the others tried on its tangent
    plane, or left out where a cone round the block meets nothing.
    """
    for i in range(0, side, 2):
        for j in range(0, side, 2):
            a, b = i // tile, j // tile
            if starts[a, b] < 0.0:
                continue
            ids, count, start = tile_ids[a, b], counts[a, b], starts[a, b]
            _trace(camera, i, j, start, -1.0, parts, grids, ids, count, depth, part, normals)
            if depth[i, j] < 0.0:
                x, y, z = ray(camera, j + 1.0, i + 1.0)
                start = cone_march(camera, x, y, z, start, 1.4143 * camera[WINDOW + 2], parts, grids, ids, count)
                if start < 0.0:
                    continue
            for k in range(1, 4):
                r, c = i + k // 2, j + k % 2
                if r < side and c < side:
                    guess = _plane_depth(camera, i, j, depth, normals, r, c)
                    _trace(camera, r, c, start, guess, parts, grids, ids, count, depth, part, normals)
