"""Context fusion: a plain reference in float64, its cost, and the base that it must not disturb at the start."""

import copy
import math
from typing import Any

import pytest
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from model.fusion import Attention, ContextFusion, WidenedEmbedder, positions
from stages.lazy import quiet

torch.set_num_threads(1)

D, Q, W, N, HEADS, E, M = 6, 10, 16, 3, 2, 5, 2


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64).to(dtype)


def fusion(dtype: torch.dtype = torch.float32, scale: float = 0.5, **more: int) -> ContextFusion:
    """All weights random, so that no part is left out by a zero."""
    sizes = {"token_dim": D, "query_dim": Q, "width": W, "num_latents": N, "num_heads": HEADS, "out_dim": E}
    made = ContextFusion(**(sizes | {"num_modalities": M} | more)).to(dtype)
    with torch.no_grad():
        for i, parameter in enumerate(made.parameters()):
            parameter.copy_(scale * normal(i, *parameter.shape))
    return made


def linear(module: nn.Linear, x: Tensor) -> Tensor:
    return torch.einsum("...i,oi->...o", x, module.weight) + module.bias


def normed(module: nn.LayerNorm, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * module.weight + module.bias


def attended(module: Attention, query: Tensor, memory: Tensor) -> Tensor:
    """One query and one head at a time."""
    q = linear(module.to_q, normed(module.norm_query, query))
    both = linear(module.to_kv, normed(module.norm_memory, memory))
    k, v = both[:, :W], both[:, W:]
    read = torch.empty_like(q)
    size = W // HEADS
    for i in range(len(q)):
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            weights = ((k[:, part] * q[i, part]).sum(1) / math.sqrt(size)).exp()
            read[i, part] = (weights[:, None] * v[:, part]).sum(0) / weights.sum()
    return linear(module.to_out, read)


def place(row: float, column: float) -> list[float]:
    rates = [10000 ** (-i / (W // 4)) for i in range(W // 4)]
    return [f(x * rate) for x in (row, column) for f in (math.sin, math.cos) for rate in rates]


def reference(made: ContextFusion, query: Tensor, contexts: list[Tensor], grid: list[Tensor]) -> Tensor:
    """One sample; `grid` holds the positions of query and context tokens."""
    memory = torch.cat([linear(made.context_in, c) + grid[1] + e for c, e in zip(contexts, made.modality, strict=True)])
    latents = made.latents + attended(made.gather, made.latents, memory)
    latents = latents + attended(made.think, latents, latents)
    hidden = linear(made.mlp[1], normed(made.mlp[0], latents))
    hidden = 0.5 * hidden * (1 + torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
    latents = latents + linear(made.mlp[3], hidden)
    tokens = linear(made.query_in, query) + grid[0]
    tokens = tokens + attended(made.read, tokens, latents)
    return linear(made.out[1], normed(made.out[0], tokens))


@torch.no_grad()
def test_it_is_what_loops_compute() -> None:
    made = fusion(torch.float64)
    query = normal(70, 2, 6, Q, dtype=torch.float64)
    contexts = [normal(80 + i, 2, 24, D, dtype=torch.float64) for i in range(M)]
    queries = torch.tensor([place(r, c) for r in range(2) for c in range(3)], dtype=torch.float64)
    # 4 x 6 context tokens on the place of 2 x 3 query tokens: two centres a token, at -1/4 and +1/4 of it
    finer = [place(r / 2 - 0.25, c / 2 - 0.25) for r in range(4) for c in range(6)]
    out = made(query, contexts, (2, 3), (4, 6))
    for b in range(2):
        expected = reference(made, query[b], [c[b] for c in contexts], [queries, torch.tensor(finer).double()])
        torch.testing.assert_close(out[b], expected, rtol=0, atol=1e-6)  # positions are made in float32
    assert expected.std() > 0.1


@torch.no_grad()
def test_halves_are_the_whole_and_inputs_may_be_half_precision() -> None:
    made = fusion()
    query, contexts = normal(1, 2, 6, Q), [normal(2, 2, 6, D), normal(3, 2, 6, D)]
    whole = made(query, contexts, (2, 3), (2, 3))
    assert torch.equal(made.answer(query, made.summarise(contexts, (2, 3), (2, 3)), (2, 3)), whole)
    half = made(query.bfloat16(), [c.bfloat16() for c in contexts], (2, 3), (2, 3))
    assert half.dtype == torch.float32
    rounded = made(query.bfloat16().float(), [c.bfloat16().float() for c in contexts], (2, 3), (2, 3))
    assert torch.equal(half, rounded)


def test_positions_are_exact_far_from_the_corner_in_half_precision() -> None:
    found = positions((1, 700), (1, 700), torch.empty(W, dtype=torch.bfloat16))
    expected = torch.tensor([place(0, c) for c in range(700)], dtype=torch.float64)
    assert found.dtype == torch.bfloat16
    assert (found.double() - expected).abs().max() < 2**-8 + 1e-4


def flops(tokens: int, context: int, batch: int = 2) -> int:
    with torch.device("meta"):
        made = ContextFusion(D, Q, W, N, HEADS, E, M)
        query, contexts = torch.empty(batch, tokens, Q), [torch.empty(batch, context // M, D) for _ in range(M)]
        with FlopCounterMode(display=False) as counter:
            made(query, contexts, (1, tokens), (1, context // M))
    return int(counter.get_total_flops())


def test_the_cost_is_linear_in_both_streams() -> None:
    tokens, context = 48, 64
    of_latents = 2 * 2 * (2 + 4 + 8 + 2) * N * W * W + 2 * 4 * N * N * W  # what neither stream's length changes
    one, two, three = (flops(n * tokens, n * context) for n in (1, 2, 3))
    assert two - of_latents == 2 * (one - of_latents)
    assert three - of_latents == 3 * (one - of_latents)
    only_context, only_tokens = flops(tokens, 2 * context), flops(2 * tokens, context)
    assert only_context - one == 2 * 2 * context * (D * W + 2 * W * W + 2 * N * W)
    assert only_tokens - one == 2 * 2 * tokens * (Q * W + 2 * W * W + 2 * N * W + W * E)


def test_a_widened_embedder_is_one_linear_layer() -> None:
    wide = WidenedEmbedder(nn.Linear(7, 11, dtype=torch.float64), 4)
    assert wide.extra.weight.dtype == torch.float64
    one = nn.Linear(11, 11, dtype=torch.float64)
    with torch.no_grad():
        wide.extra.weight.copy_(normal(5, 11, 4))
        one.weight.copy_(torch.cat([wide.base.weight, wide.extra.weight], dim=1))
        one.bias.copy_(wide.base.bias)
    x = normal(6, 2, 3, 11, dtype=torch.float64)
    torch.testing.assert_close(wide(x), one(x), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("tokens", "inner", "dtype"), [(1024, 1024, torch.float32), (64, 128, torch.bfloat16)])
@torch.no_grad()
def test_a_widened_embedder_starts_as_its_base_to_the_bit(tokens: int, inner: int, dtype: torch.dtype) -> None:
    base = nn.Linear(384, inner, dtype=dtype)
    own, more = normal(1, 2, tokens, 384, dtype=dtype), normal(2, 2, tokens, 7, dtype=dtype)
    out = WidenedEmbedder(base, 7)(torch.cat([own, more], dim=-1))
    assert out.dtype == dtype
    assert torch.equal(out, base(own))


def flux() -> FluxTransformer2DModel:
    torch.manual_seed(0)
    return FluxTransformer2DModel(
        patch_size=1,
        in_channels=Q,
        out_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=12,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(2, 2, 4),
    )


def answer(model: Any, tokens: Tensor) -> Tensor:
    batch, length, dtype = *tokens.shape[:2], model.dtype
    out: Tensor = model(
        hidden_states=tokens.to(dtype),
        encoder_hidden_states=normal(20, batch, 3, 12, dtype=dtype),
        pooled_projections=normal(21, batch, 16, dtype=dtype),
        timestep=torch.full((batch,), 0.5, dtype=dtype),
        img_ids=torch.tensor([[0.0, 0.0, i] for i in range(length)]),
        txt_ids=torch.zeros(3, 3),
        guidance=torch.full((batch,), 3.5),
        return_dict=False,
    )[0]
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_the_base_answers_the_same_to_the_bit_at_the_start(dtype: torch.dtype) -> None:
    with quiet():
        base = flux().to(dtype)
    wide: Any = copy.deepcopy(base)
    wide.x_embedder = WidenedEmbedder(wide.x_embedder, E)
    assert wide.x_embedder.extra.weight.dtype == torch.float32
    tokens = normal(7, 2, 6, Q)
    extra = fusion()(tokens, [normal(8, 2, 6, D), normal(9, 2, 6, D)], (2, 3), (2, 3))
    assert extra.std() > 0.1
    before = answer(base, tokens)
    assert torch.equal(answer(wide, torch.cat([tokens, extra], dim=-1)), before)
    wide.x_embedder.extra.weight.normal_(generator=generator(10))
    assert not torch.equal(answer(wide, torch.cat([tokens, extra], dim=-1)), before)


def test_gradient_reaches_the_fusion_once_its_output_is_heard() -> None:
    model: Any = flux()
    model.x_embedder = WidenedEmbedder(model.x_embedder, E)
    made = fusion()
    tokens, contexts = normal(7, 2, 6, Q), [normal(8, 2, 6, D), normal(9, 2, 6, D)]

    def step() -> None:
        made.zero_grad()
        extra = made(tokens, contexts, (2, 3), (2, 3))
        answer(model, torch.cat([tokens, extra], dim=-1)).pow(2).sum().backward()

    step()
    heard = model.x_embedder.extra.weight
    assert (heard.grad != 0).all()
    assert all((p.grad == 0).all() for p in made.parameters())
    with torch.no_grad():
        heard -= 0.1 * heard.grad
    step()
    assert [name for name, p in made.named_parameters() if not (p.grad != 0).any()] == []


def test_the_learned_start_is_small_and_different_for_each_latent() -> None:
    made = ContextFusion(D, Q, W, 64, HEADS, E, M)
    assert made.latents.std().item() == pytest.approx(0.02, rel=0.2)
    assert len(made.latents.detach().unique(dim=0)) == 64
