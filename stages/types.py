"""What passes between stages: a `Recipe` (what to draw), a `Sample` (what was drawn), a `Rejected` (why not).

Canvas coordinates are pixels, x to the right and y down, (0, 0) the outer corner of the top-left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

Role = Literal["target", "front", "behind"]


class Frozen(BaseModel):
    """Immutable model that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plate(Frozen):
    """The background photograph: a square crop of asset `asset`, in asset pixels, mirrored if `flip`."""

    asset: str
    x: float
    y: float
    side: float
    flip: bool


class Shadow(Frozen):
    """Shadow of one object. Lengths are shares of the object's height.

    `shear` moves the top of the silhouette sideways and `rise` up (away from the camera, negative: towards
    it), anchored where the object touches the ground; `lift` > 0 instead shifts the whole silhouette (an
    object lying on a surface seen from above). `blur` is a Gaussian sigma; `density` in [0, 1].
    """

    shear: float
    rise: float
    lift: float
    blur: float
    density: float
    contact: float


class Placement(Frozen):
    """One object: asset pixels scaled by `scale`, mirrored, rotated by `rotation` degrees (counter-clockwise),
    trimmed, then put so that the point (anchor_x, anchor_y) of its box, in shares of it, is at (x, y)."""

    asset: str
    role: Role
    scale: float
    rotation: float
    flip: bool
    anchor_x: float
    anchor_y: float
    x: float
    y: float
    harmonize: float
    shadow: Shadow | None


class Occlusion(Frozen):
    """Slide object number `slider` along (dx, dy) from where it stands until `visible` of the target shows."""

    slider: int
    dx: float
    dy: float
    visible: float
    tolerance: float


class MaskDraw(Frozen):
    """How the imperfect mask is made from the true one (see `stages.masks.imperfect_mask`)."""

    kind: str
    strength: float
    jitter: tuple[float, ...]


class Recipe(Frozen):
    """Everything `render` needs besides asset pixels. `objects` are in depth order, farthest first."""

    size: int
    plate: Plate
    objects: tuple[Placement, ...]
    occlusion: Occlusion | None
    mask: MaskDraw
    min_area: float
    min_visible_px: int


class Patch(NamedTuple):
    """A piece of canvas: `rgba` straight uint8 (h, w, 4) whose top-left pixel is canvas pixel (x, y)."""

    rgba: U8
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Valid data that is not good enough: a value, not an error. `reason` is snake_case and counted."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One rendered scene, uint8 sRGB-encoded, straight alpha; the six stored members in stored order.

    `visible` and `area` are shares in [0, 1]: of the target's alpha that shows, and of the canvas it covers.
    `affines` holds one row-major 2x3 matrix per object: asset pixels to canvas pixels.
    """

    composite: U8
    background: U8
    foreground: U8
    shadow: U8
    occluder: U8
    mask: U8
    visible: float
    area: float
    mask_iou: float
    affines: tuple[tuple[float, ...], ...]
