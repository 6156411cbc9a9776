"""Families that are built: machines, furniture, toys."""

import numpy as np

from stages.procedural import layout as L
from stages.procedural.drawing import Points, lathe, slab, smooth
from stages.procedural.palette import PAINTS, colour, shade
from stages.procedural.program import Material, Part, Point, Thing
from stages.procedural.stuff import anything, cloth, flat, metal, painted, pick, plastic, rubber, stone, wood

Rng = np.random.Generator


def _u(r: Rng, low: float, high: float) -> float:
    return float(r.uniform(low, high))


def _box(x: float, y: float, z: float, a: float, b: float, c: float, rim: float = 0.02, mat: int = 0, mirror: int = 0, turn: Point = (0.0, 0.0, 0.0)) -> Part:
    return Part(L.BOX, (a, b, c, rim), (x, y, z), turn, mat, mirror=mirror)


def superquadric(r: Rng) -> Thing:
    """A rounded solid between ball, drum and cube."""
    a, b, c = _u(r, 0.6, 1.0), _u(r, 0.6, 1.0), _u(r, 0.6, 1.0)
    e1, e2 = _u(r, 0.25, 1.0), _u(r, 0.25, 1.0)
    return Thing([Part(L.SUPER, (a, b, c, e1, e2), (0.0, b, 0.0))], [anything(r)], pick(r, "rounded block", "smooth pebble-like ornament"))


def donut(r: Rng) -> Thing:
    """A ring cake with icing and sprinkles."""
    big, small = 0.7, _u(r, 0.3, 0.38)
    dough = flat(r, "pine", "sand", rough=0.75, bump=0.12, bump_frequency=12.0)
    ice = flat(r, "pink", "brown", "cream", "white", rough=0.15)
    bits = Material((ice.colours[0], colour(r, "red", "yellow", "white"), colour(r, "blue", "green", "yellow")), L.SPOTS, 9.0, (0.24, 0.5), rough=0.2)
    parts = [
        Part(L.TORUS, (big, small, np.pi), (0.0, small, 0.0), (90.0, 0.0, 0.0)),
        Part(L.TORUS, (big, small * 0.93, np.pi), (0.0, small * 1.2, 0.0), (90.0, 0.0, 0.0), mat=1, relief=(0.035, 4.0, L.D_NOISE)),
    ]
    return Thing(parts, [dough, bits if r.random() < 0.6 else ice], "iced donut", plain=True)


def torus_knot(r: Rng) -> Thing:
    """A knotted tube."""
    p, q = ((2.0, 3.0), (3.0, 2.0), (2.0, 5.0), (3.0, 4.0))[int(r.integers(4))]
    thick = _u(r, 0.13, 0.18)
    return Thing([Part(L.KNOT, (0.72, 0.3, thick, p, q), (0.0, 0.3 + thick, 0.0))], [anything(r)], "knotted ring", tumbles=True)


def gear(r: Rng) -> Thing:
    """A cog wheel, lying or on edge."""
    n, tooth = int(r.integers(9, 20)), _u(r, 0.12, 0.2)
    out: Points = []
    for i in range(n):
        for f, s in ((-0.3, 0.0), (-0.17, 1.0), (0.17, 1.0), (0.3, 0.0)):
            a = 2 * np.pi * (i + f) / n
            s = 0.85 + tooth * s
            out.append((s * float(np.cos(a)), s * float(np.sin(a))))
    half = _u(r, 0.12, 0.25)
    parts = [
        slab(out, half, 0.03),
        Part(L.CYLINDER, (0.66, half, 0.02), (0.0, 0.0, half * 1.5), (90.0, 0.0, 0.0), op=L.CARVE, mirror=2),
        Part(L.CYLINDER, (0.28, half * 1.1, 0.02), turn=(90.0, 0.0, 0.0)),
        Part(L.CYLINDER, (0.15, 2.0, 0.0), turn=(90.0, 0.0, 0.0), op=L.CARVE),
    ]
    holes = int(r.integers(4, 7))
    for i in range(holes if r.random() < 0.6 else 0):
        a = 2 * np.pi * i / holes
        parts.append(Part(L.CYLINDER, (0.11, 2.0, 0.0), (0.46 * float(np.cos(a)), 0.46 * float(np.sin(a)), 0.0), (90.0, 0.0, 0.0), op=L.CARVE))
    up = [p._replace(at=(p.at[0], p.at[1] + 0.85 + tooth, p.at[2])) for p in parts]
    return Thing(up, [metal(r) if r.random() < 0.75 else plastic(r)], "gear wheel", tumbles=True)


