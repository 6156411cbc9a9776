"""From noise to layers. Legend: B batch, S branches, L tokens, D dim, H W sides of pictures.

Euler steps of diffusers' `FlowMatchEulerDiscreteScheduler`, as in FLUX.1-Fill's pipeline. One step from pure noise is
the model's mean of all answers: blurred, but the best guess in mean squared error.
"""

from typing import NamedTuple

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from model.codec import Codec
from model.encoded import Encoded
from model.flow import flux_shift, to_velocity
from model.layers import LayerModel
from model.packing import unpack


class Layers(NamedTuple):
    """`background` (B, 3, H, W) and `foreground` (B, 4, H, W), clamped to [-1, 1]; None where no branch makes it."""

    background: Tensor | None
    foreground: Tensor | None


def make_scheduler() -> FlowMatchEulerDiscreteScheduler:
    """A schedule that takes its shift at run time."""
    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)


def denoise(
    model: LayerModel,
    encoded: Encoded,
    steps: int,
    generator: torch.Generator,
    scheduler: FlowMatchEulerDiscreteScheduler | None = None,
) -> Tensor:
    """Clean tokens (B, S, L, D), drawn in `steps` steps; noise comes from the CPU `generator`."""
    scheduler = scheduler or make_scheduler()
    batch, branches, length, _ = encoded.context.shape
    device = encoded.context.device
    x = torch.randn(batch, branches, length, model.token_dim, generator=generator).to(device)
    shift = model.spec.shift or flux_shift(length)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=float(np.log(shift)), device=device)
    with torch.no_grad():
        for i, time in enumerate(scheduler.timesteps):
            sigma = scheduler.sigmas[i].expand(batch).to(device)
            out = model(x, sigma, encoded)
            velocity = to_velocity(out.flatten(1, 2), x.flatten(1, 2), sigma, model.spec.prediction)
            x = scheduler.step(velocity.view_as(x), time, x, return_dict=False)[0]
    return x


def decode_layers(model: LayerModel, codec: Codec, tokens_BSLD: Tensor, encoded: Encoded) -> Layers:
    """Tokens as pictures. A model without a foreground branch gives no foreground."""
    found: dict[str, Tensor] = {}
    for s, branch in enumerate(model.spec.branches):
        latents = unpack(tokens_BSLD[:, s], encoded.height, encoded.width)
        found[branch] = codec.decode(latents, alpha=branch == "foreground").clamp(-1, 1)
    return Layers(found.get("background"), found.get("foreground"))
