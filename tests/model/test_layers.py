"""The layer model against the base that it adapts, and what of it learns."""

import copy
import itertools
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor

from model.encoded import Encoded
from model.flow import Prediction
from model.layers import LayerModel
from model.packing import image_ids
from model.spec import Branch, Fusion, Lora, Spec
from stages.lazy import quiet
from tests.model.tiny import FUSION, LORA, PIXELS, TOKEN, base, layer_model, normal, sample, tokens_of, trained_names

SIGMA = torch.tensor([0.3, 0.9])
BOTH: tuple[Branch, ...] = ("background", "foreground")
TRAINED = (r"x_embedder\..*",)


def spec_of(branches: tuple[Branch, ...] = BOTH, **more: Any) -> Spec:
    return PIXELS.model_copy(update={"branches": branches, "guidance": 3.5} | more)


def noise_for(encoded: Encoded) -> Tensor:
    return normal(7, *encoded.context.shape[:3], TOKEN)


def answer_of_base(made: FluxTransformer2DModel, tokens: Tensor, ids: Tensor) -> Tensor:
    """As FLUX.1-Fill calls its transformer, with no text."""
    batch = len(tokens)
    out: Tensor = made(
        hidden_states=tokens.to(made.dtype),
        encoder_hidden_states=torch.zeros(batch, 1, 12, dtype=made.dtype),
        pooled_projections=torch.zeros(batch, 16, dtype=made.dtype),
        timestep=SIGMA.to(made.dtype),
        img_ids=ids,
        txt_ids=torch.zeros(1, 3),
        guidance=torch.full((batch,), 3.5),
        return_dict=False,
    )[0]
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lora", [None, LORA])
@pytest.mark.parametrize("fusion", [None, FUSION, FUSION.model_copy(update={"aligned": False})])
@pytest.mark.parametrize("branches", [BOTH, BOTH[:1]])
@torch.no_grad()
def test_the_start_is_the_base_to_the_bit(
    branches: tuple[Branch, ...], fusion: Fusion | None, lora: Lora | None, dtype: torch.dtype
) -> None:
    with quiet():
        plain = base().to(dtype)
    spec = spec_of(branches, fusion=fusion, lora=lora, trained=TRAINED)
    model = layer_model(spec, copy.deepcopy(plain))
    encoded = tokens_of(spec)
    noise = noise_for(encoded)
    tokens = torch.cat([noise, encoded.context], dim=-1).flatten(1, 2)
    ids = torch.cat([image_ids(4, 6, i) for i in range(len(branches))])
    found = model(noise, SIGMA, encoded)
    assert found.dtype == torch.float32
    assert found.std() > 0.05
    assert torch.equal(found.flatten(1, 2), answer_of_base(plain, tokens, ids).float())


@torch.no_grad()
def test_one_branch_has_the_positions_of_the_base() -> None:
    """Axis 0 of a lone branch is 0, whatever the branch."""
    plain = base()
    for branch in BOTH:
        spec = spec_of((branch,))
        encoded = tokens_of(spec)
        noise = noise_for(encoded)
        tokens = torch.cat([noise, encoded.context], dim=-1)[:, 0]
        found = layer_model(spec, copy.deepcopy(plain))(noise, SIGMA, encoded)
        assert torch.equal(found[:, 0], answer_of_base(plain, tokens, image_ids(4, 6, 0)))


@torch.no_grad()
def test_the_order_of_tokens_does_not_matter_but_their_branch_does() -> None:
    plain, spec = base(), spec_of()
    encoded = tokens_of(spec)
    noise = noise_for(encoded)
    found = layer_model(spec, copy.deepcopy(plain))(noise, SIGMA, encoded)
    turned = torch.cat([noise, encoded.context], dim=-1).flip(1).flatten(1, 2)
    first, second = image_ids(4, 6, 0), image_ids(4, 6, 1)
    same = answer_of_base(plain, turned, torch.cat([second, first])).unflatten(1, (2, -1)).flip(1)
    torch.testing.assert_close(same, found, rtol=1e-4, atol=1e-5)
    swapped = answer_of_base(plain, turned, torch.cat([first, second])).unflatten(1, (2, -1)).flip(1)
    assert (swapped - found).abs().max() > 1e-3


