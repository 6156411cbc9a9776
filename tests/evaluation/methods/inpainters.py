"""Random inpainting pipelines of a few thousand weights, saved to disk in diffusers' layout."""

from pathlib import Path

import torch

from stages.lazy import quiet
from tests import tiny_models

with quiet():
    from diffusers import (
        FluxFillPipeline,
        FluxPipeline,
        FluxTransformer2DModel,
        StableDiffusionInpaintPipeline,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )


def save_flux_fill(folder: Path, seed: int = 0) -> Path:
    """A FluxFillPipeline of 2 pixels a latent: a token has 16 of noise, 16 of the masked picture, 16 of the mask."""
    parts = _parts(FluxPipeline, tiny_models.save_flux(folder / "plain"))
    torch.manual_seed(seed)
    parts["transformer"] = FluxTransformer2DModel(
        patch_size=1,
        in_channels=48,
        out_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=12,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )
    kept = ("scheduler", "vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "transformer")
    return _saved(FluxFillPipeline(**{name: parts[name] for name in kept}), folder / "fill")


def save_inpaint(folder: Path, *, checker: bool = False) -> Path:
    """A StableDiffusionInpaintPipeline of 8 pixels a latent; its UNet sees noise, mask and masked picture."""
    parts = _parts(StableDiffusionPipeline, tiny_models.save_stable_diffusion(folder / "plain", checker=checker))
    torch.manual_seed(0)
    parts["unet"] = UNet2DConditionModel(
        sample_size=8,
        in_channels=9,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
    )
    return _saved(StableDiffusionInpaintPipeline(**parts, requires_safety_checker=checker), folder / "inpaint")


def _parts(kind: type, folder: Path) -> dict:
    with quiet():
        return dict(kind.from_pretrained(folder).components)


def _saved(pipe, folder: Path) -> Path:
    with quiet():
        pipe.save_pretrained(folder)
    return folder
