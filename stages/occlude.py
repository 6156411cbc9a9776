"""How much of an object shows, and where an occluder must stand to hide a given share of it."""

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
        """Steps after which the patch cannot touch the target any more."""
        h, w = self._shown.shape
        ph, pw = self._alpha.shape
        dx, dy = (abs(d) for d in self._direction)
        away_x = (w + pw) / dx if dx > 1e-6 else np.inf
        away_y = (h + ph) / dy if dy > 1e-6 else np.inf
        return int(np.ceil(min(away_x, away_y))) + 1


def slide_to(slide: Slide, visible: float, tolerance: float, coarse: int = 24) -> Patch | Rejected:
    """Find the outermost place where the target's visible fraction is `visible` within `tolerance`.

    Comes from outside in coarse steps to the first place that hides enough, then bisects between that and the
    step before. The fraction is not monotone in general (holes, thin parts), but changes sign in the bracket.
    """
    far = slide.reach()
    stops = [round(far * (coarse - k) / coarse) for k in range(coarse + 1)]
    seen = [slide.visible(stops[0])]
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
