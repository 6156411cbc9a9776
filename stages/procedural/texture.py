"""Solid textures: where on a surface its second and third colour show, in [0, 1]."""

from math import atan2, cos, floor, pi, sin, sqrt

from stages.procedural.layout import (
    CHECKS,
    CHEVRON,
    CLOUDS,
    CRACKLE,
    DRIP,
    FREQUENCY,
    GRADIENT,
    MARBLE,
    OFFSET,
    P0,
    P1,
    PANELS,
    PATINA,
    PATTERN,
    SPECKLE,
    SPOTS,
    STRIPES,
    TERRAZZO,
    WOOD,
    Array,
    inlined,
    kernel,
)
from stages.procedural.noise import cells, fbm, noise


@inlined
def edge(v: float, width: float) -> float:
    """Step at 0 filtered over `width` (box filter)."""
    return min(max(v / max(width, 1e-6) + 0.5, 0.0), 1.0)


@inlined
def step(low: float, high: float, v: float) -> float:
    """Smoothstep of v between low and high."""
    t = min(max((v - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@inlined
def wave(v: float) -> float:
    """Triangle wave of period 1 in [-0.5, 0.5]."""
    return 2.0 * abs(v - floor(v) - 0.5) - 0.5


@kernel
def _painted(kind: int, x: float, y: float, z: float, q: Array, w: float) -> tuple[float, float]:
    """Hand-painted patterns; x, y, z in pattern cells, w the pixel's width there."""
    a = atan2(z, x)
    if kind == STRIPES:
        return edge(wave(y) + q[P0] - 0.5, 2 * w), edge(wave(y * 0.5 + 0.25) - 0.44, w) * q[P1]
    if kind == CHECKS:
        e = 2.0 * w
        sx, sy, sz = edge(wave(x), e) - 0.5, edge(wave(y), e) - 0.5, edge(wave(z), e) - 0.5
        return 0.5 + 4.0 * sx * sy * sz, 0.0
    if kind == SPOTS:
        first, _, tag = cells(x, y, z)
        spot = edge(q[P0] - first, w)
        return spot, spot * (1.0 if tag < q[P1] else 0.0)
    if kind == PANELS:
        rho = sqrt(x * x + z * z) + 1e-6
        return edge(wave(a * q[P0] / (2 * pi)), w * q[P0] / (2 * rho)), 0.0
    if kind == CHEVRON:
        v = y + 0.6 * wave(a * q[P0] / (2 * pi))
        return edge(wave(v) - 0.1, 2.5 * w), edge(wave(v * 0.5) - 0.3, 1.5 * w) * q[P1]
    v = (
        y
        - q[P0]
        + 0.35 * noise(2.2 * cos(a) + q[OFFSET], q[OFFSET + 1], 2.2 * sin(a))
        + 0.12 * noise(3 * x, 3 * z, 7.0)
    )
    return edge(v, w + 0.04), step(0.25, 0.0, abs(v)) * q[P1]


@kernel
def _mineral(kind: int, x: float, y: float, z: float, q: Array, w: float) -> tuple[float, float]:
    """Patterns of grown and weathered stuff."""
    if kind == MARBLE:
        v = abs(sin(2.0 * y + 0.8 * x + 3.2 * fbm(0.7 * x, 0.7 * y, 0.7 * z)))
        return step(0.75, 0.0, v) ** 2, step(0.12, 0.0, abs(fbm(1.3 * z, 1.3 * x, 1.3 * y))) * q[P1]
    if kind == WOOD:
        u, v = x + 0.25 * noise(0.5 * x, 0.35 * y, 0.5 * z), z + 1.7
        r = sqrt(u * u + v * v) + 0.18 * noise(x, 0.3 * y, z)
        f = 2.2 * r - floor(2.2 * r)
        grain = 0.5 + 0.5 * noise(9.0 * x, 0.7 * y, 9.0 * z)
        return step(0.0, 0.75, f) * step(1.0, 0.85, f), 0.55 * grain * grain + 0.2 * step(
            0.5, 0.9, noise(22.0 * x, y, 22.0 * z)
        )
    if kind == SPECKLE:
        e = 3.0 * w + 0.06
        return edge(noise(3 * x, 3 * y, 3 * z) - q[P0], e), edge(noise(5 * z, 5 * x, 5 * y) - 0.55, 1.6 * e) * q[P1]
    if kind == PATINA:
        v = fbm(x, y, z) + 0.3 * fbm(4 * x, 4 * y, 4 * z)
        return 0.5 + 0.5 * noise(6 * x, 6 * y, 6 * z), step(q[P0] - 0.12, q[P0] + 0.12, v)
    if kind == TERRAZZO:
        first, second, tag = cells(x, y, z)
        chip = edge(second - first - 0.12, w) if tag > q[P0] else 0.0
        return chip, chip * (1.0 if tag > 0.78 else 0.0)
    if kind == CLOUDS:
        v = fbm(0.5 * x, 1.3 * y, 0.5 * z) + 0.4 * noise(4 * x, 4 * y, 4 * z)
        return step(-0.15, 0.15, v - q[P0]), step(0.15, 0.7, fbm(x + 3 * noise(y, x, z), 1.7 * y, z)) * q[P1]
    if kind == CRACKLE:
        first, second, tag = cells(x, y, z)
        return tag * q[P0], step(0.07 + w, 0.0, second - first) * q[P1]
    return 0.5 + 0.5 * noise(8 * x, 0.8 * y, 8 * z), step(0.3, 0.8, noise(14 * x, 1.1 * y, 14 * z)) * q[P1]


@kernel
def pattern(x: float, y: float, z: float, height: float, q: Array, width: float) -> tuple[float, float]:
    """Weights of colours B and C of material row q at a point; `height` is 0 at the foot and 1 at the top."""
    kind, f = int(q[PATTERN]), q[FREQUENCY]
    if kind == 0:
        return 0.5 + 0.5 * fbm(f * x + q[OFFSET], f * y, f * z), 0.0
    if kind == GRADIENT:
        return step(q[P0] - 0.45, q[P0] + 0.45, height + 0.05 * noise(3 * x, 3 * y, 3 * z)), 0.0
    if kind == DRIP:
        return _painted(kind, x, height * 2.0 - 1.0, z, q, width)
    if STRIPES <= kind <= SPOTS or kind in (PANELS, CHEVRON):
        shift = q[OFFSET] if kind != PANELS and kind != CHEVRON else 0.0
        return _painted(kind, f * x + shift, f * y + q[OFFSET + 1], f * z + shift, q, f * width)
    return _mineral(kind, f * x + q[OFFSET], f * y + q[OFFSET + 1], f * z + q[OFFSET + 2], q, f * width)
