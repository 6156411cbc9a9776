"""The metrics that protocols can ask for, by name; `psnr`, `ssim` and `stlpips` take a region: `psnr.mask`.

Regions are those of `evaluation.metrics.regions`, of everything that the object changes in the picture.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from evaluation.layers import Answer
from evaluation.metrics import amodal, matting
from evaluation.metrics.colour import colour_error
from evaluation.metrics.psnr import psnr
from evaluation.metrics.recomposition import recomposition_psnr
from evaluation.metrics.regions import REGIONS, regions
from evaluation.metrics.ssim import ssim
from evaluation.results import MetricInfo
from evaluation.sample import Item
from stages.settings import ManifestError, did_you_mean
from stages.types import F32, U8, Mask


class Pair(NamedTuple):
    """A picture with its truth, a method's layers of it, and the regions of removal."""

    item: Item
    answer: Answer
    regions: dict[str, Mask]


class Metric(NamedTuple):
    """`score` is NaN where truth or answer is missing."""

    info: MetricInfo
    score: Callable[[Pair], float]


def pair(item: Item, answer: Answer, ring: int) -> Pair:
    """What metrics look at."""
    changed = item.effect if item.effect is not None else item.mask
    if changed is None:
        changed = np.zeros(item.picture.shape[:2], np.bool_)
    return Pair(item, answer, regions(changed, ring))


def choose(names: Sequence[str]) -> list[Metric]:
    """The metrics of these names. Raises ManifestError for one that is unknown."""
    known = metrics()
    for name in names:
        if name not in known:
            raise ManifestError(f"metrics: unknown metric '{name}'{did_you_mean(name, known)}")
    return [known[name] for name in names]


@cache
def metrics() -> dict[str, Metric]:
    """All metrics, by name."""
    made = [_removal(name, region) for name in _PICTURES for region in REGIONS]
    return {m.info.name: m for m in [*made, *_ALPHA, *_WHOLE]}


def _removal(name: str, region: str) -> Metric:
    title, unit, higher, definition, function = _PICTURES[name]
    where = {"whole": "whole picture", "mask": "inside the effect mask"}.get(region, region)
    info = MetricInfo(
        name=f"{name}.{region}", title=f"{title} {region}", unit=unit, higher_is_better=higher,
        definition=f"{definition}; background against the clean picture, {where}",
    )  # fmt: skip

    def score(given: Pair) -> float:
        made, truth = given.answer.background, given.item.clean
        return math.nan if made is None or truth is None else function(made, truth, given.regions[region])

    return Metric(info, score)


def _stlpips(made: U8, truth: U8, region: Mask) -> float:
    return _network()(made, truth, region)


@cache
def _network() -> Callable[[U8, U8, Mask], float]:
    from evaluation.metrics.stlpips import StLpips  # torch

    return StLpips()


def _alpha_metric(
    name: str, title: str, higher: bool, definition: str, function: Callable[[F32, F32], float]
) -> Metric:
    """Of the alpha that was made against the whole object's, or what is known of it: the alpha that shows."""

    def score(given: Pair) -> float:
        truth = given.item.alpha if given.item.foreground is None else _alpha(given.item.foreground)
        made = _alpha(given.answer.foreground)
        return math.nan if made is None or truth is None else function(made, truth)

    info = MetricInfo(name=name, title=title, higher_is_better=higher, definition=definition)
    return Metric(info, score)


def _hidden_metric(
    name: str, title: str, unit: str, definition: str, function: Callable[[U8, U8, F32], float]
) -> Metric:
    """Of the whole object, of which some may be hidden; higher is better."""

    def score(given: Pair) -> float:
        made, truth, visible = given.answer.foreground, given.item.foreground, given.item.visible
        return math.nan if made is None or truth is None or visible is None else function(made, truth, visible)

    info = MetricInfo(name=name, title=title, unit=unit, higher_is_better=True, definition=definition)
    return Metric(info, score)


def _alpha(rgba: U8 | None) -> F32 | None:
    return None if rgba is None else _share(rgba)


def _share(rgba: U8) -> F32:
    return np.asarray(rgba[..., 3] / np.float32(255), np.float32)


def _of_alpha(function: Callable[[F32, F32, F32], float]) -> Callable[[U8, U8, F32], float]:
    return lambda made, truth, visible: function(_share(made), _share(truth), visible)


def _recomposition(given: Pair) -> float:
    item, answer = given.item, given.answer
    if answer.foreground is None or answer.background is None:
        return math.nan
    whole = _alpha(item.foreground)
    hidden = None if whole is None or item.visible is None else amodal.hidden(whole, item.visible)
    return recomposition_psnr(answer.foreground, answer.background, item.picture, hidden)


def _colour(given: Pair) -> float:
    made, truth = given.answer.foreground, given.item.foreground
    return math.nan if made is None or truth is None else colour_error(made, truth)


_PICTURES: dict[str, tuple[str, str, bool, str, Callable[[U8, U8, Mask], float]]] = {
    "psnr": ("PSNR", "dB", True, "peak 255, all channels, at most 100", psnr),
    "ssim": ("SSIM", "", True, "Wang et al. 2004, Gaussian window 11, sigma 1.5", ssim),
    "stlpips": ("ST-LPIPS", "", False, "Ghildyal and Liu 2022, AlexNet; the truth with the region as made", _stlpips),
}
_RHEMANN = "Rhemann et al., CVPR 2009"
_ALPHA = [
    _alpha_metric("sad", "SAD", False, "sum of absolute differences of alpha, thousands", matting.sad),
    _alpha_metric("mse", "MSE", False, "mean squared difference of alpha", matting.mse),
    _alpha_metric("mae", "MAE", False, "mean absolute difference of alpha", matting.mae),
    _alpha_metric("grad", "Grad", False, f"gradient error of alpha, thousands; {_RHEMANN}", matting.grad),
    _alpha_metric("conn", "Conn", False, f"connectivity error of alpha, thousands; {_RHEMANN}", matting.conn),
    _alpha_metric("alpha_iou", "soft IoU", True, "sum of minima over sum of maxima of alpha", matting.soft_iou),
]
_WHOLE = [
    _hidden_metric(
        "amodal_iou", "amodal IoU", "", "whole alphas cut at 0.5; Zhu et al., CVPR 2017",
        _of_alpha(lambda made, truth, _: amodal.amodal_iou(made, truth)),
    ),
    _hidden_metric(
        "hidden_recall", "hidden recall", "", "share of hidden alpha that was made", _of_alpha(amodal.hidden_recall)
    ),
    _hidden_metric("hidden_iou", "hidden IoU", "", "soft IoU of the hidden alpha", _of_alpha(amodal.hidden_iou)),
    _hidden_metric("visible_iou", "visible IoU", "", "soft IoU of the visible alpha", _of_alpha(amodal.visible_iou)),
    _hidden_metric("hidden_psnr", "hidden PSNR", "dB", "colours, weighed by hidden alpha", amodal.hidden_psnr),
    _hidden_metric("visible_psnr", "visible PSNR", "dB", "colours, weighed by visible alpha", amodal.visible_psnr),
    Metric(
        MetricInfo(
            name="colour_error", title="colour error", unit="levels", higher_is_better=False,
            definition="foreground over five grounds against the true one, mean absolute difference of 8-bit levels",
        ),
        _colour,
    ),
    Metric(
        MetricInfo(
            name="recomposition_psnr", title="recomposition PSNR", unit="dB", higher_is_better=True,
            definition="foreground over background against the picture, where nothing hides the object",
        ),
        _recomposition,
    ),
]  # fmt: skip
