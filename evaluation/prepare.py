"""An item as a protocol wants it: of its size, with its mask. Pictures are uint8 (h, w, c), masks bool (h, w)."""

import cv2
import numpy as np

from evaluation.protocol import Hint, Protocol
from evaluation.sample import Item, Missing
from stages.alpha import premultiply_pm, unpremultiply
from stages.types import F32, U8, Mask


def prepare(item: Item, protocol: Protocol) -> Item | Missing:
    """The item at most `protocol.size` pixels long, with the mask that methods are given."""
    mask = hint_mask(item, protocol.hint)
    if mask is None:
        return Missing(item.id, f"has no {protocol.hint.source} mask, which {protocol.title} gives to methods")
    small = shrink(item._replace(mask=mask), protocol.size)
    if small.mask is None or not small.mask.any():
        return Missing(item.id, "its mask is empty")
    return small


def hint_mask(item: Item, hint: Hint) -> Mask | None:
    """The mask that a protocol gives to methods, before anything is shrunk; None where the item has none."""
    mask = item.effect if hint.source == "effect" else item.mask
    if mask is None or not hint.grow:
        return mask
    side = 2 * hint.grow + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(mask.astype(np.uint8), disc) > 0


def shrink(item: Item, longest: int) -> Item:
    """All arrays at most `longest` pixels long, by area averaging; 0, or what is small enough, stays as it is."""
    height, width = item.picture.shape[:2]
    if not longest or max(height, width) <= longest:
        return item
    scale = longest / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Item(
        item.id,
        _small(item.picture, size),
        None if item.mask is None else _small_mask(item.mask, size),
        None if item.clean is None else _small(item.clean, size),
        None if item.effect is None else _small_mask(item.effect, size),
        None if item.alpha is None else _averaged(item.alpha, size),
        None if item.foreground is None else _small_rgba(item.foreground, size),
        None if item.visible is None else _averaged(item.visible, size),
        None if item.trimap is None else _small_trimap(item.trimap, size),
    )


def _averaged(values: F32, size: tuple[int, int]) -> F32:
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _small(picture: U8, size: tuple[int, int]) -> U8:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _small_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    return _averaged(mask.astype(np.float32), size) >= 0.5


def _small_rgba(rgba: U8, size: tuple[int, int]) -> U8:
    return unpremultiply(_averaged(premultiply_pm(rgba), size))


def _small_trimap(trimap: U8, size: tuple[int, int]) -> U8:
    """Known only where all pixels beneath agree."""
    mean = _averaged(trimap.astype(np.float32), size)
    return np.where(mean <= 0, 0, np.where(mean >= 255, 255, 128)).astype(np.uint8)
