"""Families that grow or weather: plants, fruit, animals, rocks."""

import numpy as np

from stages.procedural import layout as L
from stages.procedural.drawing import lathe, smooth
from stages.procedural.palette import colour, shade
from stages.procedural.program import Material, Part, Thing
from stages.procedural.stuff import anything, cloth, flat, painted, pick, stone, wood

Rng = np.random.Generator


def _u(r: Rng, low: float, high: float) -> float:
    return float(r.uniform(low, high))


def _ball(x: float, y: float, z: float, a: float, b: float = 0.0, c: float = 0.0, mat: int = 0, k: float = 0.0, mirror: int = 0) -> Part:
    return Part(L.BALL, (a, b or a, c or a), (x, y, z), mat=mat, k=k, mirror=mirror)


def mushroom(r: Rng) -> Thing:
    """Cap, gills' shade and stem; sometimes a small one beside it."""
    cap, high, thick = _u(r, 0.6, 0.9), _u(r, 0.7, 1.2), _u(r, 0.14, 0.24)
    stem = smooth([(0.0, 0.0), (thick * 1.5, 0.02), (thick * 1.3, 0.2), (thick, high * 0.6), (thick * 0.9, high + 0.1), (0.0, high + 0.1)])
    dome = smooth([(0.0, high + 0.04), (cap * 0.8, high - 0.02), (cap, high - 0.06), (cap, high + 0.03), (cap * 0.75, high + cap * 0.42), (0.0, high + cap * 0.65)])
    top = flat(r, "red", "brown", "orange", "sand", rough=_u(r, 0.2, 0.6), words=("", "", ""))
    if r.random() < 0.5:
        top = top._replace(pattern=L.SPOTS, frequency=3.2, knobs=(0.27, 0.0), colours=(top.colours[0], colour(r, "cream"), top.colours[0]), words=("", "spotted", ""))
    pale = flat(r, "cream", "sand", rough=0.8, bump=0.08)._replace(pattern=L.FIBRES, frequency=2.0, local=True)
    return Thing([lathe(stem, mat=1), lathe(dome, turn=(_u(r, -8, 8), 0.0, _u(r, -8, 8)))], [top, pale], "mushroom", plain=True)


def rock(r: Rng) -> Thing:
    """A weathered boulder."""
    a, b, c = _u(r, 0.7, 1.1), _u(r, 0.5, 0.8), _u(r, 0.6, 1.0)
    kind = L.D_NOISE if r.random() < 0.6 else L.D_RIDGES
    parts = [
        Part(L.BALL, (a, b, c), (0.0, b * 0.75, 0.0), (0.0, 0.0, _u(r, -15, 15)), relief=(_u(r, 0.12, 0.22), _u(r, 1.4, 2.4), kind)),
        Part(L.BALL, (a * 0.6, b * 0.6, c * 0.6), (a * 0.5, b * 0.4, c * 0.3), k=0.12, relief=(0.08, 2.6, L.D_NOISE)),
    ]
    for _ in range(3):
        turn = (_u(r, -40, 40), _u(r, -180, 180), _u(r, -40, 40))
        away = np.array([np.cos(np.radians(turn[1])), 0.35, np.sin(np.radians(turn[1]))]) * (a + 0.45)
        parts.append(Part(L.BOX, (0.6, 1.2, 1.2, 0.05), (float(away[0]), float(away[1]) + 0.3, float(away[2])), turn, op=L.CARVE, k=0.06))
    grain = stone(r)
    if grain.words[2] in ("terrazzo", "marble"):
        grain = flat(r, "stone", "grey", "brown", rough=0.9)
    a0 = grain.colours[0]
    look = grain._replace(rough=0.9, bump=0.3, bump_frequency=9.0, words=("rough", "", ""))
    if r.random() < 0.35:
        look = look._replace(pattern=L.PATINA, frequency=1.5, knobs=(0.15, 0.0), colours=(a0, shade(a0, 0.7), colour(r, "green")), words=("mossy", "", ""))
    return Thing(parts, [look], "boulder", tumbles=True, plain=True)


