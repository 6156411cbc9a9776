"""LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018), version
0.1 with AlexNet, where its two weight files are at hand; nothing is downloaded."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.errors import EvalError
from evaluation.metrics.perceptual import Perceptual

_CHANNELS = (64, 192, 384, 256, 256)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # ImageNet's mean and deviation, for [-1, 1]
_TAPS = (1, 4, 7, 9, 11)  # indices of the five ReLUs


class Lpips(Perceptual):
    """LPIPS 0.1 with AlexNet on uint8 sRGB pictures; see `Perceptual`.

    `backbone` is a state dictionary of torchvision's AlexNet (`features.0.weight` ...), `linear` that of the five
    linear layers as the authors and torchmetrics ship it (`lin0.model.1.weight` ...).

    Raises:
        EvalError: a file that cannot be read as such, or lacks a weight.
    """

    def __init__(self, backbone: Path, linear: Path) -> None:
        super().__init__("LPIPS (AlexNet, 0.1)", _Network(_load(backbone), _load(linear), backbone, linear).eval())


class _Network(nn.Module):
    def __init__(self, trunk: dict[str, Tensor], heads: dict[str, Tensor], backbone: Path, linear: Path) -> None:
        super().__init__()
        self.features = _alexnet()
        for name, parameter in self.named_parameters():
            parameter.data = _weight(trunk, name, tuple(parameter.shape), backbone)
        shapes = [(f"lin{i}.model.1.weight", (1, c, 1, 1)) for i, c in enumerate(_CHANNELS)]
        self.heads = [_weight(heads, name, shape, linear) for name, shape in shapes]

    def forward(self, made: Tensor, truth: Tensor) -> Tensor:
        """Equation 1 of the paper: weighted squared differences of unit features, summed over layers."""
        pairs = zip(self._layers(made), self._layers(truth), self.heads, strict=True)
        return torch.stack([((a - b) ** 2 * head).sum(1).mean((1, 2)) for a, b, head in pairs]).sum(0)

    def _layers(self, pictures: Tensor) -> list[Tensor]:
        x = (pictures - torch.tensor(_SHIFT)[:, None, None]) / torch.tensor(_SCALE)[:, None, None]
        found = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in _TAPS:
                found.append(x / (x.norm(dim=1, keepdim=True) + 1e-10))
        return found


def _alexnet() -> nn.Sequential:
    """The convolutions of AlexNet as torchvision numbers them (Krizhevsky, arXiv:1404.5997)."""
    a, b, c, d, e = _CHANNELS
    pool = (3, 2)
    return nn.Sequential(
        *(nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(*pool)),
        *(nn.Conv2d(a, b, 5, 1, 2), nn.ReLU(), nn.MaxPool2d(*pool)),
        *(nn.Conv2d(b, c, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(c, d, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(d, e, 3, 1, 1), nn.ReLU()),
    )


def _load(path: Path) -> dict[str, Tensor]:
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for damage
        raise EvalError(f"{path}: cannot be read as LPIPS weights: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise EvalError(f"{path}: must hold a state dictionary, holds a {type(found).__name__}")
    return found


def _weight(weights: dict[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    if name not in weights:
        raise EvalError(f"{path}: no weight {name}")
    if tuple(weights[name].shape) != shape:
        raise EvalError(f"{path}: {name} must be {shape}, is {tuple(weights[name].shape)}")
    return weights[name].float()