def spring(r: Rng) -> Thing:
    """A coil spring."""
    radius, turns, high = _u(r, 0.4, 0.6), _u(r, 4, 8), _u(r, 0.7, 1.0)
    pitch = 2 * high / turns
    thick = min(pitch * 0.33, 0.11)
    parts = [Part(L.COIL, (radius, pitch, thick, high), (0.0, high, 0.0))]
    return Thing(parts, [metal(r) if r.random() < 0.7 else plastic(r)], "coil spring", tumbles=True)


def car(r: Rng) -> Thing:
    """A toy car."""
    long, wide = _u(r, 0.95, 1.15), _u(r, 0.42, 0.5)
    cab, shift = _u(r, 0.42, 0.62), _u(r, -0.25, 0.05)
    paint = plastic(r, "red", "blue", "yellow", "green", "orange", "teal", "white")
    parts = [
        _box(0.0, 0.42, 0.0, long, 0.2, wide, 0.1),
        Part(L.BOX, (cab, 0.24, wide * 0.84, 0.14), (shift, 0.72, 0.0), k=0.06),
        _box(shift, 0.75, 0.0, cab * 0.74, 0.12, wide * 0.86, 0.04, mat=1),
        _box(shift, 0.75, 0.0, cab * 1.01, 0.12, wide * 0.66, 0.04, mat=1),
        Part(L.CYLINDER, (0.25, 0.13, 0.04), (long * 0.6, 0.25, wide * 0.92), (90.0, 0.0, 0.0), mat=2, mirror=3),
        Part(L.CYLINDER, (0.14, 0.14, 0.02), (long * 0.6, 0.25, wide * 0.92), (90.0, 0.0, 0.0), mat=3, mirror=3),
        Part(L.BALL, (0.05, 0.08, 0.08), (long * 0.97, 0.46, wide * 0.65), mat=4, mirror=3),
        _box(0.0, 0.3, 0.0, long + 0.05, 0.055, wide * 0.9, 0.03, mat=3),
    ]
    mats = [paint, flat(r, "black", "blue", rough=0.06), rubber(r), metal(r, rusty=False), flat(r, "yellow", "cream", rough=0.1)]
    return Thing(parts, mats, "toy car")


def truck(r: Rng) -> Thing:
    """A wooden or plastic toy lorry."""
    make = (lambda: wood(r)) if r.random() < 0.4 else (lambda: plastic(r))
    load = _u(r, 0.3, 0.5)
    parts = [
        _box(0.0, 0.32, 0.0, 1.1, 0.07, 0.4, 0.02, mat=1),
        _box(0.75, 0.68, 0.0, 0.33, 0.34, 0.4, 0.06),
        _box(0.86, 0.8, 0.0, 0.235, 0.14, 0.34, 0.02, mat=2),
        _box(0.75, 0.8, 0.0, 0.18, 0.14, 0.41, 0.02, mat=2),
        _box(-0.38, 0.42 + load, 0.0, 0.7, load, 0.42, 0.03, mat=3),
        Part(L.CYLINDER, (0.23, 0.12, 0.03), (0.68, 0.23, 0.4), (90.0, 0.0, 0.0), mat=4, mirror=2),
        Part(L.CYLINDER, (0.23, 0.12, 0.03), (-0.55, 0.23, 0.4), (90.0, 0.0, 0.0), mat=4, mirror=2),
        Part(L.CYLINDER, (0.1, 0.13, 0.02), (0.68, 0.23, 0.4), (90.0, 0.0, 0.0), mat=1, mirror=2),
        Part(L.CYLINDER, (0.1, 0.13, 0.02), (-0.55, 0.23, 0.4), (90.0, 0.0, 0.0), mat=1, mirror=2),
    ]
    if r.random() < 0.5:
        parts.insert(5, Part(L.BOX, (0.64, load, 0.36, 0.0), (-0.38, 0.5 + load * 1.2, 0.0), mat=3, op=L.CARVE))
    return Thing(parts, [make(), make(), flat(r, "black", "blue", rough=0.08), make(), rubber(r)], "toy truck")


