"""How well the whole object was recovered, split into what shows and what is hidden.

`truth` is the object's whole alpha, `visible` the part of it that shows, both (h, w) float32 in [0, 1]; hidden is what
remains. Hidden or visible parts of less than MIN_AREA pixels of alpha have no score: NaN.
"""

import math

import numpy as np

from evaluation.metrics.matting import soft_iou
from evaluation.metrics.psnr import weighted_psnr
from stages.types import F32, U8

MIN_AREA = 4.0  # pixels of alpha


def hidden(truth: F32, visible: F32) -> F32:
    """Whole alpha less visible alpha, (h, w) float32 in [0, 1]."""
    assert truth.shape == visible.shape, f"shapes differ: {truth.shape} and {visible.shape}"
    return np.asarray(np.clip(truth - visible, 0, 1), np.float32)


def amodal_iou(made: F32, truth: F32) -> float:
    """Intersection over union of both whole alphas, each cut at 0.5 (0.5 is in); in [0, 1], NaN if both are empty.

    The score of amodal segmentation (Zhu et al., "Semantic Amodal Segmentation", CVPR 2017) for one object.
    """
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    a, b = made >= 0.5, truth >= 0.5
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else math.nan


def hidden_recall(made: F32, truth: F32, visible: F32) -> float:
    """Share in [0, 1] of the hidden alpha that was made beyond the visible one: an answer of `visible` scores 0."""
    return _recall(hidden(made, visible), hidden(truth, visible))


def visible_recall(made: F32, truth: F32, visible: F32) -> float:
    """Share in [0, 1] of the visible alpha that was made; alpha goes to the visible part before the hidden one."""
    assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
    return _recall(made, visible)


def hidden_iou(made: F32, truth: F32, visible: F32) -> float:
    """Soft IoU in [0, 1] of made less visible alpha with the hidden alpha.

    All that is made beyond the visible part counts, also where there is no object.
    """
    part = hidden(truth, visible)
    return soft_iou(hidden(made, visible), part) if _enough(part) else math.nan


def visible_iou(made: F32, truth: F32, visible: F32) -> float:
    """Soft IoU in [0, 1] of the made alpha with the visible alpha; up to the hidden alpha more does not count."""
    if not _enough(visible):
        return math.nan
    union = np.maximum(hidden(made, hidden(truth, visible)), visible)
    return float(np.minimum(made, visible).sum(dtype=np.float64) / union.sum(dtype=np.float64))


def hidden_psnr(made: U8, truth: U8, visible: F32) -> float:
    """PSNR in dB of the straight colours of two (h, w, 4) uint8 objects, pixels weighted by hidden alpha.

    Colours under alpha 0 of `made` count as they are stored: what alpha misses, `hidden_recall` tells.
    """
    return _psnr(made, truth, hidden(_alpha(truth), visible))


def visible_psnr(made: U8, truth: U8, visible: F32) -> float:
    """As `hidden_psnr`, pixels weighted by visible alpha."""
    return _psnr(made, truth, visible)


def _alpha(rgba: U8) -> F32:
    return np.asarray(rgba[..., 3] / np.float32(255), np.float32)


def _enough(part: F32) -> bool:
    return bool(part.sum(dtype=np.float64) >= MIN_AREA)


def _recall(found: F32, part: F32) -> float:
    if not _enough(part):
        return math.nan
    return float(np.minimum(found, part).sum(dtype=np.float64) / part.sum(dtype=np.float64))


def _psnr(made: U8, truth: U8, part: F32) -> float:
    return weighted_psnr(made[..., :3], truth[..., :3], part) if _enough(part) else math.nan
