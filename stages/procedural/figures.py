"""Figures, ornaments and sweets."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.palette import colour, shade
from stages.procedural.program import Material, Part, Thing, ball
from stages.procedural.stuff import Rng, anything, between, cloth, flat, painted, pick, stone, wood


def snowman(r: Rng) -> Thing:
    """Three snowballs, coal, carrot, hat or scarf."""
    low, mid, top = 0.62, between(r, 0.42, 0.48), between(r, 0.29, 0.34)
    y1, y2 = low * 0.9 + low + mid * 0.55, 0.0
    y0 = low * 0.9
    y1 = y0 + low * 0.8 + mid * 0.5
    y2 = y1 + mid * 0.75 + top * 0.55
    snow = (0.012, 9.0, lay.D_NOISE)
    balls = [ball(0.0, y, 0.0, s, k=0.05)._replace(relief=snow) for y, s in ((y0, low), (y1, mid), (y2, top))]
    parts = [
        *balls,
        Part(lay.CONE, (0.06, 0.01, 0.17, 0.01), (0.0, y2, top + 0.12), (90.0, 0.0, 0.0), mat=1),
        ball(top * 0.38, y2 + top * 0.32, top * 0.86, 0.042, mat=2, mirror=1),
        *[ball(0.0, y1 + dy, (mid**2 - dy**2) ** 0.5 - 0.0, 0.045, mat=2) for dy in (-0.15, 0.02, 0.19)],
        Part(lay.TORUS, (top * 0.95, 0.09, np.pi), (0.0, y2 - top * 0.72, 0.0), (90.0, 0.0, 0.0), mat=3),
        Part(
            lay.TUBE,
            (
                mid * 0.8,
                y1 + 0.1,
                0.0,
                mid + 0.25,
                y1 + 0.15,
                0.1,
                mid + 0.5,
                y1 + between(r, 0.2, 0.5),
                0.05,
                0.035,
                0.02,
            ),
            mat=4,
            mirror=1,
        ),
    ]
    if r.random() < 0.7:
        parts += [
            Part(lay.CYLINDER, (top * 1.15, 0.025, 0.02), (0.0, y2 + top * 0.72, 0.0), mat=2),
            Part(lay.CYLINDER, (top * 0.75, 0.2, 0.02), (0.0, y2 + top * 0.72 + 0.2, 0.0), mat=2),
            Part(lay.CYLINDER, (top * 0.77, 0.045, 0.01), (0.0, y2 + top * 0.72 + 0.08, 0.0), mat=3),
        ]
    coat = flat(r, "white", rough=0.85, bump=0.12, bump_frequency=30.0)
    scarf = cloth(r, "red", "green", "blue", "purple")._replace(pattern=lay.STRIPES, frequency=7.0)
    return Thing(
        parts, [coat, flat(r, "orange", rough=0.6), flat(r, "black", rough=0.7), scarf, wood(r)], "snowman", plain=True
    )


def teddy(r: Rng) -> Thing:
    """A sitting plush bear."""
    fur = (0.018, 16.0, lay.D_NOISE)
    head = between(r, 0.42, 0.5)
    parts = [
        ball(0.0, 0.6, 0.0, 0.52, 0.6, 0.46)._replace(relief=fur),
        ball(0.0, 1.42, 0.03, head, head * 0.92, head * 0.9, k=0.06)._replace(relief=fur),
        Part(lay.PILL, (0.19, 0.21, 0.2), (0.42, 0.2, 0.42), (80.0, 28.0, 0.0), k=0.05, mirror=1, relief=fur),
        Part(lay.PILL, (0.16, 0.15, 0.22), (0.52, 0.78, 0.16), (25.0, 0.0, 35.0), k=0.05, mirror=1, relief=fur),
        ball(0.33, 1.8, 0.0, 0.17, 0.17, 0.1, k=0.04, mirror=1),
        ball(0.33, 1.8, 0.07, 0.1, 0.1, 0.06, mat=1, mirror=1),
        ball(0.0, 1.3, head * 0.8, 0.2, 0.16, 0.15, mat=1, k=0.02),
        ball(0.0, 1.38, head * 0.8 + 0.14, 0.065, 0.045, 0.04, mat=2),
        ball(0.16, 1.52, head * 0.82, 0.05, mat=2, mirror=1),
        ball(0.45, 0.2, 0.72, 0.15, 0.16, 0.06, mat=1, mirror=1),
    ]
    coat = cloth(r, "brown", "sand", "cream", "pink", "grey")
    pale = flat(r, "cream", "sand", rough=0.95, bump=0.15, bump_frequency=40.0)
    return Thing(parts, [coat, pale, flat(r, "black", rough=0.15)], "teddy bear", plain=True)


def duck(r: Rng) -> Thing:
    """A bath duck."""
    skin = flat(r, "yellow", "yellow", "orange", "white", "blue", rough=0.2, words=("glossy", "", "rubber"))
    parts = [
        ball(0.0, 0.45, 0.0, 0.75, 0.47, 0.55),
        Part(lay.CONE, (0.3, 0.06, 0.25, 0.04), (-0.72, 0.72, 0.0), (0.0, 0.0, 50.0), k=0.3),
        ball(0.42, 1.1, 0.0, 0.4, 0.39, 0.38, k=0.12),
        Part(lay.BALL, (0.36, 0.2, 0.12), (-0.08, 0.55, 0.48), (0.0, 0.0, 15.0), mirror=2, k=0.06),
        Part(lay.BALL, (0.22, 0.05, 0.15), (0.84, 1.06, 0.0), (0.0, 0.0, 12.0), mat=1, k=0.01),
        Part(lay.BALL, (0.18, 0.04, 0.13), (0.82, 0.99, 0.0), (0.0, 0.0, -8.0), mat=1),
        ball(0.68, 1.22, 0.2, 0.075, mat=2, mirror=2),
        ball(0.72, 1.23, 0.215, 0.05, mat=3, mirror=2),
        Part(lay.BOX, (2.0, 0.5, 2.0, 0.0), (0.0, -0.42, 0.0), op=lay.CARVE),
    ]
    return Thing(
        parts,
        [skin, flat(r, "orange", "red", rough=0.25), flat(r, "white", rough=0.2), flat(r, "black", rough=0.1)],
        "toy duck",
    )


def shell(r: Rng) -> Thing:
    """A ribbed ammonite: a shrinking tube wound in a standing plane."""
    n, turns, shrink = 13, between(r, 1.7, 2.1), between(r, 1.5, 1.9)
    skin = flat(r, "sand", "pink", "cream", "clay", "stone", rough=0.35)
    a = skin.colours[0]
    skin = skin._replace(pattern=lay.PANELS, knobs=(float(r.integers(30, 50)), 0.0), colours=(a, shade(a, 0.6), a))
    skin = skin._replace(words=("glossy", "", ""), bump=0.05)
    steps = np.linspace(0.0, 1.0, 2 * n + 1)
    size, angle = np.exp(-shrink * steps), 2 * np.pi * turns * steps
    x, y = 0.62 * size * np.cos(angle), 0.62 * size * np.sin(angle) + 0.98
    z = 0.06 * np.sin(9.0 * steps)
    parts = []
    for i in range(0, 2 * n, 2):
        bend = [2 * v[i + 1] - (v[i] + v[i + 2]) / 2 for v in (x, y, z)]
        points = (x[i], y[i], z[i], *bend, x[i + 2], y[i + 2], z[i + 2], 0.4 * size[i], 0.4 * size[i + 2])
        parts.append(Part(lay.TUBE, tuple(float(v) for v in points), k=0.03))
    mouth = Part(lay.BALL, (0.3, 0.25, 0.3), (0.64, 0.72, 0.0), mat=1, op=lay.CARVE)
    return Thing([*parts, mouth], [skin, flat(r, "pink", "cream", rough=0.2)], "spiral sea shell", plain=True)


def blob(r: Rng) -> Thing:
    """A smooth abstract sculpture of melted balls on a plinth."""
    parts = []
    y = 0.3
    for _ in range(int(r.integers(3, 6))):
        s = between(r, 0.28, 0.5)
        a = between(r, 0, 6.28)
        parts.append(
            ball(
                0.28 * float(np.cos(a)),
                y + s * 0.7,
                0.28 * float(np.sin(a)),
                s,
                s * between(r, 0.7, 1.2),
                s * between(r, 0.7, 1.0),
                k=0.25,
            )
        )
        y += s * 0.85
    hole = between(r, 0.12, 0.2)
    parts.append(
        Part(
            lay.CYLINDER, (hole, 2.0, 0.0), (0.05, y * 0.55, 0.0), (90.0, between(r, 0, 180), 0.0), op=lay.CARVE, k=0.1
        )
    )
    base = Part(lay.BOX, (0.45, 0.16, 0.45, 0.02), (0.0, 0.16, 0.0), mat=1)
    return Thing([*parts, base], [anything(r), stone(r) if r.random() < 0.5 else wood(r)], "abstract sculpture")


def planet(r: Rng) -> Thing:
    """A globe on a stand or a ringed planet model."""
    a, b, c = (
        colour(r, "blue", "teal", "clay", "sand"),
        colour(r, "green", "brown", "sand", "orange"),
        colour(r, "white", "cream"),
    )
    skin = Material(
        (a, b, c),
        lay.CLOUDS,
        between(r, 1.3, 2.2),
        (between(r, -0.1, 0.15), between(r, 0.0, 0.8)),
        (between(r, 0, 20), between(r, 0, 20), 3.0),
        between(r, 0.2, 0.5),
        bump=0.03,
    )
    y = 1.25
    parts = [ball(0.0, y, 0.0, 0.75)]
    if r.random() < 0.5:
        parts.append(Part(lay.CYLINDER, (1.25, 0.012, 0.01), (0.0, y, 0.0), (18.0, 0.0, 12.0), mat=1))
        noun = "model of a ringed planet"
    else:
        parts.append(Part(lay.TORUS, (0.84, 0.03, 1.9), (0.0, y, 0.0), (0.0, 0.0, -113.0), mat=1))
        noun = "desk globe"
    parts += [
        Part(lay.CONE, (0.5, 0.08, 0.1, 0.03), (0.0, 0.1, 0.0), mat=1),
        Part(lay.CYLINDER, (0.045, 0.2, 0.0), (0.0, 0.35, 0.0), mat=1),
    ]
    return Thing(
        parts, [skin, flat(r, "brown", "gold", "steel", rough=0.3, metal=float(r.random() < 0.5))], noun, plain=True
    )


def ice_cream(r: Rng) -> Thing:
    """Scoops in a waffle cone, on a stand-like point."""
    n = int(r.integers(1, 4))
    scoops = [
        flat(r, "pink", "cream", "brown", "green", "yellow", "purple", rough=0.45, bump=0.12, bump_frequency=12.0)
        for _ in range(3)
    ]
    cone = flat(r, "pine", "sand", rough=0.8)
    a = cone.colours[0]
    cone = cone._replace(pattern=lay.CHECKS, frequency=5.0, colours=(a, shade(a, 0.72), a))
    parts = [Part(lay.CONE, (0.03, 0.44, 0.62, 0.02), (0.0, 0.62, 0.0), mat=3, relief=(0.012, 22.0, lay.D_BUMPS))]
    for i in range(n):
        s = 0.47 - 0.05 * i
        parts.append(
            ball(0.04 * (-1) ** i, 1.42 + 0.56 * i, 0.0, s, s * 0.95, s, mat=i, k=0.03)._replace(
                relief=(0.035, 6.0, lay.D_NOISE)
            )
        )
    if r.random() < 0.5:
        top = 1.42 + 0.56 * (n - 1) + 0.42
        parts.append(ball(0.0, top + 0.08, 0.0, 0.13, mat=4))
    return Thing(parts, [*scoops, cone, flat(r, "red", rough=0.12)], pick(r, "ice cream cone"), plain=True)


def donut(r: Rng) -> Thing:
    """A ring cake with icing and sprinkles."""
    big, small = 0.7, between(r, 0.3, 0.38)
    dough = flat(r, "pine", "sand", rough=0.75, bump=0.12, bump_frequency=12.0)
    ice = flat(r, "pink", "brown", "cream", "white", rough=0.15)
    bits = Material(
        (ice.colours[0], colour(r, "red", "yellow", "white"), colour(r, "blue", "green", "yellow")),
        lay.SPOTS,
        9.0,
        (0.24, 0.5),
        rough=0.2,
    )
    parts = [
        Part(lay.TORUS, (big, small, np.pi), (0.0, small, 0.0), (90.0, 0.0, 0.0)),
        Part(
            lay.TORUS,
            (big, small * 0.93, np.pi),
            (0.0, small * 1.2, 0.0),
            (90.0, 0.0, 0.0),
            mat=1,
            relief=(0.035, 4.0, lay.D_NOISE),
        ),
    ]
    return Thing(parts, [dough, bits if r.random() < 0.6 else ice], "iced donut", plain=True)


def cake(r: Rng) -> Thing:
    """A layered cake with icing and a cherry or candles."""
    w = between(r, 0.7, 0.85)
    icing = flat(r, "pink", "white", "cream", "brown", rough=0.35)
    sponge = flat(r, "pine", "brown", "sand", rough=0.9, bump=0.25, bump_frequency=22.0)
    parts = [
        Part(lay.CYLINDER, (w + 0.25, 0.03, 0.02), (0.0, 0.03, 0.0), mat=2),
        Part(lay.CYLINDER, (w, 0.14, 0.03), (0.0, 0.2, 0.0), mat=1),
        Part(lay.CYLINDER, (w * 1.01, 0.04, 0.03), (0.0, 0.36, 0.0)),
        Part(lay.CYLINDER, (w, 0.14, 0.03), (0.0, 0.52, 0.0), mat=1),
        Part(lay.CYLINDER, (w * 1.03, 0.11, 0.06), (0.0, 0.72, 0.0), relief=(0.02, 6.0, lay.D_NOISE)),
        Part(lay.BALL, (0.11, 0.1, 0.11), (w * 0.8, 0.86, 0.0), mat=0, ring=int(r.integers(7, 12))),
    ]
    if r.random() < 0.5:
        parts.append(Part(lay.CYLINDER, (0.03, 0.2, 0.01), (0.3, 1.0, 0.0), mat=3, ring=5))
    else:
        parts.append(Part(lay.BALL, (0.11, 0.11, 0.11), (w * 0.8, 1.0, 0.0), mat=3, ring=int(parts[-1].ring)))
    return Thing(parts, [icing, sponge, painted(r), flat(r, "red", rough=0.1)], "cake", plain=True)


MAKERS = (snowman, teddy, duck, shell, blob, planet, ice_cream, donut, cake)