def blocks(r: Rng) -> Thing:
    """A tower of toy blocks."""
    parts, mats, y = [], [], 0.0
    for i in range(int(r.integers(3, 6))):
        s = _u(r, 0.26, 0.36)
        at, turn = (_u(r, -0.07, 0.07), y + s, _u(r, -0.07, 0.07)), (0.0, _u(r, -35, 35), 0.0)
        kind = pick(r, "cube", "cube", "drum", "bar")
        if kind == "drum":
            parts.append(Part(L.CYLINDER, (s * 1.05, s, 0.03), at, turn, mat=i))
        else:
            parts.append(Part(L.BOX, (s * (1.7 if kind == "bar" else 1.0), s, s, 0.04), at, turn, mat=i))
        mats.append(wood(r) if r.random() < 0.3 else painted(r, "wooden")._replace(local=True))
        y += 2 * s
    if r.random() < 0.6:
        s = 0.34
        parts.append(Part(L.NGON, (4.0, s, 0.5, 0.62, 0.0, -0.0, 0.0, 0.03), (0.0, y, 0.0), mat=len(mats)))
        mats.append(painted(r, "wooden"))
    return Thing(parts, mats, "tower of toy blocks", plain=True)


def dice(r: Rng) -> Thing:
    """A die with carved pips."""
    s, pip, d = 0.7, 0.13, 0.36
    parts = [Part(L.BOX, (s, s, s, _u(r, 0.08, 0.2)), (0.0, s, 0.0))]
    spots = {2: [(d, d), (-d, -d)], 3: [(d, d), (0.0, 0.0), (-d, -d)], 4: [(d, d), (-d, d), (d, -d), (-d, -d)]}
    spots |= {1: [(0.0, 0.0)], 5: [*spots[4], (0.0, 0.0)], 6: [*spots[4], (d, 0.0), (-d, 0.0)]}
    depth = s + pip * 0.45
    for face, n in enumerate((1, 6, 2, 5, 3, 4)):
        axis, sign = face // 2, 1.0 if face % 2 == 0 else -1.0
        for u, v in spots[n]:
            p = [u, v]
            p.insert(axis, sign * depth)
            parts.append(Part(L.BALL, (pip, pip, pip), (p[0], p[1] + s, p[2]), mat=1, op=L.CARVE))
    body = plastic(r) if r.random() < 0.7 else anything(r)
    dark = sum(body.colours[0]) > 0.8
    return Thing(parts, [body, flat(r, "black" if dark else "white", rough=0.4)], "die", tumbles=True)


def chair(r: Rng) -> Thing:
    """A kitchen chair."""
    w, seat, back, leg = _u(r, 0.42, 0.5), _u(r, 0.8, 0.95), _u(r, 0.8, 1.1), _u(r, 0.045, 0.065)
    look = wood(r) if r.random() < 0.7 else painted(r, "wooden")
    cushion = r.random() < 0.5
    parts = [
        Part(L.BOX, (leg, seat / 2, leg, 0.015), (w - leg, seat / 2, w - leg), mirror=3),
        _box(0.0, seat, 0.0, w, 0.05, w, 0.02),
        _box(w - leg, seat + back / 2, -w + leg, leg, back / 2, leg, 0.015, mirror=1),
        _box(0.0, seat + back - 0.12, -w + leg, w - leg, 0.11, 0.03, 0.015),
        Part(L.BOX, (w - leg, 0.03, 0.02, 0.01), (0.0, seat * 0.4, w - leg), mirror=2),
    ]
    if r.random() < 0.5:
        parts += [_box(x, seat + back * 0.45, -w + leg, 0.035, back * 0.45, 0.018, 0.01, mirror=1) for x in (0.08, 0.24)]
    else:
        parts.append(_box(0.0, seat + back * 0.5, -w + leg, w - leg, 0.09, 0.025, 0.015))
    if cushion:
        parts.append(_box(0.0, seat + 0.09, 0.02, w * 0.92, 0.06, w * 0.88, 0.055, mat=1))
    return Thing(parts, [look, cloth(r)], "chair")


def table(r: Rng) -> Thing:
    """A table: four legs or a pedestal, round or square."""
    w, d, high = _u(r, 0.7, 1.1), _u(r, 0.55, 0.75), _u(r, 0.7, 1.0)
    look = wood(r)
    top = look if r.random() < 0.6 else stone(r)
    if r.random() < 0.5:
        parts = [
            Part(L.CYLINDER, (w * 0.85, 0.05, 0.025), (0.0, high, 0.0), mat=1),
            lathe([(0.0, 0.0), *smooth([(0.42, 0.0), (0.42, 0.05), (0.12, 0.15), (0.08, high * 0.5), (0.13, high - 0.05), (0.0, high - 0.02)])]),
        ]
    else:
        lean = _u(r, 0.0, 7.0)
        parts = [
            _box(0.0, high, 0.0, w, 0.045, d, 0.02, mat=1),
            Part(L.CONE, (0.04, 0.065, high / 2, 0.01), (w * 0.85, high / 2, d * 0.8), (-lean, 0.0, lean), mirror=3),
            _box(0.0, high - 0.12, 0.0, w * 0.84, 0.08, d * 0.78, 0.01),
        ]
    return Thing(parts, [look, top], pick(r, "table", "side table"))