def snowman(r: Rng) -> Thing:
    """Three snowballs, coal, carrot, hat or scarf."""
    low, mid, top = 0.62, _u(r, 0.42, 0.48), _u(r, 0.29, 0.34)
    y1, y2 = low * 0.9 + low + mid * 0.55, 0.0
    y0 = low * 0.9
    y1 = y0 + low * 0.8 + mid * 0.5
    y2 = y1 + mid * 0.75 + top * 0.55
    snow = (0.012, 9.0, L.D_NOISE)
    balls = [_ball(0.0, y, 0.0, s, k=0.05)._replace(relief=snow) for y, s in ((y0, low), (y1, mid), (y2, top))]
    parts = [
        *balls,
        Part(L.CONE, (0.06, 0.01, 0.17, 0.01), (0.0, y2, top + 0.12), (90.0, 0.0, 0.0), mat=1),
        _ball(top * 0.38, y2 + top * 0.32, top * 0.86, 0.042, mat=2, mirror=1),
        *[_ball(0.0, y1 + dy, (mid**2 - dy**2) ** 0.5 - 0.0, 0.045, mat=2) for dy in (-0.15, 0.02, 0.19)],
        Part(L.TORUS, (top * 0.82, 0.085, np.pi), (0.0, y2 - top * 0.72, 0.0), (90.0, 0.0, 0.0), mat=3),
        Part(L.TUBE, (mid * 0.8, y1 + 0.1, 0.0, mid + 0.25, y1 + 0.15, 0.1, mid + 0.5, y1 + _u(r, 0.2, 0.5), 0.05, 0.035, 0.02), mat=4, mirror=1),
    ]
    if r.random() < 0.7:
        parts += [
            Part(L.CYLINDER, (top * 1.15, 0.025, 0.02), (0.0, y2 + top * 0.72, 0.0), mat=2),
            Part(L.CYLINDER, (top * 0.75, 0.2, 0.02), (0.0, y2 + top * 0.72 + 0.2, 0.0), mat=2),
            Part(L.CYLINDER, (top * 0.77, 0.045, 0.01), (0.0, y2 + top * 0.72 + 0.08, 0.0), mat=3),
        ]
    coat = flat(r, "white", rough=0.85, bump=0.12, bump_frequency=30.0)
    scarf = cloth(r, "red", "green", "blue", "purple")._replace(pattern=L.STRIPES, frequency=7.0)
    return Thing(parts, [coat, flat(r, "orange", rough=0.6), flat(r, "black", rough=0.7), scarf, wood(r)], "snowman", plain=True)


def tree(r: Rng) -> Thing:
    """A conifer: stacked shaggy cones on a trunk."""
    n, wide, step = int(r.integers(3, 5)), _u(r, 0.6, 0.8), _u(r, 0.42, 0.52)
    leaf = flat(r, "green", rough=0.8, bump=0.35, bump_frequency=14.0)
    parts = [Part(L.CONE, (0.13, 0.09, 0.35, 0.02), (0.0, 0.35, 0.0), mat=1)]
    for i in range(n):
        w = wide * (1 - 0.62 * i / n)
        parts.append(Part(L.CONE, (w, 0.04, 0.42, 0.03), (0.0, 0.75 + step * i, 0.0), (0.0, 25.0 * i, 0.0), relief=(0.045, 9.0, L.D_NOISE)))
    return Thing(parts, [leaf, wood(r, kinds=("brown", "walnut"))], "fir tree", plain=True)


