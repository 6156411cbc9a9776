"""Edit a picture by its layers: move, scale, mirror, recolour or remove the object. No model runs."""

import re
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field, field_validator, model_validator

from model.recolour import tint, turn_hue
from stages.alpha import over_rgb, premultiply_pm, unpremultiply
from stages.geometry import alpha_box, pixel_centred
from stages.types import F32, U8, Frozen, Patch

_Pixels = Annotated[int, Field(ge=-100_000, le=100_000)]
_HUE, _COLOUR = re.compile(r"\d{1,3}(\.\d+)?"), re.compile(r"#[0-9a-fA-F]{6}")


class Edit(Frozen):
    """What to do to the object; lengths are whole pixels, `move` goes right and down.

    `scale` and `flip` (left-right) keep the middle of the object's box in place, before `move`. `recolour` keeps
    luminance: a hue in degrees ("210") turns all colours and leaves greys, a colour ("#1e90ff") tints everything.
    """

    move: tuple[_Pixels, _Pixels] = (0, 0)
    scale: float = Field(1.0, ge=0.01, le=50)
    flip: bool = False
    recolour: str | None = None
    remove: bool = False

    @field_validator("recolour")
    @classmethod
    def _known(cls, text: str | None) -> str | None:
        hue = text is not None and _HUE.fullmatch(text)
        if text is None or _COLOUR.fullmatch(text) or (hue and float(text) <= 360):
            return text
        raise ValueError("must be a hue in degrees, 0 to 360, or a colour like #1e90ff")

    @model_validator(mode="after")
    def _one_fate(self) -> "Edit":
        if self.remove and self.model_copy(update={"remove": False}) != Edit():
            raise ValueError("remove: leaves no object to change; give it alone")
        return self


def edit(foreground: U8, background: U8, change: Edit) -> U8:
    """The picture after a change: uint8 (h, w, 3), sRGB-encoded.

    `foreground` is straight RGBA (h, w, 4), `background` (h, w, 3). Without a change in size the object's pixels are
    moved as they are; otherwise they are resampled premultiplied. The layers are put together with exact rounding.
    """
    assert foreground.shape == (*background.shape[:2], 4), f"edit: {foreground.shape} over {background.shape}"
    out = background.copy()
    if change.remove or not foreground[..., 3].any():
        return out
    x, y, w, h = alpha_box(foreground)
    rgba = foreground[y : y + h, x : x + w]
    if change.flip:
        rgba = rgba[:, ::-1]
    if change.recolour:
        rgba = recoloured(rgba, change.recolour)
    over_rgb(out, _placed(rgba, (x + change.move[0], y + change.move[1]), change.scale, background.shape[:2]))
    return out


def recoloured(rgba: U8, recolour: str) -> U8:
    """A straight RGBA picture in another hue ("210") or colour ("#1e90ff"); alpha stays, RGB 0 where it is 0."""
    if recolour.startswith("#"):
        red, green, blue = bytes.fromhex(recolour[1:])
        colour = tint(rgba[..., :3], (red, green, blue))
    else:
        colour = turn_hue(rgba[..., :3], float(recolour))
    return np.dstack([np.where(rgba[..., 3:] > 0, colour, np.uint8(0)), rgba[..., 3]])


def _placed(rgba: U8, corner: tuple[int, int], scale: float, canvas: tuple[int, ...]) -> Patch:
    """The object scaled about the middle of its box, whose corner is at `corner` before."""
    (x, y), (h, w) = corner, rgba.shape[:2]
    if scale == 1:
        return Patch(rgba, x, y)
    middle = (x + w / 2, y + h / 2)
    pm = premultiply_pm(rgba)
    if scale > 1:
        return Patch(unpremultiply(_enlarged(pm, middle, scale, canvas)), 0, 0)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    small = np.asarray(cv2.resize(pm, size, interpolation=cv2.INTER_AREA), np.float32)
    left, top = (int(np.floor(m - s / 2 + 0.5)) for m, s in zip(middle, size, strict=True))
    return Patch(unpremultiply(small), left, top)


def _enlarged(pm: F32, middle: tuple[float, float], scale: float, canvas: tuple[int, ...]) -> F32:
    """On the whole canvas, so that no scale takes more memory than the picture.

    Linear, as all of the object's warps: a cubic overshoots alpha and colour apart, and brightens soft edges.
    """
    h, w = pm.shape[:2]
    matrix = np.array([[scale, 0, middle[0] - scale * w / 2], [0, scale, middle[1] - scale * h / 2]])
    size = (canvas[1], canvas[0])
    return np.asarray(cv2.warpAffine(pm, pixel_centred(matrix), size, flags=cv2.INTER_LINEAR), np.float32)