def lamp(r: Rng) -> Thing:
    """A table lamp with a lit or unlit shade."""
    w, high = _u(r, 0.5, 0.75), _u(r, 0.75, 1.1)
    side = smooth([(0.3, 0.0), (0.3, 0.0), (0.3, 0.05), (_u(r, 0.08, 0.4), high * 0.35), (0.1, high * 0.8), (0.05, high), (0.0, high)])
    glow = 0.25 if r.random() < 0.5 else 0.0
    fabric = cloth(r, "cream", "white", "sand", "blue", "green")._replace(glow=glow)
    shade_line: Points = [(w, high * 0.95), (w * 0.62, high + 0.75), (w * 0.62 - 0.03, high + 0.75), (w - 0.03, high * 0.95)]
    parts = [
        lathe([(0.0, 0.0), *side]),
        Part(L.CYLINDER, (0.025, 0.4, 0.0), (0.0, high + 0.3, 0.0), mat=2),
        lathe([*shade_line, shade_line[0]], mat=1),
        Part(L.BOX, (w * 0.62, 0.012, 0.012, 0.0), (0.0, high + 0.68, 0.0), mat=2),
        Part(L.BALL, (0.12, 0.15, 0.12), (0.0, high + 0.25, 0.0), mat=3),
    ]
    bulb = flat(r, "yellow", "white", rough=0.2, glow=1.0 if glow else 0.0)
    return Thing(parts, [anything(r), fabric, metal(r, rusty=False), bulb], "table lamp")


def rocket(r: Rng) -> Thing:
    """A toy rocket on fins."""
    w = _u(r, 0.34, 0.44)
    body = smooth([(0.0, 0.3), (w * 0.7, 0.3), (w * 0.75, 0.35), (w, 1.0), (w * 0.8, 1.6), (w * 0.3, 2.1), (0.0, 2.25)])
    fin: Points = [(w * 0.6, 0.9), (w + 0.42, 0.25), (w + 0.42, 0.0), (w + 0.3, 0.0), (w * 0.5, 0.4)]
    y = 1.25
    parts = [
        lathe(body),
        slab(fin, 0.035, 0.02, mat=1, ring=int(r.integers(3, 5))),
        Part(L.CONE, (w * 0.72, w * 0.5, 0.1, 0.02), (0.0, 0.24, 0.0), mat=3),
        Part(L.TORUS, (0.17, 0.035, np.pi), (0.0, y, w * 0.93), mat=3, mirror=2),
        Part(L.BALL, (0.16, 0.16, 0.06), (0.0, y, w * 0.9), mat=2, mirror=2),
    ]
    return Thing(parts, [painted(r, "tin"), plastic(r, "red", "blue", "orange", "teal"), flat(r, "blue", "black", rough=0.05), metal(r)], "toy rocket")


def buoy(r: Rng) -> Thing:
    """A harbour buoy, or a striped cone from the road."""
    if r.random() < 0.5:
        skin = flat(r, "orange", "red", rough=0.45)
        a = skin.colours[0]
        skin = skin._replace(pattern=L.STRIPES, frequency=_u(r, 1.6, 2.2), knobs=(0.4, 0.0), colours=(a, colour(r, "white"), a), words=("", "striped", ""))
        parts = [Part(L.CONE, (0.5, 0.08, 0.85, 0.03), (0.0, 0.9, 0.0)), Part(L.BOX, (0.65, 0.05, 0.65, 0.04), (0.0, 0.05, 0.0), mat=1, k=0.03)]
        return Thing(parts, [skin, rubber(r) if r.random() < 0.5 else skin], "traffic cone")
    skin = plastic(r, "red", "green", "orange", "yellow")
    parts = [
        Part(L.CYLINDER, (0.75, 0.22, 0.12), (0.0, 0.25, 0.0)),
        Part(L.CONE, (0.5, 0.14, 0.65, 0.02), (0.0, 1.05, 0.0), mat=1),
        Part(L.TORUS, (0.74, 0.06, np.pi), (0.0, 0.25, 0.0), (90.0, 0.0, 0.0), mat=3),
        Part(L.BALL, (0.2, 0.2, 0.2), (0.0, 1.85, 0.0), mat=2),
        Part(L.TORUS, (0.13, 0.03, np.pi), (0.66, 0.5, 0.0), mat=3, mirror=1),
    ]
    white = flat(r, "white", "cream", rough=0.5)._replace(pattern=L.STRIPES, frequency=1.4, colours=(colour(r, "white"), skin.colours[0], skin.colours[0]))
    return Thing(parts, [skin, white, flat(r, "yellow", "red", rough=0.1), rubber(r)], "harbour buoy")


