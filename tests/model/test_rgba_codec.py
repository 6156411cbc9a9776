"""A VAE for RGBA at its start, and its losses against their definitions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from numpy.polynomial.legendre import leggauss
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from model.rgba_codec import latent_loss, make_rgba_vae, rgba_loss
from model.vae_codec import VaeCodec

torch.set_num_threads(1)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def vae(width: int = 8, latents: int = 4, **more: Any) -> AutoencoderKL:
    torch.manual_seed(width)
    made: AutoencoderKL = AutoencoderKL(
        latent_channels=latents,
        block_out_channels=(width, width, 2 * width),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        **more,
    )
    return made


def picture(channels: int, seed: int = 0, batch: int = 2) -> Tensor:
    return torch.rand((batch, channels, 24, 40), generator=generator(seed)) * 2 - 1


def opaque(rgb: Tensor) -> Tensor:
    return torch.cat([rgb, torch.ones_like(rgb[:, :1])], dim=1)


@pytest.mark.parametrize("width", [8, 32])
@torch.no_grad()
def test_opaque_pictures_keep_their_latents_to_the_bit(width: int) -> None:
    base = vae(width)
    codec = VaeCodec(base, make_rgba_vae(base))
    rgb = picture(3)
    latents = codec.encode(rgb)
    assert torch.equal(codec.encode(opaque(rgb)), latents)
    whole = codec.decode(latents, alpha=True)
    assert torch.equal(whole[:, :3], codec.decode(latents, alpha=False))
    assert (whole[:, 3] == 1).all()


@torch.no_grad()
def test_alpha_is_not_heard_yet() -> None:
    made = make_rgba_vae(vae())
    rgba = picture(4)
    assert torch.equal(
        made.encode(rgba).latent_dist.parameters, made.encode(opaque(rgba[:, :3])).latent_dist.parameters
    )


def test_alpha_can_be_learned() -> None:
    made: Any = make_rgba_vae(vae())
    rgba_loss(made(picture(4)).sample, picture(4)).mean().backward()
    assert (made.encoder.conv_in.weight.grad[:, 3] != 0).all()
    assert (made.decoder.conv_out.weight.grad[3] != 0).all()
    assert made.decoder.conv_out.bias.grad[3] != 0
    assert all(p.grad is not None for p in made.parameters())


def test_it_is_a_copy_of_the_same_architecture() -> None:
    base: Any = vae()
    before = {k: v.clone() for k, v in base.state_dict().items()}
    state = torch.random.get_rng_state()
    made: Any = make_rgba_vae(base)
    assert torch.equal(torch.random.get_rng_state(), state)
    wider = {"encoder.conv_in.weight", "decoder.conv_out.weight", "decoder.conv_out.bias"}
    assert {k for k, v in made.state_dict().items() if v.shape != before[k].shape} == wider
    assert all(torch.equal(v, before[k]) for k, v in made.state_dict().items() if k not in wider)
    changed = {k for k in made.config if made.config[k] != base.config[k] and not k.startswith("_")}
    assert changed == {"in_channels", "out_channels"}
    assert (made.config.in_channels, made.config.out_channels) == (4, 4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(1)
    assert all(torch.equal(v, before[k]) for k, v in base.state_dict().items())


def test_it_is_saved_and_loaded_as_any_vae(tmp_path: Path) -> None:
    made: Any = make_rgba_vae(vae())
    made.save_pretrained(tmp_path)
    loaded = AutoencoderKL.from_pretrained(tmp_path)
    assert loaded.config.in_channels == 4
    assert all(torch.equal(v, made.state_dict()[k]) for k, v in loaded.state_dict().items())


def test_half_precision_is_kept() -> None:
    base = AutoencoderKL(block_out_channels=(8,), norm_num_groups=4)
    for parameter in base.parameters():
        parameter.data = parameter.data.bfloat16()
    assert {p.dtype for p in make_rgba_vae(base).parameters()} == {torch.bfloat16}


def test_a_vae_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^vae: 4 channels in and 4 out, must be 3 and 3$"):
        make_rgba_vae(make_rgba_vae(vae()))


def laid_over(rgba: Tensor, ground: Tensor) -> Tensor:
    alpha = (rgba[:, 3:] + 1) / 2
    return alpha * rgba[:, :3] + (1 - alpha) * ground


def on_grounds(pred: Tensor, target: Tensor) -> Tensor:
    """Squared error over black, white, grey and uniform grounds, a quarter each: (B,)."""
    nodes, weights = leggauss(4)  # exact for polynomials of the ground
    uniform = [(float(node), float(weight) / 8) for node, weight in zip(nodes, weights, strict=True)]
    out = torch.zeros(len(pred), dtype=pred.dtype)
    for ground, share in [(-1.0, 0.25), (1.0, 0.25), (0.0, 0.25), *uniform]:
        full = torch.full_like(pred[:, :3], ground)
        out += share * (laid_over(pred, full) - laid_over(target, full)).pow(2).mean((1, 2, 3))
    return out


def test_the_loss_is_its_definition() -> None:
    pred, target = picture(4, 1).double() * 1.2, picture(4, 2).double()
    alpha = (target[:, 3:] + 1) / 2
    colour = (alpha * (pred[:, :3] - target[:, :3]).abs()).mean((1, 2, 3))
    transparency = ((pred[:, 3:] - target[:, 3:]).abs() / 2).mean((1, 2, 3))
    expected = on_grounds(pred, target) + colour + transparency
    torch.testing.assert_close(rgba_loss(pred, target), expected, rtol=1e-12, atol=0)
    assert rgba_loss(pred, target).shape == (2,)


def test_random_grounds_agree_with_their_average() -> None:
    """The quarter of grounds whose pixels and channels are all drawn apart."""
    pred, target = picture(4, 3, batch=1).double(), picture(4, 4, batch=1).double()
    draws = torch.rand((2000, 3, 24, 40), generator=generator(5), dtype=torch.float64) * 2 - 1
    sampled = (laid_over(pred, draws) - laid_over(target, draws)).pow(2).mean()
    plain = [torch.full_like(pred[:, :3], g) for g in (-1.0, 1.0, 0.0)]
    fixed = sum((laid_over(pred, g) - laid_over(target, g)).pow(2).mean() for g in plain)
    alpha = (target[:, 3:] + 1) / 2
    rest = (alpha * (pred[:, :3] - target[:, :3]).abs()).mean() + (pred[:, 3:] - target[:, 3:]).abs().mean() / 2
    assert rgba_loss(pred, target).item() == pytest.approx(((fixed + sampled) / 4 + rest).item(), rel=1e-3)


def test_only_colour_that_nobody_sees_is_free() -> None:
    target = picture(4, 6)
    assert (rgba_loss(target, target) == 0).all()
    target[:, 3] = -1
    other = torch.cat([picture(3, 7), target[:, 3:]], dim=1)
    assert (rgba_loss(other, target) == 0).all()
    other[1, 3, 5, 5] = -0.5
    loss = rgba_loss(other, target)
    assert loss[0] == 0
    assert loss[1] > 0


def test_gradient_does_not_vanish_outside_the_range() -> None:
    pred = torch.cat([picture(3, 8), torch.full((2, 1, 24, 40), 1.5)], dim=1).requires_grad_()
    target = opaque(picture(3, 9))
    (gradient,) = torch.autograd.grad(rgba_loss(pred, target).sum(), pred)
    assert (gradient[:, 3] != 0).all()


def posterior(seed: int) -> DiagonalGaussianDistribution:
    return DiagonalGaussianDistribution(torch.randn((2, 8, 3, 5), generator=generator(seed), dtype=torch.float64))


def test_the_latent_loss_is_the_mean_divergence() -> None:
    one, other = posterior(1), posterior(2)
    expected = kl_divergence(Normal(one.mean, one.std), Normal(other.mean, other.std)).mean((1, 2, 3))
    torch.testing.assert_close(latent_loss(one, other), expected)
    assert (latent_loss(one, one) == 0).all()


@torch.no_grad()
def test_opaque_pictures_start_without_latent_loss() -> None:
    base: Any = vae()
    made: Any = make_rgba_vae(base)
    rgb = picture(3)
    reference = base.encode(rgb).latent_dist
    assert (latent_loss(made.encode(opaque(rgb)).latent_dist, reference) == 0).all()
    made.encoder.conv_in.weight[:, 3] = 0.1
    assert (latent_loss(made.encode(opaque(rgb)).latent_dist, reference) > 0).all()
