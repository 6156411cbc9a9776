"""Tiny bases in the layout of FLUX.1-Fill: random weights on the disk, which the real loading code reads."""

import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel

from model.config import TrainConfig
from tests.model.runs import LORA
from tests.tiny_models import save_flux

TOKEN, MASK, TEXT, POOLED = 16, 16, 12, 16  # 4 latents of 2 x 2 a token, and 2 x 2 pixels a latent


def save_base(folder: Path) -> Path:
    """Transformer, VAE with 2 pixels a latent, both text encoders and their tokenizers."""
    save_flux(folder)
    shutil.rmtree(folder / "transformer")
    torch.manual_seed(5)
    FluxTransformer2DModel(
        patch_size=1,
        in_channels=2 * TOKEN + MASK,
        out_channels=TOKEN,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=TEXT,
        pooled_projection_dim=POOLED,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    ).save_pretrained(folder / "transformer")
    return folder


def save_vae(folder: Path) -> Path:
    """A base of which only the VAE is there."""
    torch.manual_seed(6)
    made: Any = AutoencoderKL(latent_channels=4, block_out_channels=(8, 8), norm_num_groups=4, **_BLOCKS)
    made.save_pretrained(folder / "vae")
    return folder


_BLOCKS: dict[str, Any] = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}


def plain_config(
    location: str, flux: Path | None = None, *, options: dict[str, Any] | None = None, **changes: Any
) -> TrainConfig:
    """Four steps without augmentation, with LoRA and fusion, of a base in FLUX's layout or a new one of pixels."""
    shape = {"num_layers": 1, "num_single_layers": 1, "num_heads": 2, "head_dim": 8, "text_dim": 8, "pooled_dim": 8}
    spec = {"codec": "pixel", "pixel_factor": 2, "hole": "smooth", "prediction": "x0", "shift": 3.0}
    new: dict[str, Any] = {"shape": shape | {"axes": (2, 2, 4), "guidance_embeds": False}, "spec": spec}
    plain: dict[str, Any] = {
        "name": "plain",
        "seed": 3,
        "steps": 4,
        "batch_size": 2,
        "base": {"model": str(flux), "spec": {"prompt": "a b", "text_tokens": 7}} if flux else new,
        "adapt": {**LORA, "train": (r"x_embedder\..*", r"proj_out\..*")},
        "data": {"location": (location,), "buckets": ((16, 16),), "workers": 0, "flip": 0.0, **(options or {})},
        "optimiser": {"lr": 1e-2, "warmup": 2, "ema": 0.9},
        "log_every": 1,
        "sample_steps": 2,
        "validate_samples": 2,
    }
    return TrainConfig.model_validate(plain | changes)
