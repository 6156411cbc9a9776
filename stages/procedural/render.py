"""The last pass: colour and coverage; four rays on inner edges, the distance to the object on the outline."""

from math import sqrt

import numpy as np

from stages.procedural.field import fold, to_local
from stages.procedural.layout import (
    EYE,
    LOCAL,
    MAT,
    WINDOW,
    Y_HIGH,
    Y_LOW,
    Array,
    Bytes,
    Ints,
    inlined,
    kernel,
)
from stages.procedural.march import gradient, graze, hit, ray
from stages.procedural.shade import dot3, encode, shade
from stages.procedural.visibility import gather

# sub-pixel places of the four rays of an inner edge: no two share a row or a column
_ROOKS = np.array([(0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875)])


@kernel
def _colour(
    camera: Array,
    light: Array,
    parts: Array,
    materials: Array,
    seen: Array,
    px: float,
    py: float,
    t: float,
    k: int,
    work: Array,
) -> None:
    """Linear RGB at a hit into work[3, :3]; work[2, :3] holds the normal (work is (4, 9))."""
    x, y, z = ray(camera, px, py)
    p, tex, n, v = work[0], work[1], work[2], work[0, 3:6]
    v[0], v[1], v[2] = -x, -y, -z
    p[0], p[1], p[2] = camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z
    q = materials[int(parts[k, MAT])]
    tex[0], tex[1], tex[2] = p[0], p[1], p[2]
    if q[LOCAL] > 0.0:
        fx, fy, fz = fold(p[0], p[1], p[2], parts, k)
        tex[0], tex[1], tex[2] = to_local(fx, fy, fz, parts, k)
    pixel = camera[WINDOW + 2] * t
    slant = pixel / sqrt(max(dot3(v, 0, n[0], n[1], n[2]), 0.15))
    ao, sun = gather(seen, px, py, t, 6.0 * pixel)
    height = (p[1] - light[Y_LOW]) / (light[Y_HIGH] - light[Y_LOW])
    shade(p, tex, n, v, height, slant, ao, sun, q, light, work[3])


@kernel
def _edge_kind(
    depth: Array, part: Ints, normals: Array, parts: Array, i: int, j: int, pixel: float, near: Array
) -> int:
    """What pixel (i, j) is: 0 outside, 1 within a surface, 2 an inner edge, 3 on the outline.

    Writes the nearest and farthest depth of the 3 x 3 neighbourhood into near[4:6].
    """
    t, k, empty, rough = depth[i, j], part[i, j], 0, False
    near[4], near[5] = 1e9, -1.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            r, c = min(max(i + di, 0), depth.shape[0] - 1), min(max(j + dj, 0), depth.shape[1] - 1)
            s, m = depth[r, c], part[r, c]
            if s < 0.0:
                empty += 1
                continue
            near[4], near[5] = min(near[4], s), max(near[5], s)
            if t > 0.0 and m != k and (parts[m, MAT] != parts[k, MAT] or abs(s - t) > 12.0 * pixel * t):
                rough = True
            if t > 0.0 and (abs(s - t) > 25.0 * pixel * t or _turns(normals, i, j, r, c)):
                rough = True
    if empty == 9:
        return 0
    return 3 if empty > 0 else (2 if rough else 1)


@inlined
def _turns(normals: Array, i: int, j: int, r: int, c: int) -> bool:
    cosine = normals[i, j, 0] * normals[r, c, 0] + normals[i, j, 1] * normals[r, c, 1]
    return bool(cosine + normals[i, j, 2] * normals[r, c, 2] < 0.5)


@kernel
def _inner_edge(
    camera: Array,
    light: Array,
    start: float,
    behind: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
    materials: Array,
    seen: Array,
    i: int,
    j: int,
    work: Array,
    total: Array,
) -> None:
    """Sum the colours of four rays through pixel (i, j) into total[:3], their number into total[3]."""
    pixel = camera[WINDOW + 2]
    total[:4] = 0.0
    for s in range(4):
        px, py = j + _ROOKS[s, 0], i + _ROOKS[s, 1]
        x, y, z = ray(camera, px, py)
        t, d, k = hit(camera, x, y, z, start, behind, parts, grids, ids, count)
        if t < 0.0:
            continue
        ex, ey, ez = camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z
        nx, ny, nz, _ = gradient(ex, ey, ez, d, 0.5 * pixel * t, parts, grids, ids, count, k)
        work[2, 0], work[2, 1], work[2, 2] = nx, ny, nz
        _colour(camera, light, parts, materials, seen, px, py, t, k, work)
        total[3] += 1.0
        for c in range(3):
            total[c] += min(work[3, c], 4.0)


