"""Signed distances (negative inside) of the part kinds, in the part's own frame.

Formulas of the exact ones follow Quilez, "Distance functions" (iquilezles.org/articles/distfunctions); the others
are bounds, made safe by the part's step scale.
"""

from math import atan2, cos, floor, pi, sin, sqrt

from stages.procedural.layout import GRID, GRID_SIDE, SIZE, Array, inlined


@inlined
def flat(x: float, y: float) -> float:
    """Length of (x, y): without the overflow care that makes `math.hypot` slow."""
    return sqrt(x * x + y * y)


@inlined
def ball(x: float, y: float, z: float, a: float, b: float, c: float) -> float:
    """Ellipsoid of semi-axes a, b, c (first-order distance; exact for a sphere)."""
    k0 = sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
    k1 = sqrt((x / (a * a)) ** 2 + (y / (b * b)) ** 2 + (z / (c * c)) ** 2)
    return k0 * (k0 - 1.0) / k1 if k1 > 1e-9 else -min(a, b, c)


@inlined
def box(x: float, y: float, z: float, a: float, b: float, c: float, r: float) -> float:
    """Box of half sizes a, b, c with edges rounded by r."""
    p, q, s = abs(x) - a + r, abs(y) - b + r, abs(z) - c + r
    out = sqrt(max(p, 0.0) ** 2 + max(q, 0.0) ** 2 + max(s, 0.0) ** 2)
    return out + min(max(p, q, s), 0.0) - r


@inlined
def cylinder(x: float, y: float, z: float, radius: float, half: float, r: float) -> float:
    """Cylinder about y of radius and half height, rims rounded by r."""
    p, q = flat(x, z) - radius + r, abs(y) - half + r
    return flat(max(p, 0.0), max(q, 0.0)) + min(max(p, q), 0.0) - r


@inlined
def cone(x: float, y: float, z: float, low: float, top: float, half: float, r: float) -> float:
    """Frustum about y: radius `low` at -half, `top` at +half, rounded by r."""
    low, top, half = max(low - r, 0.0), max(top - r, 0.0), half - r
    q = flat(x, z)
    side, rise = top - low, 2.0 * half
    ax, ay = q - min(q, low if y < 0 else top), abs(y) - half
    t = min(max(((top - q) * side + (half - y) * rise) / (side * side + rise * rise), 0.0), 1.0)
    bx, by = q - top + side * t, y - half + rise * t
    d = sqrt(min(ax * ax + ay * ay, bx * bx + by * by))
    return (-d if bx < 0 and ay < 0 else d) - r


@inlined
def torus(x: float, y: float, z: float, radius: float, r: float, s: float, c: float) -> float:
    """Torus about z, kept within an arc either side of +y whose sine and cosine are s and c, with round ends."""
    x = abs(x)
    k = x * s + y * c if c * x > s * y else flat(x, y)
    return sqrt(max(x * x + y * y + z * z + radius * radius - 2.0 * radius * k, 0.0)) - r


@inlined
def pill(x: float, y: float, z: float, low: float, top: float, half: float) -> float:
    """Round cone about y: balls of radius `low` at -half and `top` at +half, and their hull."""
    h = 2.0 * half
    b = (low - top) / h
    a = sqrt(max(1.0 - b * b, 0.0))
    q, y = flat(x, z), y + half
    k = -b * q + a * y
    if k < 0.0:
        return flat(q, y) - low
    if k > a * h:
        return flat(q, y - h) - top
    return q * a + y * b - low


@inlined
def drawn(u: float, v: float, grids: Array, parts: Array, k: int) -> float:
    """Part k's tabulated 2-D distance at (u, v), by quadratic B-spline (C1: no facets in reflections)."""
    iu, iv, n = parts[k, SIZE + 2], parts[k, SIZE + 3], int(parts[k, GRID])
    s, t = (u - parts[k, SIZE]) * iu, (v - parts[k, SIZE + 1]) * iv
    sc, tc = min(max(s, 1.0), GRID_SIDE - 2.0), min(max(t, 1.0), GRID_SIDE - 2.0)
    i, j = int(sc + 0.5), int(tc + 0.5)
    f, g = sc - i, tc - j
    a0, a1, a2 = 0.5 * (0.5 - f) ** 2, 0.75 - f * f, 0.5 * (0.5 + f) ** 2
    r0 = a0 * grids[n, j - 1, i - 1] + a1 * grids[n, j - 1, i] + a2 * grids[n, j - 1, i + 1]
    r1 = a0 * grids[n, j, i - 1] + a1 * grids[n, j, i] + a2 * grids[n, j, i + 1]
    r2 = a0 * grids[n, j + 1, i - 1] + a1 * grids[n, j + 1, i] + a2 * grids[n, j + 1, i + 1]
    d = 0.5 * (0.5 - g) ** 2 * r0 + (0.75 - g * g) * r1 + 0.5 * (0.5 + g) ** 2 * r2
    if s == sc and t == tc:
        return float(d)
    # outside the grid: the drawing is on the far side of the border, at a right angle or more
    return float(sqrt(d * d + ((s - sc) / iu) ** 2 + ((t - tc) / iv) ** 2))


@inlined
def slab(outline: float, z: float, half: float, r: float) -> float:
    """A 2-D distance extruded along z to half depth, edges rounded by r."""
    p, q = outline + r, abs(z) - half + r
    return flat(max(p, 0.0), max(q, 0.0)) + min(max(p, q), 0.0) - r


