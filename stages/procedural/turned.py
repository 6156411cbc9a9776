"""Other turned things: game pieces, bells, towers, pots."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import Points, lathe, smooth, vessel
from stages.procedural.palette import colour
from stages.procedural.program import Part, Thing
from stages.procedural.stuff import Rng, anything, between, flat, metal, painted, pick, plastic, rubber, stone, wood


def pawn(r: Rng) -> Thing:
    """A turned chess piece."""
    head, base, high = between(r, 0.27, 0.36), between(r, 0.5, 0.62), between(r, 1.2, 1.6)
    foot: Points = [
        (base, 0.0),
        (base, 0.0),
        (base, 0.14),
        (base * 0.82, 0.2),
        (base * 0.82, 0.2),
        (base * 0.85, 0.28),
        (base * 0.5, 0.45),
        (0.2, high * 0.8),
        (0.2, high),
        (0.0, high),
    ]
    parts = [
        lathe([(0.0, 0.0), *smooth(foot)]),
        Part(lay.CYLINDER, (head * 1.05, 0.05, 0.04), (0.0, high, 0.0), k=0.04),
    ]
    top = high + head * 0.85
    if r.random() < 0.6:
        parts.append(Part(lay.BALL, (head, head, head), (0.0, top, 0.0), k=0.05))
        noun = "chess pawn"
    else:
        parts.append(Part(lay.CONE, (head * 0.55, head, 0.24, 0.03), (0.0, high + 0.24, 0.0), k=0.04))
        parts.append(Part(lay.BOX, (0.09, 0.14, 0.6, 0.01), (0.0, high + 0.5, 0.0), op=lay.CARVE))
        parts.append(Part(lay.BOX, (0.6, 0.14, 0.09, 0.01), (0.0, high + 0.5, 0.0), op=lay.CARVE))
        noun = "chess rook"
    return Thing(parts, [wood(r, local=False) if r.random() < 0.5 else anything(r)], noun)


def bowling_pin(r: Rng) -> Thing:
    """A pin with neck stripes."""
    belly = between(r, 0.34, 0.42)
    side = smooth(
        [(0.0, 0.0), (0.2, 0.0), (0.24, 0.06), (belly, 0.8), (0.17, 1.5), (0.2, 1.85), (0.14, 2.08), (0.0, 2.13)]
    )
    paint = (
        painted(r, "plastic")._replace(rough=0.15)
        if r.random() < 0.4
        else flat(r, "white", "cream", rough=0.12, words=("glossy", "", ""))
    )
    band = flat(r, "red", "blue", "green", "black", rough=0.2)
    rings = [
        Part(lay.TORUS, (0.158, 0.03, np.pi), (0.0, y, 0.0), (90.0, 0.0, 0.0), mat=1, k=0.01) for y in (1.42, 1.54)
    ]
    return Thing([lathe(side), *rings], [paint, band], "bowling pin")


def bell(r: Rng) -> Thing:
    """A hand bell."""
    w = between(r, 0.6, 0.75)
    outer = smooth([(w, 0.0), (w, 0.0), (w * 0.8, 0.16), (w * 0.6, 0.6), (w * 0.45, 0.9), (0.06, 1.02)])
    handle = [(0.0, 0.95), *smooth([(0.07, 1.0), (0.06, 1.15), (0.15, 1.5), (0.11, 1.8), (0.0, 1.86)])]
    grip = wood(r, local=False) if r.random() < 0.7 else plastic(r)
    ring = Part(lay.TORUS, (w * 0.68, 0.02, np.pi), (0.0, 0.42, 0.0), (90.0, 0.0, 0.0), k=0.03)
    return Thing([lathe(vessel(outer, 0.06, 0.85)), ring, lathe(handle, mat=1)], [metal(r), grip], "hand bell")


def spinning_top(r: Rng) -> Thing:
    """A toy top, standing on its point."""
    w, tip = between(r, 0.75, 0.95), between(r, 0.45, 0.7)
    side = smooth(
        [
            (0.0, 0.0),
            (0.06, 0.04),
            (w * 0.55, tip * 0.7),
            (w, tip),
            (w * 0.9, tip + 0.22),
            (0.2, tip + 0.42),
            (0.1, tip + 0.5),
            (0.1, tip + 0.5),
            (0.085, tip + 0.95),
            (0.0, tip + 1.0),
        ]
    )
    return Thing([lathe(side)], [painted(r, pick(r, "wooden", "tin"))], "spinning top")


def lighthouse(r: Rng) -> Thing:
    """Tower, gallery, lantern and cap."""
    low, top, high = between(r, 0.42, 0.52), between(r, 0.24, 0.3), between(r, 1.6, 2.0)
    stripes = painted(r)
    stripes = stripes._replace(
        pattern=lay.STRIPES, frequency=between(r, 1.0, 2.0), knobs=(0.5, 0.0), rough=0.7, words=("", "striped", "")
    )
    parts = [
        Part(lay.CONE, (low, top, high / 2, 0.01), (0.0, high / 2, 0.0)),
        Part(lay.CYLINDER, (top + 0.13, 0.035, 0.01), (0.0, high, 0.0), mat=1),
        Part(lay.CYLINDER, (top * 0.62, 0.2, 0.01), (0.0, high + 0.2, 0.0), mat=2),
        Part(lay.CONE, (top * 0.95, 0.02, 0.16, 0.01), (0.0, high + 0.53, 0.0), mat=1),
        Part(lay.BALL, (0.05, 0.05, 0.05), (0.0, high + 0.72, 0.0), mat=1),
        Part(lay.TORUS, (top + 0.11, 0.012, np.pi), (0.0, high + 0.16, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(lay.CYLINDER, (0.012, 0.08, 0.0), (top + 0.11, high + 0.09, 0.0), mat=1, ring=10),
        Part(lay.CYLINDER, (0.016, 0.2, 0.0), (top * 0.62, high + 0.2, 0.0), mat=1, ring=8),
        Part(lay.CYLINDER, (low * 1.25, 0.06, 0.02), (0.0, 0.05, 0.0), mat=3),
        Part(lay.BOX, (0.06, 0.09, 0.05, 0.01), (0.0, high * 0.45, (low + top) / 2), mat=1),
        Part(lay.BOX, (0.1, 0.18, 0.05, 0.01), (0.0, 0.28, low - 0.04), mat=1),
    ]
    glass = flat(r, "yellow", rough=0.1, glow=0.5)
    return Thing(
        parts, [stripes, flat(r, "black", "red", "grey", rough=0.4), glass, stone(r)], "lighthouse", plain=True
    )


def flower_pot(r: Rng) -> Thing:
    """A terracotta pot with a ball of leaves or a flower."""
    w, high = between(r, 0.45, 0.6), between(r, 0.7, 0.95)
    outer: Points = [(w * 0.68, 0.0), (w * 0.95, high * 0.78), (w * 1.08, high * 0.78), (w * 1.1, high)]
    leaf = flat(r, "green", rough=0.55, bump=0.1, words=("", "", ""))
    clump = Part(
        lay.BALL, (w * 1.05, w * 0.95, w * 1.05), (0.0, high + w * 0.75, 0.0), mat=1, relief=(0.13, 5.0, lay.D_NOISE)
    )
    parts = [
        lathe(vessel(outer, 0.06, 0.1)),
        Part(lay.CYLINDER, (w * 0.98, 0.05, 0.0), (0.0, high * 0.86, 0.0), mat=2),
    ]
    if r.random() < 0.5:
        n = int(r.integers(5, 9))
        tall = high + between(r, 0.5, 0.8)
        parts += [
            Part(lay.TUBE, (0.0, high * 0.8, 0.0, 0.1, high + 0.3, 0.0, 0.0, tall, 0.0, 0.035, 0.03), mat=1),
            Part(lay.BALL, (0.3, 0.035, 0.15), (0.25, high + 0.12, 0.0), (0.0, 0.0, 35.0), mat=1, ring=4),
            Part(lay.BALL, (0.2, 0.05, 0.11), (0.26, tall + 0.03, 0.0), (0.0, 0.0, 14.0), mat=3, ring=n),
            Part(lay.BALL, (0.14, 0.09, 0.14), (0.0, tall + 0.05, 0.0), mat=4),
        ]
        noun = "flower in a pot"
    else:
        parts.append(clump)
        noun = "potted bush"
    petal = flat(r, "red", "pink", "yellow", "purple", "white", rough=0.6)
    pot = painted(r, "clay") if r.random() < 0.5 else flat(r, "clay", rough=0.85, bump=0.05)
    return Thing(
        parts,
        [pot, leaf, flat(r, "brown", rough=0.95, bump=0.4), petal, flat(r, "yellow", "brown", rough=0.8, bump=0.3)],
        noun,
        plain=True,
    )


def drum(r: Rng) -> Thing:
    """A snare drum."""
    w, half = between(r, 0.7, 0.85), between(r, 0.3, 0.5)
    parts = [
        Part(lay.CYLINDER, (w, half, 0.01), (0.0, half + 0.05, 0.0)),
        Part(lay.TORUS, (w + 0.01, 0.055, np.pi), (0.0, 0.07, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(lay.TORUS, (w + 0.01, 0.055, np.pi), (0.0, 2 * half + 0.04, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(lay.CYLINDER, (w - 0.03, 0.03, 0.01), (0.0, 2 * half + 0.04, 0.0), mat=2),
        Part(lay.CYLINDER, (0.03, half, 0.01), (w + 0.03, half + 0.05, 0.0), mat=1, ring=int(r.integers(6, 10))),
    ]
    return Thing(parts, [painted(r, "wooden"), metal(r, rusty=False), flat(r, "cream", "white", rough=0.7)], "drum")


def buoy(r: Rng) -> Thing:
    """A harbour buoy, or a striped cone from the road."""
    if r.random() < 0.5:
        skin = flat(r, "orange", "red", rough=0.45)
        a = skin.colours[0]
        skin = skin._replace(
            pattern=lay.STRIPES,
            frequency=between(r, 1.6, 2.2),
            knobs=(0.4, 0.0),
            colours=(a, colour(r, "white"), a),
            words=("", "striped", ""),
        )
        parts = [
            Part(lay.CONE, (0.5, 0.08, 0.85, 0.03), (0.0, 0.9, 0.0)),
            Part(lay.BOX, (0.65, 0.05, 0.65, 0.04), (0.0, 0.05, 0.0), mat=1, k=0.03),
        ]
        return Thing(parts, [skin, rubber(r) if r.random() < 0.5 else skin], "traffic cone")
    skin = plastic(r, "red", "green", "orange", "yellow")
    parts = [
        Part(lay.CYLINDER, (0.75, 0.22, 0.12), (0.0, 0.25, 0.0)),
        Part(lay.CONE, (0.5, 0.14, 0.65, 0.02), (0.0, 1.05, 0.0), mat=1),
        Part(lay.TORUS, (0.74, 0.06, np.pi), (0.0, 0.25, 0.0), (90.0, 0.0, 0.0), mat=3),
        Part(lay.BALL, (0.2, 0.2, 0.2), (0.0, 1.85, 0.0), mat=2),
        Part(lay.TORUS, (0.13, 0.03, np.pi), (0.66, 0.5, 0.0), mat=3, mirror=1),
    ]
    white = flat(r, "white", "cream", rough=0.5)._replace(
        pattern=lay.STRIPES, frequency=1.4, colours=(colour(r, "white"), skin.colours[0], skin.colours[0])
    )
    return Thing(parts, [skin, white, flat(r, "yellow", "red", rough=0.1), rubber(r)], "harbour buoy")


MAKERS = (pawn, bowling_pin, bell, spinning_top, lighthouse, flower_pot, drum, buoy)
