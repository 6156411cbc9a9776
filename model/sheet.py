"""Pictures of what a model made, side by side. Legend: B batch, C channels, H W sides; pictures in [-1, 1]."""

import torch
from torch import Tensor

from model.batch import Batch
from model.sampler import Layers

_SQUARE = 8  # pixels of a chequer


def on_chequer(rgba_B4HW: Tensor) -> Tensor:
    """A straight RGBA picture over a grey chequerboard, (B, 3, H, W)."""
    height, width = rgba_B4HW.shape[-2:]
    rows, columns = torch.arange(height) // _SQUARE, torch.arange(width) // _SQUARE
    board = ((rows[:, None] + columns[None]) % 2).to(rgba_B4HW) * 0.3 + 0.2
    alpha = (rgba_B4HW[:, 3:] + 1) / 2
    return alpha * rgba_B4HW[:, :3] + (1 - alpha) * board


def sheet(batch: Batch, *made: Layers) -> Tensor:
    """(3, B H, n W) in [0, 1]: a row a sample; picture, picture with its mask, true layers, then those made."""
    marked = batch.composite * (1 - 0.6 * batch.mask) + 0.6 * batch.mask * torch.tensor([1.0, -1.0, -1.0]).to(
        batch.mask
    ).view(1, 3, 1, 1)
    columns = [batch.composite, marked, batch.background, on_chequer(batch.foreground)]
    for layers in made:
        columns += [layers.background] if layers.background is not None else []
        columns += [on_chequer(layers.foreground)] if layers.foreground is not None else []
    whole = torch.cat(columns, dim=3)
    return (torch.cat(list(whole), dim=1).clamp(-1, 1) + 1) / 2