def round_tree(r: Rng) -> Thing:
    """A broad-leaved tree with a lumpy crown."""
    high = _u(r, 0.9, 1.2)
    trunk = Part(L.TUBE, (0.0, 0.0, 0.0, _u(r, -0.12, 0.12), high * 0.5, 0.05, 0.0, high, 0.0, 0.15, 0.08), mat=1)
    fork = Part(L.TUBE, (0.0, high * 0.5, 0.0, 0.15, high * 0.7, 0.0, 0.35, high + 0.1, 0.1, 0.07, 0.04), mat=1, k=0.05)
    crown = []
    for i in range(int(r.integers(4, 6))):
        a, s = i * 2.4 + _u(r, 0, 1), _u(r, 0.36, 0.5)
        d = 0.0 if i == 0 else _u(r, 0.3, 0.48)
        y = high + (0.55 if i == 0 else _u(r, 0.1, 0.4))
        crown.append(_ball(d * float(np.cos(a)), y, d * float(np.sin(a)), s, s * 0.85, s, k=0.1)._replace(relief=(0.09, 6.5, L.D_NOISE)))
    leaf = flat(r, "green", "green", "orange", "yellow", rough=0.8, bump=0.35, bump_frequency=16.0)
    return Thing([*crown, trunk, fork], [leaf, wood(r, kinds=("brown", "walnut"))], "leafy tree", plain=True)


def cactus(r: Rng) -> Thing:
    """A ribbed column with arms, in a pot or on a mound."""
    w, high = _u(r, 0.2, 0.28), _u(r, 1.1, 1.6)
    ribs = float(r.integers(9, 14))
    y = 0.42
    parts = [Part(L.PILL, (w * 1.05, w, high / 2), (0.0, y + high / 2, 0.0), relief=(0.022, ribs, L.D_FLUTES))]
    for side in (1.0, -1.0):
        if r.random() < 0.8:
            h, top = y + high * _u(r, 0.3, 0.55), _u(r, 0.3, 0.6)
            bend = (side * w * 0.6, h, 0.0, side * (w + 0.42), h - 0.02, 0.0, side * (w + 0.36), h + top, 0.0, 0.12, 0.11)
            parts.append(Part(L.TUBE, bend, k=0.06))
    parts += [
        lathe([(0.0, 0.0), (0.3, 0.0), (0.4, 0.42), (0.45, 0.42), (0.46, 0.55), (0.39, 0.55), (0.39, 0.5), (0.0, 0.5)], mat=1),
        Part(L.CYLINDER, (0.39, 0.02, 0.0), (0.0, 0.5, 0.0), mat=2),
    ]
    if r.random() < 0.5:
        parts.append(Part(L.BALL, (0.13, 0.05, 0.06), (0.09, y + high + w * 0.98, 0.0), (0.0, 0.0, 30.0), mat=3, ring=6))
    skin = flat(r, "green", rough=0.6)._replace(pattern=L.SPECKLE, frequency=12.0, knobs=(0.9, 1.0))
    a = skin.colours[0]
    skin = skin._replace(colours=(a, shade(a, 0.7), colour(r, "cream")))
    return Thing(parts, [skin, painted(r, "clay"), flat(r, "sand", "brown", rough=0.95, bump=0.4), flat(r, "pink", "red", rough=0.6)], "potted cactus", plain=True)


def apple(r: Rng) -> Thing:
    """An apple or a pear with stem and leaf."""
    pear = r.random() < 0.4
    w = _u(r, 0.75, 0.9)
    if pear:
        side = smooth([(0.0, 0.06), (0.2, 0.0), (w * 0.85, 0.45), (w * 0.75, 0.85), (0.4, 1.4), (0.28, 1.75), (0.08, 1.86), (0.0, 1.84)])
        high, skin = 1.84, flat(r, "green", "yellow", "sand", rough=0.35)
    else:
        side = smooth([(0.0, 0.12), (0.15, 0.03), (0.5, 0.05), (w, 0.65), (w * 0.95, 1.0), (0.5, 1.38), (0.15, 1.3), (0.0, 1.15)])
        high, skin = 1.2, flat(r, "red", "green", "yellow", rough=0.25)
    a = skin.colours[0]
    skin = skin._replace(pattern=L.FIBRES if r.random() < 0.5 else L.GRADIENT, frequency=2.0, knobs=(_u(r, 0.3, 0.7), 0.6), colours=(a, colour(r, "yellow", "red", "green"), shade(a, 1.4)))
    parts = [
        lathe(side, relief=(0.015, 5.0, L.D_FLUTES)),
        Part(L.TUBE, (0.0, high - 0.1, 0.0, 0.0, high + 0.15, 0.0, _u(r, -0.15, 0.15), high + 0.4, 0.05, 0.03, 0.045), mat=1),
    ]
    if r.random() < 0.6:
        parts.append(Part(L.BALL, (0.3, 0.025, 0.14), (0.3, high + 0.3, 0.0), (15.0, _u(r, 0, 360), 20.0), mat=2))
    return Thing(parts, [skin, flat(r, "brown", rough=0.8), flat(r, "green", rough=0.45)], "pear" if pear else "apple", plain=True)


