"""What a step computes. Legend: B batch, S branches, L tokens, D dim."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.codec import Codec, PixelCodec
from model.config import TrainConfig
from model.encoded import Encoded
from model.flow import add_noise, draw_sigma, flow_loss, flux_shift
from model.layers import LayerModel
from model.packing import pack, unpack
from model.spec import Spec
from stages.rng import hash64


class Draw(NamedTuple):
    """What chance adds to a batch: noise levels (B,) and noise (B, S, L, D)."""

    sigma: Tensor
    noise: Tensor


def shift_of(spec: Spec, num_tokens: int) -> float:
    """The schedule's shift for pictures of `num_tokens` a branch."""
    return spec.shift or flux_shift(num_tokens)


def step_generator(seed: int, stream: str, step: int, rank: int) -> torch.Generator:
    """A CPU generator that depends on nothing but its arguments, so that a resumed run draws what it would have."""
    return torch.Generator().manual_seed(hash64(f"{seed}/{stream}/{step}/{rank}") >> 1)


def draw(config: TrainConfig, spec: Spec, encoded: Encoded, generator: torch.Generator) -> Draw:
    """Noise levels and noise for a batch. Sigma is rounded to bfloat16 first where the model will see it so."""
    batch, _, length, _ = encoded.clean.shape
    s = config.sigma
    shift = shift_of(spec, length) if s.shifted else 1.0
    sigma = draw_sigma(batch, s.mean, s.std, s.ones, generator, shift)
    if config.machine.precision == "bf16":
        sigma = sigma.bfloat16().float()
    noise = torch.randn(encoded.clean.shape, generator=generator)
    device = encoded.clean.device
    return Draw(sigma.to(device), noise.to(device))


class LayerTask(nn.Module):
    """Loss of the layer model on an encoded batch; a module, so that DDP and FSDP can wrap it."""

    def __init__(self, config: TrainConfig, model: LayerModel, codec: Codec) -> None:
        super().__init__()
        self.config, self.model, self.codec = config, model, codec

    def forward(self, encoded: Encoded, sigma: Tensor, noise: Tensor) -> Tensor:
        """(B, S) losses, one a branch."""
        clean = encoded.clean
        noisy = torch.stack([add_noise(c, n, sigma) for c, n in zip(clean.unbind(1), noise.unbind(1), strict=True)], 1)
        out = self.model(noisy, sigma, encoded)
        weight = self.weights(encoded)
        prediction = self.model.spec.prediction
        losses = [flow_loss(out[:, s], clean[:, s], noise[:, s], prediction, weight[s]) for s in range(out.shape[1])]
        return torch.stack(losses, dim=1)

    def weights(self, encoded: Encoded) -> list[Tensor | None]:
        """A weight for each branch's tokens, or None for plain means."""
        loss, branches = self.config.loss, self.model.spec.branches
        out: list[Tensor | None] = []
        for s, branch in enumerate(branches):
            weight = 1 + loss.hole * encoded.hole[:, s] if loss.hole else None
            if branch == "foreground" and (loss.colour_by_alpha or loss.alpha != 1):
                own = self._object_weight(encoded, s)
                weight = own if weight is None else own * weight
            out.append(weight)
        return out

    def _object_weight(self, encoded: Encoded, s: int) -> Tensor:
        """Per pixel and channel: colours count where the object is, its alpha everywhere."""
        loss = self.config.loss
        assert isinstance(self.codec, PixelCodec)  # checked when the task is made
        latents = unpack(encoded.clean[:, s], encoded.height, encoded.width)
        alpha = (self.codec.decode(latents, alpha=True)[:, 3:] + 1) / 2
        colour = (1 - loss.colour_by_alpha) + loss.colour_by_alpha * alpha.clamp_min(0.02)
        planes = torch.cat([colour.expand(-1, 3, -1, -1), torch.full_like(alpha, loss.alpha)], dim=1)
        return pack(self.codec.encode(planes))