def crystal(r: Rng) -> Thing:
    """A cluster of six-sided crystals on stone."""
    tint = flat(r, "purple", "teal", "pink", "white", "blue", rough=0.08)
    a = tint.colours[0]
    tint = tint._replace(pattern=L.GRADIENT, knobs=(0.4, 0.0), colours=(shade(a, 0.55), shade(a, 1.3), a), words=("glossy", "", ""))
    parts = []
    for i in range(int(r.integers(4, 7))):
        w, high, lean, a0 = _u(r, 0.12, 0.28), _u(r, 0.7, 1.7), _u(r, 5, 40) * (i > 0), _u(r, 0, 360)
        parts.append(Part(L.NGON, (6.0, w, 0.04, high, 0.9, -0.2, 0.0, 0.008), (0.0, 0.1, 0.0), (lean, a0, 0.0)))
    base = Part(L.BALL, (0.55, 0.25, 0.55), (0.0, 0.12, 0.0), mat=1, relief=(0.09, 4.0, L.D_RIDGES))
    return Thing([*parts, base], [tint, stone(r)._replace(rough=0.9)], "crystal cluster", plain=True)


def pyramid(r: Rng) -> Thing:
    """A faceted ornament: pyramid, gem or obelisk."""
    kind, n = pick(r, "pyramid", "obelisk", "gem"), float(r.integers(3, 9))
    if kind == "pyramid":
        part = Part(L.NGON, (4.0, 0.8, _u(r, 0.45, 0.62), 1.9, 0.0, 0.0, 0.0, 0.02))
    elif kind == "obelisk":
        part = Part(L.NGON, (4.0, 0.36, 0.08, 2.2, 0.75, 0.0, 0.0, 0.015))
    else:
        part = Part(L.NGON, (n + 2, 0.75, 0.0, 0.95, 0.55, -0.85, 0.85, 0.01), (0.0, 0.85, 0.0))
    return Thing([part], [anything(r)], {"gem": "faceted ornament"}.get(kind, kind), tumbles=kind == "gem")


def robot(r: Rng) -> Thing:
    """A tin robot."""
    w, high = _u(r, 0.36, 0.46), _u(r, 0.4, 0.5)
    chest = 0.62 + high
    head = _u(r, 0.24, 0.3)
    top = chest + high + head
    parts = [
        _box(0.0, chest, 0.0, w, high, 0.28, 0.06),
        _box(0.0, top + 0.06, 0.0, head * 1.2, head, head, 0.07),
        Part(L.CYLINDER, (0.1, 0.08, 0.0), (0.0, chest + high + 0.03, 0.0), mat=2),
        Part(L.CYLINDER, (0.1, 0.3, 0.03), (w * 0.5, 0.35, 0.0), mat=2, mirror=1),
        _box(w * 0.5, 0.09, 0.06, 0.17, 0.09, 0.24, 0.05, mat=1, mirror=1),
        Part(L.PILL, (0.1, 0.085, 0.26), (w + 0.14, chest + 0.02, 0.0), (0.0, 0.0, 14.0), mat=2, mirror=1),
        Part(L.BALL, (0.14, 0.14, 0.14), (w + 0.24, chest - 0.36, 0.0), mat=1, mirror=1),
        Part(L.CYLINDER, (0.08, 0.03, 0.01), (head * 0.5, top + 0.1, head), (90.0, 0.0, 0.0), mat=3, mirror=1),
        _box(0.0, top - 0.1, head, head * 0.6, 0.03, 0.02, 0.01, mat=4),
        _box(0.0, chest + 0.1, 0.28, w * 0.65, high * 0.4, 0.02, 0.015, mat=1),
        Part(L.BALL, (0.05, 0.05, 0.04), (0.12, chest + 0.12, 0.3), mat=3, mirror=1),
        Part(L.CYLINDER, (0.02, 0.12, 0.0), (0.0, top + head + 0.15, 0.0), mat=2),
        Part(L.BALL, (0.06, 0.06, 0.06), (0.0, top + head + 0.3, 0.0), mat=3),
    ]
    body = metal(r) if r.random() < 0.5 else plastic(r)
    return Thing(parts, [body, plastic(r), metal(r, rusty=False), flat(r, "yellow", "red", rough=0.1, glow=0.2), flat(r, "black", rough=0.3)], "toy robot")


