"""Learning rate and moving average against their definitions."""

import pytest
import torch
from torch import nn

from model.config import Optimiser
from model.optim import Ema, learning_rate, make_optimiser


def test_the_rate_rises_stays_and_falls() -> None:
    options = Optimiser(lr=1.0, warmup=10, decay=0.4)
    rates = [learning_rate(options, step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10:61] == [1.0] * 51
    assert rates[80] == pytest.approx(0.5)
    assert rates[99] == 0.05
    assert rates[60:] == sorted(rates[60:], reverse=True)


def test_without_decay_and_warm_up_the_rate_is_constant() -> None:
    options = Optimiser(lr=0.3, warmup=0, decay=0.0)
    assert {learning_rate(options, step, 50) for step in range(50)} == {0.3}


def test_only_matrices_decay_and_only_what_trains_is_there() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    module[2].requires_grad_(False)
    groups = make_optimiser(Optimiser(weight_decay=0.1), module).param_groups
    assert [(g["weight_decay"], sorted(tuple(p.shape) for p in g["params"])) for g in groups] == [
        (0.1, [(4, 3)]),
        (0.0, [(4,), (4,), (4,)]),
    ]


def test_the_average_follows_its_recursion() -> None:
    layer = nn.Linear(2, 1, bias=False)
    ema = Ema(0.9, layer.named_parameters())
    expected = layer.weight.detach().clone()
    for step in range(200):
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[float(step), -1.0]]))
        ema.update(step, layer.named_parameters())
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * layer.weight.detach()
    torch.testing.assert_close(ema.weights["weight"], expected)


def test_swapping_twice_changes_nothing() -> None:
    layer = nn.Linear(3, 3)
    layer.bias.requires_grad_(False)
    ema = Ema(0.5, layer.named_parameters())
    with torch.no_grad():
        layer.weight.add_(1)
    before = (layer.weight.detach().clone(), ema.weights["weight"].clone())
    ema.swap(layer.named_parameters())
    assert torch.equal(layer.weight, before[1])
    assert torch.equal(ema.weights["weight"], before[0])
    ema.swap(layer.named_parameters())
    assert torch.equal(layer.weight, before[0])
    assert set(ema.weights) == {"weight"}
