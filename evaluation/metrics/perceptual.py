"""What the learned distances share: pictures as tensors, and a region's share of the distance."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from evaluation.errors import EvalError
from stages.types import U8, Mask

MIN_SIDE = 32  # pixels: below, the last layers of AlexNet see padding only

Network = Callable[[Tensor, Tensor], Tensor]


class Perceptual:
    """A learned distance of 8-bit pictures, named `name`; 0 for equal pictures, greater is worse.

    `network` takes two batches (N, 3, H, W) and (1, 3, H, W), float32 in [-1, 1], and returns N distances.
    """

    def __init__(self, name: str, network: Network) -> None:
        self.name = name
        self._network = network

    def __call__(self, made: U8, truth: U8, region: Mask | None = None) -> float:
        """The distance of two (h, w, 3) uint8 sRGB pictures; with a (h, w) bool region, that of `by_region`.

        Raises:
            EvalError: a side is shorter than MIN_SIDE pixels.
        """
        everywhere = np.ones(truth.shape[:2], np.bool_)
        return self.by_region(made, truth, {"": everywhere if region is None else region})[""]

    def by_region(self, made: U8, truth: U8, regions: dict[str, Mask]) -> dict[str, float]:
        """For each (h, w) bool region, the distance of the truth from the truth with that region as made.

        The rest of the picture is then perfect but in sight of the network: a smaller region has a smaller distance.
        NaN for an empty region. One pass for all regions.

        Raises:
            EvalError: a side is shorter than MIN_SIDE pixels.
        """
        assert made.shape == truth.shape, f"shapes differ: {made.shape} and {truth.shape}"
        h, w = truth.shape[:2]
        if min(h, w) < MIN_SIDE:
            raise EvalError(f"{self.name}: both sides must be at least {MIN_SIDE} pixels, the picture is {w} x {h}")
        scores = dict.fromkeys(regions, math.nan)
        some = {name: region for name, region in regions.items() if region.any()}
        if some:
            pasted = np.stack([np.where(region[..., None], made, truth) for region in some.values()])
            with torch.inference_mode():
                values = self._network(as_tensor(pasted), as_tensor(truth[None])).flatten().tolist()
            scores |= dict(zip(some, values, strict=True))
        return scores


def as_tensor(pictures: U8) -> Tensor:
    """(N, h, w, 3) uint8 as (N, 3, H, W) float32 in [-1, 1]."""
    channels_first = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))
    return torch.from_numpy(channels_first).float() / 127.5 - 1
