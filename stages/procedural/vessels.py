"""Families turned on a lathe."""

import numpy as np

from stages.procedural import layout as L
from stages.procedural.drawing import Points, lathe, smooth, vessel
from stages.procedural.palette import shade
from stages.procedural.program import Part, Thing
from stages.procedural.stuff import anything, flat, metal, painted, pick, plastic, stone, wood

Rng = np.random.Generator


def _u(r: Rng, low: float, high: float) -> float:
    return float(r.uniform(low, high))


def vase(r: Rng) -> Thing:
    """Belly, neck and flared lip, hollow; sometimes two handles."""
    foot, belly, neck, lip = _u(r, 0.25, 0.45), _u(r, 0.5, 0.85), _u(r, 0.16, 0.36), _u(r, 0.25, 0.5)
    high, waist = _u(r, 1.7, 2.5), _u(r, 0.25, 0.6)
    outer = smooth([(foot, 0.0), (foot, 0.0), (foot * 1.02, 0.08), (belly, high * waist), (neck, high * 0.82), (lip, high)])
    parts = [lathe(vessel(outer, 0.06, 0.12))]
    if r.random() < 0.35:
        y, size = high * 0.72, _u(r, 0.2, 0.3)
        parts.append(Part(L.TORUS, (size, 0.055, np.pi), (neck + 0.12, y, 0.0), k=0.06, mirror=1))
        inner = smooth([(0.0, 0.15), (belly - 0.1, high * waist), (neck - 0.07, high * 0.82), (lip - 0.07, high + 0.1)])
        parts.append(lathe([*inner, (0.0, high + 0.1)], mat=0, op=L.CARVE))
    return Thing(parts, [anything(r) if r.random() < 0.3 else painted(r)], "vase")


def bottle(r: Rng) -> Thing:
    """Body, shoulder, neck, label and cap."""
    w, high, neck = _u(r, 0.32, 0.5), _u(r, 1.9, 2.5), _u(r, 0.11, 0.17)
    shoulder = high * _u(r, 0.55, 0.68)
    body = smooth([(0.0, 0.0), (w * 0.92, 0.0), (w, 0.08), (w, 0.08), (w, shoulder), (w, shoulder), (neck, shoulder + 0.45), (neck, high), (neck, high), (0.0, high)])
    glass = flat(r, "green", "brown", "blue", "teal", "white", rough=0.07, words=("glossy", "", "glass"))
    label = painted(r)._replace(rough=0.8, local=True)
    cap = metal(r, rusty=False) if r.random() < 0.5 else plastic(r)
    parts = [
        lathe(body),
        Part(L.CYLINDER, (w + 0.012, shoulder * _u(r, 0.25, 0.36), 0.01), (0.0, shoulder * 0.5, 0.0), mat=1),
        Part(L.CYLINDER, (neck + 0.035, 0.11, 0.03), (0.0, high, 0.0), mat=2),
    ]
    return Thing(parts, [glass, label, cap], "bottle")


def bowl(r: Rng) -> Thing:
    """A wide open vessel on a foot ring."""
    rim, high, foot = _u(r, 0.9, 1.1), _u(r, 0.5, 0.95), _u(r, 0.35, 0.5)
    outer = smooth([(foot, 0.0), (foot, 0.0), (foot, 0.07), (foot, 0.07), (rim * _u(r, 0.7, 0.88), high * 0.45), (rim, high)])
    return Thing([lathe(vessel(outer, _u(r, 0.05, 0.09), 0.12))], [anything(r) if r.random() < 0.4 else painted(r)], "bowl")


def mug(r: Rng) -> Thing:
    """A straight cup with a handle."""
    w, high, lean = _u(r, 0.5, 0.65), _u(r, 1.1, 1.5), _u(r, -0.06, 0.1)
    outer = smooth([(w * 0.92, 0.0), (w, 0.06), (w + lean * 0.5, high * 0.5), (w + lean, high)])
    inside = [(0.0, 0.1), (w - 0.06, 0.1), (w + lean - 0.06, high + 0.2), (0.0, high + 0.2)]
    paint = painted(r)
    inner = flat(r, "white", "cream") if r.random() < 0.5 else paint
    size = high * _u(r, 0.24, 0.32)
    parts = [
        lathe([(0.0, 0.0), *outer, (0.0, high)]),
        Part(L.TORUS, (size, _u(r, 0.06, 0.09), np.pi), (w + 0.05, high * 0.5, 0.0), k=0.08),
        lathe(inside, mat=1, op=L.CARVE),
    ]
    return Thing(parts, [paint, inner._replace(rough=paint.rough)], "mug")


