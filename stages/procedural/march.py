"""Sphere tracing (Hart 1996), from cones over tiles down to pixels, and what the field says about a hit point."""

from math import sqrt

from stages.procedural.field import alone, field
from stages.procedural.layout import (
    BLEND,
    BOUND,
    CAM_UP,
    EYE,
    FORWARD,
    GROUND_Y,
    KEY,
    RIGHT,
    UP,
    WINDOW,
    Array,
    Ints,
    inlined,
    kernel,
)


@inlined
def ray(camera: Array, px: float, py: float) -> tuple[float, float, float]:
    """Unit direction through window position (px, py), in cells from the window's top-left corner."""
    u, v = camera[WINDOW] + px * camera[WINDOW + 2], camera[WINDOW + 1] - py * camera[WINDOW + 2]
    x = camera[FORWARD] + u * camera[RIGHT] + v * camera[CAM_UP]
    y = camera[FORWARD + 1] + u * camera[RIGHT + 1] + v * camera[CAM_UP + 1]
    z = camera[FORWARD + 2] + u * camera[RIGHT + 2] + v * camera[CAM_UP + 2]
    n = 1.0 / sqrt(x * x + y * y + z * z)
    return x * n, y * n, z * n


@inlined
def _span(camera: Array, x: float, y: float, z: float, cone: float) -> tuple[float, float]:
    """Near and far depth at which a cone about direction (x, y, z) may be inside the bounding sphere."""
    ox, oy, oz = camera[BOUND] - camera[EYE], camera[BOUND + 1] - camera[EYE + 1], camera[BOUND + 2] - camera[EYE + 2]
    along = ox * x + oy * y + oz * z
    radius = camera[BOUND + 3] + 1.1 * along * cone
    inside = radius * radius - (ox * ox + oy * oy + oz * oz - along * along)
    if inside <= 0.0:
        return 1.0, 0.0
    return along - sqrt(inside), along + sqrt(inside)


@kernel
def _cull(camera: Array, x: float, y: float, z: float, cone: float, spheres: Array, ids: Ints) -> int:
    """Write the parts with a sphere (rows: centre, radius, part) that meets the cone into `ids`; their number."""
    count = 0
    for i in range(spheres.shape[0]):
        part = int(spheres[i, 4])
        if count > 0 and ids[count - 1] == part:
            continue
        ox, oy, oz = spheres[i, 0] - camera[EYE], spheres[i, 1] - camera[EYE + 1], spheres[i, 2] - camera[EYE + 2]
        along = ox * x + oy * y + oz * z
        radius = spheres[i, 3] + 1.1 * cone * (along + spheres[i, 3])
        if ox * ox + oy * oy + oz * oz - along * along <= radius * radius:
            ids[count] = part
            count += 1
    return count


@kernel
def cone_march(
    camera: Array,
    x: float,
    y: float,
    z: float,
    start: float,
    cone: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
) -> float:
    """Depth, from `start`, up to which the whole cone is surely empty; -1 where it never meets the object."""
    near, far = _span(camera, x, y, z, cone)
    t, steps = max(near, start), 0
    while t < far and steps < 96:
        d, _ = field(camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z, parts, grids, ids, count)
        if d < 1.15 * cone * t:
            return t
        t += max(d - 1.05 * cone * t, 0.05 * d)
        steps += 1
    return t if steps == 96 else -1.0


@kernel
def tiles(
    camera: Array,
    side: int,
    cell: float,
    parts: Array,
    grids: Array,
    spheres: Array,
    starts: Array,
    ids: Ints,
    counts: Ints,
) -> None:
    """Per tile of `cell` window cells: start depth (-1: empty) into starts (side, side), its parts into ids, counts."""
    cone = 0.7072 * cell * camera[WINDOW + 2]
    for i in range(side):
        for j in range(side):
            x, y, z = ray(camera, (j + 0.5) * cell, (i + 0.5) * cell)
            count = _cull(camera, x, y, z, cone, spheres, ids[i, j])
            counts[i, j] = count
            starts[i, j] = cone_march(camera, x, y, z, 0.0, cone, parts, grids, ids[i, j], count) if count > 0 else -1.0


