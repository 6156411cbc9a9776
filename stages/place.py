"""Where things stand: priors for size, ground contact and light, as arithmetic on a square canvas.

The ground is a plane seen from eye height: things stand below the horizon, and the same thing looks as large as
its foot is far below the horizon (one-point perspective). Functions draw from the generator they are given.
"""

import math
from typing import NamedTuple

import numpy as np

from stages.types import Plate, Shadow

_LOWEST_HORIZON = 0.7  # of the canvas: below that there is no ground to stand on
_CLOSEST = 0.67  # of a photograph's short side: the smallest crop
_SURFACE = -0.5  # a horizon so far above the picture: a table top, a lawn from above


class Footing(NamedTuple):
    """Where an object's anchor goes: shares of its box, and canvas pixels."""

    anchor_x: float
    anchor_y: float
    x: float
    y: float


def draw_plate(
    rng: np.random.Generator, asset: str, shape: tuple[int, int], size: int, horizon: float | None, grounded: bool
) -> tuple[Plate, float]:
    """A square crop of a photograph of `shape` (h, w) and the horizon's y on the canvas, in pixels.

    The crop is never enlarged more than 1.25 times. A photograph whose horizon is unknown (None) gets one
    from the prior: 0.3 to 0.55 of the canvas.
    """
    h, w = shape
    short = min(h, w)
    side = short * rng.uniform(min(1.0, max(_CLOSEST, size / 1.25 / short)), 1.0)
    side = float(min(short, math.ceil(side)))
    low = 0.0
    if grounded and horizon is not None:
        low = min(max(0.0, horizon * h - _LOWEST_HORIZON * side), h - side)
    x, y = math.floor(rng.uniform(0, w - side)), math.floor(rng.uniform(low, h - side))
    drawn = rng.uniform(0.3, 0.55)
    line = (horizon * h - y) / side if horizon is not None else drawn
    flip = bool(rng.random() < 0.5)
    return Plate(asset=asset, x=float(x), y=float(y), side=side, flip=flip), line * size


def has_ground(horizon: float | None) -> bool:
    """Whether a photograph shows ground to stand on, by its horizon in shares of its height."""
    return horizon is None or horizon <= 0.8


def is_surface(horizon: float | None) -> bool:
    """Whether a photograph shows a surface seen from above, by its horizon in shares of its height."""
    return horizon is not None and horizon <= _SURFACE


def draw_area(rng: np.random.Generator, median: float, sigma: float, bounds: tuple[float, float]) -> float:
    """Share of the canvas that the target covers: log-normal, redrawn until within bounds (at most 50 times)."""
    for _ in range(50):
        area = median * math.exp(sigma * rng.standard_normal())
        if bounds[0] <= area <= bounds[1]:
            return area
    return min(max(median, bounds[0]), bounds[1])


def lie(rng: np.random.Generator, box: tuple[float, float], size: int) -> Footing:
    """Bottom centre of an object of box (w, h) pixels on a surface seen from above: anywhere in the frame."""
    w, h = box
    foot = rng.uniform(min(h + 0.02 * size, 0.97 * size), 0.97 * size)
    return Footing(0.5, 1.0, _inside(rng, w, size), float(foot))


def stand(rng: np.random.Generator, box: tuple[float, float], horizon_y: float, size: int) -> Footing:
    """Bottom centre of an object of box (w, h) pixels on the ground: larger things stand nearer, so lower."""
    w, h = box
    ground = size - max(0.0, horizon_y)
    near = np.clip(0.2 + 0.85 * h / size + 0.13 * rng.standard_normal(), 0.12, 0.97)
    foot = max(0.0, horizon_y) + ground * float(near)
    foot = min(max(foot, h + 0.02 * size), 0.985 * size)
    return Footing(0.5, 1.0, _inside(rng, w, size), float(foot))


def hover(rng: np.random.Generator, box: tuple[float, float], size: int) -> Footing:
    """Centre of an object in the air: anywhere in the frame, rather in its upper part."""
    h = box[1]
    top, bottom = h / 2 + 0.02 * size, size - h / 2 - 0.02 * size
    y = top + max(0.0, bottom - top) * float(rng.beta(1.3, 1.9))
    return Footing(0.5, 0.5, _inside(rng, box[0], size), y)


def _inside(rng: np.random.Generator, width: float, size: int) -> float:
    margin = min(width / 2 + 0.01 * size, size / 2)
    return float(rng.uniform(margin, size - margin))


def crop_sideways(rng: np.random.Generator, footing: Footing, width: float, size: int) -> Footing:
    """Move an object so that 10 to 35 % of its box leaves the frame on the left or right."""
    out = rng.uniform(0.10, 0.35) * width
    x = width / 2 - out
    return footing._replace(x=float(x if rng.random() < 0.5 else size - x))


def against_border(cut: str, flip: bool, footing: Footing, size: int) -> Footing:
    """Put the sides that a photograph's edge cut (letters of `ltrb`) just over the canvas border.

    One pixel is hidden so that the matte's soft last row cannot show as a false edge.
    """
    if flip:
        cut = cut.translate(str.maketrans("lr", "rl"))
    anchors = {"l": ("anchor_x", 0.0, "x", -1.0), "r": ("anchor_x", 1.0, "x", size + 1.0)}
    anchors |= {"t": ("anchor_y", 0.0, "y", -1.0), "b": ("anchor_y", 1.0, "y", size + 1.0)}
    for side in cut:
        anchor, share, axis, at = anchors[side]
        footing = footing._replace(**{anchor: share, axis: at})
    return footing


def perspective(foot_y: float, target_y: float, horizon_y: float) -> float:
    """How much larger the same thing looks at `foot_y` than at `target_y`; bounded to [0.5, 1.8]."""
    return min(max((foot_y - horizon_y) / max(1.0, target_y - horizon_y), 0.5), 1.8)


def draw_shadow(rng: np.random.Generator, density: tuple[float, float], surface: bool) -> Shadow:
    """One shadow direction for a scene: all its objects share it.

    Silhouettes mostly fall away from the camera (light in front of it would blind the lens), shorter than the
    object is tall; low light throws them longer and softer.
    """
    shear = float(rng.uniform(0.15, 1.1) * rng.choice((-1.0, 1.0)))
    away = bool(rng.random() < 0.75)
    rise = float(rng.uniform(0.12, 0.4) if away else rng.uniform(-0.3, -0.1))
    dark = float(rng.uniform(*density))
    return Shadow(
        shear=shear,
        rise=rise,
        lift=float(rng.uniform(0.02, 0.06)) if surface else 0.0,
        blur=float(rng.uniform(0.012, 0.04)),
        density=dark,
        contact=0.0 if surface else min(0.85, dark + 0.2),
    )
