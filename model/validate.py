"""How good a model is while it trains: fixed pictures, fixed noise, fixed noise levels.

Legend: B batch, S branches, H W sides. Losses at 8 equidistant noise levels tell more than the training loss, whose
levels are drawn; decoded layers tell what the loss does not.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from model.batch import Batch
from model.codec import Codec
from model.encoded import encode
from model.flow import add_noise, flow_loss
from model.layers import LayerModel
from model.modalities import Modalities
from model.sampler import Layers, decode_layers, denoise
from model.scores import layer_scores, masked_psnr, means

NUM_LEVELS = 8


class Validated(NamedTuple):
    """`losses` (8, S): plain losses at sigma 1/8, 2/8 ... 1; layers made in one step and in several."""

    losses: Tensor
    one_step: Layers
    sampled: Layers


def scores(layers: Layers, batch: Batch) -> dict[str, float]:
    """Mean scores of `model.scores`; a model without a foreground has only the background's."""
    if layers.foreground is not None:
        return means(layer_scores(layers, batch))
    assert layers.background is not None
    return means({"hole_psnr": masked_psnr(layers.background, batch.background, batch.mask)})


def validate(
    model: LayerModel, codec: Codec, modalities: Modalities, batch: Batch, steps: int, seed: int = 0
) -> Validated:
    """Score a model on a batch; the same batch and seed give the same numbers."""
    encoded = encode(model.spec, codec, modalities, batch)
    losses = level_losses(model, codec, modalities, batch, seed)
    one, many = (
        decode_layers(model, codec, denoise(model, encoded, n, torch.Generator().manual_seed(seed)), encoded)
        for n in (1, steps)
    )
    return Validated(losses, one, many)


def level_losses(model: LayerModel, codec: Codec, modalities: Modalities, batch: Batch, seed: int) -> Tensor:
    """(8, S) losses, each without any weight, at equidistant sigmas up to 1."""
    encoded = encode(model.spec, codec, modalities, batch)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(encoded.clean.shape, generator=generator).to(encoded.clean.device)
    rows = []
    with torch.no_grad():
        for level in range(1, NUM_LEVELS + 1):
            sigma = torch.full((len(noise),), level / NUM_LEVELS, device=noise.device)
            noisy = add_noise(encoded.clean.flatten(1, 2), noise.flatten(1, 2), sigma).view_as(noise)
            out = model(noisy, sigma, encoded)
            branches = range(out.shape[1])
            prediction = model.spec.prediction
            rows.append([flow_loss(out[:, s], encoded.clean[:, s], noise[:, s], prediction).mean() for s in branches])
    return torch.tensor([[float(v) for v in row] for row in rows])
