"""Packing against FLUX.1-Fill's own pipeline."""

from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline
from hypothesis import given
from hypothesis import strategies as st

from model.packing import fold_mask, image_ids, pack, unpack
from tests.model.tiny import mask, normal

sides = st.integers(1, 5).map(lambda n: 2 * n)


@given(batch=st.integers(1, 3), channels=st.integers(1, 5), height=sides, width=sides)
def test_tokens_are_flux_fills(batch: int, channels: int, height: int, width: int) -> None:
    latents = normal(0, batch, channels, height, width)
    tokens = pack(latents)
    assert tokens.shape == (batch, height * width // 4, 4 * channels)
    assert torch.equal(tokens, FluxFillPipeline._pack_latents(latents, batch, channels, height, width))
    # The pipeline counts in pixels, 8 a latent.
    assert torch.equal(
        unpack(tokens, height, width), FluxFillPipeline._unpack_latents(tokens, 8 * height, 8 * width, 8)
    )
    assert torch.equal(unpack(tokens, height, width), latents)


def pipeline() -> Any:
    vae = AutoencoderKL(
        block_out_channels=(4,) * 4,
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        shift_factor=0.0,
    )
    return FluxFillPipeline(FlowMatchEulerDiscreteScheduler(), vae, None, None, None, None, None)


def test_a_folded_mask_is_flux_fills() -> None:
    hole = mask(0, height=32, width=48)
    latents = normal(1, 2, 4, 4, 6)  # given as latents, the picture is not encoded
    more = (2, 4, 1, 32, 48, torch.float32, torch.device("cpu"), None)
    folded, _ = pipeline().prepare_mask_latents(hole, latents, *more)
    assert folded.shape == (2, 6, 256)
    assert torch.equal(fold_mask(hole, 8), folded)


@pytest.mark.parametrize("factor", [1, 2, 8])
def test_a_folded_mask_keeps_every_pixel(factor: int) -> None:
    hole = mask(0, height=4 * factor, width=6 * factor)
    tokens = fold_mask(hole, factor)
    assert tokens.shape == (2, 6, 4 * factor**2)
    side = 2 * factor
    for row in range(2):
        for column in range(3):
            square = hole[:, 0, row * side : (row + 1) * side, column * side : (column + 1) * side]
            assert torch.equal(tokens[:, 3 * row + column].sum(1), square.sum((1, 2)))


def test_positions_are_flux_fills_and_say_the_branch() -> None:
    ids = FluxFillPipeline._prepare_latent_image_ids(1, 3, 5, torch.device("cpu"), torch.float32)
    assert torch.equal(image_ids(6, 10, 0), ids)
    second = image_ids(6, 10, 1)
    assert second.dtype == torch.float32
    assert torch.equal(second[:, 0], torch.ones(15))
    assert torch.equal(second[:, 1:], ids[:, 1:])


def test_positions_follow_the_tokens() -> None:
    rows, columns = torch.meshgrid(torch.arange(3.0), torch.arange(5.0), indexing="ij")
    where = torch.stack([rows, columns])[None].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(pack(where)[0, :, [0, 4]], image_ids(6, 10, 0)[:, 1:])
