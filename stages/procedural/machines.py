"""Machine parts, tools and abstract solids."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import Points, slab
from stages.procedural.palette import shade
from stages.procedural.program import Part, Thing, box
from stages.procedural.stuff import Rng, anything, between, flat, metal, pick, plastic, rubber, wood


def torus_knot(r: Rng) -> Thing:
    """A knotted tube."""
    p, q = ((2.0, 3.0), (3.0, 2.0), (2.0, 5.0), (3.0, 4.0))[int(r.integers(4))]
    thick = between(r, 0.13, 0.18)
    return Thing(
        [Part(lay.KNOT, (0.72, 0.3, thick, p, q), (0.0, 0.3 + thick, 0.0))], [anything(r)], "knotted ring", tumbles=True
    )


def gear(r: Rng) -> Thing:
    """A cog wheel, lying or on edge."""
    n, tooth = int(r.integers(9, 20)), between(r, 0.12, 0.2)
    out: Points = []
    for i in range(n):
        for f, s in ((-0.3, 0.0), (-0.17, 1.0), (0.17, 1.0), (0.3, 0.0)):
            a = 2 * np.pi * (i + f) / n
            s = 0.85 + tooth * s
            out.append((s * float(np.cos(a)), s * float(np.sin(a))))
    half = between(r, 0.12, 0.25)
    parts = [
        slab(out, half, 0.03),
        Part(lay.CYLINDER, (0.66, half, 0.02), (0.0, 0.0, half * 1.5), (90.0, 0.0, 0.0), op=lay.CARVE, mirror=2),
        Part(lay.CYLINDER, (0.28, half * 1.1, 0.02), turn=(90.0, 0.0, 0.0)),
        Part(lay.CYLINDER, (0.15, 2.0, 0.0), turn=(90.0, 0.0, 0.0), op=lay.CARVE),
    ]
    holes = int(r.integers(4, 7))
    for i in range(holes if r.random() < 0.6 else 0):
        a = 2 * np.pi * i / holes
        parts.append(
            Part(
                lay.CYLINDER,
                (0.11, 2.0, 0.0),
                (0.46 * float(np.cos(a)), 0.46 * float(np.sin(a)), 0.0),
                (90.0, 0.0, 0.0),
                op=lay.CARVE,
            )
        )
    up = [p._replace(at=(p.at[0], p.at[1] + 0.85 + tooth, p.at[2])) for p in parts]
    return Thing(up, [metal(r) if r.random() < 0.75 else plastic(r)], "gear wheel", tumbles=True)


def spring(r: Rng) -> Thing:
    """A coil spring."""
    radius, turns, high = between(r, 0.4, 0.6), between(r, 4, 8), between(r, 0.7, 1.0)
    pitch = 2 * high / turns
    thick = min(pitch * 0.33, 0.11)
    parts = [Part(lay.COIL, (radius, pitch, thick, high), (0.0, high, 0.0))]
    return Thing(parts, [metal(r) if r.random() < 0.7 else plastic(r)], "coil spring", tumbles=True)


def dumbbell(r: Rng) -> Thing:
    """A hand weight."""
    s = between(r, 0.34, 0.48)
    head = Part(lay.NGON, (6.0, s, 0.0, 0.2, 0.0, -0.2, 0.0, 0.05), (0.62, s, 0.0), (0.0, 0.0, 90.0), mirror=1)
    if r.random() < 0.5:
        head = Part(lay.CYLINDER, (s, 0.2, 0.05), (0.62, s, 0.0), (0.0, 0.0, 90.0), mirror=1)
    grip = Part(
        lay.CYLINDER, (0.09, 0.6, 0.02), (0.0, s, 0.0), (0.0, 0.0, 90.0), mat=1, relief=(0.006, 50.0, lay.D_BUMPS)
    )
    collar = Part(lay.CYLINDER, (0.16, 0.05, 0.02), (0.4, s, 0.0), (0.0, 0.0, 90.0), mat=1, mirror=1)
    return Thing([head, grip, collar], [rubber(r) if r.random() < 0.4 else anything(r), metal(r)], "dumbbell")


def padlock(r: Rng) -> Thing:
    """A padlock."""
    body, rim = metal(r), between(r, 0.05, 0.12)
    parts = [
        box(0.0, 0.45, 0.0, 0.55, 0.45, 0.22, rim),
        Part(lay.TORUS, (0.34, 0.085, np.pi / 2), (0.0, 1.05, 0.0), mat=1),
        Part(lay.CYLINDER, (0.085, 0.12, 0.0), (0.34, 0.97, 0.0), mat=1, mirror=1),
        Part(lay.CYLINDER, (0.16, 0.02, 0.01), (0.0, 0.42, 0.22), (90.0, 0.0, 0.0), mat=1),
        Part(lay.CYLINDER, (0.05, 0.05, 0.0), (0.0, 0.46, 0.25), (90.0, 0.0, 0.0), mat=2, op=lay.CARVE),
        Part(lay.BOX, (0.022, 0.08, 0.05, 0.0), (0.0, 0.38, 0.25), mat=2, op=lay.CARVE),
    ]
    return Thing(parts, [body, metal(r, rusty=False), flat(r, "black", rough=0.9)], "padlock")


def superquadric(r: Rng) -> Thing:
    """A rounded solid between ball, drum and cube."""
    a, b, c = between(r, 0.6, 1.0), between(r, 0.6, 1.0), between(r, 0.6, 1.0)
    e1, e2 = between(r, 0.3, 1.0), between(r, 0.3, 1.0)
    return Thing([Part(lay.SUPER, (a, b, c, e1, e2), (0.0, b, 0.0))], [anything(r)], "rounded block")


def star(r: Rng) -> Thing:
    """An extruded star or heart on a foot."""
    if r.random() < 0.5:
        n, inner = int(r.integers(5, 7)), between(r, 0.4, 0.55)
        s = [(1.0 if i % 2 == 0 else inner) * 0.8 for i in range(2 * n)]
        out = [(q * float(np.sin(np.pi * i / n)), q * float(np.cos(np.pi * i / n))) for i, q in enumerate(s)]
        noun = "star ornament"
    else:
        t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        out = [(float(a) * 0.05, float(b) * 0.05) for a, b in zip(x, y, strict=True)]
        noun = "heart ornament"
    parts = [
        slab(out, between(r, 0.12, 0.2), 0.07, (0.0, 1.2, 0.0)),
        Part(lay.CYLINDER, (0.04, 0.45, 0.0), (0.0, 0.45, 0.0), mat=1),
        Part(lay.CYLINDER, (0.36, 0.05, 0.03), (0.0, 0.05, 0.0), mat=1),
    ]
    return Thing(parts, [anything(r), metal(r) if r.random() < 0.6 else wood(r)], noun)


def pyramid(r: Rng) -> Thing:
    """A faceted ornament: pyramid, gem or obelisk."""
    kind, n = pick(r, "pyramid", "obelisk", "gem"), float(r.integers(3, 9))
    if kind == "pyramid":
        part = Part(lay.NGON, (4.0, 0.8, between(r, 0.45, 0.62), 1.9, 0.0, 0.0, 0.0, 0.02))
    elif kind == "obelisk":
        part = Part(lay.NGON, (4.0, 0.36, 0.08, 2.2, 0.75, 0.0, 0.0, 0.015))
    else:
        part = Part(lay.NGON, (n + 2, 0.75, 0.0, 0.95, 0.55, -0.85, 0.85, 0.01), (0.0, 0.85, 0.0))
    return Thing([part], [anything(r)], {"gem": "faceted ornament"}.get(kind, kind), tumbles=kind == "gem")


def crystal(r: Rng) -> Thing:
    """A cluster of six-sided crystals on stone."""
    tint = flat(r, "purple", "teal", "pink", "white", "blue", rough=0.08)
    a = tint.colours[0]
    tint = tint._replace(
        pattern=lay.GRADIENT, knobs=(0.4, 0.0), colours=(shade(a, 0.55), shade(a, 1.3), a), words=("glossy", "", "")
    )
    parts = []
    for i in range(int(r.integers(4, 7))):
        w, high, lean, a0 = (
            between(r, 0.12, 0.28),
            between(r, 0.7, 1.7),
            between(r, 5, 40) * (i > 0),
            between(r, 0, 360),
        )
        parts.append(Part(lay.NGON, (6.0, w, 0.04, high, 0.9, -0.2, 0.0, 0.008), (0.0, 0.1, 0.0), (lean, a0, 0.0)))
    base = Part(lay.BALL, (0.55, 0.25, 0.55), (0.0, 0.12, 0.0), mat=1, relief=(0.09, 4.0, lay.D_RIDGES))
    return Thing(
        [*parts, base], [tint, flat(r, "stone", "grey", "brown", rough=0.9, bump=0.25)], "crystal cluster", plain=True
    )


MAKERS = (torus_knot, gear, spring, dumbbell, padlock, superquadric, star, pyramid, crystal)
