"""The nearest pixel of a region, for every pixel of a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.types import F32, Mask


def nearest_pixel(region: Mask) -> tuple[F32, NDArray[np.intp]]:
    """Distance in pixels to the nearest True pixel of `region` (h, w), and that pixel's flat index, both (h, w).

    Distances are OpenCV's 5 x 5 chamfer ones, 2 % off at most. `region` holds at least one True pixel.
    """
    assert region.any(), "no pixel to be near to"
    distance, label = cv2.distanceTransformWithLabels(
        (~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(label)
    places = np.zeros(int(label.max()) + 1, np.intp)
    places[label[region]] = np.flatnonzero(region)
    return np.asarray(distance, np.float32), places[label]
