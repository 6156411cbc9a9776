"""Plants, fruit and stones."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import lathe, smooth
from stages.procedural.palette import colour, shade
from stages.procedural.program import Part, Thing, ball
from stages.procedural.stuff import Rng, between, flat, painted, stone, wood


def mushroom(r: Rng) -> Thing:
    """Cap, gills' shade and stem; sometimes a small one beside it."""
    cap, high, thick = between(r, 0.6, 0.9), between(r, 0.7, 1.2), between(r, 0.14, 0.24)
    stem = smooth(
        [
            (0.0, 0.0),
            (thick * 1.5, 0.02),
            (thick * 1.3, 0.2),
            (thick, high * 0.6),
            (thick * 0.9, high + 0.1),
            (0.0, high + 0.1),
        ]
    )
    dome = smooth(
        [
            (0.0, high + 0.04),
            (cap * 0.8, high - 0.02),
            (cap, high - 0.06),
            (cap, high + 0.03),
            (cap * 0.75, high + cap * 0.42),
            (0.0, high + cap * 0.65),
        ]
    )
    top = flat(r, "red", "brown", "orange", "sand", rough=between(r, 0.2, 0.6), words=("", "", ""))
    if r.random() < 0.5:
        top = top._replace(
            pattern=lay.SPOTS,
            frequency=3.2,
            knobs=(0.27, 0.0),
            colours=(top.colours[0], colour(r, "cream"), top.colours[0]),
            words=("", "spotted", ""),
        )
    pale = flat(r, "cream", "sand", rough=0.8, bump=0.08)._replace(pattern=lay.FIBRES, frequency=2.0, local=True)
    return Thing(
        [lathe(stem, mat=1), lathe(dome, turn=(between(r, -8, 8), 0.0, between(r, -8, 8)))],
        [top, pale],
        "mushroom",
        plain=True,
    )


def rock(r: Rng) -> Thing:
    """A weathered boulder."""
    a, b, c = between(r, 0.7, 1.1), between(r, 0.5, 0.8), between(r, 0.6, 1.0)
    kind = lay.D_NOISE if r.random() < 0.6 else lay.D_RIDGES
    parts = [
        Part(
            lay.BALL,
            (a, b, c),
            (0.0, b * 0.75, 0.0),
            (0.0, 0.0, between(r, -15, 15)),
            relief=(between(r, 0.12, 0.22), between(r, 1.4, 2.4), kind),
        ),
        Part(
            lay.BALL, (a * 0.6, b * 0.6, c * 0.6), (a * 0.5, b * 0.4, c * 0.3), k=0.12, relief=(0.08, 2.6, lay.D_NOISE)
        ),
    ]
    for _ in range(3):
        turn = (between(r, -40, 40), between(r, -180, 180), between(r, -40, 40))
        away = np.array([np.cos(np.radians(turn[1])), 0.35, np.sin(np.radians(turn[1]))]) * (a + 0.52)
        parts.append(
            Part(
                lay.BOX,
                (0.6, 1.2, 1.2, 0.05),
                (float(away[0]), float(away[1]) + 0.3, float(away[2])),
                (0.0, -turn[1], turn[2] * 0.6),
                op=lay.CARVE,
                k=0.06,
            )
        )
    grain = stone(r)
    if grain.words[2] in ("terrazzo", "marble"):
        grain = flat(r, "stone", "grey", "brown", rough=0.9)
    a0 = grain.colours[0]
    look = grain._replace(rough=0.9, bump=0.3, bump_frequency=9.0, words=("rough", "", ""))
    if r.random() < 0.35:
        a0 = colour(r, "stone", "grey")
        look = look._replace(
            pattern=lay.PATINA,
            frequency=1.5,
            knobs=(0.15, 0.0),
            colours=(a0, shade(a0, 0.7), colour(r, "green")),
            words=("mossy", "", ""),
        )
    return Thing(parts, [look], "boulder", tumbles=True, plain=True)