def house(r: Rng) -> Thing:
    """A model house with a pitched roof."""
    w, d, high, rise = _u(r, 0.6, 0.8), _u(r, 0.5, 0.7), _u(r, 0.5, 0.75), _u(r, 0.4, 0.65)
    gable: Points = [(-w - 0.12, high), (w + 0.12, high), (0.0, high + rise)]
    parts = [
        _box(0.0, high / 2, 0.0, w, high / 2, d, 0.01),
        slab(gable, d + 0.1, 0.02, mat=1),
        _box(w * 0.5, high + rise * 0.7, d * 0.3, 0.1, 0.3, 0.1, 0.01, mat=2),
        _box(0.0, 0.24, d, 0.13, 0.24, 0.03, 0.01, mat=3),
        Part(L.BOX, (0.13, 0.13, 0.025, 0.01), (w * 0.6, high * 0.55, d), mat=5, mirror=3),
        Part(L.BOX, (0.1, 0.1, 0.035, 0.0), (w * 0.6, high * 0.55, d), mat=4, mirror=3),
        Part(L.BOX, (0.025, 0.13, 0.13, 0.01), (w, high * 0.55, 0.0), mat=5, mirror=1),
        Part(L.BOX, (0.035, 0.1, 0.1, 0.0), (w, high * 0.55, 0.0), mat=4, mirror=1),
    ]
    wall = flat(r, "cream", "white", "clay", "sand", "pink", rough=0.9, bump=0.1, bump_frequency=20.0)
    tiles = flat(r, "clay", "brown", "grey", "red", rough=0.8)
    a = tiles.colours[0]
    tiles = tiles._replace(pattern=L.STRIPES, frequency=9.0, knobs=(0.3, 0.0), colours=(a, shade(a, 0.62), a))
    return Thing(parts, [wall, tiles, flat(r, "clay", rough=0.9), wood(r), flat(r, "black", "blue", rough=0.05), flat(r, "white", rough=0.5)], "model house", plain=True)


def gift(r: Rng) -> Thing:
    """A wrapped box with ribbon and bow."""
    a, b, c = _u(r, 0.5, 0.8), _u(r, 0.35, 0.7), _u(r, 0.5, 0.7)
    paper, ribbon = painted(r, "")._replace(local=True, rough=_u(r, 0.3, 0.7)), flat(r, "red", "gold", "cream", "green", "blue", rough=0.25)
    lid = _u(r, 0.1, 0.15)
    parts = [
        _box(0.0, b, 0.0, a, b, c, 0.02),
        _box(0.0, b * 2, 0.0, a + 0.03, lid, c + 0.03, 0.02),
        _box(0.0, b + lid / 2, 0.0, 0.09, b + lid / 2 + 0.012, c + 0.045, 0.01, mat=1),
        _box(0.0, b + lid / 2, 0.0, a + 0.045, b + lid / 2 + 0.012, 0.09, 0.01, mat=1),
        Part(L.TORUS, (0.15, 0.045, np.pi), (0.17, b * 2 + lid + 0.1, 0.0), (0.0, 0.0, 20.0), mat=1, mirror=1, k=0.03),
        Part(L.TORUS, (0.13, 0.04, np.pi), (0.0, b * 2 + lid + 0.1, 0.15), (0.0, 90.0, 0.0), mat=1, mirror=2, k=0.03),
        Part(L.BALL, (0.08, 0.07, 0.08), (0.0, b * 2 + lid + 0.06, 0.0), mat=1, k=0.03),
    ]
    return Thing(parts, [paper, ribbon], "gift box")