def pumpkin(r: Rng) -> Thing:
    """A ribbed gourd."""
    flatness, ribs = _u(r, 0.6, 0.95), float(r.integers(8, 13))
    skin = flat(r, "orange", "orange", "cream", "green", rough=_u(r, 0.35, 0.6))
    a = skin.colours[0]
    skin = skin._replace(pattern=L.FIBRES, frequency=1.5, colours=(a, shade(a, 0.8), shade(a, 1.35)), knobs=(0.5, 0.6), bump=0.05)
    h = flatness
    side = smooth([(0.0, 0.1), (0.35, 0.0), (0.9, h * 0.55), (1.0, h * 0.95), (0.85, h * 1.4), (0.4, h * 1.72), (0.0, h * 1.58)])
    stem = (0.0, h * 1.5, 0.0, 0.0, h * 1.75 + 0.1, 0.0, _u(r, 0.1, 0.3), h * 1.75 + 0.3, 0.0, 0.13, 0.08)
    return Thing([lathe(side, relief=(0.05, ribs, L.D_FLUTES)), Part(L.TUBE, stem, mat=1, k=0.05)], [skin, flat(r, "brown", "green", rough=0.8, bump=0.2)], "pumpkin", plain=True)


def banana(r: Rng) -> Thing:
    """A small bunch of bananas."""
    n = int(r.integers(2, 5))
    ripe = flat(r, "yellow", rough=0.45)
    a = ripe.colours[0]
    ripe = ripe._replace(pattern=L.PATINA, frequency=2.2, knobs=(0.55, 0.0), colours=(a, shade(a, 0.92), colour(r, "brown")))
    parts = []
    for i in range(n):
        z, lift = 0.27 * (i - (n - 1) / 2), 0.06 * abs(i - (n - 1) / 2)
        parts.append(Part(L.TUBE, (-0.95, 0.62 + lift, z * 0.35, -0.1, -0.32 + lift, z * 1.2, 0.95, 0.52 + lift, z * 1.5, 0.13, 0.1), k=0.02))
        parts.append(Part(L.PILL, (0.05, 0.035, 0.06), (1.0, 0.6 + lift, z * 1.5), (0.0, 0.0, -50.0), mat=1, k=0.04))
    parts.append(Part(L.PILL, (0.13, 0.07, 0.13), (-1.06, 0.72, 0.0), (0.0, 0.0, 45.0), mat=1, k=0.08))
    return Thing(parts, [ripe, flat(r, "brown", "green", rough=0.7)], "bunch of bananas", plain=True)


def teddy(r: Rng) -> Thing:
    """A sitting plush bear."""
    fur = (0.018, 16.0, L.D_NOISE)
    head = _u(r, 0.42, 0.5)
    parts = [
        _ball(0.0, 0.6, 0.0, 0.52, 0.6, 0.46)._replace(relief=fur),
        _ball(0.0, 1.42, 0.03, head, head * 0.92, head * 0.9, k=0.06)._replace(relief=fur),
        Part(L.PILL, (0.19, 0.21, 0.2), (0.42, 0.2, 0.42), (80.0, 28.0, 0.0), k=0.05, mirror=1, relief=fur),
        Part(L.PILL, (0.16, 0.15, 0.22), (0.52, 0.78, 0.16), (25.0, 0.0, 35.0), k=0.05, mirror=1, relief=fur),
        _ball(0.33, 1.8, 0.0, 0.17, 0.17, 0.1, k=0.04, mirror=1),
        _ball(0.33, 1.8, 0.07, 0.1, 0.1, 0.06, mat=1, mirror=1),
        _ball(0.0, 1.3, head * 0.8, 0.2, 0.16, 0.15, mat=1, k=0.02),
        _ball(0.0, 1.38, head * 0.8 + 0.14, 0.065, 0.045, 0.04, mat=2),
        _ball(0.16, 1.52, head * 0.82, 0.05, mat=2, mirror=1),
        _ball(0.45, 0.2, 0.72, 0.15, 0.16, 0.06, mat=1, mirror=1),
    ]
    coat = cloth(r, "brown", "sand", "cream", "pink", "grey")
    pale = flat(r, "cream", "sand", rough=0.95, bump=0.15, bump_frequency=40.0)
    return Thing(parts, [coat, pale, flat(r, "black", rough=0.15)], "teddy bear", plain=True)


