"""The base's codec against FLUX.1-Fill's own pipeline."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline
from torch import Tensor

from model.codec import Codec
from model.packing import fold_mask, pack
from model.rgba_codec import make_rgba_vae
from model.vae_codec import VaeCodec

torch.set_num_threads(1)


def vae(depth: int = 3, latents: int = 4, **more: Any) -> AutoencoderKL:
    torch.manual_seed(depth)
    made: AutoencoderKL = AutoencoderKL(
        latent_channels=latents,
        block_out_channels=(8,) * depth,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * depth,
        up_block_types=("UpDecoderBlock2D",) * depth,
        use_quant_conv=False,
        use_post_quant_conv=False,
        **({"scaling_factor": 0.3611, "shift_factor": 0.1159} | more),
    )
    return made


def codec(**more: Any) -> VaeCodec:
    made = vae(**more)
    return VaeCodec(made, make_rgba_vae(made))


def picture(channels: int = 3, height: int = 24, width: int = 40, batch: int = 2) -> Tensor:
    return torch.rand((batch, channels, height, width), generator=torch.Generator().manual_seed(channels)) * 2 - 1


def test_tokens_are_those_of_flux_fill_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    made = codec()
    pipe = FluxFillPipeline(FlowMatchEulerDiscreteScheduler(), made.vae, None, None, None, None, None)
    assert pipe.vae_scale_factor == made.factor == 4
    masked = picture()
    mask = (picture(1) > 0).float()
    # The pipeline samples from the posterior; with noise 0 that is the mode.
    monkeypatch.setattr(
        "diffusers.models.autoencoders.vae.randn_tensor", lambda shape, **more: torch.zeros(shape, dtype=more["dtype"])
    )
    folded, tokens = pipe.prepare_mask_latents(mask, masked, 2, 4, 1, 24, 40, torch.float32, torch.device("cpu"), None)
    assert tokens.shape == (2, 15, 16)
    assert torch.equal(pack(made.encode(masked)), tokens)
    assert torch.equal(fold_mask(mask, made.factor), folded)


def test_pictures_are_those_of_flux_fill_to_the_bit() -> None:
    """As the last lines of `FluxFillPipeline.__call__` decode them."""
    made = codec()
    latents = torch.randn((2, 4, 6, 10), generator=torch.Generator().manual_seed(0))
    whole = made.vae.decode((latents / 0.3611) + 0.1159, return_dict=False)[0]
    assert torch.equal(made.decode(latents, alpha=False), whole)
    assert whole.shape == (2, 3, 24, 40)
    assert made.decode(latents, alpha=True).shape == (2, 4, 24, 40)


@pytest.mark.parametrize(("more", "shift"), [({"shift_factor": None}, 0.0), ({"shift_factor": 0.5}, 0.5)])
def test_latents_are_shifted_and_scaled(more: dict[str, Any], shift: float) -> None:
    made = codec(scaling_factor=2.0, **more)
    raw = made.vae.encode(picture()).latent_dist.parameters[:, :4]
    assert torch.equal(made.encode(picture()), (raw - shift) * 2)


def test_the_number_of_channels_chooses_the_vae() -> None:
    made = codec()
    for p in made.rgba_vae.parameters():
        p += 0.01 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1))
    raw = made.rgba_vae.encode(picture(4)).latent_dist.mode()
    latents = made.encode(picture(4))
    assert torch.equal(latents, (raw - 0.1159) * 0.3611)
    assert not torch.allclose(latents, made.encode(picture(4)[:, :3]), atol=1e-3)
    assert torch.equal(made.decode(latents, alpha=True), made.rgba_vae.decode(latents / 0.3611 + 0.1159).sample)


def test_it_is_a_codec_of_flux_size() -> None:
    made: Codec = VaeCodec(vae(depth=4, latents=16))
    assert (made.factor, made.channels) == (8, 16)
    assert made.encode(picture(height=32, width=48)).shape == (2, 16, 4, 6)


def test_it_is_frozen_but_lets_gradients_through() -> None:
    made = vae().train()
    both = VaeCodec(made, make_rgba_vae(made).train())
    for part in (both.vae, both.rgba_vae):
        assert not part.training
        assert not any(p.requires_grad for p in part.parameters())
    assert not both.encode(picture()).requires_grad
    latents = both.encode(picture(4)).requires_grad_()
    both.decode(latents, alpha=True).sum().backward()
    assert (latents.grad != 0).any()


def test_half_precision_stays_inside(caplog: pytest.LogCaptureFixture) -> None:
    made = codec()
    exact = made.encode(picture(4))
    assert made.to("cpu", torch.bfloat16) is made
    assert {p.dtype for part in (made.vae, made.rgba_vae) for p in part.parameters()} == {torch.bfloat16}
    rough = made.encode(picture(4))
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.05
    assert made.decode(rough, alpha=True).dtype == torch.float32
    assert caplog.records == []


@pytest.mark.parametrize(("height", "width"), [(20, 40), (24, 36), (4, 8), (24, 41)])
def test_sides_that_tokens_do_not_fill_are_refused(height: int, width: int) -> None:
    text = f"^picture: {width} x {height} pixels, but both sides must be multiples of 8 for this codec$"
    with pytest.raises(ValueError, match=text):
        codec().encode(picture(height=height, width=width))


def test_alpha_without_a_vae_for_it_is_refused() -> None:
    made = VaeCodec(vae())
    text = (
        "^codec: 4 channels need a VAE for RGBA, and this model has none; add an `rgba_vae` folder to it, or leave the "
        "branch 'foreground' out$"
    )
    with pytest.raises(ValueError, match=text):
        made.encode(picture(4))
    with pytest.raises(ValueError, match=text):
        made.decode(made.encode(picture()), alpha=True)


def test_other_channels_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^picture: 2 channels, must be 3 \(opaque\) or 4 \(RGBA\)$"):
        codec().encode(picture(2))
    text = "^rgba_vae: 2 pixels a latent and 4 channels, vae: 4 and 4; must be equal$"
    with pytest.raises(ValueError, match=text):
        VaeCodec(vae(), make_rgba_vae(vae(depth=2)))
