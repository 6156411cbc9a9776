"""How much of an object shows, and where an occluder must stand to hide a given share of it."""

import math

import cv2
import numpy as np

from stages.geometry import alpha_box
from stages.types import F32, U8, Patch, Rejected


def visible_fraction(foreground_alpha: U8, occluder_alpha: U8) -> float:
    """sum(a_fg (1 - a_oc)) / sum(a_fg) over uint8 (h, w) alphas; 0 for an empty foreground."""
    fg = foreground_alpha.astype(np.float32)
    total = float(fg.sum(dtype=np.float64))
    hidden = float((fg * (occluder_alpha.astype(np.float32) / np.float32(255))).sum(dtype=np.float64))
    return (total - hidden) / total if total else 0.0


class Slide:
    """Visible fraction of a target while one patch slides over it.

    Args:
        target: uint8 (size, size, 4), the target on the canvas.
        others: uint8 (size, size, 4), what else is in front of it.
        patch: the sliding object.
        direction: unit vector (dx, dy), in canvas pixels a step.
    """

    def __init__(self, target: U8, others: U8, patch: Patch, direction: tuple[float, float]) -> None:
        x, y, w, h = alpha_box(target)
        alpha = target[y : y + h, x : x + w, 3].astype(np.float32)
        self._total = float(alpha.sum())
        self._shown = alpha * (1 - others[y : y + h, x : x + w, 3].astype(np.float32) / 255)
        self._x, self._y = x, y
        self._patch, self._direction = patch, direction
        self._alpha: F32 = patch.rgba[..., 3].astype(np.float32) * np.float32(1 / 255)

    def at(self, step: int) -> Patch:
        """The patch after `step` pixels."""
        dx, dy = (int(np.rint(step * d)) for d in self._direction)
        return Patch(self._patch.rgba, self._patch.x + dx, self._patch.y + dy)

    def visible(self, step: int) -> float:
        """Visible fraction of the target with the patch after `step` pixels."""
        moved = self.at(step)
        h, w = self._shown.shape
        top, left = moved.y - self._y, moved.x - self._x
        y0, x0 = max(0, top), max(0, left)
        y1, x1 = min(h, top + self._alpha.shape[0]), min(w, left + self._alpha.shape[1])
        shown = float(self._shown.sum(dtype=np.float64))
        if y0 < y1 and x0 < x1:
            cover = self._alpha[y0 - top : y1 - top, x0 - left : x1 - left]
            shown -= float(cv2.multiply(self._shown[y0:y1, x0:x1], cover).sum(dtype=np.float64))
        return shown / self._total

    def reach(self) -> int:
        """Steps after which the patch cannot touch the target any more, wherever it started."""
        (h, w), (ph, pw) = self._shown.shape, self._alpha.shape
        dx, dy = self._direction
        away_x = _steps_clear(self._patch.x - self._x, pw, w, dx)
        away_y = _steps_clear(self._patch.y - self._y, ph, h, dy)
        return math.ceil(min(away_x, away_y)) + 1


def _steps_clear(at: int, length: int, other: int, pace: float) -> float:
    """Steps of `pace` until [at, at + length] has left [0, other] on the side it moves to."""
    if abs(pace) < 1e-6:
        return math.inf
    return max(0.0, (other - at) / pace if pace > 0 else (at + length) / -pace)


def slide_to(slide: Slide, visible: float, tolerance: float, coarse: int = 24) -> Patch | Rejected:
    """Find the outermost place where the target's visible fraction is `visible` within `tolerance`.

    Comes from outside in `coarse` steps to the first place that hides enough, then bisects between that and the
    step before (so "outermost" is true to one of these steps). The fraction is not monotone in general (holes,
    thin parts), but changes sign in the bracket.
    """
    far = slide.reach()
    stops = [round(far * (coarse - k) / coarse) for k in range(coarse + 1)]
    seen = [slide.visible(stops[0])]
    if seen[0] < visible - tolerance:
        return Rejected("already_hidden", f"{seen[0]:.3f} without the occluder, asked {visible:.3f}")
    for k in range(1, len(stops)):
        seen.append(slide.visible(stops[k]))
        if seen[k] <= visible:
            return _bisect(slide, stops[k], stops[k - 1], visible, tolerance)
    best = int(np.argmin(np.abs(np.array(seen) - visible)))
    if abs(seen[best] - visible) <= tolerance:
        return slide.at(stops[best])
    return Rejected("occluder_too_small", f"least visible {min(seen):.3f}, asked {visible:.3f}")


def _bisect(slide: Slide, near: int, far: int, visible: float, tolerance: float) -> Patch | Rejected:
    while far - near > 1:
        middle = (near + far) // 2
        if slide.visible(middle) <= visible:
            near = middle
        else:
            far = middle
    step = min((near, far), key=lambda s: abs(slide.visible(s) - visible))
    got = slide.visible(step)
    if abs(got - visible) <= tolerance:
        return slide.at(step)
    return Rejected("visible_fraction_jumps", f"{got:.3f} beside {visible:.3f}")