@kernel
def _silhouette(
    camera: Array,
    start: float,
    behind: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
    i: int,
    j: int,
    depth: Array,
) -> float:
    """Coverage of a pixel on the outline: half, less the ray's signed distance from the object in pixels."""
    x, y, z = ray(camera, j + 0.5, i + 0.5)
    t, d, k = graze(camera, x, y, z, max(start, depth[i, j]), behind, parts, grids, ids, count)
    pixel = camera[WINDOW + 2] * t
    if d < -0.7 * pixel:
        return 1.0
    if k < 0 or d > 0.6 * pixel:
        return 0.0
    ex, ey, ez = camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z
    _, _, _, steep = gradient(ex, ey, ez, d, 0.5 * pixel, parts, grids, ids, count, k)
    return float(min(max(0.5 - d / (pixel * max(steep, 0.3)), 0.0), 1.0))


@kernel
def _edge_pixel(
    camera: Array,
    light: Array,
    start: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
    materials: Array,
    seen: Array,
    i: int,
    j: int,
    kind: int,
    depth: Array,
    part: Ints,
    normals: Array,
    work: Array,
    total: Array,
) -> float:
    """Coverage of an edge pixel; sums the colours of an inner edge's rays into total."""
    pixel = camera[WINDOW + 2]
    _edge_kind(depth, part, normals, parts, i, j, pixel, total)
    start = max(start, total[4] * (1.0 - 6.0 * pixel))
    behind = total[5] * (1.0 + 6.0 * pixel)
    if kind == 2:
        _inner_edge(camera, light, start, behind, parts, grids, ids, count, materials, seen, i, j, work, total)
        return 1.0
    return _silhouette(camera, start, behind, parts, grids, ids, count, i, j, depth)


@inlined
def _store(rgba: Bytes, i: int, j: int, total: Array, cover: float, coloured: bool) -> None:
    rgba[i, j, 3] = int(np.rint(255.0 * cover))
    if coloured and rgba[i, j, 3] > 0:
        for c in range(3):
            rgba[i, j, c] = encode(total[c] / total[3])


@kernel
def _bleed(depth: Array, rgba: Bytes) -> None:
    """Give covered pixels whose centre missed the mean colour of their neighbours that were hit."""
    side = depth.shape[0]
    for i in range(side):
        for j in range(side):
            if depth[i, j] > 0.0 or rgba[i, j, 3] == 0:
                continue
            a, b, c, n = 0.0, 0.0, 0.0, 0.0
            for r in range(max(i - 1, 0), min(i + 2, side)):
                for k in range(max(j - 1, 0), min(j + 2, side)):
                    if depth[r, k] > 0.0:
                        w = 2.0 if r == i or k == j else 1.0
                        a, b, c = a + w * rgba[r, k, 0], b + w * rgba[r, k, 1], c + w * rgba[r, k, 2]
                        n += w
            rgba[i, j, 0], rgba[i, j, 1] = int(np.rint(a / n)), int(np.rint(b / n))
            rgba[i, j, 2] = int(np.rint(c / n))


@kernel
def paint(
    camera: Array,
    light: Array,
    tile: int,
    starts: Array,
    tile_ids: Ints,
    counts: Ints,
    parts: Array,
    grids: Array,
    materials: Array,
    depth: Array,
    part: Ints,
    normals: Array,
    seen: Array,
    work: Array,
    total: Array,
    kinds: Bytes,
    rgba: Bytes,
) -> None:
    """Colour and coverage of every pixel into rgba (side, side, 4) uint8: straight sRGB, RGB 0 where alpha 0.

    rgba and kinds (side, side) start as zeros; work (4, 9) and total (6,) are scratch: kernels allocate nothing.
    """
    side, pixel = rgba.shape[0], camera[WINDOW + 2]
    for i in range(side):
        for j in range(side):
            if starts[i // tile, j // tile] >= 0.0:
                kinds[i, j] = _edge_kind(depth, part, normals, parts, i, j, pixel, total)
    for i in range(side):
        for j in range(side):
            a, b = i // tile, j // tile
            if kinds[i, j] == 0:
                continue
            ids, count, cover = tile_ids[a, b], counts[a, b], 1.0
            if kinds[i, j] > 1:
                cover = _edge_pixel(
                    *(camera, light, starts[a, b], parts, grids, ids, count, materials, seen),
                    *(i, j, kinds[i, j], depth, part, normals, work, total),
                )
            if depth[i, j] > 0.0 and (kinds[i, j] != 2 or total[3] == 0.0):
                work[2, 0], work[2, 1], work[2, 2] = normals[i, j, 0], normals[i, j, 1], normals[i, j, 2]
                _colour(camera, light, parts, materials, seen, j + 0.5, i + 0.5, depth[i, j], part[i, j], work)
                total[0], total[1], total[2], total[3] = work[3, 0], work[3, 1], work[3, 2], 1.0
            _store(rgba, i, j, total, cover, depth[i, j] > 0.0)
    _bleed(depth, rgba)