def tree(r: Rng) -> Thing:
    """A conifer: stacked shaggy cones on a trunk."""
    n, wide, step = int(r.integers(3, 5)), between(r, 0.6, 0.8), between(r, 0.42, 0.52)
    leaf = flat(r, "green", rough=0.8, bump=0.35, bump_frequency=14.0)
    parts = [Part(lay.CONE, (0.13, 0.09, 0.35, 0.02), (0.0, 0.35, 0.0), mat=1)]
    for i in range(n):
        w = wide * (1 - 0.62 * i / n)
        parts.append(
            Part(
                lay.CONE,
                (w, 0.04, 0.42, 0.03),
                (0.0, 0.75 + step * i, 0.0),
                (0.0, 25.0 * i, 0.0),
                relief=(0.045, 9.0, lay.D_NOISE),
            )
        )
    return Thing(parts, [leaf, wood(r, kinds=("brown", "walnut"))], "fir tree", plain=True)


def round_tree(r: Rng) -> Thing:
    """A broad-leaved tree with a lumpy crown."""
    high = between(r, 0.9, 1.2)
    trunk = Part(
        lay.TUBE, (0.0, 0.0, 0.0, between(r, -0.12, 0.12), high * 0.5, 0.05, 0.0, high, 0.0, 0.15, 0.08), mat=1
    )
    fork = Part(
        lay.TUBE, (0.0, high * 0.5, 0.0, 0.15, high * 0.7, 0.0, 0.35, high + 0.1, 0.1, 0.07, 0.04), mat=1, k=0.05
    )
    crown = []
    for i in range(int(r.integers(4, 6))):
        a, s = i * 2.4 + between(r, 0, 1), between(r, 0.36, 0.5)
        d = 0.0 if i == 0 else between(r, 0.3, 0.48)
        y = high + (0.55 if i == 0 else between(r, 0.1, 0.4))
        crown.append(
            ball(d * float(np.cos(a)), y, d * float(np.sin(a)), s, s * 0.85, s, k=0.1)._replace(
                relief=(0.09, 6.5, lay.D_NOISE)
            )
        )
    leaf = flat(r, "green", "green", "orange", "yellow", rough=0.8, bump=0.35, bump_frequency=16.0)
    return Thing([*crown, trunk, fork], [leaf, wood(r, kinds=("brown", "walnut"))], "leafy tree", plain=True)


def cactus(r: Rng) -> Thing:
    """A ribbed column with arms, in a pot or on a mound."""
    w, high = between(r, 0.2, 0.28), between(r, 1.1, 1.6)
    ribs = float(r.integers(9, 14))
    y = 0.42
    parts = [Part(lay.PILL, (w * 1.05, w, high / 2), (0.0, y + high / 2, 0.0), relief=(0.022, ribs, lay.D_FLUTES))]
    for side in (1.0, -1.0):
        if r.random() < 0.8:
            h, top = y + high * between(r, 0.3, 0.55), between(r, 0.3, 0.6)
            bend = (
                side * w * 0.6,
                h,
                0.0,
                side * (w + 0.42),
                h - 0.02,
                0.0,
                side * (w + 0.36),
                h + top,
                0.0,
                0.12,
                0.11,
            )
            parts.append(Part(lay.TUBE, bend, k=0.06))
    parts += [
        lathe(
            [(0.0, 0.0), (0.3, 0.0), (0.4, 0.42), (0.45, 0.42), (0.46, 0.55), (0.39, 0.55), (0.39, 0.5), (0.0, 0.5)],
            mat=1,
        ),
        Part(lay.CYLINDER, (0.39, 0.02, 0.0), (0.0, 0.5, 0.0), mat=2),
    ]
    if r.random() < 0.5:
        parts.append(
            Part(lay.BALL, (0.13, 0.05, 0.06), (0.09, y + high + w * 0.98, 0.0), (0.0, 0.0, 30.0), mat=3, ring=6)
        )
    skin = flat(r, "green", rough=0.6)._replace(pattern=lay.SPECKLE, frequency=12.0, knobs=(0.9, 1.0))
    a = skin.colours[0]
    skin = skin._replace(colours=(a, shade(a, 0.7), colour(r, "cream")))
    return Thing(
        parts,
        [skin, painted(r, "clay"), flat(r, "sand", "brown", rough=0.95, bump=0.4), flat(r, "pink", "red", rough=0.6)],
        "potted cactus",
        plain=True,
    )


