"""A VAE for RGBA pictures made from one for RGB, and what it learns from. Legend: B batch, C channels, H W sides.

Pictures are float32 in [-1, 1], sRGB-encoded, straight alpha, alpha in [-1, 1] too. After AlphaVAE (Wang et al., arXiv
2507.09308), whose start Qwen-Image-Layered (arXiv 2512.15603) also uses: one more channel at both ends, and nothing
changes for opaque pictures.
"""

from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor

# Mean and mean square of a ground's channel, in [-1, 1]: one quarter each black, white, mid-grey, and uniform noise.
_GROUND, _GROUND_SQUARED = 0.0, (1 + 1 + 0 + 1 / 3) / 4


def make_rgba_vae(vae: AutoencoderKL) -> AutoencoderKL:
    """The same VAE with a fourth channel that is not heard and says 1: opaque. A copy; `vae` is left alone.

    Weights for colours are copied. The new input's weights are 0, so latents are the RGB VAE's; the new output's
    weights are 0 and its bias 1. Raises ValueError for a VAE of other than 3 channels.
    """
    config: Any = vae.config
    if (config.in_channels, config.out_channels) != (3, 3):
        raise ValueError(f"vae: {config.in_channels} channels in and {config.out_channels} out, must be 3 and 3")
    with torch.device("meta"):  # no memory, and no random numbers drawn, for weights that are replaced
        made: AutoencoderKL = AutoencoderKL.from_config(config, in_channels=4, out_channels=4)
    weights = {name: tensor.detach().clone() for name, tensor in vae.state_dict().items()}
    weights["encoder.conv_in.weight"] = _widened(weights["encoder.conv_in.weight"], 1, 0.0)
    weights["decoder.conv_out.weight"] = _widened(weights["decoder.conv_out.weight"], 0, 0.0)
    weights["decoder.conv_out.bias"] = _widened(weights["decoder.conv_out.bias"], 0, 1.0)
    made.load_state_dict(weights, assign=True)
    return made


def rgba_loss(pred_B4HW: Tensor, target_B4HW: Tensor) -> Tensor:
    """(B,) how far a decoded picture is from the true one; 0 where equal, except for colour under alpha 0.

    The sum of three means over pixels and channels: the squared error of both pictures laid over the same ground,
    on average over grounds (black, white, mid-grey, and one of uniform random colours, a quarter each); the absolute
    error of straight colour, weighted by the true alpha; and the absolute error of alpha in [0, 1].

    The average is exact and needs no random numbers (AlphaVAE, equation 9): over a ground g the two differ by
    d - g e, with d the difference of the premultiplied colours and e that of the alphas, so that its expected square
    is d^2 - 2 d e E[g] + e^2 E[g^2]. `pred` is not clamped: its gradient must not vanish outside [-1, 1].
    """
    colour, alpha = _split(pred_B4HW)
    true_colour, true_alpha = _split(target_B4HW)
    d = alpha * colour - true_alpha * true_colour
    e = alpha - true_alpha
    grounds = d**2 - 2 * _GROUND * d * e + _GROUND_SQUARED * e**2
    weighted = true_alpha * (colour - true_colour).abs()
    return _mean(grounds) + _mean(weighted) + _mean(e.abs())


def latent_loss(posterior: DiagonalGaussianDistribution, reference: DiagonalGaussianDistribution) -> Tensor:
    """(B,) KL divergence of `posterior` from `reference`, in nats, the mean over latents: AlphaVAE's reference term.

    Give it the posteriors of the RGBA VAE and of the RGB VAE for the same opaque pictures: it holds the latent space
    where the base's transformer knows it.
    """
    size: int = posterior.mean[0].numel()
    divergence: Tensor = posterior.kl(reference)
    return divergence / size


def _split(picture_B4HW: Tensor) -> tuple[Tensor, Tensor]:
    """Colour in [-1, 1], alpha in [0, 1]."""
    return picture_B4HW[:, :3], (picture_B4HW[:, 3:] + 1) / 2


def _mean(error_BCHW: Tensor) -> Tensor:
    return error_BCHW.mean(dim=(1, 2, 3))


def _widened(weight: Tensor, dim: int, value: float) -> Tensor:
    """With one more slice at the end of `dim`, filled with `value`."""
    more = torch.full_like(weight.narrow(dim, 0, 1), value)
    return torch.cat([weight, more], dim=dim)
