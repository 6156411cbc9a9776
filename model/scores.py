"""How far layers are from the truth. Legend: B batch, C channels, H W sides.

Pictures are float32 in [-1, 1], sRGB-encoded; alpha in [0, 1]. Every score is one number a picture, (B,), NaN where it
is not defined (nothing hidden, say), so that means are taken over the pictures that have one.
"""

import torch
from torch import Tensor

from model.batch import Batch
from model.sampler import Layers


def masked_psnr(made: Tensor, truth: Tensor, weight_B1HW: Tensor) -> Tensor:
    """PSNR in dB of [-1, 1] pictures over the pixels of `weight`, at most 100; NaN where the weight is 0."""
    error = ((made - truth) / 2) ** 2 * weight_B1HW
    mse = error.sum(dim=(1, 2, 3)) / (made.shape[1] * weight_B1HW.sum(dim=(1, 2, 3)))
    return -10 * torch.log10(mse.clamp_min(1e-10))


def alpha_error(made_B1HW: Tensor, truth_B1HW: Tensor) -> Tensor:
    """Mean absolute error of alpha over the whole picture."""
    return (made_B1HW - truth_B1HW).abs().mean(dim=(1, 2, 3))


def hidden_recall(made_B1HW: Tensor, hidden_B1HW: Tensor) -> Tensor:
    """Share of the hidden alpha (amodal less visible) that was made; NaN where under 4 pixels are hidden."""
    area = hidden_B1HW.sum(dim=(1, 2, 3))
    found = (made_B1HW * hidden_B1HW).sum(dim=(1, 2, 3)) / area
    return torch.where(area >= 4, found, torch.nan)


def hidden_alpha(batch: Batch) -> Tensor:
    """(B, 1, H, W) in [0, 1]: alpha of the object where something lies before it."""
    return ((batch.foreground[:, 3:] + 1) / 2 - batch.visible).clamp(0, 1)


def layer_scores(layers: Layers, batch: Batch) -> dict[str, Tensor]:
    """All scores of both layers of synthetic scenes, whose truth is known.

    `hole_psnr`: background inside the mask. `alpha_mae`: the object's alpha. `hidden_recall` and `hidden_psnr`: its
    hidden part, the latter over hidden pixels in proportion to their alpha. `recomposition_psnr`: the object over
    the background against the picture, over pixels where nothing is hidden.
    """
    assert layers.background is not None
    assert layers.foreground is not None
    colour, alpha = layers.foreground[:, :3], (layers.foreground[:, 3:] + 1) / 2
    hidden = hidden_alpha(batch)
    again = alpha * colour + (1 - alpha) * layers.background
    enough = hidden * (hidden.sum(dim=(1, 2, 3), keepdim=True) >= 4)
    return {
        "hole_psnr": masked_psnr(layers.background, batch.background, batch.mask),
        "alpha_mae": alpha_error(alpha, (batch.foreground[:, 3:] + 1) / 2),
        "hidden_recall": hidden_recall(alpha, hidden),
        "hidden_psnr": masked_psnr(colour, batch.foreground[:, :3], enough),
        "recomposition_psnr": masked_psnr(again, batch.composite, (hidden < 0.02).float()),
    }


def means(scores: dict[str, Tensor]) -> dict[str, float]:
    """The mean of each score over the pictures that have one."""
    return {name: float(values.nanmean()) for name, values in scores.items()}