def duck(r: Rng) -> Thing:
    """A bath duck."""
    skin = flat(r, "yellow", "yellow", "orange", "white", "blue", rough=0.2, words=("glossy", "", "rubber"))
    parts = [
        _ball(0.0, 0.45, 0.0, 0.75, 0.47, 0.55),
        Part(L.CONE, (0.3, 0.06, 0.25, 0.04), (-0.72, 0.72, 0.0), (0.0, 0.0, 50.0), k=0.3),
        _ball(0.42, 1.1, 0.0, 0.4, 0.39, 0.38, k=0.12),
        Part(L.BALL, (0.36, 0.2, 0.12), (-0.08, 0.55, 0.48), (0.0, 0.0, 15.0), mirror=2, k=0.06),
        Part(L.BALL, (0.22, 0.05, 0.15), (0.84, 1.06, 0.0), (0.0, 0.0, 12.0), mat=1, k=0.01),
        Part(L.BALL, (0.18, 0.04, 0.13), (0.82, 0.99, 0.0), (0.0, 0.0, -8.0), mat=1),
        _ball(0.68, 1.22, 0.2, 0.075, mat=2, mirror=2),
        _ball(0.72, 1.23, 0.215, 0.05, mat=3, mirror=2),
        Part(L.BOX, (2.0, 0.5, 2.0, 0.0), (0.0, -0.42, 0.0), op=L.CARVE),
    ]
    return Thing(parts, [skin, flat(r, "orange", "red", rough=0.25), flat(r, "white", rough=0.2), flat(r, "black", rough=0.1)], "toy duck")


def shell(r: Rng) -> Thing:
    """A spiral sea shell: a coil of shrinking tubes."""
    turns, n = _u(r, 2.2, 3.0), 22
    parts = []
    skin = painted(r, "") if r.random() < 0.3 else flat(r, "sand", "pink", "cream", "clay", rough=0.35)
    a = skin.colours[0]
    skin = skin._replace(pattern=L.STRIPES, frequency=5.0, knobs=(0.45, 0.0), colours=(a, shade(a, 0.62), a), words=("glossy", "", ""))
    for i in range(n):
        f, g = i / n, (i + 1) / n
        p, q = ((1 - h) ** 1.4 for h in (f, g))
        a0, a1 = 2 * np.pi * turns * f, 2 * np.pi * turns * g
        x0, x1 = (0.55 * s * float(np.cos(a)) for s, a in ((p, a0), (q, a1)))
        z0, z1 = (0.55 * s * float(np.sin(a)) for s, a in ((p, a0), (q, a1)))
        y0, y1 = 0.5 + 1.1 * (1 - p), 0.5 + 1.1 * (1 - q)
        m = 1.0 / max(float(np.cos((a1 - a0) / 2)), 0.3)
        am = (a0 + a1) / 2
        mid = 0.55 * (p + q) / 2 * m
        size = (x0, y0, z0, mid * float(np.cos(am)), (y0 + y1) / 2, mid * float(np.sin(am)), x1, y1, z1, 0.5 * p + 0.015, 0.5 * q + 0.015)
        parts.append(Part(L.TUBE, size, k=0.02))
    parts.append(Part(L.BALL, (0.36, 0.3, 0.2), (0.62, 0.42, -0.28), (0.0, 20.0, 0.0), mat=1, op=L.CARVE))
    return Thing(parts, [skin, flat(r, "pink", "cream", rough=0.2)], "spiral sea shell", plain=True)