def books(r: Rng) -> Thing:
    """A stack of books."""
    parts, mats, y = [], [flat(r, "cream", rough=0.9)._replace(pattern=L.STRIPES, frequency=30.0, colours=(colour(r, "cream"), colour(r, "sand"), colour(r, "cream")))], 0.0
    for i in range(int(r.integers(3, 6))):
        a, c, t, turn = _u(r, 0.6, 0.85), _u(r, 0.45, 0.6), _u(r, 0.09, 0.2), (0.0, _u(r, -22, 22), 0.0)
        mats.append(painted(r, "") if r.random() < 0.25 else flat(r, *PAINTS, "black", "brown", rough=_u(r, 0.3, 0.8), bump=0.03, bump_frequency=30.0))
        parts.append(Part(L.BOX, (a - 0.03, t - 0.015, c - 0.03, 0.01), (0.0, y + t, 0.0), turn))
        for dy in (0.02, 2 * t - 0.02):
            parts.append(Part(L.BOX, (a, 0.018, c, 0.012), (0.0, y + dy, 0.0), turn, mat=i + 1))
        s, co = float(np.sin(np.radians(turn[1]))), float(np.cos(np.radians(turn[1])))
        parts.append(Part(L.BOX, (a, t, 0.025, 0.02), (c * s, y + t, c * co), turn, mat=i + 1))
        y += 2 * t
    return Thing(parts, mats, "stack of books", plain=True)


def capsule(r: Rng) -> Thing:
    """A two-coloured capsule, lying."""
    w = _u(r, 0.32, 0.42)
    parts = [
        Part(L.PILL, (w, w, 0.6), (0.0, w, 0.0), (0.0, 0.0, 90.0)),
        Part(L.PILL, (w * 1.05, w * 1.05, 0.35), (0.3, w, 0.0), (0.0, 0.0, 90.0), mat=1),
        Part(L.BOX, (0.3, 1.0, 1.0, 0.0), (-0.32, w, 0.0), mat=0, op=L.CARVE),
        Part(L.PILL, (w, w, 0.6), (0.0, w, 0.0), (0.0, 0.0, 90.0)),
    ]
    return Thing(parts, [plastic(r), plastic(r)], "giant capsule", tumbles=True)


