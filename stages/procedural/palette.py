"""Natural colours: named sRGB families, jittered, as linear RGB."""

import numpy as np

from stages.procedural.program import Point

_HEX = {
    "clay": "b5654a c17f59 a0522d 8f4a35 c98b6b",
    "cream": "efe6d2 e8dcc0 f3efe4 ddd3bf e6d7b8",
    "white": "f2f1ec e9e9e6 f6f4ef e4e2dc",
    "black": "1f1f21 2a2826 18191b 303236",
    "grey": "8b8c8a a3a09a 6e6f72 b9b5ac 5b5d60",
    "blue": "2f4d7c 3d6a9e 6d93b8 27405f 86a8c4 1f5673",
    "teal": "2e6e6b 3f8583 5c9a92 1f5552",
    "green": "4d6b3c 6b8549 3c5a37 879a62 2f4f3a 7e9c74",
    "yellow": "d9a93a e0b84f c8922e e8c766 f0cf5a",
    "orange": "cf7430 d98a3d b95f2a e09b56",
    "red": "a8322d b5443a 8e2a2b c4574a 7c2529",
    "pink": "cf9a94 dcb1a8 b8787c e3c1b8",
    "purple": "5f4a6e 77608a 4a3a58 8f7a9e",
    "brown": "6b4a32 7d5a3c 573b28 8f6b48 45301f",
    "sand": "c9b187 b89f74 d8c49d a58c63",
    "stone": "8f887c a59d8f 746e64 bdb5a6 5f5a52 9a8f84",
    "pine": "d8b27c cfa066 e0c08d c4955a",
    "walnut": "6d4830 7d5539 5a3a26",
    "gold": "c99a3c d4a94e b98a34",
    "copper": "b8714f c27d58 a9633f",
    "steel": "a9adb2 b8bbbd 989da3 c4c4c2",
}


def linear(code: str) -> Point:
    """Hex sRGB to linear RGB."""
    v = np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0
    out = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return float(out[0]), float(out[1]), float(out[2])


def colour(r: np.random.Generator, *names: str) -> Point:
    """A colour of one of the named families, its lightness and hue a little varied."""
    options = _HEX[names[int(r.integers(len(names)))]].split()
    base = linear(options[int(r.integers(len(options)))])
    gain = float(np.exp(r.normal(0.0, 0.12)))
    tint = np.exp(r.normal(0.0, 0.05, 3))
    a, b, c = (min(float(v * gain * t), 0.92) for v, t in zip(base, tint, strict=True))
    return a, b, c


def shade(c: Point, gain: float) -> Point:
    """The colour with its light multiplied by `gain`, at most 0.95."""
    return min(c[0] * gain, 0.95), min(c[1] * gain, 0.95), min(c[2] * gain, 0.95)


PAINTS = ("clay", "cream", "white", "blue", "teal", "green", "yellow", "orange", "red", "pink", "purple", "sand")
"""Families that a painted thing may have."""