def apple(r: Rng) -> Thing:
    """An apple or a pear with stem and leaf."""
    pear = r.random() < 0.4
    w = between(r, 0.75, 0.9)
    if pear:
        side = smooth(
            [
                (0.0, 0.06),
                (0.2, 0.0),
                (w * 0.85, 0.45),
                (w * 0.75, 0.85),
                (0.4, 1.4),
                (0.28, 1.75),
                (0.08, 1.86),
                (0.0, 1.84),
            ]
        )
        high, skin = 1.84, flat(r, "green", "yellow", "sand", rough=0.35)
    else:
        side = smooth(
            [(0.0, 0.12), (0.15, 0.03), (0.5, 0.05), (w, 0.65), (w * 0.95, 1.0), (0.5, 1.38), (0.15, 1.3), (0.0, 1.15)]
        )
        high, skin = 1.2, flat(r, "red", "green", "yellow", rough=0.25)
    a = skin.colours[0]
    skin = skin._replace(
        pattern=lay.FIBRES if r.random() < 0.5 else lay.GRADIENT,
        frequency=2.0,
        knobs=(between(r, 0.3, 0.7), 0.6),
        colours=(a, colour(r, "yellow", "red", "green"), shade(a, 1.4)),
    )
    parts = [
        lathe(side, relief=(0.015, 5.0, lay.D_FLUTES)),
        Part(
            lay.TUBE,
            (0.0, high - 0.1, 0.0, 0.0, high + 0.15, 0.0, between(r, -0.15, 0.15), high + 0.4, 0.05, 0.03, 0.045),
            mat=1,
        ),
    ]
    if r.random() < 0.6:
        parts.append(
            Part(lay.BALL, (0.3, 0.025, 0.14), (0.3, high + 0.3, 0.0), (15.0, between(r, 0, 360), 20.0), mat=2)
        )
    return Thing(
        parts,
        [skin, flat(r, "brown", rough=0.8), flat(r, "green", rough=0.45)],
        "pear" if pear else "apple",
        plain=True,
    )


def pumpkin(r: Rng) -> Thing:
    """A ribbed gourd."""
    flatness, ribs = between(r, 0.6, 0.95), float(r.integers(8, 13))
    skin = flat(r, "orange", "orange", "cream", "green", rough=between(r, 0.35, 0.6))
    a = skin.colours[0]
    skin = skin._replace(
        pattern=lay.FIBRES, frequency=1.5, colours=(a, shade(a, 0.8), shade(a, 1.35)), knobs=(0.5, 0.6), bump=0.05
    )
    h = flatness
    side = smooth(
        [(0.0, 0.1), (0.35, 0.0), (0.9, h * 0.55), (1.0, h * 0.95), (0.85, h * 1.4), (0.4, h * 1.72), (0.0, h * 1.58)]
    )
    stem = (0.0, h * 1.5, 0.0, 0.0, h * 1.75 + 0.1, 0.0, between(r, 0.1, 0.3), h * 1.75 + 0.3, 0.0, 0.13, 0.08)
    return Thing(
        [lathe(side, relief=(0.05, ribs, lay.D_FLUTES)), Part(lay.TUBE, stem, mat=1, k=0.05)],
        [skin, flat(r, "brown", "green", rough=0.8, bump=0.2)],
        "pumpkin",
        plain=True,
    )


def banana(r: Rng) -> Thing:
    """A small bunch of bananas."""
    n = int(r.integers(2, 5))
    ripe = flat(r, "yellow", rough=0.45)
    a = ripe.colours[0]
    ripe = ripe._replace(
        pattern=lay.PATINA, frequency=2.2, knobs=(0.55, 0.0), colours=(a, shade(a, 0.92), colour(r, "brown"))
    )
    parts = []
    for i in range(n):
        z, lift = 0.27 * (i - (n - 1) / 2), 0.06 * abs(i - (n - 1) / 2)
        parts.append(
            Part(
                lay.TUBE,
                (-0.95, 0.62 + lift, z * 0.35, -0.1, -0.32 + lift, z * 1.2, 0.95, 0.52 + lift, z * 1.5, 0.13, 0.1),
                k=0.02,
            )
        )
        parts.append(Part(lay.PILL, (0.05, 0.035, 0.06), (1.0, 0.6 + lift, z * 1.5), (0.0, 0.0, -50.0), mat=1, k=0.04))
    parts.append(Part(lay.PILL, (0.13, 0.07, 0.13), (-1.06, 0.72, 0.0), (0.0, 0.0, 45.0), mat=1, k=0.08))
    return Thing(parts, [ripe, flat(r, "brown", "green", rough=0.7)], "bunch of bananas", plain=True)


MAKERS = (mushroom, rock, tree, round_tree, cactus, apple, pumpkin, banana)
