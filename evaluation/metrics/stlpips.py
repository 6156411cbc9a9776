"""ST-LPIPS: LPIPS that tolerates small shifts (Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric",
ECCV 2022), by the authors' package stlpips-pytorch 0.0.2, which holds its trained weights."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from evaluation.errors import EvalError
from evaluation.metrics.features import Extractor
from evaluation.metrics.perceptual import Perceptual
from stages.types import F32, U8

_UNUSED = {  # what the package imports but does not use for its shift-tolerant AlexNet
    "IPython": {"embed": None},
    "torchsummary": {"summary": None},
    "torchvision": {"models": None},
}


class StLpips(Perceptual):
    """ST-LPIPS with AlexNet, variant `shift_tolerant`, on uint8 sRGB pictures; see `Perceptual`."""

    def __init__(self) -> None:
        """Raises EvalError where the package is not installed."""
        self._lpips = _network()
        super().__init__(f"ST-LPIPS (AlexNet, stlpips-pytorch {version('stlpips-pytorch')})", self._lpips)

    def extractor(self) -> Extractor:
        """The mean over the picture of the last of the five layers, (N, 256): features for FID, KID and CMMD.

        They were trained for perceptual distance, not on Inception's task: scores are comparable among themselves only.
        """
        return Extractor("ST-LPIPS AlexNet conv5", self._pooled)

    def _pooled(self, pictures: U8) -> F32:
        with torch.inference_mode():
            signed = torch.from_numpy(pictures).float() / 127.5 - 1
            layers = self._lpips.net(self._lpips.scaling_layer(signed))
            pooled: F32 = layers[-1].mean(dim=(2, 3)).numpy()
        return pooled


def _network() -> Any:
    if find_spec("stlpips_pytorch") is None:
        raise EvalError("ST-LPIPS: needs the package stlpips-pytorch 0.0.2, which is not installed")
    with _stand_ins():
        package = importlib.import_module("stlpips_pytorch.stlpips")
    return package.LPIPS(net="alex", variant="shift_tolerant", verbose=False).eval()


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Empty modules for those of _UNUSED that are not installed; gone afterwards: nobody shall take them for real."""
    missing = [name for name in _UNUSED if name not in sys.modules and find_spec(name) is None]
    for name in missing:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(_UNUSED[name])
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]
