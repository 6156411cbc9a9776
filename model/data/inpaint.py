"""The task of the base: photographs with holes. Arrays are uint8 sRGB (h, w, 3); holes bool (h, w), True = repaint.

Holes are what users mark and what outpainting leaves: objects' masks, all but an object, brush strokes, boxes.
"""

import cv2
import numpy as np

from stages.types import U8, Mask

_OBJECT, _STROKES = 0.6, 0.2  # the rest are boxes
_INVERTED = 0.35  # of the objects
_LEAST = 0.01  # of the picture


def random_crop(picture: U8, width: int, height: int, rng: np.random.Generator, flip: float = 0.5) -> U8:
    """A part of the picture at `width` x `height`: from the size itself to all of it, log-uniform; mirrored with
    probability `flip`."""
    h, w = picture.shape[:2]
    most = max(min(h / height, w / width), 1.0)
    scale = most ** rng.random()
    ch, cw = min(h, round(height * scale)), min(w, round(width * scale))
    y, x = rng.integers(h - ch + 1), rng.integers(w - cw + 1)
    part = picture[y : y + ch, x : x + cw]
    out = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(out[:, ::-1] if rng.random() < flip else out)


def random_hole(shape: Mask, rng: np.random.Generator) -> Mask:
    """A hole of the size of `shape`, an object's mask, which is its shape in most draws."""
    while True:
        kind = rng.random()
        if kind < _OBJECT:
            hole = _object(shape, rng)
        elif kind < _OBJECT + _STROKES:
            hole = _strokes(shape.shape, rng)
        else:
            hole = _box(shape.shape, rng)
        if _LEAST <= hole.mean() < 1:
            return hole


def _object(shape: Mask, rng: np.random.Generator) -> Mask:
    hole = shape[:, ::-1] if rng.random() < 0.5 else shape
    return ~hole if rng.random() < _INVERTED else hole


def _strokes(size: tuple[int, ...], rng: np.random.Generator) -> Mask:
    height, width = size
    out = np.zeros((height, width), np.uint8)
    points = rng.random((rng.integers(2, 6), 2)) * (width, height)
    thick = max(1, round(min(size) * rng.uniform(0.05, 0.2)))
    cv2.polylines(out, [points.astype(np.int32)], False, 1, thick)
    return out > 0


def _box(size: tuple[int, ...], rng: np.random.Generator) -> Mask:
    height, width = size
    h, w = (max(1, round(side * rng.uniform(0.12, 0.7))) for side in (height, width))
    y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
    out = np.zeros((height, width), bool)
    out[y : y + h, x : x + w] = True
    return out
