"""Toys and presents."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import Points, lathe, slab, smooth
from stages.procedural.palette import shade
from stages.procedural.program import Part, Thing, box
from stages.procedural.stuff import Rng, anything, between, flat, metal, painted, pick, plastic, rubber, wood


def car(r: Rng) -> Thing:
    """A toy car."""
    long, wide = between(r, 0.95, 1.15), between(r, 0.42, 0.5)
    cab, shift = between(r, 0.42, 0.62), between(r, -0.25, 0.05)
    paint = plastic(r, "red", "blue", "yellow", "green", "orange", "teal", "white")
    parts = [
        box(0.0, 0.42, 0.0, long, 0.2, wide, 0.1),
        Part(lay.BOX, (cab, 0.24, wide * 0.84, 0.14), (shift, 0.72, 0.0), k=0.06),
        box(shift, 0.75, 0.0, cab * 0.74, 0.12, wide * 0.86, 0.04, mat=1),
        box(shift, 0.75, 0.0, cab * 1.01, 0.12, wide * 0.66, 0.04, mat=1),
        Part(lay.CYLINDER, (0.25, 0.13, 0.04), (long * 0.6, 0.25, wide * 0.92), (90.0, 0.0, 0.0), mat=2, mirror=3),
        Part(lay.CYLINDER, (0.14, 0.14, 0.02), (long * 0.6, 0.25, wide * 0.92), (90.0, 0.0, 0.0), mat=3, mirror=3),
        Part(lay.BALL, (0.05, 0.08, 0.08), (long * 0.97, 0.46, wide * 0.65), mat=4, mirror=3),
        box(0.0, 0.3, 0.0, long + 0.05, 0.055, wide * 0.9, 0.03, mat=3),
    ]
    mats = [
        paint,
        flat(r, "black", "blue", rough=0.06),
        rubber(r),
        metal(r, rusty=False),
        flat(r, "yellow", "cream", rough=0.1),
    ]
    return Thing(parts, mats, "toy car")


def truck(r: Rng) -> Thing:
    """A wooden or plastic toy lorry."""
    wooden = r.random() < 0.4
    load = between(r, 0.3, 0.5)
    parts = [
        box(0.0, 0.32, 0.0, 1.1, 0.07, 0.4, 0.02, mat=1),
        box(0.75, 0.68, 0.0, 0.33, 0.34, 0.4, 0.06),
        box(0.86, 0.8, 0.0, 0.235, 0.14, 0.34, 0.02, mat=2),
        box(0.75, 0.8, 0.0, 0.18, 0.14, 0.41, 0.02, mat=2),
        box(-0.38, 0.42 + load, 0.0, 0.7, load, 0.42, 0.03, mat=3),
        Part(lay.CYLINDER, (0.23, 0.12, 0.03), (0.68, 0.23, 0.4), (90.0, 0.0, 0.0), mat=4, mirror=2),
        Part(lay.CYLINDER, (0.23, 0.12, 0.03), (-0.55, 0.23, 0.4), (90.0, 0.0, 0.0), mat=4, mirror=2),
        Part(lay.CYLINDER, (0.1, 0.13, 0.02), (0.68, 0.23, 0.4), (90.0, 0.0, 0.0), mat=1, mirror=2),
        Part(lay.CYLINDER, (0.1, 0.13, 0.02), (-0.55, 0.23, 0.4), (90.0, 0.0, 0.0), mat=1, mirror=2),
    ]
    if r.random() < 0.5:
        parts.insert(5, Part(lay.BOX, (0.64, load, 0.36, 0.0), (-0.38, 0.5 + load * 1.2, 0.0), mat=3, op=lay.CARVE))
    cab, bed, load_box = (wood(r) if wooden else plastic(r) for _ in range(3))
    return Thing(parts, [cab, bed, flat(r, "black", "blue", rough=0.08), load_box, rubber(r)], "toy truck")


def blocks(r: Rng) -> Thing:
    """A tower of toy blocks."""
    parts, mats, y = [], [], 0.0
    for i in range(int(r.integers(3, 6))):
        s = between(r, 0.26, 0.36)
        at, turn = (between(r, -0.07, 0.07), y + s, between(r, -0.07, 0.07)), (0.0, between(r, -35, 35), 0.0)
        kind = pick(r, "cube", "cube", "drum", "bar")
        if kind == "drum":
            parts.append(Part(lay.CYLINDER, (s * 1.05, s, 0.03), at, turn, mat=i))
        else:
            parts.append(Part(lay.BOX, (s * (1.7 if kind == "bar" else 1.0), s, s, 0.04), at, turn, mat=i))
        mats.append(wood(r) if r.random() < 0.3 else painted(r, "wooden")._replace(local=True))
        y += 2 * s
    if r.random() < 0.6:
        s = 0.34
        parts.append(Part(lay.NGON, (4.0, s, 0.5, 0.62, 0.0, -0.0, 0.0, 0.03), (0.0, y, 0.0), mat=len(mats)))
        mats.append(painted(r, "wooden"))
    return Thing(parts, mats, "tower of toy blocks", plain=True)


def dice(r: Rng) -> Thing:
    """A die with carved pips."""
    s, pip, d = 0.7, 0.13, 0.36
    parts = [Part(lay.BOX, (s, s, s, between(r, 0.08, 0.2)), (0.0, s, 0.0))]
    spots = {2: [(d, d), (-d, -d)], 3: [(d, d), (0.0, 0.0), (-d, -d)], 4: [(d, d), (-d, d), (d, -d), (-d, -d)]}
    spots |= {1: [(0.0, 0.0)], 5: [*spots[4], (0.0, 0.0)], 6: [*spots[4], (d, 0.0), (-d, 0.0)]}
    depth = s + pip * 0.45
    for face, n in enumerate((1, 6, 2, 5, 3, 4)):
        axis, sign = face // 2, 1.0 if face % 2 == 0 else -1.0
        for u, v in spots[n]:
            p = [u, v]
            p.insert(axis, sign * depth)
            parts.append(Part(lay.BALL, (pip, pip, pip), (p[0], p[1] + s, p[2]), mat=1, op=lay.CARVE))
    body = plastic(r) if r.random() < 0.7 else anything(r)
    dark = sum(body.colours[0]) > 0.8
    return Thing(parts, [body, flat(r, "black" if dark else "white", rough=0.4)], "die", tumbles=True)


def robot(r: Rng) -> Thing:
    """A tin robot."""
    w, high = between(r, 0.36, 0.46), between(r, 0.4, 0.5)
    chest = 0.62 + high
    head = between(r, 0.24, 0.3)
    top = chest + high + head
    parts = [
        box(0.0, chest, 0.0, w, high, 0.28, 0.06),
        box(0.0, top + 0.06, 0.0, head * 1.2, head, head, 0.07),
        Part(lay.CYLINDER, (0.1, 0.08, 0.0), (0.0, chest + high + 0.03, 0.0), mat=2),
        Part(lay.CYLINDER, (0.1, 0.3, 0.03), (w * 0.5, 0.35, 0.0), mat=2, mirror=1),
        box(w * 0.5, 0.09, 0.06, 0.17, 0.09, 0.24, 0.05, mat=1, mirror=1),
        Part(lay.PILL, (0.1, 0.085, 0.26), (w + 0.14, chest + 0.02, 0.0), (0.0, 0.0, 14.0), mat=2, mirror=1),
        Part(lay.BALL, (0.14, 0.14, 0.14), (w + 0.24, chest - 0.36, 0.0), mat=1, mirror=1),
        Part(lay.CYLINDER, (0.08, 0.03, 0.01), (head * 0.5, top + 0.1, head), (90.0, 0.0, 0.0), mat=3, mirror=1),
        box(0.0, top - 0.1, head, head * 0.6, 0.03, 0.02, 0.01, mat=4),
        box(0.0, chest + 0.1, 0.28, w * 0.65, high * 0.4, 0.02, 0.015, mat=1),
        Part(lay.BALL, (0.05, 0.05, 0.04), (0.12, chest + 0.12, 0.3), mat=3, mirror=1),
        Part(lay.CYLINDER, (0.02, 0.12, 0.0), (0.0, top + head + 0.15, 0.0), mat=2),
        Part(lay.BALL, (0.06, 0.06, 0.06), (0.0, top + head + 0.3, 0.0), mat=3),
    ]
    body = metal(r) if r.random() < 0.5 else plastic(r)
    return Thing(
        parts,
        [
            body,
            plastic(r),
            metal(r, rusty=False),
            flat(r, "yellow", "red", rough=0.1, glow=0.2),
            flat(r, "black", rough=0.3),
        ],
        "toy robot",
    )


def rocket(r: Rng) -> Thing:
    """A toy rocket on fins."""
    w = between(r, 0.34, 0.44)
    body = smooth([(0.0, 0.3), (w * 0.7, 0.3), (w * 0.75, 0.35), (w, 1.0), (w * 0.8, 1.6), (w * 0.3, 2.1), (0.0, 2.25)])
    fin: Points = [(w * 0.6, 0.9), (w + 0.42, 0.25), (w + 0.42, 0.0), (w + 0.3, 0.0), (w * 0.5, 0.4)]
    y = 1.25
    parts = [
        lathe(body),
        slab(fin, 0.035, 0.02, mat=1, ring=int(r.integers(3, 5))),
        Part(lay.CONE, (w * 0.72, w * 0.5, 0.1, 0.02), (0.0, 0.24, 0.0), mat=3),
        Part(lay.TORUS, (0.17, 0.035, np.pi), (0.0, y, w * 0.93), mat=3, mirror=2),
        Part(lay.BALL, (0.16, 0.16, 0.06), (0.0, y, w * 0.9), mat=2, mirror=2),
    ]
    return Thing(
        parts,
        [
            painted(r, "tin"),
            plastic(r, "red", "blue", "orange", "teal"),
            flat(r, "blue", "black", rough=0.05),
            metal(r),
        ],
        "toy rocket",
    )


def capsule(r: Rng) -> Thing:
    """A two-coloured capsule, lying."""
    w, half = between(r, 0.32, 0.42), between(r, 0.45, 0.65)
    parts = [
        Part(lay.PILL, (w, w, half), (0.0, w, 0.0), (0.0, 0.0, 90.0)),
        Part(lay.PILL, (w * 1.05, w * 1.05, half / 2), (half / 2, w, 0.0), (0.0, 0.0, 90.0), mat=1),
    ]
    return Thing(parts, [plastic(r), plastic(r)], "two-coloured capsule", tumbles=True)


def gift(r: Rng) -> Thing:
    """A wrapped box with ribbon and bow."""
    a, b, c = between(r, 0.5, 0.8), between(r, 0.35, 0.7), between(r, 0.5, 0.7)
    paper, ribbon = (
        painted(r, "")._replace(local=True, rough=between(r, 0.3, 0.7)),
        flat(r, "red", "gold", "cream", "green", "blue", rough=0.25),
    )
    lid = between(r, 0.1, 0.15)
    parts = [
        box(0.0, b, 0.0, a, b, c, 0.02),
        box(0.0, b * 2, 0.0, a + 0.03, lid, c + 0.03, 0.02),
        box(0.0, b + lid / 2, 0.0, 0.09, b + lid / 2 + 0.012, c + 0.045, 0.01, mat=1),
        box(0.0, b + lid / 2, 0.0, a + 0.045, b + lid / 2 + 0.012, 0.09, 0.01, mat=1),
        Part(
            lay.TORUS, (0.15, 0.045, np.pi), (0.17, b * 2 + lid + 0.1, 0.0), (0.0, 0.0, 20.0), mat=1, mirror=1, k=0.03
        ),
        Part(lay.TORUS, (0.13, 0.04, np.pi), (0.0, b * 2 + lid + 0.1, 0.15), (0.0, 90.0, 0.0), mat=1, mirror=2, k=0.03),
        Part(lay.BALL, (0.08, 0.07, 0.08), (0.0, b * 2 + lid + 0.06, 0.0), mat=1, k=0.03),
    ]
    return Thing(parts, [paper, ribbon], "gift box")


def house(r: Rng) -> Thing:
    """A model house with a pitched roof."""
    w, d, high, rise = between(r, 0.6, 0.8), between(r, 0.5, 0.7), between(r, 0.5, 0.75), between(r, 0.4, 0.65)
    gable: Points = [(-w - 0.12, high), (w + 0.12, high), (0.0, high + rise)]
    parts = [
        box(0.0, high / 2, 0.0, w, high / 2, d, 0.01),
        slab(gable, d + 0.1, 0.02, mat=1),
        box(w * 0.5, high + rise * 0.7, d * 0.3, 0.1, 0.3, 0.1, 0.01, mat=2),
        box(0.0, 0.24, d, 0.13, 0.24, 0.03, 0.01, mat=3),
        Part(lay.BOX, (0.13, 0.13, 0.025, 0.01), (w * 0.6, high * 0.55, d), mat=5, mirror=3),
        Part(lay.BOX, (0.1, 0.1, 0.035, 0.0), (w * 0.6, high * 0.55, d), mat=4, mirror=3),
        Part(lay.BOX, (0.025, 0.13, 0.13, 0.01), (w, high * 0.55, 0.0), mat=5, mirror=1),
        Part(lay.BOX, (0.035, 0.1, 0.1, 0.0), (w, high * 0.55, 0.0), mat=4, mirror=1),
    ]
    wall = flat(r, "cream", "white", "clay", "sand", "pink", rough=0.9, bump=0.1, bump_frequency=20.0)
    tiles = flat(r, "clay", "brown", "grey", "red", rough=0.8)
    a = tiles.colours[0]
    tiles = tiles._replace(pattern=lay.STRIPES, frequency=9.0, knobs=(0.3, 0.0), colours=(a, shade(a, 0.62), a))
    return Thing(
        parts,
        [
            wall,
            tiles,
            flat(r, "clay", rough=0.9),
            wood(r),
            flat(r, "black", "blue", rough=0.05),
            flat(r, "white", rough=0.5),
        ],
        "model house",
        plain=True,
    )


MAKERS = (car, truck, blocks, dice, robot, rocket, capsule, gift, house)