@torch.no_grad()
def test_the_branches_see_each_other() -> None:
    spec = spec_of()
    model, encoded = layer_model(spec), tokens_of(spec)
    noise = noise_for(encoded)
    other = noise.clone()
    other[:, 1] = normal(8, *other[:, 1].shape)
    before, after = model(noise, SIGMA, encoded), model(other, SIGMA, encoded)
    assert (before[:, 0] != after[:, 0]).any()


@pytest.mark.parametrize("part", ["sigma", "contexts", "context"])
@torch.no_grad()
def test_every_part_is_heard(part: str) -> None:
    spec = spec_of(fusion=FUSION)
    model, encoded = layer_model(spec), tokens_of(spec)
    model.transformer.x_embedder.extra.weight.copy_(normal(1, *model.transformer.x_embedder.extra.weight.shape))
    noise = noise_for(encoded)
    before = model(noise, SIGMA, encoded)
    sigma = SIGMA / 2 if part == "sigma" else SIGMA
    changed = encoded if part == "sigma" else encoded._replace(**{part: getattr(encoded, part) + 0.5})
    assert (model(noise, sigma, changed) - before).abs().max() > 1e-3


@torch.no_grad()
def test_the_fusion_and_the_view_at_a_tokens_place_come_last() -> None:
    """The widened input against one written out: fused | each view's own token, the same for both branches."""
    spec = spec_of(fusion=FUSION)
    model, encoded = layer_model(spec), tokens_of(spec)
    wide = model.transformer.x_embedder.extra
    wide.weight.copy_(normal(1, *wide.weight.shape) * 0.1)
    assert wide.in_features == 5 + 2 * TOKEN
    noise = noise_for(encoded)
    tokens = torch.cat([noise, encoded.context], dim=-1)
    assert model.fusion is not None
    views = [encoded.contexts[:, m] for m in range(2)]
    fused = torch.stack([model.fusion(tokens[:, s], views, (2, 3), (2, 3)) for s in range(2)], dim=1)
    own = torch.stack([torch.cat(views, dim=-1)] * 2, dim=1)
    extra = torch.cat([fused, own], dim=-1)
    plain = base()
    added = (extra @ wide.weight.T).flatten(1, 2)
    plain.x_embedder.register_forward_hook(lambda _, __, out: out + added)
    ids = torch.cat([image_ids(4, 6, i) for i in range(2)])
    expected = answer_of_base(plain, tokens.flatten(1, 2), ids)
    torch.testing.assert_close(model(noise, SIGMA, encoded).flatten(1, 2), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prediction", ["velocity", "x0"])
@torch.no_grad()
def test_a_clean_answer_corrects_the_first_guess(prediction: Prediction) -> None:
    plain = base()
    spec = spec_of(prediction=prediction)
    encoded = tokens_of(spec)
    noise = noise_for(encoded)
    found = layer_model(spec, copy.deepcopy(plain))(noise, SIGMA, encoded)
    tokens = torch.cat([noise, encoded.context], dim=-1).flatten(1, 2)
    ids = torch.cat([image_ids(4, 6, i) for i in range(2)])
    out = answer_of_base(plain, tokens, ids).unflatten(1, (2, -1))
    assert torch.equal(found, out + encoded.anchor if prediction == "x0" else out)


def backward(model: LayerModel, encoded: Encoded) -> dict[str, bool]:
    """Which parameters that train get a gradient that is not all zero."""
    model.zero_grad()
    model(noise_for(encoded), SIGMA, encoded).square().sum().backward()
    found = dict(model.named_parameters())
    assert {n for n, p in found.items() if p.grad is not None} == trained_names(model)
    return {n: bool(p.grad.any()) for n, p in found.items() if p.grad is not None}


def test_gradients_reach_what_trains_and_nothing_else() -> None:
    spec = spec_of(fusion=FUSION, lora=LORA, trained=TRAINED)
    model, encoded = layer_model(spec), tokens_of(spec)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    first = backward(model, encoded)
    # What a zero hides at the start: A behind B, the fusion behind its input weights.
    late = {n for n in first if ".lora_A." in n or n.startswith("fusion.")}
    assert late == {n for n, reached in first.items() if not reached}
    assert {n for n in first if n not in late and ".lora_B." not in n} == {
        f"transformer.x_embedder.{n}" for n in ("base.weight", "base.bias", "extra.weight")
    }
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    assert [n for n, reached in backward(model, encoded).items() if not reached] == []
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1).step()
    changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == trained_names(model)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set()),
        ({"trained": (r"proj_out\..*",)}, {"transformer.proj_out.weight", "transformer.proj_out.bias"}),
        ({"trained": TRAINED}, {"transformer.x_embedder.weight", "transformer.x_embedder.bias"}),
    ],
)
def test_the_base_is_frozen_but_for_what_is_named(more: dict[str, Any], expected: set[str]) -> None:
    assert trained_names(layer_model(spec_of(**more))) == expected


