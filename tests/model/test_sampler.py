"""The sampler against FLUX.1-Fill's own pipeline, run whole."""

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxFillPipeline
from diffusers.pipelines.flux.pipeline_flux_fill import calculate_shift, retrieve_timesteps
from torch import Tensor

from model.codec import PixelCodec
from model.encoded import encode_condition
from model.layers import LayerModel
from model.modalities import make_modalities
from model.packing import pack
from model.sampler import decode_layers, denoise, make_scheduler
from model.spec import Spec
from model.vae_codec import VaeCodec
from stages.lazy import quiet
from tests.model.tiny import (
    FUSION,
    PIXELS,
    TOKEN,
    base,
    generator,
    layer_model,
    mask,
    normal,
    picture,
    sample,
    tokens_of,
)

CODEC = PixelCodec(2)
ANCHORED = PIXELS.model_copy(update={"prediction": "x0", "hole": "smooth", "shift": 3.0})


def schedule_of_flux_fill(steps: int, tokens: int) -> FlowMatchEulerDiscreteScheduler:
    made = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)  # as the base's folder says
    sigmas = np.linspace(1.0, 1 / steps, steps)
    retrieve_timesteps(made, steps, "cpu", sigmas=sigmas, mu=calculate_shift(tokens))
    return made


@pytest.mark.parametrize("steps", [1, 4, 28])
def test_the_model_is_asked_at_flux_fills_times(steps: int) -> None:
    """For the tokens of one branch, of two."""
    seen: list[Tensor] = []
    model = layer_model(PIXELS)
    model.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    encoded = tokens_of(PIXELS, sample(16, 16))
    assert encoded.context.shape[1:3] == (2, 16)
    denoise(model, encoded, steps, generator(0))
    expected: Any = schedule_of_flux_fill(steps, 16)
    assert torch.equal(torch.stack(seen), expected.sigmas[:-1, None].expand(-1, 2))
    assert expected.sigmas[-1] == 0


def pipeline(model: LayerModel, vae: AutoencoderKL) -> Any:
    with quiet():
        return FluxFillPipeline(make_scheduler(), vae, None, None, None, None, model.transformer)


def test_a_base_samples_as_flux_fills_pipeline_does(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    vae = AutoencoderKL(
        latent_channels=4,
        block_out_channels=(8,) * 4,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        scaling_factor=0.3611,
        shift_factor=0.1159,
    )
    codec = VaeCodec(vae)
    spec = Spec(branches=("background",))
    model = LayerModel(spec, base(token=16, context=16 + 256), 16).eval()
    seen, hole = picture(1, height=32, width=48, batch=1), mask(2, 32, 48, batch=1)
    # The pipeline samples from the posterior; with noise 0 that is the mode.
    monkeypatch.setattr(
        "diffusers.models.autoencoders.vae.randn_tensor", lambda shape, **more: torch.zeros(shape, dtype=more["dtype"])
    )
    pipe = pipeline(model, vae)
    pipe.set_progress_bar_config(disable=True)
    more: dict[str, Any] = {"num_inference_steps": 4, "guidance_scale": 30.0, "output_type": "pt", "return_dict": False}
    expected = pipe(
        image=(seen + 1) / 2,
        mask_image=hole,
        height=32,
        width=48,
        prompt_embeds=torch.zeros(1, 1, 12),
        pooled_prompt_embeds=torch.zeros(1, 16),
        latents=torch.randn((1, 1, 6, 16), generator=generator(5))[:, 0],
        **more,
    )[0]
    encoded = encode_condition(spec, codec, make_modalities(None), seen, hole)
    found = decode_layers(model, codec, denoise(model, encoded, 4, generator(5)), encoded)
    assert found.foreground is None
    assert found.background is not None
    torch.testing.assert_close((found.background + 1) / 2, expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.02


@pytest.mark.parametrize("steps", [1, 5])
def test_a_model_that_only_guesses_samples_its_guess(steps: int) -> None:
    spec = ANCHORED.model_copy(update={"fusion": FUSION})
    made = base()
    torch.nn.init.zeros_(made.proj_out.weight)
    torch.nn.init.zeros_(made.proj_out.bias)
    encoded = tokens_of(spec)
    found = denoise(layer_model(spec, made), encoded, steps, generator(1))
    torch.testing.assert_close(found, encoded.anchor, rtol=0, atol=1e-5)


def test_one_step_is_the_models_answer_to_noise() -> None:
    model, encoded = layer_model(ANCHORED), tokens_of(ANCHORED)
    noise = torch.randn((2, 2, 6, TOKEN), generator=generator(3))
    with torch.no_grad():
        answer = model(noise, torch.ones(2), encoded)
    torch.testing.assert_close(denoise(model, encoded, 1, generator(3)), answer, rtol=0, atol=1e-5)


def test_steps_are_eulers() -> None:
    """Written out, with the shift of the spec."""
    spec = PIXELS.model_copy(update={"shift": 3.0})
    model, encoded = layer_model(spec), tokens_of(spec)
    sigma = [3 * s / (1 + 2 * s) for s in (1.0, 2 / 3, 1 / 3, 0.0)]
    x = torch.randn((2, 2, 6, TOKEN), generator=generator(3))
    with torch.no_grad():
        for now, then in itertools.pairwise(sigma):
            x = x + (then - now) * model(x, torch.full((2,), now), encoded)
    torch.testing.assert_close(denoise(model, encoded, 3, generator(3)), x, rtol=1e-4, atol=1e-4)


def test_the_seed_decides() -> None:
    model, encoded = layer_model(PIXELS), tokens_of(PIXELS)
    first, again, other = (denoise(model, encoded, 2, generator(seed)) for seed in (1, 1, 2))
    assert not first.requires_grad
    assert torch.equal(first, again)
    assert (first - other).abs().max() > 0.1


def test_layers_are_pictures() -> None:
    encoded = tokens_of(PIXELS)
    back, front = picture(5, 4), picture(6, 4) * 1.5
    tokens = torch.stack([pack(CODEC.encode(p)) for p in (back, front)], dim=1)
    both = decode_layers(layer_model(PIXELS), CODEC, tokens, encoded)
    assert both.background is not None
    assert torch.equal(both.background, back[:, :3])
    assert both.foreground is not None
    assert torch.equal(both.foreground, front.clamp(-1, 1))
    turned = PIXELS.model_copy(update={"branches": ("foreground", "background")})
    swapped = decode_layers(layer_model(turned), CODEC, tokens.flip(1), encoded)
    assert all(torch.equal(a, b) for a, b in zip(swapped, both, strict=True))  # type: ignore[arg-type]


def test_a_branch_that_is_not_there_makes_no_layer() -> None:
    tokens = normal(1, 2, 1, 6, TOKEN)
    for branch, missing in (("background", 1), ("foreground", 0)):
        spec = PIXELS.model_copy(update={"branches": (branch,)})
        made = decode_layers(layer_model(spec, copy.deepcopy(base())), CODEC, tokens, tokens_of(spec))
        assert made[missing] is None
        assert made[1 - missing] is not None
