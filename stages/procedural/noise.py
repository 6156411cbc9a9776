"""Smooth value noise on a fixed random lattice, and the cellular distances built on the same lattice."""

from math import floor, sqrt

import numpy as np

from stages.procedural.layout import inlined, kernel

_SIDE = 32
_LATTICE = np.random.Generator(np.random.Philox(key=20)).random((_SIDE, _SIDE, _SIDE)).astype(np.float32)


@inlined
def lattice(i: int, j: int, k: int) -> float:
    """The lattice value at integer (i, j, k), in [0, 1); periodic with 32."""
    return float(_LATTICE[i & 31, j & 31, k & 31])


@kernel
def noise(x: float, y: float, z: float) -> float:
    """Value noise in [-1, 1], C1 continuous (cubic fade between lattice points)."""
    fi, fj, fk = floor(x), floor(y), floor(z)
    i, j, k = int(fi), int(fj), int(fk)
    u, v, w = x - fi, y - fj, z - fk
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    a = lattice(i, j, k) * (1 - w) + lattice(i, j, k + 1) * w
    b = lattice(i, j + 1, k) * (1 - w) + lattice(i, j + 1, k + 1) * w
    c = lattice(i + 1, j, k) * (1 - w) + lattice(i + 1, j, k + 1) * w
    d = lattice(i + 1, j + 1, k) * (1 - w) + lattice(i + 1, j + 1, k + 1) * w
    return 2.0 * ((a * (1 - v) + b * v) * (1 - u) + (c * (1 - v) + d * v) * u) - 1.0


@kernel
def fbm(x: float, y: float, z: float) -> float:
    """Three octaves of `noise`, about [-1, 1]."""
    s = noise(x, y, z)
    s += 0.5 * noise(2.03 * x + 7.1, 2.03 * y + 3.3, 2.03 * z + 5.7)
    s += 0.25 * noise(4.07 * x + 1.9, 4.07 * y + 8.2, 4.07 * z + 2.4)
    return s / 1.4


@kernel
def cells(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Distances to the nearest and second nearest jittered lattice point, and the nearest one's value [0, 1).

    Worley, "A Cellular Texture Basis Function", SIGGRAPH 1996.
    """
    fi, fj, fk = floor(x), floor(y), floor(z)
    i, j, k = int(fi), int(fj), int(fk)
    first, second, tag = 9.0, 9.0, 0.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            for dk in range(-1, 2):
                a, b, c = i + di, j + dj, k + dk
                px = a + 0.15 + 0.7 * lattice(a, b, c) - x
                py = b + 0.15 + 0.7 * lattice(a + 11, b + 5, c) - y
                pz = c + 0.15 + 0.7 * lattice(a, b + 17, c + 9) - z
                d = px * px + py * py + pz * pz
                if d < first:
                    second, first, tag = first, d, lattice(a + 3, b + 19, c + 27)
                elif d < second:
                    second = d
    return sqrt(first), sqrt(second), tag
