"""Tableware and containers turned on a lathe."""

import numpy as np

from stages.procedural import layout as lay
from stages.procedural.drawing import inside, lathe, smooth, vessel
from stages.procedural.program import Part, Thing
from stages.procedural.stuff import Rng, anything, between, flat, metal, painted, plastic, wood


def vase(r: Rng) -> Thing:
    """Belly, neck and flared lip, hollow; sometimes two handles."""
    foot, belly, neck, lip = (
        between(r, 0.25, 0.45),
        between(r, 0.5, 0.85),
        between(r, 0.16, 0.36),
        between(r, 0.25, 0.5),
    )
    high, waist = between(r, 1.7, 2.5), between(r, 0.25, 0.6)
    outer = smooth(
        [(foot, 0.0), (foot, 0.0), (foot * 1.02, 0.08), (belly, high * waist), (neck, high * 0.82), (lip, high)]
    )
    parts = [lathe(vessel(outer, 0.06, 0.12))]
    if r.random() < 0.35:
        y, size = high * 0.72, between(r, 0.2, 0.3)
        body = float(np.interp(y, [b for _, b in outer], [a for a, _ in outer]))
        parts.append(Part(lay.TORUS, (size, 0.055, np.pi), (body + 0.04, y, 0.0), k=0.06, mirror=1))
        inner = inside(outer, 0.06, 0.15)
        parts.append(lathe([(0.0, 0.15), *inner, (inner[-1][0], high + 0.1), (0.0, high + 0.1)], op=lay.CARVE))
    return Thing(parts, [anything(r) if r.random() < 0.3 else painted(r)], "vase")


def bottle(r: Rng) -> Thing:
    """Body, shoulder, neck, label and cap."""
    w, high, neck = between(r, 0.32, 0.5), between(r, 1.9, 2.5), between(r, 0.11, 0.17)
    shoulder = high * between(r, 0.55, 0.68)
    body = smooth(
        [
            (0.0, 0.0),
            (w * 0.92, 0.0),
            (w, 0.08),
            (w, 0.08),
            (w, shoulder),
            (w, shoulder),
            (neck, shoulder + 0.45),
            (neck, high),
            (neck, high),
            (0.0, high),
        ]
    )
    glass = flat(r, "green", "brown", "blue", "teal", "white", rough=0.07, words=("glossy", "", "glass"))
    label = painted(r)._replace(rough=0.8, local=True)
    cap = metal(r, rusty=False) if r.random() < 0.5 else plastic(r)
    parts = [
        lathe(body),
        Part(lay.CYLINDER, (w + 0.012, shoulder * between(r, 0.25, 0.36), 0.01), (0.0, shoulder * 0.5, 0.0), mat=1),
        Part(lay.CYLINDER, (neck + 0.035, 0.11, 0.03), (0.0, high, 0.0), mat=2),
    ]
    return Thing(parts, [glass, label, cap], "bottle")


def bowl(r: Rng) -> Thing:
    """A wide open vessel on a foot ring."""
    rim, high, foot = between(r, 0.9, 1.1), between(r, 0.5, 0.95), between(r, 0.35, 0.5)
    outer = smooth(
        [(foot, 0.0), (foot, 0.0), (foot, 0.07), (foot, 0.07), (rim * between(r, 0.7, 0.88), high * 0.45), (rim, high)]
    )
    return Thing(
        [lathe(vessel(outer, between(r, 0.05, 0.09), 0.12))], [anything(r) if r.random() < 0.4 else painted(r)], "bowl"
    )


def mug(r: Rng) -> Thing:
    """A straight cup with a handle."""
    w, high, lean = between(r, 0.5, 0.65), between(r, 1.1, 1.5), between(r, -0.06, 0.1)
    outer = smooth([(w * 0.92, 0.0), (w, 0.06), (w + lean * 0.5, high * 0.5), (w + lean, high)])
    inside = [(0.0, 0.1), (w - 0.06, 0.1), (w + lean - 0.06, high + 0.2), (0.0, high + 0.2)]
    paint = painted(r)
    inner = flat(r, "white", "cream") if r.random() < 0.5 else paint
    size = high * between(r, 0.24, 0.32)
    parts = [
        lathe([(0.0, 0.0), *outer, (0.0, high)]),
        Part(lay.TORUS, (size, between(r, 0.06, 0.09), np.pi), (w + 0.05, high * 0.5, 0.0), k=0.08),
        lathe(inside, mat=1, op=lay.CARVE),
    ]
    return Thing(parts, [paint, inner._replace(rough=paint.rough)], "mug")


