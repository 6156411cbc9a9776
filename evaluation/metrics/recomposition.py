"""Whether the layers, put together again, give the picture."""

import numpy as np

from evaluation.metrics.psnr import weighted_psnr
from stages.types import F32, U8

SHOWS = 0.02  # hidden alpha below which a pixel counts as not hidden


def recomposition_psnr(foreground: U8, background: U8, picture: U8, hidden: F32 | None = None) -> float:
    """PSNR in dB of the (h, w, 4) straight foreground over the (h, w, 3) background against the (h, w, 3) picture.

    All uint8 sRGB; the composite (over, in sRGB) is not rounded. Pixels where something lies before the object,
    `hidden` (h, w) >= SHOWS, do not count; None: all count. NaN where none counts. Copying the picture into both
    layers scores best: this tells whether layers agree, not whether they are right.
    """
    assert background.shape == picture.shape, f"shapes differ: {background.shape} and {picture.shape}"
    alpha = foreground[..., 3:] / np.float32(255)
    again = (alpha * foreground[..., :3] + (1 - alpha) * background).astype(np.float32)
    weight = np.ones(picture.shape[:2], np.float32) if hidden is None else (hidden < SHOWS).astype(np.float32)
    return weighted_psnr(again, picture, weight)
