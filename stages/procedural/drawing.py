"""2-D outlines as distance grids, for lathes and slabs."""

from math import hypot

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.layout import Array
from stages.procedural.program import HERE, Part, Point

Points = list[tuple[float, float]]


def _tangent(before: Array, here: Array, after: Array) -> Array:
    """Slope at a point of a curve that never overshoots (Fritsch and Carlson 1980, per coordinate)."""
    d0, d1 = here - before, after - here
    most = 3.0 * np.minimum(np.abs(d0), np.abs(d1))
    out: Array = np.where(d0 * d1 > 0.0, np.clip((d0 + d1) / 2, -most, most), 0.0)
    return out


def smooth(points: Points, steps: int = 20) -> Points:
    """A curve through the points, `steps` pieces between two; a point given twice stays a corner."""
    p = np.array([points[0], *points, points[-1]], np.float64)
    t = np.arange(steps)[:, None] / steps
    out = []
    for i in range(1, len(p) - 2):
        if np.array_equal(p[i], p[i + 1]):
            continue
        m0, m1 = _tangent(p[i - 1], p[i], p[i + 1]), _tangent(p[i], p[i + 1], p[i + 2])
        a, b = (1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2
        out.append(a * p[i] + b * m0 + t * t * (3 - 2 * t) * p[i + 1] + t * t * (t - 1) * m1)
    curve = np.concatenate([*out, p[-1:]])
    return [(max(float(u), 0.0), float(v)) for u, v in curve]


@lay.kernel
def _distances(loop: Array, closed: bool, u0: float, v0: float, du: float, dv: float, fold: bool, grid: Array) -> None:
    """Signed distance to a polygon at every grid node; where not closed, the last edge bounds but is no surface."""
    n = loop.shape[0]
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            u, v = u0 + j * du, v0 + i * dv
            u = abs(u) if fold else u
            best, inside = 1e18, False
            for k in range(n):
                a, b, c, d = loop[k, 0], loop[k, 1], loop[(k + 1) % n, 0], loop[(k + 1) % n, 1]
                if (b > v) != (d > v) and u < a + (c - a) * (v - b) / (d - b):
                    inside = not inside
                if k == n - 1 and not closed:
                    continue
                ex, ey = c - a, d - b
                t = min(max(((u - a) * ex + (v - b) * ey) / (ex * ex + ey * ey + 1e-18), 0.0), 1.0)
                best = min(best, (u - a - t * ex) ** 2 + (v - b - t * ey) ** 2)
            grid[i, j] = -np.sqrt(best) if inside else np.sqrt(best)


def _drawn(loop: Points, revolved: bool) -> tuple[tuple[float, ...], Array]:
    """Grid geometry (u0, v0, 1/du, 1/dv, margin) and the distances  round an outline."""
    p = np.array(loop, np.float64)
    margin = 0.04 * max(float(np.ptp(p[:, 1])), float(p[:, 0].max()))
    low = np.array([0.0 if revolved else p[:, 0].min() - margin, p[:, 1].min() - margin])
    high = p.max(0) + margin
    step = (high - low) / (lay.GRID_SIDE - 5)
    u0, v0 = low - 2 * step
    grid = np.zeros((lay.GRID_SIDE, lay.GRID_SIDE))
    _distances(p, not revolved, u0, v0, step[0], step[1], revolved, grid)
    for _ in range(2):  # the corners of the polygon must not show as facets in reflections
        grid[1:-1] = 0.25 * (grid[:-2] + grid[2:]) + 0.5 * grid[1:-1]
        grid[:, 1:-1] = 0.25 * (grid[:, :-2] + grid[:, 2:]) + 0.5 * grid[:, 1:-1]
    return (float(u0), float(v0), float(1 / step[0]), float(1 / step[1]), margin), grid


def lathe(
    outline: Points,
    at: Point = HERE,
    turn: Point = HERE,
    mat: int = 0,
    op: int = lay.UNION,
    relief: tuple[float, float, int] = (0.0, 0.0, 0),
) -> Part:
    """Solid of revolution about y. The outline runs from the axis at the foot, outside, to the axis again."""
    geometry, grid = _drawn(outline, revolved=True)
    v = [b for _, b in outline]
    size = (*geometry, 0.0, 0.0, max(a for a, _ in outline), min(v), max(v))
    return Part(lay.LATHE, size, at, turn, mat, op, relief=relief, drawing=grid)


def slab(
    outline: Points, half: float, rim: float, at: Point = HERE, turn: Point = HERE, mat: int = 0, ring: int = 0
) -> Part:
    """A closed outline in x and y, extruded along z by +-half, edges rounded by `rim`."""
    geometry, grid = _drawn(outline, revolved=False)
    reach = max(hypot(a, b) for a, b in outline)
    return Part(lay.SLAB, (*geometry, half, rim, reach, 0.0, 0.0), at, turn, mat, ring=ring, drawing=grid)


def inside(outer: Points, wall: float, floor: float) -> Points:
    """The inner side of a wall of even thickness, from the floor up: thicker across where the outside is flatter."""
    p = np.array(outer, np.float64)
    du, dv = np.gradient(p[:, 0]), np.gradient(p[:, 1])
    across = wall / np.maximum(np.abs(dv) / np.maximum(np.hypot(du, dv), 1e-9), 0.25)
    kept = p[:, 1] > floor
    return [(max(float(u), 0.0), float(v)) for u, v in zip(p[kept, 0] - across[kept], p[kept, 1], strict=True)]


def vessel(outer: Points, wall: float, floor: float) -> Points:
    """The outline of a hollow vessel from its outside (foot to lip): over the lip and down the inside."""
    inner = inside(outer, wall, floor)[::-1]
    lip = (outer[-1][0] - wall / 2, outer[-1][1] + wall / 2)
    return [(0.0, outer[0][1]), *outer, lip, *inner, (inner[-1][0] * 0.8, floor), (0.0, floor)]