def test_a_pattern_for_everything_trains_everything() -> None:
    model = layer_model(spec_of(trained=(".*",)))
    assert trained_names(model) == {n for n, _ in model.named_parameters()}


def test_what_is_added_to_a_half_precision_base_is_float32() -> None:
    """Steps of 5e-5 would be rounded away in bfloat16."""
    with quiet():
        plain = base().to(torch.bfloat16)
    model = layer_model(spec_of(fusion=FUSION, lora=LORA, trained=TRAINED), plain)
    assert {n for n, p in model.named_parameters() if p.requires_grad and p.dtype != torch.float32} == set()
    frozen = {p.dtype for p in model.parameters() if not p.requires_grad}
    assert frozen == {torch.bfloat16}


@torch.no_grad()
def test_the_seed_decides_what_is_new() -> None:
    state = torch.random.get_rng_state()
    spec = spec_of(fusion=FUSION, lora=LORA)
    first, again, other = (LayerModel(spec, base(), TOKEN, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[n], again[n]) for n in first)
    differ = {n for n in first if not torch.equal(first[n], other[n])}
    assert {n for n in first if ".lora_A." in n} | {"fusion.latents", "fusion.context_in.weight"} <= differ
    assert not any(n.startswith("transformer.") and ".lora_" not in n for n in differ)


@torch.no_grad()
def test_the_text_is_zero_until_it_is_given() -> None:
    model, encoded = layer_model(spec_of()), tokens_of(spec_of())
    assert {n: tuple(t.shape) for n, t in model.text.named_buffers()} == {"tokens": (1, 1, 12), "pooled": (1, 16)}
    assert not any(t.any() for t in model.text.buffers())
    noise = noise_for(encoded)
    outs = [model(noise, SIGMA, encoded)]
    model.text.pooled = normal(1, 1, 16)
    outs.append(model(noise, SIGMA, encoded))
    model.text.tokens = normal(2, 1, 5, 12)
    outs.append(model(noise, SIGMA, encoded))
    assert all((a - b).abs().max() > 1e-3 for a, b in itertools.pairwise(outs))
    assert all(n.startswith("text.") or n in dict(model.named_parameters()) for n in model.state_dict())


def test_checkpointing_changes_nothing_but_memory() -> None:
    spec = spec_of(fusion=FUSION, lora=LORA, trained=TRAINED)
    grads = []
    for on in (False, True):
        model, encoded = layer_model(spec), tokens_of(spec, sample())
        if on:
            model.transformer.enable_gradient_checkpointing()
        backward(model, encoded)
        grads.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert all(torch.equal(grads[0][n], grads[1][n]) for n in grads[0])
