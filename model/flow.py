"""Rectified flow: noise levels, noising, losses. Legend: B batch, L tokens, D dim.

x_sigma = (1 - sigma) x_0 + sigma noise, velocity = noise - x_0 (Liu et al., "Flow Straight and Fast", ICLR 2023;
Esser et al., "Scaling Rectified Flow Transformers", ICML 2024, which also gives the logit-normal draw of sigma).
"""

import math
from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["velocity", "x0"]


def draw_sigma(
    batch: int, mean: float, std: float, ones: float, generator: torch.Generator, shift: float = 1.0
) -> Tensor:
    """(B,) float32 noise levels in (0, 1]: logit-normal(mean, std), moved by `shift_sigma`; a share `ones` is 1.

    The generator is on the CPU, so that a seed means the same on every device.
    """
    sigma = torch.sigmoid(mean + std * torch.randn(batch, generator=generator))
    pure = torch.rand(batch, generator=generator) < ones
    return torch.where(pure, torch.ones_like(sigma), shift_sigma(sigma, shift)).clamp_min(1e-3)


def shift_sigma(sigma: Tensor, shift: float) -> Tensor:
    """shift sigma / (1 + (shift - 1) sigma): more noise for more pixels (Esser et al., section 5.3.2)."""
    return shift * sigma / (1 + (shift - 1) * sigma)


def flux_shift(num_tokens: int) -> float:
    """exp(mu) of FLUX's schedule for the tokens of ONE branch: mu runs from 0.5 at 256 to 1.15 at 4,096.

    Source: diffusers `pipeline_flux_fill.calculate_shift`.
    """
    return math.exp(0.5 + (num_tokens - 256) * (1.15 - 0.5) / (4096 - 256))


def add_noise(clean_BLD: Tensor, noise_BLD: Tensor, sigma_B: Tensor) -> Tensor:
    """x_sigma; sigma is already rounded to the model's dtype, which also sees it as the time."""
    sigma = sigma_B[:, None, None]
    return (1 - sigma) * clean_BLD + sigma * noise_BLD


def to_x0(output_BLD: Tensor, noisy_BLD: Tensor, sigma_B: Tensor, prediction: Prediction) -> Tensor:
    """The clean tokens that the model's output stands for."""
    return output_BLD if prediction == "x0" else noisy_BLD - sigma_B[:, None, None] * output_BLD


def to_velocity(output_BLD: Tensor, noisy_BLD: Tensor, sigma_B: Tensor, prediction: Prediction) -> Tensor:
    """The velocity that the model's output stands for; sigma must be above 0."""
    return output_BLD if prediction == "velocity" else (noisy_BLD - output_BLD) / sigma_B[:, None, None]


def flow_loss(
    output_BLD: Tensor,
    clean_BLD: Tensor,
    noise_BLD: Tensor,
    prediction: Prediction,
    weight_BLD: Tensor | None = None,
    absolute_BLD: Tensor | None = None,
) -> Tensor:
    """(B,) mean squared error of what the model predicts: the velocity, or x_0 without a weight for sigma.

    `weight` (broadcast over D or full) weighs places; the mean is over the weights' sum. Where `absolute` (bool) is
    set, the absolute error stands for its square: the best answer is there a median, no mean.
    """
    target = clean_BLD if prediction == "x0" else noise_BLD - clean_BLD
    error = output_BLD.float() - target.float()
    error = error**2 if absolute_BLD is None else torch.where(absolute_BLD, error.abs(), error**2)
    if weight_BLD is None:
        return error.mean(dim=(1, 2))
    weight = weight_BLD.expand_as(error)
    return (error * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2))
