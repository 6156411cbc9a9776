"""Pictures to latents and back. Legend: B batch, C channels, H W sides of pictures, h w of latents.

Pictures are float32 in [-1, 1], sRGB-encoded, 3 channels (opaque) or 4 (straight RGBA, alpha in [-1, 1] too).
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional


class Codec(Protocol):
    """A pair of maps between pictures and latents of `channels` channels, `factor` pixels to a side of each."""

    factor: int
    channels: int

    def encode(self, picture_BCHW: Tensor) -> Tensor:
        """(B, 3 or 4, H, W) to (B, channels, H / factor, W / factor)."""
        ...

    def decode(self, latents_BCHW: Tensor, alpha: bool) -> Tensor:
        """(B, channels, h, w) to (B, 4 if `alpha` else 3, h factor, w factor), not clamped."""
        ...


class PixelCodec:
    """Exact: latents are the pixels themselves, `factor` x `factor` of them in the channels of one latent.

    With factor 2 a latent has 16 channels and a token 64 dimensions, as in FLUX. Opaque pictures get alpha 1.
    """

    def __init__(self, factor: int = 2) -> None:
        self.factor = factor
        self.channels = 4 * factor**2

    def encode(self, picture_BCHW: Tensor) -> Tensor:
        """See `Codec.encode`."""
        if picture_BCHW.shape[1] == 3:
            picture_BCHW = torch.cat([picture_BCHW, torch.ones_like(picture_BCHW[:, :1])], dim=1)
        return functional.pixel_unshuffle(picture_BCHW, self.factor)

    def decode(self, latents_BCHW: Tensor, alpha: bool) -> Tensor:
        """See `Codec.decode`."""
        picture = functional.pixel_shuffle(latents_BCHW, self.factor)
        return picture if alpha else picture[:, :3]


def check_size(codec: Codec, height: int, width: int, name: str = "picture") -> None:
    """Raise ValueError unless both sides fill whole tokens, 2 x 2 latents each."""
    step = 2 * codec.factor
    if height % step or width % step or min(height, width) < step:
        raise ValueError(
            f"{name}: {width} x {height} pixels, but both sides must be multiples of {step} for this codec"
        )