def teapot(r: Rng) -> Thing:
    """Round body, spout, handle, lid and knob."""
    w, high = between(r, 0.72, 0.9), between(r, 0.95, 1.25)
    body = smooth(
        [(0.0, 0.0), (w * 0.6, 0.0), (w * 0.62, 0.05), (w, high * 0.45), (w * 0.45, high), (0.0, high * 1.08)]
    )
    spout = (w * 0.75, high * 0.3, 0.0, w * 1.3, high * 0.3, 0.0, w * 1.45, high * 0.95, 0.0, 0.2, 0.085)
    knob = between(r, 0.09, 0.14)
    parts = [
        lathe(body),
        Part(lay.TUBE, spout, k=0.12),
        Part(lay.TORUS, (high * 0.34, 0.075, np.pi), (-w * 0.95, high * 0.5, 0.0), k=0.1),
        Part(lay.TORUS, (w * 0.46, 0.035, np.pi), (0.0, high * 0.985, 0.0), (90.0, 0.0, 0.0), mat=1),
        Part(lay.BALL, (knob, knob, knob), (0.0, high * 1.08 + knob * 0.7, 0.0), mat=1, k=0.05),
        Part(lay.PILL, (0.06, 0.03, 0.06), (w * 1.47, high * 1.0, 0.0), (0.0, 0.0, -10.0), op=lay.CARVE),
    ]
    paint = painted(r)
    return Thing(parts, [paint, paint if r.random() < 0.5 else flat(r, "brown", "black", "gold", rough=0.25)], "teapot")


def goblet(r: Rng) -> Thing:
    """Cup on a stem and a round foot."""
    foot, cup, high, stem = between(r, 0.42, 0.6), between(r, 0.4, 0.6), between(r, 1.6, 2.1), between(r, 0.07, 0.11)
    y = high * between(r, 0.45, 0.58)
    outer = smooth(
        [
            (foot, 0.0),
            (foot, 0.0),
            (foot, 0.05),
            (foot * 0.3, 0.14),
            (stem, 0.35),
            (stem * 2.0, y * 0.65),
            (stem, y),
            (cup * 0.8, y + 0.22),
            (cup, high * 0.85),
            (cup * 0.92, high),
        ]
    )
    return Thing([lathe(vessel(outer, 0.06, y + 0.2))], [metal(r) if r.random() < 0.6 else anything(r)], "goblet")


def barrel(r: Rng) -> Thing:
    """Staves and hoops."""
    end, belly, half = between(r, 0.52, 0.62), between(r, 0.7, 0.8), between(r, 0.85, 1.05)
    side = smooth(
        [(end, 0.0), (belly * 0.96, half * 0.55), (belly, half), (belly * 0.96, half * 1.45), (end, half * 2)]
    )
    staves = float(r.integers(16, 24))
    parts = [
        lathe([(0.0, 0.0), *side, (0.0, half * 2)], relief=(0.004, staves, lay.D_FLUTES)),
        Part(lay.CYLINDER, (end - 0.07, 0.06, 0.01), (0.0, half * 2, 0.0), op=lay.CARVE, mat=0),
    ]
    for f in (0.16, 0.55, 1.45, 1.84):
        wide = float(np.interp(half * f, [b for _, b in side], [a for a, _ in side]))
        parts.append(Part(lay.TORUS, (wide - 0.02, 0.05, np.pi), (0.0, half * f, 0.0), (90.0, 0.0, 0.0), mat=1))
    return Thing(parts, [wood(r, local=False), metal(r)._replace(rough=0.5)], "barrel", plain=True)


def candlestick(r: Rng) -> Thing:
    """A candle on a turned holder."""
    foot, high = between(r, 0.4, 0.55), between(r, 0.7, 1.1)
    side = smooth(
        [
            (foot, 0.0),
            (foot, 0.0),
            (foot, 0.06),
            (foot * 0.35, 0.15),
            (0.09, high * 0.4),
            (0.17, high * 0.55),
            (0.08, high * 0.7),
            (0.22, high * 0.95),
            (0.24, high),
            (0.24, high),
            (0.0, high),
        ]
    )
    wax = flat(r, "cream", "white", "red", "blue", rough=0.45)
    tall = between(r, 0.35, 0.6)
    parts = [
        lathe([(0.0, 0.0), *side]),
        Part(lay.CYLINDER, (0.13, tall, 0.03), (0.0, high + tall, 0.0), mat=1, relief=(0.008, 6.0, lay.D_NOISE)),
        Part(
            lay.TUBE,
            (
                0.0,
                high + tall * 2 - 0.02,
                0.0,
                0.0,
                high + tall * 2 + 0.08,
                0.0,
                0.03,
                high + tall * 2 + 0.12,
                0.0,
                0.014,
                0.01,
            ),
            mat=2,
        ),
    ]
    holder = metal(r) if r.random() < 0.6 else anything(r)
    return Thing(parts, [holder, wax, flat(r, "black", rough=0.9)], "candlestick")


MAKERS = (vase, bottle, bowl, mug, teapot, goblet, barrel, candlestick)