def blob(r: Rng) -> Thing:
    """A smooth abstract sculpture of melted balls on a plinth."""
    parts = []
    y = 0.3
    for i in range(int(r.integers(3, 6))):
        s = _u(r, 0.28, 0.5)
        a = _u(r, 0, 6.28)
        parts.append(_ball(0.28 * float(np.cos(a)), y + s * 0.7, 0.28 * float(np.sin(a)), s, s * _u(r, 0.7, 1.2), s * _u(r, 0.7, 1.0), k=0.25))
        y += s * 0.85
    hole = _u(r, 0.12, 0.2)
    parts.append(Part(L.CYLINDER, (hole, 2.0, 0.0), (0.05, y * 0.55, 0.0), (90.0, _u(r, 0, 180), 0.0), op=L.CARVE, k=0.1))
    base = Part(L.BOX, (0.45, 0.16, 0.45, 0.02), (0.0, 0.16, 0.0), mat=1)
    return Thing([*parts, base], [anything(r), stone(r) if r.random() < 0.5 else wood(r)], "abstract sculpture")


def planet(r: Rng) -> Thing:
    """A globe on a stand or a ringed planet model."""
    a, b, c = colour(r, "blue", "teal", "clay", "sand"), colour(r, "green", "brown", "sand", "orange"), colour(r, "white", "cream")
    skin = Material((a, b, c), L.CLOUDS, _u(r, 1.3, 2.2), (_u(r, -0.1, 0.15), _u(r, 0.0, 0.8)), (_u(r, 0, 20), _u(r, 0, 20), 3.0), _u(r, 0.2, 0.5), bump=0.03)
    y = 1.25
    parts = [_ball(0.0, y, 0.0, 0.75)]
    if r.random() < 0.5:
        parts.append(Part(L.CYLINDER, (1.25, 0.012, 0.01), (0.0, y, 0.0), (18.0, 0.0, 12.0), mat=1))
        noun = "model of a ringed planet"
    else:
        parts.append(Part(L.TORUS, (0.84, 0.03, 1.9), (0.0, y, 0.0), (0.0, 0.0, -113.0), mat=1))
        noun = "desk globe"
    parts += [
        Part(L.CONE, (0.5, 0.08, 0.1, 0.03), (0.0, 0.1, 0.0), mat=1),
        Part(L.CYLINDER, (0.045, 0.2, 0.0), (0.0, 0.35, 0.0), mat=1),
    ]
    return Thing(parts, [skin, flat(r, "brown", "gold", "steel", rough=0.3, metal=float(r.random() < 0.5))], noun, plain=True)


def ice_cream(r: Rng) -> Thing:
    """Scoops in a waffle cone, on a stand-like point."""
    n = int(r.integers(1, 4))
    scoops = [flat(r, "pink", "cream", "brown", "green", "yellow", "purple", rough=0.45, bump=0.12, bump_frequency=12.0) for _ in range(3)]
    cone = flat(r, "pine", "sand", rough=0.8)
    a = cone.colours[0]
    cone = cone._replace(pattern=L.CHECKS, frequency=5.0, colours=(a, shade(a, 0.72), a))
    parts = [Part(L.CONE, (0.03, 0.44, 0.62, 0.02), (0.0, 0.62, 0.0), mat=3, relief=(0.012, 22.0, L.D_BUMPS))]
    for i in range(n):
        s = 0.47 - 0.05 * i
        parts.append(_ball(0.04 * (-1) ** i, 1.42 + 0.56 * i, 0.0, s, s * 0.95, s, mat=i, k=0.03)._replace(relief=(0.035, 6.0, L.D_NOISE)))
    if r.random() < 0.5:
        top = 1.42 + 0.56 * (n - 1) + 0.42
        parts.append(_ball(0.0, top + 0.08, 0.0, 0.13, mat=4))
    return Thing(parts, [*scoops, cone, flat(r, "red", rough=0.12)], pick(r, "ice cream cone"), plain=True)
