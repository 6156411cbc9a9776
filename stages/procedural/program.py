"""Objects as data: parts and materials, and their translation to the arrays that the kernels read."""

from math import cos, hypot, radians, sin
from typing import NamedTuple

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.layout import Array

Point = tuple[float, float, float]
HERE: Point = (0.0, 0.0, 0.0)


class Part(NamedTuple):
    """One solid. `turn` is in degrees about x, then y, then z; `at` places it; y is up and the ground is y = 0.

    `mirror` 1 and 2 copy it across x = 0 and z = 0 (3: both), `ring` n copies it round the y axis, `twist` is in
    radians per unit of local y, `relief` (amplitude, frequency, kind) displaces the surface, `k` blends the join.
    """

    kind: int
    size: tuple[float, ...]
    at: Point = HERE
    turn: Point = HERE
    mat: int = 0
    op: int = lay.UNION
    k: float = 0.0
    mirror: int = 0
    ring: int = 0
    twist: float = 0.0
    relief: tuple[float, float, int] = (0.0, 0.0, 0)
    drawing: Array | None = None


class Material(NamedTuple):
    """A surface. Colours are linear RGB; `words` describes it in a caption (finish, pattern, stuff)."""

    colours: tuple[Point, Point, Point]
    pattern: int = lay.PLAIN
    frequency: float = 1.0
    knobs: tuple[float, float] = (0.5, 0.0)
    offset: Point = HERE
    rough: float = 0.5
    metal: float = 0.0
    specular: float = 1.0
    bump: float = 0.0
    bump_frequency: float = 10.0
    local: bool = False
    wear: float = 1.0
    glow: float = 0.0
    words: tuple[str, str, str] = ("", "", "")


def ball(
    x: float,
    y: float,
    z: float,
    a: float,
    b: float = 0.0,
    c: float = 0.0,
    mat: int = 0,
    k: float = 0.0,
    mirror: int = 0,
) -> Part:
    """Ellipsoid at (x, y, z) of semi-axes a, b, c; b and c are a where 0."""
    return Part(lay.BALL, (a, b or a, c or a), (x, y, z), mat=mat, k=k, mirror=mirror)


def box(
    x: float, y: float, z: float, a: float, b: float, c: float, rim: float = 0.02, mat: int = 0, mirror: int = 0
) -> Part:
    """Box at (x, y, z) of half sizes a, b, c with edges rounded by `rim`."""
    return Part(lay.BOX, (a, b, c, rim), (x, y, z), mat=mat, mirror=mirror)


class Thing(NamedTuple):
    """An object: parts in order, the materials they index, its name, and whether it may lie any way up."""

    parts: list[Part]
    materials: list[Material]
    noun: str
    tumbles: bool = False
    plain: bool = False


class Program(NamedTuple):
    """The arrays of a `Thing`: see `layout` for the columns. spheres rows: centre, radius, part."""

    parts: Array
    materials: Array
    grids: Array
    spheres: Array
    bound: Array


def rotation(turn: Point) -> Array:
    """Matrix (3, 3) that turns about x, then y, then z by `turn` degrees."""
    (cx, cy, cz), (sx, sy, sz) = ([f(radians(a)) for a in turn] for f in (cos, sin))
    x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    out: Array = z @ y @ x
    return out


def _reach(part: Part) -> tuple[Point, float]:
    """Centre (part frame) and radius of a ball round the part."""
    q = part.size
    if part.drawing is not None:
        u, v0, v1 = q[7], q[8], q[9]
        return (0.0, (v0 + v1) / 2, 0.0), hypot(u, (v1 - v0) / 2, q[5])
    if part.kind == lay.TUBE:
        points = np.array(q[:9]).reshape(3, 3)
        mid = (points.min(0) + points.max(0)) / 2
        return (float(mid[0]), float(mid[1]), float(mid[2])), float(np.linalg.norm(points - mid, axis=1).max()) + max(
            q[9], q[10]
        )
    radius = {
        lay.BALL: lambda: max(q[:3]),
        lay.BOX: lambda: hypot(*q[:3]),
        lay.CYLINDER: lambda: hypot(q[0], q[1]),
        lay.CONE: lambda: hypot(max(q[:2]), q[2]),
        lay.TORUS: lambda: q[0] + q[1],
        lay.PILL: lambda: q[2] + max(q[:2]),
        lay.SUPER: lambda: hypot(*q[:3]),
        lay.COIL: lambda: hypot(q[0] + q[2], q[3]),
        lay.NGON: lambda: _gem_reach(q),
        lay.KNOT: lambda: q[0] + q[1] + q[2],
    }[part.kind]()
    return HERE, float(radius)


def _gem_reach(q: tuple[float, ...]) -> float:
    wide = (q[1] + abs(np.tan(q[2])) * max(abs(q[3]), abs(q[5]))) / cos(np.pi / q[0])
    return hypot(wide, max(abs(q[3]), abs(q[5])))