def drum(r: Rng) -> Thing:
    """A snare drum."""
    w, half = _u(r, 0.7, 0.85), _u(r, 0.3, 0.5)
    parts = [
        Part(L.CYLINDER, (w, half, 0.01), (0.0, half + 0.05, 0.0)),
        Part(L.TORUS, (w + 0.01, 0.055, np.pi), (0.0, 0.07, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(L.TORUS, (w + 0.01, 0.055, np.pi), (0.0, 2 * half + 0.04, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(L.CYLINDER, (w - 0.03, 0.03, 0.01), (0.0, 2 * half + 0.04, 0.0), mat=2),
        Part(L.CYLINDER, (0.03, half, 0.01), (w + 0.03, half + 0.05, 0.0), mat=1, ring=int(r.integers(6, 10))),
    ]
    return Thing(parts, [painted(r, "wooden"), metal(r, rusty=False), flat(r, "cream", "white", rough=0.7)], "drum")


def dumbbell(r: Rng) -> Thing:
    """A hand weight."""
    s = _u(r, 0.34, 0.48)
    head = Part(L.NGON, (6.0, s, 0.0, 0.2, 0.0, -0.2, 0.0, 0.05), (0.62, s, 0.0), (0.0, 0.0, 90.0), mirror=1)
    if r.random() < 0.5:
        head = Part(L.CYLINDER, (s, 0.2, 0.05), (0.62, s, 0.0), (0.0, 0.0, 90.0), mirror=1)
    grip = Part(L.CYLINDER, (0.09, 0.6, 0.02), (0.0, s, 0.0), (0.0, 0.0, 90.0), mat=1, relief=(0.006, 50.0, L.D_BUMPS))
    collar = Part(L.CYLINDER, (0.16, 0.05, 0.02), (0.4, s, 0.0), (0.0, 0.0, 90.0), mat=1, mirror=1)
    return Thing([head, grip, collar], [rubber(r) if r.random() < 0.4 else anything(r), metal(r)], "dumbbell")


def sofa(r: Rng) -> Thing:
    """An armchair or a sofa."""
    w, h = _u(r, 0.55, 1.05), _u(r, 0.55, 0.75)
    fabric = cloth(r)
    seat = fabric if r.random() < 0.7 else cloth(r)
    parts = [
        _box(0.0, 0.34, 0.0, w, 0.2, 0.5, 0.06),
        _box(0.0, 0.36 + h / 2, -0.46, w, h / 2 + 0.2, 0.15, 0.1),
        Part(L.BOX, (0.14, 0.3, 0.55, 0.1), (w + 0.08, 0.46, 0.0), mirror=1),
        Part(L.BOX, (w / 2 - 0.02, 0.1, 0.42, 0.08), (w / 2, 0.6, 0.08), mat=1, mirror=1),
        Part(L.CONE, (0.03, 0.05, 0.08, 0.0), (w, 0.08, 0.42), mat=2, mirror=3),
    ]
    return Thing(parts, [fabric, seat, wood(r)], "sofa" if w > 0.8 else "armchair")


def star(r: Rng) -> Thing:
    """An extruded star or heart on a foot."""
    if r.random() < 0.5:
        n, inner = int(r.integers(5, 7)), _u(r, 0.4, 0.55)
        s = [(1.0 if i % 2 == 0 else inner) * 0.8 for i in range(2 * n)]
        out = [(q * float(np.sin(np.pi * i / n)), q * float(np.cos(np.pi * i / n))) for i, q in enumerate(s)]
        noun = "star ornament"
    else:
        t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        out = [(float(a) * 0.05, float(b) * 0.05) for a, b in zip(x, y, strict=True)]
        noun = "heart ornament"
    parts = [
        slab(out, _u(r, 0.12, 0.2), 0.07, (0.0, 1.2, 0.0)),
        Part(L.CYLINDER, (0.04, 0.3, 0.0), (0.0, 0.3, 0.0), mat=1),
        Part(L.CYLINDER, (0.36, 0.05, 0.03), (0.0, 0.05, 0.0), mat=1),
    ]
    return Thing(parts, [anything(r), metal(r) if r.random() < 0.6 else wood(r)], noun)


def cake(r: Rng) -> Thing:
    """A layered cake with icing and a cherry or candles."""
    w = _u(r, 0.7, 0.85)
    icing = flat(r, "pink", "white", "cream", "brown", rough=0.35)
    sponge = flat(r, "pine", "brown", "sand", rough=0.9, bump=0.25, bump_frequency=22.0)
    parts = [
        Part(L.CYLINDER, (w + 0.25, 0.03, 0.02), (0.0, 0.03, 0.0), mat=2),
        Part(L.CYLINDER, (w, 0.14, 0.03), (0.0, 0.2, 0.0), mat=1),
        Part(L.CYLINDER, (w * 1.01, 0.04, 0.03), (0.0, 0.36, 0.0)),
        Part(L.CYLINDER, (w, 0.14, 0.03), (0.0, 0.52, 0.0), mat=1),
        Part(L.CYLINDER, (w * 1.03, 0.11, 0.06), (0.0, 0.72, 0.0), relief=(0.02, 6.0, L.D_NOISE)),
        Part(L.BALL, (0.11, 0.1, 0.11), (w * 0.8, 0.86, 0.0), mat=0, ring=int(r.integers(7, 12))),
    ]
    if r.random() < 0.5:
        parts.append(Part(L.CYLINDER, (0.03, 0.2, 0.01), (0.3, 1.0, 0.0), mat=3, ring=5))
    else:
        parts.append(Part(L.BALL, (0.11, 0.11, 0.11), (w * 0.8, 1.0, 0.0), mat=3, ring=int(parts[-1].ring)))
    return Thing(parts, [icing, sponge, painted(r), flat(r, "red", rough=0.1)], "cake", plain=True)


def padlock(r: Rng) -> Thing:
    """A padlock."""
    body, rim = metal(r), _u(r, 0.05, 0.12)
    parts = [
        _box(0.0, 0.45, 0.0, 0.55, 0.45, 0.22, rim),
        Part(L.TORUS, (0.34, 0.085, np.pi / 2), (0.0, 1.05, 0.0), mat=1),
        Part(L.CYLINDER, (0.085, 0.12, 0.0), (0.34, 0.97, 0.0), mat=1, mirror=1),
        Part(L.CYLINDER, (0.16, 0.02, 0.01), (0.0, 0.42, 0.22), (90.0, 0.0, 0.0), mat=1),
        Part(L.CYLINDER, (0.05, 0.05, 0.0), (0.0, 0.46, 0.25), (90.0, 0.0, 0.0), mat=2, op=L.CARVE),
        Part(L.BOX, (0.022, 0.08, 0.05, 0.0), (0.0, 0.38, 0.25), mat=2, op=L.CARVE),
    ]
    return Thing(parts, [body, metal(r, rusty=False), flat(r, "black", rough=0.9)], "padlock")
