"""Contexts against FLUX.1-Fill's own pipeline, and what the object's colours become."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline
from torch import Tensor

from model.codec import PixelCodec
from model.conditioning import Hole, background_context, foreground_context, masked_picture, pad_colour
from model.fill import smooth_fill
from model.packing import fold_mask, pack, unpack
from model.rgba_codec import make_rgba_vae
from model.vae_codec import VaeCodec
from tests.model.tiny import mask, picture, sample

PIXELS = PixelCodec(2)


def vae_codec() -> VaeCodec:
    torch.manual_seed(0)
    vae = AutoencoderKL(
        block_out_channels=(8,) * 4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.3611,
        shift_factor=0.1159,
    )
    return VaeCodec(vae, make_rgba_vae(vae))


def as_picture(tokens: Tensor, alpha: bool = False) -> Tensor:
    return PIXELS.decode(unpack(tokens, 4, 6), alpha)


def test_a_hole_of_zeros_is_flux_fills() -> None:
    seen, hole = picture(1), mask(2)
    found = masked_picture(seen, hole, "zero")
    assert torch.equal(found, torch.where(hole.bool(), 0.0, seen))


def test_a_smooth_hole_keeps_the_picture_around_it() -> None:
    seen, hole = picture(1), mask(2)
    found = masked_picture(seen, hole, "smooth")
    assert torch.equal(found, smooth_fill(seen, 1 - hole))
    assert torch.equal(torch.where(hole.bool(), 0.0, found), torch.where(hole.bool(), 0.0, seen))
    assert (found[hole.bool().expand_as(found)] != 0).all()


def test_a_context_is_flux_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = vae_codec()
    pipe: Any = FluxFillPipeline(FlowMatchEulerDiscreteScheduler(), codec.vae, None, None, None, None, None)
    seen, hole = picture(1, height=32, width=48), mask(2, 32, 48)
    # The pipeline samples from the posterior; with noise 0 that is the mode.
    monkeypatch.setattr(
        "diffusers.models.autoencoders.vae.randn_tensor", lambda shape, **more: torch.zeros(shape, dtype=more["dtype"])
    )
    more = (2, 4, 1, 32, 48, torch.float32, torch.device("cpu"), None)
    folded, tokens = pipe.prepare_mask_latents(hole, seen * (1 - hole), *more)
    expected = torch.cat((tokens, folded), dim=-1)  # as its __call__ joins them
    found = background_context(codec, seen, hole, "zero")
    assert torch.equal(found.tokens, expected)
    assert torch.equal(found.anchor, tokens)


@pytest.mark.parametrize("fill", ["zero", "smooth"])
@pytest.mark.parametrize("alpha", [True, False])
def test_the_object_is_outpainted(fill: Hole, alpha: bool) -> None:
    seen, marked = picture(1), mask(2)
    found = foreground_context(PIXELS, seen, marked, fill, picture(3)[:, :1] if alpha else None)
    assert torch.equal(found.tokens, background_context(PIXELS, seen, 1 - marked, fill).tokens)
    kept = as_picture(found.tokens[..., :64])
    assert torch.equal(kept * marked, seen * marked)
    assert torch.equal(found.tokens[..., 64:], fold_mask(1 - marked, 2))


@pytest.mark.parametrize("fill", ["zero", "smooth"])
def test_the_first_guess_of_the_background_is_the_masked_picture(fill: Hole) -> None:
    seen, marked = picture(1), mask(2)
    found = background_context(PIXELS, seen, marked, fill)
    assert torch.equal(as_picture(found.anchor), masked_picture(seen, marked, fill))
    assert torch.equal(found.anchor, found.tokens[..., :64])


def test_the_first_guess_of_the_object_has_the_alpha_that_is_given() -> None:
    seen, marked, alpha = picture(1), mask(2), picture(3)[:, :1]
    guess = as_picture(foreground_context(PIXELS, seen, marked, "smooth", alpha).anchor, alpha=True)
    assert torch.equal(guess[:, :3], smooth_fill(seen, marked))
    assert torch.equal(guess[:, 3:], alpha)
    opaque = foreground_context(PIXELS, seen, marked, "smooth", None)
    assert torch.equal(opaque.anchor, opaque.tokens[..., :64])


def test_the_first_guess_of_the_object_needs_the_codec_of_rgba() -> None:
    codec = vae_codec()
    seen, marked = picture(1, height=32, width=48), mask(2, 32, 48)
    made = foreground_context(codec, seen, marked, "zero", 2 * marked - 1)
    rgba = torch.cat([seen * marked, 2 * marked - 1], dim=1)
    assert torch.equal(made.anchor, pack(codec.encode(rgba)))


def test_padding_keeps_what_shows() -> None:
    given = sample().foreground
    found = pad_colour(given)
    shows = given[:, 3:] > -1
    assert 0 < shows.float().mean() < 1
    assert torch.equal(found[:, 3:], given[:, 3:])
    assert torch.equal(torch.where(shows, found, 0.0), torch.where(shows, given, 0.0))


def test_padding_does_not_read_what_does_not_show() -> None:
    given = sample().foreground
    hidden = given[:, 3:] == -1
    other = given.clone()
    other[:, :3] = torch.where(hidden, picture(9), given[:, :3])
    assert torch.equal(pad_colour(other), pad_colour(given))


def test_padding_continues_the_colour() -> None:
    alpha = -torch.ones(1, 1, 8, 12)
    alpha[..., 2:4, 3:5], alpha[..., 4, 4] = 1.0, -0.5
    colour = torch.tensor([0.25, -0.5, 0.75])[None, :, None, None].expand(1, 3, 8, 12)
    black = torch.where(alpha > -1, colour, -1.0)
    found = pad_colour(torch.cat([black, alpha], dim=1))
    torch.testing.assert_close(found[:, :3], colour.contiguous())


def test_an_object_that_is_not_there_is_grey() -> None:
    found = pad_colour(-torch.ones(1, 4, 8, 12))
    assert torch.equal(found[:, :3], torch.zeros(1, 3, 8, 12))
