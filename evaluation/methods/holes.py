"""What methods that fill a hole share. Pictures are uint8 (h, w, 3) sRGB-encoded, masks bool (h, w)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from evaluation.errors import EvalError
from evaluation.layers import Answer, Method
from evaluation.sample import Item
from model.resize import resample, working_size
from stages.types import F32, U8, Mask

Fill = Callable[[U8, Mask], U8 | F32]
"""Picture and mask to a picture (h, w, 3) in levels 0 to 255, of which only the pixels in the mask are used.

The mask is neither empty nor full.
"""


def filler(kind: str, fill: Fill) -> Method:
    """Background: the picture, its mask filled. Foreground: the picture with the mask as alpha.

    The method raises EvalError for an item without a mask, and for a mask that leaves nothing to fill it from.
    """

    def method(item: Item) -> Answer:
        mask = mask_of(item, kind)
        return Answer(filled(item, mask, kind, fill), rgba(item.picture, mask.astype(np.float32)))

    return method


def filled(item: Item, mask: Mask, kind: str, fill: Fill) -> U8:
    """The item's picture with what `fill` makes inside the mask, rounded to nearest; the picture for an empty mask.

    Raises EvalError for a full mask, and what `fill` raises with the item's id before it.
    """
    if not mask.any():
        return item.picture.copy()
    if mask.all():
        raise EvalError(f"{item.id}: its mask marks the whole picture, which leaves '{kind}' nothing to fill it from")
    try:
        made = fill(item.picture, mask)
    except EvalError as error:
        raise EvalError(f"{item.id}: {error}") from error
    assert made.shape == item.picture.shape, f"{kind} made {made.shape} of {item.picture.shape}"
    levels = np.rint(np.clip(made, 0, 255)).astype(np.uint8)
    return np.where(mask[..., None], levels, item.picture)


def mask_of(item: Item, kind: str) -> Mask:
    """The mask that the item comes with. Raises EvalError where it has none."""
    if item.mask is None:
        raise EvalError(f"{item.id}: has no mask, which '{kind}' needs")
    assert item.mask.shape == item.picture.shape[:2], f"mask {item.mask.shape} of {item.picture.shape}"
    return item.mask


def rgba(colour: U8, alpha: F32) -> U8:
    """Straight RGBA (h, w, 4) of a colour (h, w, 3) and alpha (h, w) in [0, 1]; 0 where alpha rounds to 0 of 255."""
    levels = np.rint(alpha * 255).astype(np.uint8)
    return np.dstack([np.where(levels[..., None] > 0, colour, np.uint8(0)), levels])


class Fitted(NamedTuple):
    """A picture and a mask of sides that a network takes."""

    picture: U8
    mask: Mask


def fitted(picture: U8, mask: Mask, size: int | None, multiple: int) -> Fitted:
    """Sides that are multiples of `multiple`: padded to the right and below or, with a `size`, resampled.

    Padding mirrors picture and mask alike (numpy's "symmetric", as LaMa pads), so that nothing of the object becomes
    known. With `size` there are about `size` x `size` pixels, at about the picture's aspect ratio; a pixel is masked
    where any part of it is.
    """
    height, width = mask.shape
    if size is None:
        more = ((0, -height % multiple), (0, -width % multiple))
        return Fitted(np.pad(picture, (*more, (0, 0)), mode="symmetric"), np.pad(mask, more, mode="symmetric"))
    high, wide = working_size(height, width, size, multiple)
    small = np.rint(resample(picture, high, wide)).astype(np.uint8)
    return Fitted(small, resample(mask.astype(np.float32), high, wide) > 0)


def unfitted(made: F32, mask: Mask, size: int | None) -> F32:
    """What a network made of a `Fitted` picture, at the size of the picture and its `mask`: cropped or resampled."""
    height, width = mask.shape
    return made[:height, :width] if size is None else resample(made, height, width)
