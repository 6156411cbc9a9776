"""Shading: a key light with GGX highlights, fill, sky and ground ambient, and reflections of a procedural room."""

from math import sqrt

import numpy as np

from stages.procedural.layout import (
    BUMP,
    BUMP_FREQ,
    COLOUR_A,
    COLOUR_B,
    COLOUR_C,
    FILL,
    FILL_RGB,
    GLOW,
    GROUND,
    HORIZON,
    KEY,
    KEY_RGB,
    LAMP_WIDTH,
    LAMPS,
    METAL,
    ROUGH,
    SKYLINE,
    SPECULAR,
    UP,
    WEAR,
    ZENITH,
    Array,
    inlined,
    kernel,
)
from stages.procedural.noise import noise
from stages.procedural.texture import pattern, step


@inlined
def dot3(a: Array, i: int, x: float, y: float, z: float) -> float:
    """Dot product of a[i:i+3] with (x, y, z)."""
    return float(a[i] * x + a[i + 1] * y + a[i + 2] * z)


@kernel
def _lamps(x: float, y: float, z: float, blur: float, light: Array) -> float:
    """Soft boxes seen in direction (x, y, z). A lamp row: axis, side, top, half width, half height, strength."""
    total = 0.0
    for i in range(2):
        k = LAMPS + i * LAMP_WIDTH
        depth = dot3(light, k, x, y, z)
        if depth > 0.05:
            u, v = abs(dot3(light, k + 3, x, y, z) / depth), abs(dot3(light, k + 6, x, y, z) / depth)
            wide, tall = light[k + 9], light[k + 10]
            inside = step(wide + blur, wide - blur, u) * step(tall + blur, tall - blur, v)
            total += light[k + 11] * inside * min(1.0, (wide + 0.1) / (wide + blur))
    return total


@kernel
def surroundings(x: float, y: float, z: float, rough: float, light: Array, out: Array) -> None:
    """Linear RGB of the room in direction (x, y, z), blurred by roughness, into out[:3]."""
    e = dot3(light, UP, x, y, z)
    blur = 0.03 + 0.9 * rough
    sky, rise = step(-blur, blur, e), min(max(e, 0.0), 1.0)
    dark, near = 0.0, 0.75 * (1.0 - 1.6 * rough) * step(-0.25 - blur, 0.05, e)
    if near > 0.0:
        line = light[SKYLINE] * (0.8 + 0.5 * noise(1.7 * x, 3.1, 1.7 * z) + 0.3 * noise(6.0 * x, 1.7, 6.0 * z))
        dark = near * step(line + blur, line - blur, e)
    lamp = _lamps(x, y, z, 0.04 + rough, light)
    for c in range(3):
        above = light[HORIZON + c] * (1.0 - rise) + light[ZENITH + c] * rise
        below = light[GROUND + c] * (1.0 + 0.5 * e)
        out[c] = (above * sky + below * (1.0 - sky)) * (1.0 - dark) + lamp


@inlined
def _ambient(e: float, c: int, light: Array) -> float:
    """Channel c of the light of sky and ground on a surface whose normal rises by e."""
    sky = 0.5 + 0.5 * e * (1.5 - 0.5 * e * e)
    return float((0.45 * light[HORIZON + c] + 0.55 * light[ZENITH + c]) * sky + light[GROUND + c] * (1.0 - sky))


@kernel
def _bumped(p: Array, n: Array, q: Array) -> None:
    f, amp = q[BUMP_FREQ], q[BUMP]
    x, y, z = f * p[0], f * p[1], f * p[2]
    n[0] += amp * noise(x, y, z)
    n[1] += amp * noise(y + 9.1, z, x)
    n[2] += amp * noise(z, x + 5.3, y)
    k = 1.0 / sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2] + 1e-12)
    n[0], n[1], n[2] = n[0] * k, n[1] * k, n[2] * k


@kernel
def _highlight(ndl: float, ndv: float, ndh: float, rough: float) -> float:
    """GGX distribution times Smith visibility (Walter et al. 2007; Hammon 2017 approximation)."""
    a = max(rough * rough, 0.012)
    d = ndh * ndh * (a * a - 1.0) + 1.0
    spread = ndl * (ndv * (1.0 - a) + a) + ndv * (ndl * (1.0 - a) + a)
    return min(a * a / (3.1416 * d * d) * 0.5 / max(spread, 1e-3), 40.0)


