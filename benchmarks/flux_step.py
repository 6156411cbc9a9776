"""One training step at FLUX.1-Fill's full size: `python -m benchmarks.flux_step [--device D] [--size PX] [--rank R]`.

Random weights, so nothing is downloaded. Two branches, 512 text tokens, one picture, bfloat16 base, LoRA, the default
fusion and the input layer trained. On "cuda" the steps run; on "meta", the default without a GPU, nothing runs, and
what is printed is counted: the operations, and the memory that they would hold, with attention that never stores its
L x L scores. 1 TFLOP = 1e12 operations, a multiplication and an addition being two.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.flux_plan import PIXELS, Case, build, forward, one_batch, plan
from model.config import Optimiser
from model.optim import make_optimiser

GIB = 2**30
WARMUP, STEPS = 3, 10
# TFLOP by size and checkpointing, and GiB where it gives them: the design's figures for rank 64.
DESIGN = {(512, False): (80, 55), (512, True): (120, 28), (1024, False): (384, None), (1024, True): (576, 32)}


class Measured(NamedTuple):
    """Median seconds of a step, and bytes that were allocated at most."""

    seconds: float
    peak: int


def measure(case: Case) -> Measured:
    """Run a few steps on the GPU, the optimiser's included."""
    model, batch = build(case, "cuda"), one_batch(case, "cuda")
    optimiser = make_optimiser(Optimiser(), model)

    def step() -> None:
        forward(model, batch).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    seconds = timed(step)
    return Measured(seconds, torch.cuda.max_memory_allocated())


def timed(call: Callable[[], object]) -> float:
    """Median seconds of a call on the GPU; the memory statistics start after the warm-up."""
    for _ in range(WARMUP):
        call()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    taken = []
    for _ in range(STEPS):
        start = time.perf_counter()
        call()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def matmul_peak(side: int = 8192) -> float:
    """FLOP/s of a large bfloat16 matrix product on this GPU: all that a step could reach."""
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / timed(lambda: a @ b)


def plans(sizes: list[int], ranks: list[int]) -> Table:
    """FLOPs and memory of every case, beside the design's figures."""
    columns = ("TFLOP", "design", "frozen", "trained", "moments", "activations", "step", "all", "design")
    table = _table("A step, counted; memory in GiB", *columns)
    for size, rank, checkpointing in _cases(sizes, ranks):
        found = plan(Case(size, rank, checkpointing))
        flops, memory = DESIGN.get((size, checkpointing), (None, None)) if rank == 64 else (None, None)
        parts = (found.frozen, found.trained, found.moments, found.activations, found.live, found.total)
        cells = [f"{found.flops / 1e12:.1f}", _or_none(flops), *(f"{p / GIB:.2f}" for p in parts), _or_none(memory)]
        table.add_row(*_named(size, rank, checkpointing), *cells)
    return table


def measurements(sizes: list[int], ranks: list[int], console: Console) -> Table:
    """Time and memory of every case on the GPU; the rate counts what is computed twice twice."""
    peak = matmul_peak()
    console.print(f"{torch.cuda.get_device_name()}: {peak / 1e12:.0f} TFLOP/s in a bfloat16 matrix product")
    table = _table("A step, measured", "compiled", "TFLOP", "seconds", "TFLOP/s", "share", "GiB", "planned")
    for size, rank, checkpointing in _cases(sizes, ranks):
        counted = plan(Case(size, rank, checkpointing))
        for compiled in (False, True):
            row = (*_named(size, rank, checkpointing), _yes(compiled), f"{counted.flops / 1e12:.1f}")
            try:
                found = measure(Case(size, rank, checkpointing, compiled))
            except torch.OutOfMemoryError:
                table.add_row(*row, "out of memory", "", "", "", f"{counted.total / GIB:.1f}")
            else:
                rate = counted.flops / found.seconds
                cells = (f"{found.seconds:.3f}", f"{rate / 1e12:.0f}", f"{rate / peak:.1%}", f"{found.peak / GIB:.1f}")
                table.add_row(*row, *cells, f"{counted.total / GIB:.1f}")
            torch.cuda.empty_cache()
            torch.compiler.reset()
    return table


def main() -> None:
    """Print the table of the device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here: Literal["cuda", "meta"] = "cuda" if torch.cuda.is_available() else "meta"
    parser.add_argument("--device", choices=("cuda", "meta"), default=here)
    parser.add_argument("--size", type=int, action="append", help="side in pixels, a multiple of 16; may be repeated")
    parser.add_argument("--rank", type=int, action="append", help="of the LoRA; may be repeated")
    given = parser.parse_args()
    sizes, ranks = given.size or [512, 1024], given.rank or [64, 256]
    for size in sizes:
        if size < PIXELS or size % PIXELS:
            parser.error(f"--size: {size} must be a multiple of {PIXELS}")
    for rank in ranks:
        if not 1 <= rank <= 1024:
            parser.error(f"--rank: must be 1 to 1024, is {rank}")
    console = Console()
    console.print(plans(sizes, ranks) if given.device == "meta" else measurements(sizes, ranks, console))


def _cases(sizes: list[int], ranks: list[int]) -> Iterator[tuple[int, int, bool]]:
    return ((s, r, c) for s in sizes for r in ranks for c in (False, True))


def _named(size: int, rank: int, checkpointing: bool) -> tuple[str, ...]:
    return (str(size), str(rank), _yes(checkpointing))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _or_none(value: int | None) -> str:
    return "" if value is None else str(value)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in ("px", "rank", "checkpointing", *columns):
        table.add_column(column, justify="right")
    return table


if __name__ == "__main__":
    main()
