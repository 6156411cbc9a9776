"""Furniture and books."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import Points, lathe, smooth
from stages.procedural.palette import PAINTS, colour
from stages.procedural.program import Part, Thing, box
from stages.procedural.stuff import Rng, anything, between, cloth, flat, metal, painted, pick, stone, wood


def chair(r: Rng) -> Thing:
    """A kitchen chair."""
    w, seat, back, leg = between(r, 0.42, 0.5), between(r, 0.8, 0.95), between(r, 0.8, 1.1), between(r, 0.045, 0.065)
    look = wood(r) if r.random() < 0.7 else painted(r, "wooden")
    cushion = r.random() < 0.5
    parts = [
        Part(lay.BOX, (leg, seat / 2, leg, 0.015), (w - leg, seat / 2, w - leg), mirror=3),
        box(0.0, seat, 0.0, w, 0.05, w, 0.02),
        box(w - leg, seat + back / 2, -w + leg, leg, back / 2, leg, 0.015, mirror=1),
        box(0.0, seat + back - 0.12, -w + leg, w - leg, 0.11, 0.03, 0.015),
        Part(lay.BOX, (w - leg, 0.03, 0.02, 0.01), (0.0, seat * 0.4, w - leg), mirror=2),
    ]
    if r.random() < 0.5:
        parts += [box(x, seat + back * 0.45, -w + leg, 0.035, back * 0.45, 0.018, 0.01, mirror=1) for x in (0.08, 0.24)]
    else:
        parts.append(box(0.0, seat + back * 0.5, -w + leg, w - leg, 0.09, 0.025, 0.015))
    if cushion:
        parts.append(box(0.0, seat + 0.09, 0.02, w * 0.92, 0.06, w * 0.88, 0.055, mat=1))
    return Thing(parts, [look, cloth(r)], "chair")


def table(r: Rng) -> Thing:
    """A table: four legs or a pedestal, round or square."""
    w, d, high = between(r, 0.7, 1.1), between(r, 0.55, 0.75), between(r, 0.7, 1.0)
    look = wood(r)
    top = look if r.random() < 0.6 else stone(r)
    if r.random() < 0.5:
        parts = [
            Part(lay.CYLINDER, (w * 0.85, 0.05, 0.025), (0.0, high, 0.0), mat=1),
            lathe(
                [
                    (0.0, 0.0),
                    *smooth(
                        [
                            (0.42, 0.0),
                            (0.42, 0.05),
                            (0.12, 0.15),
                            (0.08, high * 0.5),
                            (0.13, high - 0.05),
                            (0.0, high - 0.02),
                        ]
                    ),
                ]
            ),
        ]
    else:
        lean = between(r, 0.0, 7.0)
        parts = [
            box(0.0, high, 0.0, w, 0.045, d, 0.02, mat=1),
            Part(lay.CONE, (0.04, 0.065, high / 2, 0.01), (w * 0.85, high / 2, d * 0.8), (-lean, 0.0, lean), mirror=3),
            box(0.0, high - 0.12, 0.0, w * 0.84, 0.08, d * 0.78, 0.01),
        ]
    return Thing(parts, [look, top], pick(r, "table", "side table"))


def lamp(r: Rng) -> Thing:
    """A table lamp with a lit or unlit shade."""
    w, high = between(r, 0.5, 0.75), between(r, 0.75, 1.1)
    side = smooth(
        [
            (0.3, 0.0),
            (0.3, 0.0),
            (0.3, 0.05),
            (between(r, 0.08, 0.4), high * 0.35),
            (0.1, high * 0.8),
            (0.05, high),
            (0.0, high),
        ]
    )
    glow = 0.25 if r.random() < 0.5 else 0.0
    fabric = cloth(r, "cream", "white", "sand", "blue", "green")._replace(glow=glow)
    shade_line: Points = [
        (w, high * 0.95),
        (w * 0.62, high + 0.75),
        (w * 0.62 - 0.03, high + 0.75),
        (w - 0.03, high * 0.95),
    ]
    parts = [
        lathe([(0.0, 0.0), *side]),
        Part(lay.CYLINDER, (0.025, 0.4, 0.0), (0.0, high + 0.3, 0.0), mat=2),
        lathe([*shade_line, shade_line[0]], mat=1),
        Part(lay.BOX, (w * 0.62, 0.012, 0.012, 0.0), (0.0, high + 0.68, 0.0), mat=2),
        Part(lay.BALL, (0.12, 0.15, 0.12), (0.0, high + 0.25, 0.0), mat=3),
    ]
    bulb = flat(r, "yellow", "white", rough=0.2, glow=1.0 if glow else 0.0)
    return Thing(parts, [anything(r), fabric, metal(r, rusty=False), bulb], "table lamp")


def sofa(r: Rng) -> Thing:
    """An armchair or a sofa."""
    w, h = between(r, 0.55, 1.05), between(r, 0.55, 0.75)
    fabric = cloth(r)
    seat = fabric if r.random() < 0.7 else cloth(r)
    parts = [
        box(0.0, 0.34, 0.0, w, 0.2, 0.5, 0.06),
        box(0.0, 0.36 + h / 2, -0.46, w, h / 2 + 0.2, 0.15, 0.1),
        Part(lay.BOX, (0.14, 0.3, 0.55, 0.1), (w + 0.08, 0.46, 0.0), mirror=1),
        Part(lay.BOX, (w / 2 - 0.02, 0.1, 0.42, 0.08), (w / 2, 0.6, 0.08), mat=1, mirror=1),
        Part(lay.CONE, (0.03, 0.05, 0.08, 0.0), (w, 0.08, 0.42), mat=2, mirror=3),
    ]
    return Thing(parts, [fabric, seat, wood(r)], "sofa" if w > 0.8 else "armchair")


def books(r: Rng) -> Thing:
    """A stack of books."""
    parts, mats, y = (
        [],
        [
            flat(r, "cream", rough=0.9)._replace(
                pattern=lay.STRIPES, frequency=30.0, colours=(colour(r, "cream"), colour(r, "sand"), colour(r, "cream"))
            )
        ],
        0.0,
    )
    for i in range(int(r.integers(3, 6))):
        a, c, t, turn = (
            between(r, 0.6, 0.85),
            between(r, 0.45, 0.6),
            between(r, 0.09, 0.2),
            (0.0, between(r, -22, 22), 0.0),
        )
        mats.append(
            painted(r, "")
            if r.random() < 0.25
            else flat(r, *PAINTS, "black", "brown", rough=between(r, 0.3, 0.8), bump=0.03, bump_frequency=30.0)
        )
        parts.append(Part(lay.BOX, (a - 0.03, t - 0.015, c - 0.03, 0.01), (0.0, y + t, 0.0), turn))
        for dy in (0.02, 2 * t - 0.02):
            parts.append(Part(lay.BOX, (a, 0.018, c, 0.012), (0.0, y + dy, 0.0), turn, mat=i + 1))
        s, co = float(np.sin(np.radians(turn[1]))), float(np.cos(np.radians(turn[1])))
        parts.append(Part(lay.BOX, (a, t, 0.025, 0.02), (c * s, y + t, c * co), turn, mat=i + 1))
        y += 2 * t
    return Thing(parts, mats, "stack of books", plain=True)


MAKERS = (chair, table, lamp, sofa, books)