def _scale(part: Part) -> float:
    """Step scale: what makes the part's distance a safe bound."""
    base = {lay.SUPER: 0.6, lay.KNOT: 0.55, lay.COIL: 0.85, lay.TUBE: 0.9, lay.NGON: 1.0}.get(part.kind, 1.0)
    if part.kind == lay.BALL:
        base = 1.0 - 0.35 * (1.0 - min(part.size[:3]) / max(part.size[:3]))
    if part.twist:
        base *= 0.7
    amp, freq, kind = part.relief
    slope = amp * freq * (1.7 if kind != lay.D_FLUTES else 2.0)
    return base / float(np.sqrt(1.0 + slope * slope))


def _numbers(part: Part) -> tuple[float, ...]:
    """The part's size as the kernels want it: angles as cosines and sines."""
    q = part.size
    if part.kind == lay.TORUS:
        return q[0], q[1], sin(q[2]), cos(q[2])
    if part.kind == lay.NGON:
        angles = (q[2], q[4], q[6], 2 * np.pi / q[0])
        return q[0], q[1], q[3], q[5], q[7], *(f(a) for a in angles for f in (cos, sin))
    return q


def _row(part: Part, grid: int) -> Array:
    row = np.zeros(lay.PART_WIDTH)
    row[: lay.ROT] = [
        part.kind,
        part.op,
        part.k,
        part.mat,
        _scale(part),
        part.mirror,
        part.ring,
        part.twist,
        *part.relief,
    ]
    turn = rotation(part.turn)
    row[lay.ROT : lay.POS], row[lay.POS : lay.CENTRE] = turn.T.ravel(), part.at
    centre, radius = _reach(part)
    row[lay.CENTRE : lay.RADIUS] = turn @ np.array(centre) + np.array(part.at)
    row[lay.RADIUS] = 1e6 if part.op == lay.KEEP else radius + part.relief[0]
    row[lay.RHO] = hypot(row[lay.CENTRE], row[lay.CENTRE + 2])
    size = _numbers(part)
    row[lay.SIZE : lay.SIZE + len(size)], row[lay.GRID] = size, grid
    return row


def _copies(row: Array) -> list[Array]:
    """Centres of every copy that mirrors and rings make of a part's bounding ball."""
    x, y, z = row[lay.CENTRE : lay.RADIUS]
    n = max(int(row[lay.REPEAT]), 1)
    turns = [2 * np.pi * i / n for i in range(n)]
    spun = [(x * cos(a) - z * sin(a), y, x * sin(a) + z * cos(a)) for a in turns]
    mirror = int(row[lay.MIRROR])
    return [
        np.array([sx * p[0], p[1], sz * p[2]])
        for p in spun
        for sx in ((1, -1) if mirror & 1 else (1,))
        for sz in ((1, -1) if mirror & 2 else (1,))
    ]


def _enclosing(centres: Array, radii: Array) -> Array:
    """Centre and radius of a ball round balls: their box's middle, then the farthest."""
    low, high = (centres - radii[:, None]).min(0), (centres + radii[:, None]).max(0)
    middle = (low + high) / 2
    return np.array([*middle, (np.linalg.norm(centres - middle, axis=1) + radii).max()])


def _material_row(m: Material) -> Array:
    row = np.zeros(lay.MATERIAL_WIDTH)
    row[: lay.OFFSET] = [m.pattern, m.frequency, *m.knobs]
    row[lay.OFFSET : lay.COLOUR_A] = m.offset
    row[lay.COLOUR_A : lay.ROUGH] = np.ravel(m.colours)
    row[lay.ROUGH :] = [m.rough, m.metal, m.specular, m.bump, m.bump_frequency, m.local, m.wear, m.glow]
    return row


def compile_thing(thing: Thing) -> Program:
    """The arrays of an object; the bounding ball is that of its added parts, blends included."""
    drawings = [p.drawing for p in thing.parts if p.drawing is not None]
    grids = np.stack(drawings) if drawings else np.zeros((1, lay.GRID_SIDE, lay.GRID_SIDE))
    place = np.cumsum([p.drawing is not None for p in thing.parts]) - 1
    rows = np.stack([_row(p, int(max(g, 0))) for p, g in zip(thing.parts, place, strict=True)])
    if rows[:, lay.BLEND].any():
        rows[:, lay.DISP] += 4.0
    slack = 0.5 * float(rows[:, lay.BLEND].max())
    spheres = [(*c, row[lay.RADIUS] + slack, i) for i, row in enumerate(rows) for c in _copies(row)]
    solid = np.array([s for s in spheres if rows[int(s[4]), lay.OP] == lay.UNION])
    return Program(
        rows,
        np.stack([_material_row(m) for m in thing.materials]),
        grids,
        np.array(spheres, np.float64),
        _enclosing(solid[:, :3], solid[:, 3]),
    )
