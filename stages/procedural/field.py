"""The interpreter: the signed distance of a whole program at one point."""

from math import atan2, cos, floor, pi, sin, sqrt

from stages.procedural import solids
from stages.procedural.layout import (
    AMP,
    BLEND,
    BOX,
    CENTRE,
    COIL,
    CONE,
    CYLINDER,
    DISP,
    FREQ,
    KIND,
    LATHE,
    MAT,
    MIRROR,
    NGON,
    OP,
    PILL,
    POS,
    RADIUS,
    REPEAT,
    RHO,
    ROT,
    SCALE,
    SIZE,
    SUPER,
    TORUS,
    TUBE,
    TWIST,
    Array,
    Ints,
    inlined,
    kernel,
)
from stages.procedural.noise import noise

_box, _cylinder, _cone, _torus, _pill = solids.box, solids.cylinder, solids.cone, solids.torus, solids.pill
_ball, _slab, _drawn, _tube, _knot = solids.ball, solids.slab, solids.drawn, solids.tube, solids.knot
_super, _coil, _ngon, _flat = solids.superquadric, solids.coil, solids.ngon, solids.flat


@inlined
def _simple(kind: int, x: float, y: float, z: float, parts: Array, j: int) -> float:
    a, b, c, d = parts[j, SIZE], parts[j, SIZE + 1], parts[j, SIZE + 2], parts[j, SIZE + 3]
    if kind == BOX:
        return _box(x, y, z, a, b, c, d)
    if kind == CYLINDER:
        return _cylinder(x, y, z, a, b, c)
    if kind == CONE:
        return _cone(x, y, z, a, b, c, d)
    if kind == TORUS:
        return _torus(x, y, z, a, b, c, d)
    if kind == PILL:
        return _pill(x, y, z, a, b, c)
    return _ball(x, y, z, a, b, c)


@inlined
def _rich(kind: int, x: float, y: float, z: float, parts: Array, j: int, grids: Array) -> float:
    if kind == LATHE:
        return _drawn(_flat(x, z), y, grids, parts, j)
    if kind == SUPER:
        return _super(x, y, z, parts, j)
    if kind == COIL:
        return _coil(x, y, z, parts[j, SIZE], parts[j, SIZE + 1], parts[j, SIZE + 2], parts[j, SIZE + 3])
    if kind == NGON:
        return _ngon(x, y, z, parts, j)
    if kind == TUBE:
        return _tube(x, y, z, parts, j)
    if kind > TUBE:
        return _knot(x, y, z, parts, j)
    return _slab(_drawn(x, y, grids, parts, j), z, parts[j, SIZE + 5], parts[j, SIZE + 6])


@inlined
def _displaced(kind: int, x: float, y: float, z: float, freq: float) -> float:
    if kind == 0:
        return (noise(freq * x, freq * y, freq * z) + 0.5 * noise(2.1 * freq * x, 2.1 * freq * y, 2.1 * freq * z)) / 1.5
    if kind == 1:
        return cos(freq * atan2(z, x))
    if kind == 2:
        return 1.0 - 2.0 * abs(noise(freq * x, freq * y, freq * z))
    return sin(freq * x) * sin(freq * y) * sin(freq * z)


@inlined
def fold(x: float, y: float, z: float, parts: Array, j: int) -> tuple[float, float, float]:
    """Map a point of object space onto the part's first copy (mirrors, then turns about y)."""
    mirror = int(parts[j, MIRROR])
    if mirror & 1:
        x = abs(x)
    if mirror & 2:
        z = abs(z)
    if parts[j, REPEAT] > 1.0:
        sector = 2.0 * pi / parts[j, REPEAT]
        a = sector * floor(atan2(z, x) / sector + 0.5)
        c, s = cos(a), sin(a)
        x, z = c * x + s * z, c * z - s * x
    return x, y, z