@inlined
def superquadric(x: float, y: float, z: float, parts: Array, j: int) -> float:
    """Radial distance to a superquadric (Barr 1981). Size: semi-axes, then exponents along y and around it."""
    a, b, c = parts[j, SIZE], parts[j, SIZE + 1], parts[j, SIZE + 2]
    e1, e2 = parts[j, SIZE + 3], parts[j, SIZE + 4]
    f = (abs(x / a) + 1e-9) ** (2.0 / e2) + (abs(z / c) + 1e-9) ** (2.0 / e2)
    f = f ** (e2 / e1) + (abs(y / b) + 1e-9) ** (2.0 / e1)
    return float(sqrt(x * x + y * y + z * z) * (1.0 - f ** (-0.5 * e1)))


@inlined
def coil(x: float, y: float, z: float, radius: float, pitch: float, r: float, half: float) -> float:
    """Helix about y rising `pitch` a turn, cut flat at +-half as ground springs are."""
    v = y - pitch * atan2(z, x) / (2.0 * pi)
    v -= pitch * floor(v / pitch + 0.5)
    slope = pitch / (2.0 * pi * radius)
    d = flat(flat(x, z) - radius, v / sqrt(1.0 + slope * slope)) - r
    return max(d, abs(y) - half)


@inlined
def bevel(a: float, b: float, k: float) -> float:
    """Smooth maximum with radius k."""
    h = max(k - abs(a - b), 0.0)
    return max(a, b) + h * h * 0.25 / k


@inlined
def ngon(x: float, y: float, z: float, parts: Array, j: int) -> float:
    """Gem of n sides about y. Size: n, radius, top y, bottom y, bevel, then the cosine and sine of the side's lean, the
    top's slope, the bottom's slope and a side's turn."""
    p, u, v, turn_c, turn_s = -1e9, x, z, parts[j, SIZE + 11], parts[j, SIZE + 12]
    for _ in range(int(parts[j, SIZE])):
        p = max(p, u)
        u, v = turn_c * u + turn_s * v, turn_c * v - turn_s * u
    k = parts[j, SIZE + 4]
    d = (p - parts[j, SIZE + 1]) * parts[j, SIZE + 5] + y * parts[j, SIZE + 6]
    d = bevel(d, p * parts[j, SIZE + 8] + (y - parts[j, SIZE + 2]) * parts[j, SIZE + 7], k)
    return bevel(d, p * parts[j, SIZE + 10] - (y - parts[j, SIZE + 3]) * parts[j, SIZE + 9], k)


@inlined
def tube(x: float, y: float, z: float, parts: Array, j: int) -> float:
    """Tapered tube along a quadratic Bezier. Size: points A, B, C (9), radii at A and C.

    The nearest parameter comes from the chord and three Newton steps: enough for curves that turn less than half round.
    """
    n = SIZE
    px, py, pz = parts[j, n] - x, parts[j, n + 1] - y, parts[j, n + 2] - z
    ax, ay, az = parts[j, n + 3] - parts[j, n], parts[j, n + 4] - parts[j, n + 1], parts[j, n + 5] - parts[j, n + 2]
    cx, cy, cz = parts[j, n + 6] - parts[j, n], parts[j, n + 7] - parts[j, n + 1], parts[j, n + 8] - parts[j, n + 2]
    bx, by, bz = cx - 2.0 * ax, cy - 2.0 * ay, cz - 2.0 * az
    t = min(max(-(px * cx + py * cy + pz * cz) / (cx * cx + cy * cy + cz * cz), 0.0), 1.0)
    ex, ey, ez = px, py, pz
    for _ in range(3):
        ex, ey, ez = px + (2 * ax + bx * t) * t, py + (2 * ay + by * t) * t, pz + (2 * az + bz * t) * t
        dx, dy, dz = 2 * (ax + bx * t), 2 * (ay + by * t), 2 * (az + bz * t)
        speed = dx * dx + dy * dy + dz * dz
        curve = speed + 2.0 * (ex * bx + ey * by + ez * bz)
        t = min(max(t - (ex * dx + ey * dy + ez * dz) / max(curve, 0.5 * speed, 1e-9), 0.0), 1.0)
    ex, ey, ez = px + (2 * ax + bx * t) * t, py + (2 * ay + by * t) * t, pz + (2 * az + bz * t) * t
    return float(sqrt(ex * ex + ey * ey + ez * ez) - parts[j, n + 9] - (parts[j, n + 10] - parts[j, n + 9]) * t)


@inlined
def knot(x: float, y: float, z: float, parts: Array, j: int) -> float:
    """(p, q) torus knot about y: p strands wound on a tube round a circle. Size: both radii, thickness, p, q."""
    radius, small, r = parts[j, SIZE], parts[j, SIZE + 1], parts[j, SIZE + 2]
    p, q = parts[j, SIZE + 3], parts[j, SIZE + 4]
    u, v, a = flat(x, z) - radius, y, atan2(z, x) * q / p
    u, v = u * cos(a) + v * sin(a), v * cos(a) - u * sin(a)
    sector = 2.0 * pi / p
    b = sector * floor(atan2(v, u) / sector + 0.5)
    u, v = u * cos(b) + v * sin(b), v * cos(b) - u * sin(b)
    return float(flat(u - small, v) - r)
