"""The optimiser, its learning rate, and the moving average of weights."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from model.config import Optimiser


def make_optimiser(options: Optimiser, module: nn.Module) -> torch.optim.AdamW:
    """AdamW over what trains. Vectors (biases, norms, scales) do not decay."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=options.lr, betas=options.betas)


def learning_rate(options: Optimiser, step: int, steps: int) -> float:
    """The rate of step `step` (from 0) of `steps`: linear warm-up, constant, linear to a twentieth at the end."""
    warm = min(1.0, (step + 1) / max(options.warmup, 1))
    left = (steps - step) / max(options.decay * steps, 1)
    return options.lr * warm * max(0.05, min(1.0, left))


class Ema:
    """A moving average of what trains, in float32: decay rises from 0.1 to `decay` as (1 + n) / (10 + n)."""

    def __init__(self, decay: float, parameters: Iterable[tuple[str, Tensor]]) -> None:
        self.decay = decay
        self.weights = {n: p.detach().float().clone() for n, p in parameters if p.requires_grad}

    def update(self, step: int, parameters: Iterable[tuple[str, Tensor]]) -> None:
        """Move towards the weights after step `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, parameter in parameters:
                if name in self.weights:
                    self.weights[name].lerp_(parameter.detach().float(), 1 - decay)

    def swap(self, parameters: Iterable[tuple[str, Tensor]]) -> None:
        """Exchange the average and the weights, in place; a second call undoes it."""
        with torch.no_grad():
            for name, parameter in parameters:
                if name in self.weights:
                    kept = parameter.detach().clone()
                    parameter.copy_(self.weights[name])
                    self.weights[name] = kept.float()

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over saved averages."""
        for name in self.weights:
            self.weights[name].copy_(weights[name])