@kernel
def shade(
    p: Array,
    t: Array,
    n: Array,
    v: Array,
    height: float,
    width: float,
    seen: float,
    sun: float,
    q: Array,
    light: Array,
    out: Array,
) -> None:
    """Linear RGB leaving point p (texture point t) with normal n towards unit v, into out[:3]; out[3:6] is scratch.

    `seen` is ambient visibility, `sun` that of the key light, `width` the pixel's size on the surface.
    """
    w1, w2 = pattern(t[0], t[1], t[2], height, q, width)
    if q[BUMP] > 0.0:
        _bumped(t, n, q)
    smear = 0.94 + 0.06 * noise(2.7 * t[0], 2.7 * t[1] + 3.0, 2.7 * t[2])
    grime = smear * (1.0 - 0.22 * q[WEAR] * (1.0 - seen))
    worn = w2 * q[WEAR]
    rough, metal = q[ROUGH] + (0.75 - q[ROUGH]) * worn, q[METAL] * (1.0 - worn)
    ndv = max(dot3(v, 0, n[0], n[1], n[2]), 0.02)
    ndl = dot3(light, KEY, n[0], n[1], n[2])
    hx, hy, hz = light[KEY] + v[0], light[KEY + 1] + v[1], light[KEY + 2] + v[2]
    ndh = min(dot3(n, 0, hx, hy, hz) / sqrt(hx * hx + hy * hy + hz * hz + 1e-9), 1.0)
    shine = _highlight(max(ndl, 0.0), ndv, ndh, rough) * max(ndl, 0.0) * sun if ndl > 0.0 and ndh > 0.0 else 0.0
    surroundings(2 * ndv * n[0] - v[0], 2 * ndv * n[1] - v[1], 2 * ndv * n[2] - v[2], rough, light, out[3:6])
    rises = dot3(light, UP, n[0], n[1], n[2])
    side = (1.0 - ndv) * (1.0 - ndv)
    graze = side * side * (1.0 - ndv) * (1.0 - 0.7 * rough) * (1.0 - 0.6 * rough)
    cover = min(max(seen * (1.0 + ndv) - (1.0 - seen) * rough, 0.0), 1.0)
    wrap = max((ndl + 0.12) / 1.12, 0.0)
    fill = max(dot3(light, FILL, n[0], n[1], n[2]) * 0.5 + 0.5, 0.0)
    for c in range(3):
        base = q[COLOUR_A + c] + (q[COLOUR_B + c] - q[COLOUR_A + c]) * w1
        base = (base + (q[COLOUR_C + c] - base) * w2) * grime
        soft = _ambient(rises, c, light) * seen + light[FILL_RGB + c] * fill * (0.4 + 0.6 * seen)
        f0 = 0.05 * q[SPECULAR] * (1.0 - metal) + base * metal
        f = f0 + (max(q[SPECULAR], metal) - f0) * graze
        bounce = base * (1.0 - metal) * (1.0 - f)
        out[c] = bounce * (light[KEY_RGB + c] * wrap * sun + soft) + f * out[3 + c] * cover
        out[c] += f * shine * light[KEY_RGB + c] * 2.2 + base * q[GLOW]


def _curve() -> Array:
    """Camera curve as a table over the square root of linear light in [0, 2]: sRGB, rolled off above 0.6, uint8."""
    v = (np.arange(4096) * (2.0 / 4095)) ** 2
    v = np.where(v > 0.6, 1.0 - 0.4 * np.exp(-(v - 0.6) / 0.4), v)
    encoded = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1.0 / 2.4) - 0.055)
    return np.rint(255.0 * encoded).astype(np.uint8)


_CURVE = _curve()


@kernel
def encode(v: float) -> int:
    """Linear light to the 8-bit value a camera would store."""
    v = min(sqrt(v), 2.0) if v > 0.0 else 0.0
    return int(_CURVE[int(v * 2047.5 + 0.5)])
