"""The base's own codec: AutoencoderKL for opaque pictures, and one made from it for RGBA.

Legend: B batch, C channels, H W sides of pictures, h w of latents.
"""

from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from model.codec import check_size
from stages.lazy import quiet


class VaeCodec:
    """Latents as FLUX's transformers know them: (mode of the posterior - shift_factor) * scaling_factor.

    That is `FluxFillPipeline.prepare_mask_latents`, with the posterior's mode for its sample; a VAE that states no
    shift has shift 0. Both VAEs are put in eval mode and frozen, so gradients reach pictures and latents only.

    Args:
        vae: for 3 channels.
        rgba_vae: for 4, with latents of the same size (`model.rgba_codec`); None where no branch needs alpha.

    Raises:
        ValueError: the two have latents of different sizes.
    """

    def __init__(self, vae: AutoencoderKL, rgba_vae: AutoencoderKL | None = None) -> None:
        self.factor, self.channels = _sizes(vae)
        if rgba_vae is not None and _sizes(rgba_vae) != (self.factor, self.channels):
            factor, channels = _sizes(rgba_vae)
            raise ValueError(
                f"rgba_vae: {factor} pixels a latent and {channels} channels, vae: {self.factor} and {self.channels}; "
                "must be equal"
            )
        self.vae = vae
        self.rgba_vae = rgba_vae
        for part in (vae, rgba_vae):
            if part is not None:
                part.eval().requires_grad_(False)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> "VaeCodec":
        """Move both VAEs, in place. Pictures and latents stay float32 at the codec's edges, whatever its dtype."""
        with quiet():  # diffusers warns of casting even a VAE that has no parts to be kept in float32
            for part in (self.vae, self.rgba_vae):
                if part is not None:
                    part.to(device=device, dtype=dtype)
        return self

    def encode(self, picture_BCHW: Tensor) -> Tensor:
        """See `Codec.encode`. Raises ValueError for sides that whole tokens do not fill, and other channels."""
        count, height, width = picture_BCHW.shape[1:]
        check_size(self, height, width)
        if count not in (3, 4):
            raise ValueError(f"picture: {count} channels, must be 3 (opaque) or 4 (RGBA)")
        vae = self._part(alpha=count == 4)
        mode = vae.encode(picture_BCHW.to(vae.dtype)).latent_dist.mode().to(picture_BCHW.dtype)
        shift, scale = _affine(vae)
        latents: Tensor = (mode - shift) * scale
        return latents

    def decode(self, latents_BCHW: Tensor, alpha: bool) -> Tensor:
        """See `Codec.decode`. Raises ValueError where `alpha` is asked of a codec without an RGBA part."""
        vae = self._part(alpha)
        shift, scale = _affine(vae)
        picture: Tensor = vae.decode((latents_BCHW / scale + shift).to(vae.dtype)).sample
        return picture.to(latents_BCHW.dtype)

    def _part(self, alpha: bool) -> Any:
        if not alpha:
            return self.vae
        if self.rgba_vae is None:
            raise ValueError(
                "codec: 4 channels need a VAE for RGBA, and this model has none; add an `rgba_vae` folder to it, or "
                "leave the branch 'foreground' out"
            )
        return self.rgba_vae


def _sizes(vae: AutoencoderKL) -> tuple[int, int]:
    """Pixels of a latent's side, and latent channels: each block of the encoder but the last halves the sides."""
    config: Any = vae.config
    return 2 ** (len(config.block_out_channels) - 1), int(config.latent_channels)


def _affine(vae: AutoencoderKL) -> tuple[float, float]:
    config: Any = vae.config
    return config.shift_factor or 0.0, config.scaling_factor
