"""Runs of kind "codec": an RGBA VAE learns to draw alpha, from the base's VAE. Legend: B batch, C channels, H W sides.

After AlphaVAE (arXiv 2507.09308). Two kinds of pictures: objects with their alpha, and opaque backgrounds, whose
latents must stay where the base's transformer knows them. Pictures are float32 in [-1, 1], straight alpha.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn

from model.assemble import make_codec, wiring
from model.batch import Batch
from model.conditioning import pad_colour
from model.config import TrainConfig
from model.held_out import Checked, on_device, small
from model.lazy_codec import whole_codec
from model.rgba_codec import latent_loss, rgba_loss
from model.scores import alpha_error, masked_psnr
from model.sheet import on_chequer
from model.task import Task, step_generator
from model.vae_codec import VaeCodec
from stages.settings import ManifestError

_ROWS = 8  # of the sheet


class Coded(NamedTuple):
    """Pictures (B, 4, H, W) as they come back, and the parameters (B, 2 C, h, w) of their posterior."""

    pictures: Tensor
    posterior: Tensor


class RgbaAutoencoder(nn.Module):
    """The VAE that learns, and the frozen one that says where opaque pictures belong."""

    def __init__(self, vae: AutoencoderKL, reference: AutoencoderKL) -> None:
        super().__init__()
        self.vae: Any = vae.requires_grad_(True).train()
        self.reference: Any = reference.requires_grad_(False).eval()

    def forward(self, rgba_B4HW: Tensor, noise_BCHW: Tensor) -> tuple[Coded, Tensor]:
        """Pictures through a draw of their posterior, and the reference's posterior of the same colours."""
        posterior = self.vae.encode(rgba_B4HW).latent_dist
        latents = posterior.mean + posterior.std * noise_BCHW
        with torch.no_grad():
            reference = self.reference.encode(rgba_B4HW[:, :3]).latent_dist.parameters
        return Coded(self.vae.decode(latents).sample.float(), posterior.parameters.float()), reference.float()


class CodecTask(Task):
    """Losses of objects, of opaque pictures, and of the latents of the latter, which `loss.latents` weighs."""

    model: RgbaAutoencoder

    def __init__(self, config: TrainConfig, codec: VaeCodec) -> None:
        super().__init__()
        assert codec.rgba_vae is not None
        self.config, self.factor, self.channels = config, codec.factor, codec.channels
        self.model = RgbaAutoencoder(codec.rgba_vae, codec.vae)

    def inputs(self, batch: Batch, first: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """(2 B, 4, H, W) objects, then backgrounds; and noise for their latents."""
        pictures = rgba_pictures(on_device(batch, device))
        height, width = (side // self.factor for side in pictures.shape[2:])
        count, each = len(batch.keys), []
        for place in range(count):
            generator = step_generator(self.config.seed, "noise", first + place, 0)
            each.append(torch.randn(2, self.channels, height, width, generator=generator))
        noise = torch.cat(torch.stack(each, dim=1).unbind(0))
        return pictures, noise.to(device)

    def forward(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """(B, 3) losses, in the order of `model.task.CODEC_LOSSES`."""
        coded, reference = self.model(pictures, noise)
        objects, opaque = rgba_loss(coded.pictures, pictures).chunk(2)
        posterior, known = (DiagonalGaussianDistribution(p.chunk(2)[1]) for p in (coded.posterior, reference))
        return torch.stack([objects, opaque, self.config.loss.latents * latent_loss(posterior, known)], dim=1)

    def check(self, parts: Sequence[Batch], device: torch.device) -> Checked:
        """Losses without noise, errors of what comes back, and a sheet of objects and backgrounds before and after."""
        losses, pictures, coded = [], [], []
        with torch.no_grad():
            for part in parts:
                given = self.inputs(part, 0, device)
                losses.append(self(given[0], torch.zeros_like(given[1])).cpu())
                back = self.model(given[0], torch.zeros_like(given[1]))[0].pictures
                pictures.append(torch.stack(given[0].cpu().chunk(2)))
                coded.append(torch.stack(back.cpu().clamp(-1, 1).chunk(2)))
        true, made = torch.cat(pictures, dim=1), torch.cat(coded, dim=1)
        return Checked(torch.cat(losses).mean(0, keepdim=True), _scores(true, made), _sheet(true, made))

    def save(self, folder: Path) -> None:
        """`rgba_vae/`, as `AutoencoderKL.from_pretrained` and `base.rgba` read it."""
        self.model.vae.save_pretrained(folder / "rgba_vae")


def make_codec_task(config: TrainConfig) -> CodecTask:
    """From the base's VAE, or from `base.rgba` where an earlier run left one.

    Raises ManifestError for a base without a VAE, ModelError where it cannot be loaded.
    """
    if config.precomputed is not None:
        raise ManifestError(f'{config.name}: precomputed: kind = "codec" learns from pictures')
    spec = wiring(config) if config.base.shape is None else config.base.spec
    if config.base.shape is not None or spec.codec == "pixel":
        raise ManifestError(f'{config.name}: base: kind = "codec" needs a base.model with a VAE')
    codec = whole_codec(make_codec(config, spec))
    assert isinstance(codec, VaeCodec)
    return CodecTask(config, codec)


def rgba_pictures(batch: Batch) -> Tensor:
    """(2 B, 4, H, W): objects with their colours continued, as the layer model knows them, then opaque backgrounds."""
    opaque = torch.cat([batch.background, torch.ones_like(batch.background[:, :1])], dim=1)
    return torch.cat([pad_colour(batch.foreground), opaque])


def _scores(true: Tensor, made: Tensor) -> dict[str, float]:
    """Of (2, B, 4, H, W) objects and backgrounds: PSNR over alpha, and errors of alpha."""
    alpha, own = ((pictures[:, :, 3:] + 1) / 2 for pictures in (true, made))
    return {
        "object_psnr": float(masked_psnr(made[0, :, :3], true[0, :, :3], alpha[0]).nanmean()),
        "alpha_mae": float(alpha_error(own[0], alpha[0]).mean()),
        "opaque_psnr": float(masked_psnr(made[1, :, :3], true[1, :, :3], alpha[1]).mean()),
        "opaque_alpha_mae": float(alpha_error(own[1], alpha[1]).mean()),
    }


def _sheet(true: Tensor, made: Tensor) -> Tensor:
    columns = [on_chequer(pictures[kind, :_ROWS]) for kind in (0, 1) for pictures in (true, made)]
    picture = torch.cat(list(torch.cat(columns, dim=3)), dim=1)
    return small((picture.clamp(-1, 1) + 1) / 2, true.shape[1])
