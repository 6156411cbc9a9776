"""The regions of a picture where removal is scored."""

import cv2
import numpy as np

from stages.types import Mask

REGIONS = ("whole", "mask", "ring", "outside")


def regions(item_mask: Mask, ring: int) -> dict[str, Mask]:
    """The four regions of a (h, w) bool mask, by name in the order of REGIONS, each (h, w) bool.

    `whole` is every pixel, `mask` the mask, `outside` all but the mask, and `ring` the pixels outside the mask that
    lie at most `ring` pixels (>= 0) from one of its pixels, by Euclidean distance between centres: a dilation by a
    disc, so that the ring is equally wide in all directions. The ring of an empty mask is empty.
    """
    assert item_mask.ndim == 2, f"mask must be (h, w), is {item_mask.shape}"
    assert item_mask.dtype == np.bool_, f"mask must be bool, is {item_mask.dtype}"
    assert ring >= 0, f"ring must be at least 0, is {ring}"
    outside = ~item_mask
    return {
        "whole": np.ones_like(item_mask),
        "mask": item_mask.copy(),
        "ring": outside & (_distance(outside) <= ring) if item_mask.any() else np.zeros_like(item_mask),
        "outside": outside,
    }


def _distance(outside: Mask) -> "cv2.typing.MatLike":
    """Distance of each pixel to the nearest False one, in pixels; exact (Felzenszwalb and Huttenlocher, 2012)."""
    return cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
