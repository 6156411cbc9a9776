"""Is the object of a generated picture whole? Read from the matte alone, before trimming."""

from typing import NamedTuple

import cv2
import numpy as np

from stages.graphic import SOLID
from stages.types import U8, Mask

_EMPTY, _FULL = 0.005, 0.9  # share of the frame
_MAIN = 0.9  # share of what is solid
_SPECK = 0.01  # of the main part; smaller parts are noise of the matte
_MARGIN = 0.015  # of the frame's short side: this near is touching, for mattes end a few pixels early
_NEAR = 0.04  # likewise: this near, a straight edge is the frame's work
_STRAIGHT = 0.25  # share of the object's extent along a side; exceeded by 4 % of the sides of whole objects
_LEVEL = 0.002  # of the frame's short side: how much a straight edge may rise and fall


class Whole(NamedTuple):
    """Whether an object is whole; if not, `reason` (snake_case, to count by) and `detail` say why."""

    ok: bool
    reason: str = ""
    detail: str = ""


def wholeness(rgba: U8) -> Whole:
    """Judge a matted picture (h, w, 4) uint8, straight, in the frame in which it was generated.

    In this order: `empty` or `fills_frame`, when less than 0.5 % or more than 90 % of the frame has alpha > 127;
    `fragments`, when the largest 8-connected part holds less than 90 % of that; `touches_edge`, when a part of at
    least 1 % of the largest comes within 1.5 % of the frame's short side (1 px at least) of the frame; `clipped`,
    when the largest ends within 4 % of the frame in a line parallel to it: more than 25 % of its extent ends in
    the same row, to 0.2 % of the short side (1 px at least). There the matte stopped, not the object.

    A whole object with a flat base that stands that near the frame is taken for a clipped one.
    Raises ValueError if `rgba` is not such an array.
    """
    if rgba.ndim != 3 or rgba.shape[2] != 4 or rgba.dtype != np.uint8 or not rgba.size:
        raise ValueError(f"rgba: must be (h, w, 4) uint8, got {rgba.shape} {rgba.dtype}")
    solid = rgba[..., 3] > SOLID
    covered = float(solid.mean())
    if covered < _EMPTY:
        return Whole(False, "empty", f"{covered:.2%} of the frame, at least {_EMPTY:.1%}")
    if covered > _FULL:
        return Whole(False, "fills_frame", f"{covered:.1%} of the frame, at most {_FULL:.0%}")
    main, parts, share = _parts(solid)
    if share < _MAIN:
        return Whole(False, "fragments", f"the main part is {share:.1%}, at least {_MAIN:.0%}")
    return _against_the_frame(main, parts)


def _parts(solid: Mask) -> tuple[Mask, Mask, float]:
    """The largest part, all parts that are not specks, and the largest one's share of what is solid."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid.view(np.uint8), connectivity=8)
    areas = np.asarray(stats)[:, cv2.CC_STAT_AREA].astype(np.int64)
    areas[0] = 0  # what is not solid
    kept = areas >= _SPECK * areas.max()
    kept[0] = False
    labels = np.asarray(labels)
    return labels == int(areas.argmax()), kept[labels], float(areas.max() / areas.sum())


def _against_the_frame(main: Mask, parts: Mask) -> Whole:
    short = min(main.shape)
    margin, near, level = (max(1, round(share * short)) for share in (_MARGIN, _NEAR, _LEVEL))
    for name, turns in (("top", 0), ("right", 1), ("bottom", 2), ("left", 3)):
        gap = int(np.rot90(parts, turns).any(axis=1).argmax())
        if gap < margin:
            return Whole(False, "touches_edge", f"{gap} px from the {name}, at least {margin}")
        gap, straight = _straight_end(np.rot90(main, turns), level)
        if gap < near and straight > _STRAIGHT:
            detail = f"straight over {straight:.0%} of its extent {gap} px from the {name}, at most {_STRAIGHT:.0%}"
            return Whole(False, "clipped", detail)
    return Whole(True)


def _straight_end(main: Mask, level: int) -> tuple[int, float]:
    """Rows above the object, and the share of its columns that start within `level` rows of its topmost one."""
    starts = main[:, main.any(axis=0)].argmax(axis=0)
    gap = int(starts.min())
    return gap, float(np.mean(starts <= gap + level))