@inlined
def to_local(x: float, y: float, z: float, parts: Array, j: int) -> tuple[float, float, float]:
    """A folded point in the part's own frame."""
    x, y, z = x - parts[j, POS], y - parts[j, POS + 1], z - parts[j, POS + 2]
    u = parts[j, ROT] * x + parts[j, ROT + 1] * y + parts[j, ROT + 2] * z
    v = parts[j, ROT + 3] * x + parts[j, ROT + 4] * y + parts[j, ROT + 5] * z
    w = parts[j, ROT + 6] * x + parts[j, ROT + 7] * y + parts[j, ROT + 8] * z
    if parts[j, TWIST] != 0.0:
        c, s = cos(parts[j, TWIST] * v), sin(parts[j, TWIST] * v)
        u, w = c * u - s * w, s * u + c * w
    return u, v, w


@inlined
def _part(x: float, y: float, z: float, parts: Array, j: int, grids: Array) -> float:
    u, v, w = to_local(x, y, z, parts, j)
    kind = int(parts[j, KIND])
    if kind <= PILL:
        d = _simple(kind, u, v, w, parts, j)
    else:
        d = _rich(kind, u, v, w, parts, j, grids)
    amp = parts[j, AMP]
    if amp > 0.0:
        # far off, a bound; where parts blend, the change to it must be gradual or it would show as a crack
        kind = int(parts[j, DISP])
        share = 1.0 if d < 1.4 * amp else 0.0
        if kind > 3:
            share = min(max(1.7 - 0.5 * d / amp, 0.0), 1.0)
        if share > 0.0:
            share *= _displaced(kind & 3, u, v, w, parts[j, FREQ]) + 0.8
        d += amp * (share - 0.8)
    return float(d * parts[j, SCALE])


@inlined
def _join(d: float, e: float, op: int, k: float) -> float:
    if op == 0:
        h = max(k - abs(d - e), 0.0)
        return min(d, e) - (h * h * 0.25 / k if k > 0.0 else 0.0)
    e = -e if op == 1 else e
    h = max(k - abs(d - e), 0.0)
    return max(d, e) + (h * h * 0.25 / k if k > 0.0 else 0.0)


@kernel
def field(x: float, y: float, z: float, parts: Array, grids: Array, ids: Ints, count: int) -> tuple[float, int]:
    """Distance to the object (parts `ids[:count]` of it), and the part whose surface is there.

    A part whose bounding sphere cannot change the result is skipped; one far away counts as its sphere.
    """
    d, best = 1e9, -1
    rho = sqrt(x * x + z * z)
    for i in range(count):
        j = ids[i]
        op, k = int(parts[j, OP]), parts[j, BLEND]
        if parts[j, REPEAT] > 1.0:
            px, py, pz = rho - parts[j, RHO], y - parts[j, CENTRE + 1], 0.0
        else:
            mirror = int(parts[j, MIRROR])
            px = (abs(x) if mirror & 1 else x) - parts[j, CENTRE]
            pz = (abs(z) if mirror & 2 else z) - parts[j, CENTRE + 2]
            py = y - parts[j, CENTRE + 1]
        b = sqrt(px * px + py * py + pz * pz) - parts[j, RADIUS]
        if (op == 0 and b > d + k) or (op == 1 and b > k - d):
            continue
        e = b
        if op != 0 or b <= parts[j, RADIUS]:
            fx, fy, fz = fold(x, y, z, parts, j)
            e = _part(fx, fy, fz, parts, j, grids)
        if (op == 0 and e < d) or (op != 0 and parts[j, MAT] >= 0 and (-e if op == 1 else e) > d):
            best = j
        d = _join(d, e, op, k)
    return d, best


@kernel
def alone(x: float, y: float, z: float, parts: Array, grids: Array, j: int) -> float:
    """Distance to part j by itself, seen from outside the object (so negated where it is carved away)."""
    fx, fy, fz = fold(x, y, z, parts, j)
    d = _part(fx, fy, fz, parts, j, grids)
    return -d if parts[j, OP] == 1.0 else d
