"""Imperfect masks: what a person or a sloppy tool marks when asked for the visible object.

Every size below is a share of the object's equivalent radius sqrt(area / pi), never of the canvas, so the
same recipe gives the same mask at any resolution. Nothing is drawn at random here: `strength` says how
imperfect the mask is and `jitter` carries all the chance, so a mask can be made again from its recipe.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MASK_KINDS: tuple[str, ...] = (
    "exact",
    "eroded",
    "dilated",
    "convex_hull",
    "box",
    "ellipse",
    "polygon",
    "brush",
    "holes",
    "shift",
)
NUM_JITTER = 24

Bits = NDArray[np.uint8]  # 0 or 1
Points = NDArray[np.float64]  # xy in pixels, (n, 2) or (2,)
Drawer = Callable[[Bits, float, float, Sequence[float]], Bits]
_LOOSE_KINDS = ("convex_hull", "ellipse")  # these can pass far beyond the ends of a long object
_MIN_IOU = 0.45  # eroded, dilated and shift step back until they keep this much of a thin object
_SUBPIXEL_BITS = 4  # cv2 drawing takes fixed-point coordinates


def imperfect_mask(
    visible_mask: NDArray[np.bool_], kind: str, strength: float, jitter: Sequence[float]
) -> NDArray[np.bool_]:
    """The mask a user would give for an object whose visible pixels are `visible_mask` (h, w) bool.

    `kind` is one of MASK_KINDS, `strength` in [0, 1] runs from careful to careless, `jitter` is NUM_JITTER
    numbers in [0, 1). Returns a new (h, w) bool mask, never empty; what would leave the canvas is clipped.
    Raises ValueError for an empty or non-bool mask, an unknown kind, a strength or a jitter out of bounds.
    """
    _check(visible_mask, kind, strength, jitter)
    x, y, w, h = cv2.boundingRect(visible_mask.view(np.uint8))
    radius = math.sqrt(np.count_nonzero(visible_mask[y : y + h, x : x + w]) / math.pi)
    # The window ends at the canvas: erosion then does not eat from a side where the picture itself ends.
    margin = math.ceil(0.35 * radius + (0.25 * max(w, h) if kind in _LOOSE_KINDS else 0)) + 2
    window = (slice(max(y - margin, 0), y + h + margin), slice(max(x - margin, 0), x + w + margin))
    drawn = _DRAWERS[kind](visible_mask[window].astype(np.uint8, order="C"), radius, strength, jitter)
    out = np.zeros(visible_mask.shape, dtype=np.bool_)
    out[window] = drawn != 0 if drawn.any() else visible_mask[window]
    return out


def mask_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two bool masks of one shape, in [0, 1]; two empty masks agree: 1."""
    if a.shape != b.shape:
        raise ValueError(f"mask_iou: shapes differ: {a.shape} and {b.shape}")
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 1.0


def _check(visible_mask: NDArray[np.bool_], kind: str, strength: float, jitter: Sequence[float]) -> None:
    if visible_mask.ndim != 2 or visible_mask.dtype != np.bool_:
        raise ValueError(f"visible_mask: must be (h, w) bool, got {visible_mask.shape} {visible_mask.dtype}")
    if kind not in MASK_KINDS:
        raise ValueError(f"mask kind: unknown {kind!r}, choose one of {', '.join(MASK_KINDS)}")
    if not 0 <= strength <= 1:
        raise ValueError(f"mask strength: must be in [0, 1], got {strength}")
    if len(jitter) != NUM_JITTER:
        raise ValueError(f"mask jitter: must hold {NUM_JITTER} numbers, got {len(jitter)}")
    for place, value in enumerate(jitter):
        if not 0 <= value < 1:
            raise ValueError(f"mask jitter: every number must be in [0, 1), got {value} at {place}")
    if not visible_mask.any():
        raise ValueError("visible_mask: is empty, there is no object to mask")


def _lerp(low: float, high: float, t: float) -> float:
    return low + (high - low) * t


def _unit(jitter: Sequence[float], index: int) -> float:
    """An endless sequence in [0, 1) from the finite jitter: each round turns by the golden ratio."""
    turn, place = divmod(index, len(jitter))
    return (jitter[place] + turn * 0.6180339887498949) % 1.0


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.rint(points * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _fill_ellipse(out: Bits, centre: Points, axes: Points, degrees: float, value: int) -> Bits:
    place, size = _fixed(centre).tolist(), _fixed(axes).tolist()
    cv2.ellipse(out, place, size, degrees, 0, 360, value, cv2.FILLED, cv2.LINE_8, _SUBPIXEL_BITS)
    return out


def _distance(mask: Bits) -> NDArray[np.float32]:
    """Distance to the nearest 0 in pixels; finite even where there is none."""
    return np.minimum(cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5), np.float32(1e6))


