"""What a step costs, as the counter sees it, against counts on paper."""

from functools import cache

import pytest

from benchmarks.flux_plan import Case, Plan, plan
from model.spec import FLUX_LINEARS, Fusion, Shape
from tests.model.tiny import projections

HEADS, HEAD, TEXT = 2, 8, 6
WIDTH = HEADS * HEAD
FUSION = Fusion(modalities=("picture", "edge"), width=16, num_latents=3, num_heads=2, out_dim=5)


def shape(doubles: int = 1, singles: int = 1) -> Shape:
    return Shape(
        num_layers=doubles,
        num_single_layers=singles,
        num_heads=HEADS,
        head_dim=HEAD,
        text_dim=12,
        pooled_dim=16,
        axes=(2, 2, 4),
    )


@cache
def counted(size: int = 32, rank: int = 2, doubles: int = 1, singles: int = 1, checkpointing: bool = False) -> Plan:
    case = Case(size, rank, checkpointing, shape=shape(doubles, singles), fusion=FUSION, text_tokens=TEXT)
    return plan(case)


def tokens(size: int) -> int:
    return 2 * (size // 16) ** 2 + TEXT


def products(size: int) -> int:
    """FLOPs of one attention, forwards and backwards: two products, and five."""
    return 7 * 2 * tokens(size) ** 2 * WIDTH


def single(size: int, rank: int) -> int:
    """A single block: forwards, gradients of what comes in, none of the frozen weights; LoRA with its own gradients.

    The modulation sees one vector, and its gradient stops there: nothing that trains lies before it.
    """
    linears = [(WIDTH, WIDTH)] * 3 + [(WIDTH, 4 * WIDTH), (5 * WIDTH, WIDTH)]
    frozen = 2 * 2 * tokens(size) * sum(i * o for i, o in linears)
    lora = 3 * 2 * tokens(size) * rank * sum(i + o for i, o in linears)
    modulation = 2 * WIDTH * 3 * WIDTH
    return frozen + lora + modulation + products(size)


@pytest.mark.parametrize(("size", "rank"), [(32, 2), (64, 2), (32, 4), (64, 8)])
def test_a_block_more_costs_what_it_should(size: int, rank: int) -> None:
    two, three = counted(size, rank, singles=2), counted(size, rank, singles=3)
    assert three.flops - two.flops == single(size, rank)


def test_a_rank_more_costs_its_products() -> None:
    costs = [counted(rank=rank).flops for rank in (2, 3, 5)]
    assert costs[2] - costs[1] == 2 * (costs[1] - costs[0])
    assert costs[1] > costs[0]


def test_frozen_weights_have_no_gradients() -> None:
    """A step costs twice its forward pass and attention; with weights' gradients it would be three times."""
    few, many = counted(64, 1, singles=1).flops, counted(64, 1, singles=2).flops
    forwards = 2 * tokens(64) * WIDTH * 12 * WIDTH
    assert 2 * forwards < many - few - products(64) < 2.6 * forwards


def test_checkpointing_computes_the_blocks_again() -> None:
    plain, again = (counted(64, singles=s, checkpointing=True).flops - counted(64, singles=s).flops for s in (1, 2))
    linears = 2 * tokens(64) * (12 * WIDTH**2 + 2 * (3 * 2 * WIDTH + 5 * WIDTH + 6 * WIDTH))
    forwards = linears + 2 * WIDTH * 3 * WIDTH + 2 * 2 * tokens(64) ** 2 * WIDTH
    assert 0 < again - plain <= forwards
    assert again - plain >= 0.5 * forwards


def test_every_projection_is_counted() -> None:
    assert FLUX_LINEARS.count("single_transformer_blocks") == 1
    sides = {
        name: (5 if name.endswith("blocks.0.proj_out") else 4 if name.endswith(".2") else 1)
        + (4 if name.endswith(("proj_mlp", "0.proj")) else 1)
        for name in projections(1, 1)
    }
    grown = counted(rank=3).trained - counted(rank=2).trained
    assert grown == 2 * WIDTH * sum(sides.values()) or grown == 4 * WIDTH * sum(sides.values())