@kernel
def hit(
    camera: Array,
    x: float,
    y: float,
    z: float,
    start: float,
    behind: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
) -> tuple[float, float, int]:
    """First depth from `start` within a small part of a pixel of the surface, the distance left and the part.

    Depth -1: none.

    Near the surface the step is that of the secant, as the field is almost linear there. Past depth `behind`, a ray
    two pixels clear of the object is taken for a miss.
    """
    pixel = camera[WINDOW + 2]
    _, far = _span(camera, x, y, z, pixel)
    t, best, last, step = start, -1, 1e9, 1.0
    for _ in range(90):
        d, best = field(camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z, parts, grids, ids, count)
        if d < 0.06 * pixel * t:
            return t, d, best
        stride = d
        if d < 4.0 * pixel * t and last - d > 0.25 * step:
            stride = d * step / (last - d)
        t, last, step = t + stride, d, stride
        if t > far or (t > behind and d > 2.0 * pixel * t):
            return -1.0, 0.0, -1
    return -1.0, 0.0, -1


@kernel
def graze(
    camera: Array,
    x: float,
    y: float,
    z: float,
    start: float,
    behind: float,
    parts: Array,
    grids: Array,
    ids: Ints,
    count: int,
) -> tuple[float, float, int]:
    """Depth of a ray's closest approach, the signed distance there (stops at -0.7 pixel) and the part."""
    pixel, t = camera[WINDOW + 2], start
    least, where, part = 1e9, start, -1
    for _ in range(64):
        d, k = field(camera[EYE] + t * x, camera[EYE + 1] + t * y, camera[EYE + 2] + t * z, parts, grids, ids, count)
        if d < least:
            least, where, part = d, t, k
        if d < -0.7 * pixel * t or (t > behind and d > 1.5 * pixel * t):
            break
        t += max(abs(d), pixel * t)
    return where, least, part


@kernel
def _blended(parts: Array, ids: Ints, count: int) -> bool:
    most = 0.0
    for i in range(count):
        most = max(most, parts[ids[i], BLEND])
    return most > 0.0


@kernel
def gradient(
    x: float, y: float, z: float, d: float, h: float, parts: Array, grids: Array, ids: Ints, count: int, part: int
) -> tuple[float, float, float, float]:
    """Unit outward normal by differences of step h from the known distance d, and the length of the gradient.

    `part` is whose surface is there: the only one to ask where no two blend.
    """
    blended, nx, ny, nz = _blended(parts, ids, count), 0.0, 0.0, 0.0
    for i in range(3):
        ex, ey, ez = x + (h if i == 0 else 0.0), y + (h if i == 1 else 0.0), z + (h if i == 2 else 0.0)
        if blended:
            e, _ = field(ex, ey, ez, parts, grids, ids, count)
        else:
            e = alone(ex, ey, ez, parts, grids, part)
        nx, ny, nz = (e - d if i == 0 else nx), (e - d if i == 1 else ny), (e - d if i == 2 else nz)
    length = sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
    return nx / length, ny / length, nz / length, length / h


@kernel
def occlusion(
    x: float,
    y: float,
    z: float,
    nx: float,
    ny: float,
    nz: float,
    light: Array,
    reach: float,
    parts: Array,
    grids: Array,
    ids: Ints,
) -> float:
    """Share of the sky a surface point sees, from the field along its normal (Evans 2006), the ground included."""
    total, weight, count = 0.0, 1.0, ids.shape[0]
    for i in range(1, 4):
        h = reach * i * i / 9.0
        px, py, pz = x + nx * h, y + ny * h, z + nz * h
        d, _ = field(px, py, pz, parts, grids, ids, count)
        d = min(d, px * light[UP] + py * light[UP + 1] + pz * light[UP + 2] - light[GROUND_Y])
        total += weight * max(h - d, 0.0) / h
        weight *= 0.8
    return max(1.0 - 0.5 * total, 0.0)


@kernel
def lit(x: float, y: float, z: float, light: Array, camera: Array, parts: Array, grids: Array, ids: Ints) -> float:
    """Share of the key light that reaches a point: soft shadow with a penumbra of about 6 degrees."""
    radius, seen, count = camera[BOUND + 3], 1.0, ids.shape[0]
    t = 0.015 * radius
    for _ in range(18):
        px, py, pz = x + light[KEY] * t, y + light[KEY + 1] * t, z + light[KEY + 2] * t
        d, _ = field(px, py, pz, parts, grids, ids, count)
        seen = min(seen, 10.0 * d / t)
        ex, ey, ez = px - camera[BOUND], py - camera[BOUND + 1], pz - camera[BOUND + 2]
        if seen < 0.005 or ex * ex + ey * ey + ez * ez > radius * radius:
            break
        t += min(max(d, 0.045 * radius), 0.3 * radius)
    seen = max(seen, 0.0)
    return seen * seen * (3.0 - 2.0 * seen)