def teapot(r: Rng) -> Thing:
    """Round body, spout, handle, lid and knob."""
    w, high = _u(r, 0.72, 0.9), _u(r, 0.95, 1.25)
    body = smooth([(0.0, 0.0), (w * 0.6, 0.0), (w * 0.62, 0.05), (w, high * 0.45), (w * 0.45, high), (0.0, high * 1.08)])
    spout = (w * 0.75, high * 0.3, 0.0, w * 1.3, high * 0.3, 0.0, w * 1.45, high * 0.95, 0.0, 0.2, 0.085)
    knob = _u(r, 0.09, 0.14)
    parts = [
        lathe(body),
        Part(L.TUBE, spout, k=0.12),
        Part(L.TORUS, (high * 0.34, 0.075, np.pi), (-w * 0.95, high * 0.5, 0.0), k=0.1),
        Part(L.TORUS, (w * 0.46, 0.035, np.pi), (0.0, high * 0.985, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(L.BALL, (knob, knob, knob), (0.0, high * 1.08 + knob * 0.7, 0.0), mat=1, k=0.05),
        Part(L.PILL, (0.06, 0.03, 0.06), (w * 1.47, high * 1.0, 0.0), (0.0, 0.0, -10.0), op=L.CARVE),
    ]
    paint = painted(r)
    return Thing(parts, [paint, paint if r.random() < 0.5 else flat(r, "brown", "black", "gold", rough=0.25)], "teapot")


def goblet(r: Rng) -> Thing:
    """Cup on a stem and a round foot."""
    foot, cup, high, stem = _u(r, 0.42, 0.6), _u(r, 0.4, 0.6), _u(r, 1.6, 2.1), _u(r, 0.07, 0.11)
    y = high * _u(r, 0.45, 0.58)
    outer = smooth([(foot, 0.0), (foot, 0.0), (foot, 0.05), (foot * 0.3, 0.14), (stem, 0.35), (stem * 2.0, y * 0.65), (stem, y), (cup * 0.8, y + 0.22), (cup, high * 0.85), (cup * 0.92, high)])
    return Thing([lathe(vessel(outer, 0.05, y + 0.1))], [metal(r) if r.random() < 0.6 else anything(r)], "goblet")


def pawn(r: Rng) -> Thing:
    """A turned chess piece."""
    head, base, high = _u(r, 0.27, 0.36), _u(r, 0.5, 0.62), _u(r, 1.2, 1.6)
    foot: Points = [(base, 0.0), (base, 0.0), (base, 0.14), (base * 0.82, 0.2), (base * 0.82, 0.2), (base * 0.85, 0.28), (base * 0.5, 0.45), (0.2, high * 0.8), (0.2, high), (0.0, high)]
    parts = [
        lathe([(0.0, 0.0), *smooth(foot)]),
        Part(L.CYLINDER, (head * 1.05, 0.05, 0.04), (0.0, high, 0.0), k=0.04),
    ]
    top = high + head * 0.85
    if r.random() < 0.6:
        parts.append(Part(L.BALL, (head, head, head), (0.0, top, 0.0), k=0.05))
        noun = "chess pawn"
    else:
        parts.append(Part(L.CONE, (head * 0.55, head, 0.24, 0.03), (0.0, high + 0.24, 0.0), k=0.04))
        parts.append(Part(L.BOX, (0.09, 0.14, 0.6, 0.01), (0.0, high + 0.5, 0.0), op=L.CARVE))
        parts.append(Part(L.BOX, (0.6, 0.14, 0.09, 0.01), (0.0, high + 0.5, 0.0), op=L.CARVE))
        noun = "chess rook"
    return Thing(parts, [wood(r, local=False) if r.random() < 0.5 else anything(r)], noun)


def barrel(r: Rng) -> Thing:
    """Staves and hoops."""
    end, belly, half = _u(r, 0.52, 0.62), _u(r, 0.7, 0.8), _u(r, 0.85, 1.05)
    side = smooth([(end, 0.0), (belly * 0.96, half * 0.55), (belly, half), (belly * 0.96, half * 1.45), (end, half * 2)])
    staves = float(r.integers(16, 24))
    parts = [
        lathe([(0.0, 0.0), *side, (0.0, half * 2)], relief=(0.008, staves, L.D_FLUTES)),
        Part(L.CYLINDER, (end - 0.07, 0.06, 0.01), (0.0, half * 2, 0.0), op=L.CARVE, mat=0),
    ]
    for f in (0.16, 0.55, 1.45, 1.84):
        wide = float(np.interp(half * f, [b for _, b in side], [a for a, _ in side]))
        parts.append(Part(L.TORUS, (wide - 0.02, 0.05, np.pi), (0.0, half * f, 0.0), (90.0, 0.0, 0.0), mat=1))
    return Thing(parts, [wood(r, local=False), metal(r)._replace(rough=0.5)], "barrel", plain=True)


def bowling_pin(r: Rng) -> Thing:
    """A pin with neck stripes."""
    belly = _u(r, 0.34, 0.42)
    side = smooth([(0.0, 0.0), (0.2, 0.0), (0.24, 0.06), (belly, 0.8), (0.17, 1.5), (0.2, 1.85), (0.14, 2.08), (0.0, 2.13)])
    paint = painted(r, "plastic")._replace(rough=0.15) if r.random() < 0.4 else flat(r, "white", "cream", rough=0.12, words=("glossy", "", ""))
    band = flat(r, "red", "blue", "green", "black", rough=0.2)
    rings = [Part(L.TORUS, (0.158, 0.03, np.pi), (0.0, y, 0.0), (90.0, 0.0, 0.0), mat=1, k=0.01) for y in (1.42, 1.54)]
    return Thing([lathe(side), *rings], [paint, band], "bowling pin")


def bell(r: Rng) -> Thing:
    """A hand bell."""
    w = _u(r, 0.6, 0.75)
    outer = smooth([(w, 0.0), (w, 0.0), (w * 0.8, 0.16), (w * 0.6, 0.6), (w * 0.45, 0.9), (0.06, 1.02)])
    handle = [(0.0, 0.95), *smooth([(0.07, 1.0), (0.06, 1.15), (0.15, 1.5), (0.11, 1.8), (0.0, 1.86)])]
    grip = wood(r, local=False) if r.random() < 0.7 else plastic(r)
    ring = Part(L.TORUS, (w * 0.68, 0.02, np.pi), (0.0, 0.42, 0.0), (90.0, 0.0, 0.0), k=0.03)
    return Thing([lathe(vessel(outer, 0.06, 0.85)), ring, lathe(handle, mat=1)], [metal(r), grip], "hand bell")


def spinning_top(r: Rng) -> Thing:
    """A toy top, standing on its point."""
    w, tip = _u(r, 0.75, 0.95), _u(r, 0.45, 0.7)
    side = smooth([(0.0, 0.0), (0.06, 0.04), (w * 0.55, tip * 0.7), (w, tip), (w * 0.9, tip + 0.22), (0.2, tip + 0.42), (0.1, tip + 0.5), (0.1, tip + 0.5), (0.085, tip + 0.95), (0.0, tip + 1.0)])
    return Thing([lathe(side)], [painted(r, pick(r, "wooden", "tin"))], "spinning top")


def lighthouse(r: Rng) -> Thing:
    """Tower, gallery, lantern and cap."""
    low, top, high = _u(r, 0.42, 0.52), _u(r, 0.24, 0.3), _u(r, 1.6, 2.0)
    stripes = painted(r)
    stripes = stripes._replace(pattern=L.STRIPES, frequency=_u(r, 1.0, 2.0), knobs=(0.5, 0.0), rough=0.7, words=("", "striped", ""))
    parts = [
        Part(L.CONE, (low, top, high / 2, 0.01), (0.0, high / 2, 0.0)),
        Part(L.CYLINDER, (top + 0.13, 0.035, 0.01), (0.0, high, 0.0), mat=1),
        Part(L.CYLINDER, (top * 0.62, 0.2, 0.01), (0.0, high + 0.2, 0.0), mat=2),
        Part(L.CONE, (top * 0.95, 0.02, 0.16, 0.01), (0.0, high + 0.53, 0.0), mat=1),
        Part(L.BALL, (0.05, 0.05, 0.05), (0.0, high + 0.72, 0.0), mat=1),
        Part(L.TORUS, (top + 0.11, 0.012, np.pi), (0.0, high + 0.16, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(L.CYLINDER, (0.012, 0.08, 0.0), (top + 0.11, high + 0.09, 0.0), mat=1, ring=10),
        Part(L.CYLINDER, (0.016, 0.2, 0.0), (top * 0.62, high + 0.2, 0.0), mat=1, ring=8),
        Part(L.CYLINDER, (low * 1.25, 0.06, 0.02), (0.0, 0.05, 0.0), mat=3),
        Part(L.BOX, (0.06, 0.09, 0.05, 0.01), (0.0, high * 0.45, (low + top) / 2), mat=1),
        Part(L.BOX, (0.1, 0.18, 0.05, 0.01), (0.0, 0.28, low - 0.04), mat=1),
    ]
    glass = flat(r, "yellow", rough=0.1, glow=0.5)
    return Thing(parts, [stripes, flat(r, "black", "red", "grey", rough=0.4), glass, stone(r)], "lighthouse", plain=True)


def flower_pot(r: Rng) -> Thing:
    """A terracotta pot with a ball of leaves or a flower."""
    w, high = _u(r, 0.45, 0.6), _u(r, 0.7, 0.95)
    outer: Points = [(w * 0.68, 0.0), (w * 0.95, high * 0.78), (w * 1.08, high * 0.78), (w * 1.1, high)]
    leaf = flat(r, "green", rough=0.55, bump=0.1, words=("", "", ""))
    clump = Part(L.BALL, (w * 1.05, w * 0.95, w * 1.05), (0.0, high + w * 0.75, 0.0), mat=1, relief=(0.13, 5.0, L.D_NOISE))
    parts = [
        lathe(vessel(outer, 0.06, 0.1)),
        Part(L.CYLINDER, (w * 0.98, 0.05, 0.0), (0.0, high * 0.86, 0.0), mat=2),
    ]
    if r.random() < 0.5:
        n = int(r.integers(5, 9))
        tall = high + _u(r, 0.5, 0.8)
        parts += [
            Part(L.TUBE, (0.0, high * 0.8, 0.0, 0.1, high + 0.3, 0.0, 0.0, tall, 0.0, 0.035, 0.03), mat=1),
            Part(L.BALL, (0.3, 0.035, 0.15), (0.25, high + 0.12, 0.0), (0.0, 0.0, 35.0), mat=1, ring=4),
            Part(L.BALL, (0.2, 0.05, 0.11), (0.26, tall + 0.03, 0.0), (0.0, 0.0, 14.0), mat=3, ring=n),
            Part(L.BALL, (0.14, 0.09, 0.14), (0.0, tall + 0.05, 0.0), mat=4),
        ]
        noun = "flower in a pot"
    else:
        parts.append(clump)
        noun = "potted bush"
    petal = flat(r, "red", "pink", "yellow", "purple", "white", rough=0.6)
    pot = painted(r, "clay") if r.random() < 0.5 else flat(r, "clay", rough=0.85, bump=0.05)
    return Thing(parts, [pot, leaf, flat(r, "brown", rough=0.95, bump=0.4), petal, flat(r, "yellow", "brown", rough=0.8, bump=0.3)], noun, plain=True)


def candlestick(r: Rng) -> Thing:
    """A candle on a turned holder."""
    foot, high = _u(r, 0.4, 0.55), _u(r, 0.7, 1.1)
    side = smooth([(foot, 0.0), (foot, 0.0), (foot, 0.06), (foot * 0.35, 0.15), (0.09, high * 0.4), (0.17, high * 0.55), (0.08, high * 0.7), (0.22, high * 0.95), (0.24, high), (0.24, high), (0.0, high)])
    wax = flat(r, "cream", "white", "red", "blue", rough=0.45)
    tall = _u(r, 0.35, 0.6)
    parts = [
        lathe([(0.0, 0.0), *side]),
        Part(L.CYLINDER, (0.13, tall, 0.03), (0.0, high + tall, 0.0), mat=1, relief=(0.008, 6.0, L.D_NOISE)),
        Part(L.TUBE, (0.0, high + tall * 2 - 0.02, 0.0, 0.0, high + tall * 2 + 0.08, 0.0, 0.03, high + tall * 2 + 0.12, 0.0, 0.014, 0.01), mat=2),
    ]
    holder = metal(r) if r.random() < 0.6 else anything(r)
    return Thing(parts, [holder, wax, flat(r, "black", rough=0.9)], "candlestick")