def _wobbly(distance: NDArray[np.float32], radius: float, jitter: Sequence[float]) -> NDArray[np.float32]:
    """`distance` as an unsteady hand keeps it: divided by a smooth field in [0.5, 1.5], two plane waves."""
    h, w = distance.shape
    hand = np.ones((h, w), dtype=np.float32)
    for index in (12, 15):
        turn, wavelength = 2 * math.pi * jitter[index], radius * _lerp(0.7, 1.6, jitter[index + 1])
        step = 2 * math.pi / wavelength
        ys = np.arange(h) * (step * math.sin(turn)) + 2 * math.pi * jitter[index + 2]
        xs = np.arange(w) * (step * math.cos(turn))
        # cos(x + y) / 4 by the addition theorem: two outer products instead of a cosine for every pixel
        for dy, dx in ((np.cos(ys) / 4, np.cos(xs)), (np.sin(ys) / -4, np.sin(xs))):
            hand += np.outer(dy.astype(np.float32), dx.astype(np.float32))
    return np.divide(distance, hand, out=hand)


def _exact(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    return mask


def _eroded(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    depth = _wobbly(_distance(mask), radius, jitter)
    area, reach = np.count_nonzero(mask), radius * _lerp(0.02, 0.2, strength)
    while np.count_nonzero(kept := depth > reach) < _MIN_IOU * area:
        reach *= 0.7
    return kept.view(np.uint8)


def _dilated(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    distance = _wobbly(_distance(1 - mask), radius, jitter)
    area, reach = np.count_nonzero(mask), radius * _lerp(0.02, 0.2, strength)
    while np.count_nonzero(grown := distance <= reach) * _MIN_IOU > area:
        reach *= 0.7
    return grown.view(np.uint8)


def _outlines(mask: Bits) -> list[NDArray[np.int32]]:
    """Outer outlines (n, 2) xy of the components worth drawing: at least 3 % of the largest, which leads."""
    found = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    areas = [cv2.contourArea(outline) + len(outline) / 2 for outline in found]
    order = sorted(range(len(found)), key=lambda i: -areas[i])
    return [np.asarray(found[i][:, 0], np.int32) for i in order if areas[i] >= 0.03 * areas[order[0]]]


def _convex_hull(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    hull = cv2.convexHull(np.concatenate(_outlines(mask)))[:, 0].astype(np.float64)
    centre = hull.mean(axis=0)
    loose = 1 + strength * _lerp(-0.02, 0.1, jitter[0])
    out = np.zeros_like(mask)
    cv2.fillConvexPoly(out, _fixed(centre + (hull - centre) * loose), 1, shift=_SUBPIXEL_BITS)
    return out


def _box(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    x, y, w, h = cv2.boundingRect(np.concatenate(_outlines(mask)))
    out_by = [radius * strength * _lerp(-0.06, 0.14, value) for value in jitter[:4]]
    left, top = round(x - out_by[0]), round(y - out_by[1])
    right, bottom = round(x + w + out_by[2]), round(y + h + out_by[3])
    out = np.zeros_like(mask)
    out[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1
    return out


def _ellipse(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    """The ellipse of the object's first and second moments: its semi-axes are 2 sqrt(eigenvalue)."""
    m = cv2.moments(mask, binaryImage=True)
    pixel = 1 / 12  # variance of a unit square about its centre
    xx, yy, xy = m["mu20"] / m["m00"] + pixel, m["mu02"] / m["m00"] + pixel, m["mu11"] / m["m00"]
    mean, split = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    long, short = math.sqrt(mean + split), math.sqrt(max(mean - split, pixel))
    axes = np.array([long, short]) * 2 * _lerp(1.0, 1.2, strength * jitter[0])
    turn = math.degrees(math.atan2(2 * xy, xx - yy) / 2) + 12 * strength * _lerp(-1, 1, jitter[1])
    drift = radius * 0.08 * strength * (2 * np.asarray(jitter[2:4]) - 1)
    centre = np.array([m["m10"], m["m01"]]) / m["m00"] + drift
    return _fill_ellipse(np.zeros_like(mask), centre, axes, turn, 1)


def _polygon(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    """Each component by few straight sides, as clicked: Douglas-Peucker, then every corner a little off."""
    out = np.zeros_like(mask)
    slip = radius * _lerp(0.01, 0.07, strength)
    index = 0
    for outline in _outlines(mask):
        simple = cv2.approxPolyDP(outline, radius * _lerp(0.03, 0.12, strength), True)[:, 0]
        corners = simple if len(simple) >= 3 else outline
        off = [2 * _unit(jitter, index + i) - 1 for i in range(corners.size)]
        index += corners.size
        cv2.fillPoly(out, [_fixed(corners + slip * np.reshape(off, corners.shape))], 1, shift=_SUBPIXEL_BITS)
    return out


class _Stroke(NamedTuple):
    start: int  # first and last sample of the object along the scan line
    end: int
    ends: Points  # (2, 2) xy where the brush goes down and where it leaves the line


def _brush(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    """Zig-zag scribble with a round brush: parallel strokes over the object, joined where they meet."""
    brush = max(radius * _lerp(0.1, 0.22, jitter[0]), 1.0)
    out = np.zeros_like(mask)
    last: list[_Stroke] = []
    for strokes in _scan(mask, brush, strength, jitter):
        for stroke in strokes:
            joined = [s.ends[-1:] for s in last if s.start <= stroke.end and s.end >= stroke.start][:1]
            if joined or stroke.end > stroke.start + 1:  # nobody dots every hair that the line happens to cross
                line = _fixed(np.concatenate([*joined, stroke.ends]))
                cv2.polylines(out, [line], False, 1, round(2 * brush), shift=_SUBPIXEL_BITS)
        last = [stroke._replace(ends=stroke.ends[::-1]) for stroke in strokes]
    return out


def _scan(mask: Bits, brush: float, strength: float, jitter: Sequence[float]) -> Iterator[list[_Stroke]]:
    """The object's runs along parallel lines, pulled in from the outline and unsteady."""
    gap, pull, unsteady = (brush * _lerp(*ends, strength) for ends in ((1.1, 1.9), (0.85, 0.45), (0.3, 1.0)))
    turn = math.pi * jitter[1]
    along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    x, y, w, h = cv2.boundingRect(mask)
    centre, half = np.array([x + (w - 1) / 2, y + (h - 1) / 2]), math.hypot(w, h) / 2
    us = np.arange(-half, half + brush / 3, brush / 3)
    vs = np.arange(min(gap, 2 * half) * jitter[2] - half, half, gap)
    xs, ys = (np.add.outer(vs * across[i], us * along[i] + centre[i]).astype(np.float32) for i in (0, 1))
    hits = np.pad(cv2.remap(mask, xs, ys, cv2.INTER_NEAREST, borderValue=0), ((0, 0), (1, 1)))
    index = 4
    for row, v in zip(np.diff(hits), vs, strict=True):
        edges = np.flatnonzero(row).tolist()
        strokes = []
        for start, end in zip(edges[::2], [edge - 1 for edge in edges[1::2]], strict=True):
            wave = unsteady * np.array([_unit(jitter, index + i) - 0.5 for i in range(4)])
            index += 4
            inset = min(pull, (us[end] - us[start]) / 2)
            reach = np.array([us[start] + inset, us[end] - inset]) + wave[:2]
            strokes.append(_Stroke(start, end, centre + np.outer(reach, along) + np.outer(v + wave[2:], across)))
        yield strokes


def _row_pick(mask: Bits, across: float, down: float) -> Points:
    """A point of the object: the `down` quantile of its pixels by row, then the `across` quantile there."""
    per_row = np.cumsum(mask.sum(axis=1, dtype=np.int64))
    y = int(np.searchsorted(per_row, down * per_row[-1], side="right"))
    xs = np.flatnonzero(mask[y])
    return np.array([xs[int(across * len(xs))], y], dtype=np.float64)


def _holes(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    """The exact mask without three elliptic holes inside and three bites on its outline.

    Together they take at most 3 (0.22^2 + 0.38^2) = 58 % of the area, and far less where they overhang.
    """
    outline = np.concatenate(_outlines(mask)).astype(np.float64)
    centres = [_row_pick(mask, jitter[2 * i], jitter[2 * i + 1]) for i in range(3)]
    centres += [outline[int(jitter[6 + i] * len(outline))] for i in range(3)]
    out = mask.copy()
    for i, centre in enumerate(centres):
        limit = radius * _lerp(0.5, 1.0, strength) * (0.22 if i < 3 else 0.38)
        axes = limit * np.array([_lerp(0.5, 1.0, jitter[9 + i]), _lerp(0.4, 1.0, jitter[15 + i])])
        _fill_ellipse(out, centre, axes, 180 * jitter[(21 + i) % NUM_JITTER], 0)
    return out


def _shift(mask: Bits, radius: float, strength: float, jitter: Sequence[float]) -> Bits:
    reach, turn = radius * _lerp(0.03, 0.18, strength), 2 * math.pi * jitter[0]
    while True:
        dx, dy = round(reach * math.cos(turn)), round(reach * math.sin(turn))
        h, w = mask.shape
        moved = np.zeros_like(mask)
        moved[max(dy, 0) : h + min(dy, 0), max(dx, 0) : w + min(dx, 0)] = mask[
            max(-dy, 0) : h + min(-dy, 0), max(-dx, 0) : w + min(-dx, 0)
        ]
        if mask_iou(moved != 0, mask != 0) >= _MIN_IOU:
            return moved
        reach *= 0.7


_DRAWERS: dict[str, Drawer] = {
    "exact": _exact,
    "eroded": _eroded,
    "dilated": _dilated,
    "convex_hull": _convex_hull,
    "box": _box,
    "ellipse": _ellipse,
    "polygon": _polygon,
    "brush": _brush,
    "holes": _holes,
    "shift": _shift,
}
