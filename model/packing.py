"""Latents to tokens and back, exactly as FLUX.1-Fill does it. Legend: B batch, C channels, H W sides, L tokens, D dim.

A token is a 2 x 2 square of latents, channels first (diffusers `FluxFillPipeline._pack_latents`). A mask of pixels is
first folded to the latents' size, `factor` x `factor` pixels into channels (`FluxFillPipeline.prepare_mask_latents`).
"""

import torch
from torch import Tensor
from torch.nn import functional


def pack(latents_BCHW: Tensor) -> Tensor:
    """(B, C, H, W) latents with even sides as (B, H/2 * W/2, 4 C) tokens, rows first."""
    return functional.pixel_unshuffle(latents_BCHW, 2).flatten(2).transpose(1, 2)


def unpack(tokens_BLD: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `pack`; `height` and `width` are the latents'."""
    batch, _, dim = tokens_BLD.shape
    folded = tokens_BLD.transpose(1, 2).reshape(batch, dim, height // 2, width // 2)
    return functional.pixel_shuffle(folded, 2)


def fold_mask(mask_B1HW: Tensor, factor: int) -> Tensor:
    """A mask of pixels as tokens: (B, 1, H, W) to (B, L, 4 factor^2), for a codec of `factor` pixels a latent."""
    return pack(functional.pixel_unshuffle(mask_B1HW, factor))


def image_ids(height: int, width: int, branch: int, device: torch.device | None = None) -> Tensor:
    """(L, 3) float32 positions (branch, row, column) of the tokens of latents `height` x `width`.

    Base models leave axis 0 at zero (`FluxPipeline._prepare_latent_image_ids`), which is branch 0.
    """
    rows = torch.arange(height // 2, device=device, dtype=torch.float32)
    columns = torch.arange(width // 2, device=device, dtype=torch.float32)
    grid = torch.cartesian_prod(rows, columns)
    return torch.cat([torch.full_like(grid[:, :1], branch), grid], dim=1)
