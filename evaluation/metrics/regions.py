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
        "ring": outside & dilated(item_mask, ring),
        "outside": outside,
    }


def dilated(mask: Mask, pixels: int) -> Mask:
    """All pixels whose centre is within `pixels` of the centre of one of the mask's; none for an empty mask.

    Distances are exact (Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", 2012).
    """
    if not mask.any():
        return np.zeros_like(mask)
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= pixels + 1e-3)
