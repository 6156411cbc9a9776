"""One training step at FLUX.1-Fill's full size: `python -m benchmarks.flux_step [--device D] [--size PX] [--rank R]`.

Random weights, so nothing is downloaded. Two branches, 512 text tokens, one picture, bfloat16 base, LoRA, the default
fusion and the input layer trained. On "cuda" the steps run; on "meta", the default without a GPU, nothing runs, and
what is printed is counted: the operations, and the memory that they would hold, with attention that never stores its
L x L scores. 1 TFLOP = 1e12 operations, a multiplication and an addition being two.
"""

import argparse
import statistics
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from model.config import Optimiser
from model.encoded import Encoded
from model.flow import add_noise, flow_loss
from model.layers import LayerModel
from model.optim import make_optimiser
from model.spec import Fusion, Lora, Shape, Spec
from model.transformer import new_transformer

GIB = 2**30
LATENT, CONTEXT = 64, 64 + 256  # of a token: its latents; the masked picture's and the folded mask's
PIXELS = 16  # to a token's side
TEXT_TOKENS = 512
WARMUP, STEPS = 3, 10
# The counter knows only the GPU's attention.
ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v)
    ),
}
# TFLOP by size and checkpointing, and GiB where it gives them: the design's figures for rank 64.
DESIGN = {(512, False): (80, 55), (512, True): (120, 28), (1024, False): (384, None), (1024, True): (576, 32)}


class Case(NamedTuple):
    """What is built and how it runs."""

    size: int
    rank: int
    checkpointing: bool
    compiled: bool = False
    shape: Shape = Shape()
    fusion: Fusion = Fusion()
    text_tokens: int = TEXT_TOKENS
    dtype: torch.dtype = torch.bfloat16


class Plan(NamedTuple):
    """FLOPs of a step and bytes: frozen and trained weights, AdamW's moments, what the forward pass leaves for the
    backward pass, and the most that is held at once during both, gradients included."""

    flops: int
    frozen: int
    trained: int
    moments: int
    activations: int
    live: int

    @property
    def total(self) -> int:
        """All that the step needs at once."""
        return self.frozen + self.trained + self.moments + self.live


class Measured(NamedTuple):
    """Median seconds of a step, and bytes that were allocated at most."""

    seconds: float
    peak: int


@contextmanager
def flash_on_meta() -> Iterator[None]:
    """Attention in one piece, as on a GPU; the meta device would write it out with all its scores."""

    def attend(
        q: Tensor,
        k: Tensor,
        v: Tensor,
        attn_mask: None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **_: Any,
    ) -> Tensor:
        out: Tensor = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, dropout_p, is_causal)[0]
        return out

    with torch.library._scoped_library("aten", "IMPL") as library:
        library.impl("scaled_dot_product_attention", attend, "AutogradMeta")
        yield


class Live(TorchDispatchMode):
    """Bytes of the tensors that operations made and that are still there: now, and at most."""

    def __init__(self, before: Iterator[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()
        for tensor in before:
            self._known.add(tensor.untyped_storage()._cdata)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what is new in its answer."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._remove, key, storage.nbytes())

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """New tensors are of this type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def build(case: Case, device: str) -> LayerModel:
    """The model of `case` with random weights, made where it runs."""
    lora = Lora(rank=case.rank, alpha=case.rank)
    spec = Spec(lora=lora, fusion=case.fusion, trained=(r"x_embedder\..*",))
    with torch.device(device):
        with default_dtype(case.dtype):
            transformer = new_transformer(case.shape, LATENT, CONTEXT, 0)
        model = LayerModel(spec, transformer, LATENT)
        model.text.tokens = torch.zeros(1, case.text_tokens, case.shape.text_dim)
    if case.checkpointing:
        transformer.enable_gradient_checkpointing()
    if case.compiled:
        transformer.compile_repeated_blocks()
    return model


def one_batch(case: Case, device: str) -> Encoded:
    """Random tokens of one picture."""
    side = case.size // PIXELS
    generator = None if device == "meta" else torch.Generator(device).manual_seed(0)

    def tokens(rows: int, width: int) -> Tensor:
        return torch.randn(1, rows, side**2, width, device=device, generator=generator)

    context, views = tokens(2, CONTEXT), tokens(len(case.fusion.modalities), LATENT)
    return Encoded(tokens(2, LATENT), context, context[..., :0], context[..., :1], views, 2 * side, 2 * side)


def forward(model: LayerModel, batch: Encoded) -> Tensor:
    """The loss of a batch, one number."""
    sigma = torch.full((1,), 0.5, device=batch.clean.device)
    noise = torch.randn_like(batch.clean)
    clean, noisy = batch.clean.flatten(1, 2), add_noise(batch.clean.flatten(1, 2), noise.flatten(1, 2), sigma)
    out = model(noisy.view_as(batch.clean), sigma, batch)
    return flow_loss(out.flatten(1, 2), clean, noise.flatten(1, 2), "velocity").mean()


def plan(case: Case, device: str = "meta") -> Plan:
    """Count a step. On "cpu" it runs, which is for shapes that are tiny."""
    model, batch = build(case, device), one_batch(case, device)
    sizes = {True: 0, False: 0}
    for parameter in model.parameters():
        sizes[parameter.requires_grad] += parameter.nbytes
    before = (t for t in (*model.parameters(), *model.buffers(), *tree_leaves(batch)) if isinstance(t, Tensor))
    with flash_on_meta(), Live(before) as live:
        loss = forward(model, batch)
        activations = live.now
        loss.backward()
    model.zero_grad(set_to_none=True)
    return Plan(flops(model, batch), sizes[False], sizes[True], 2 * sizes[True], activations, live.most)


def flops(model: LayerModel, batch: Encoded) -> int:
    """Operations of a step but for the optimiser's, in a run of its own: the counter holds on to what it has seen.

    Attention's backward pass counts five products, because it computes the scores again.
    """
    with flash_on_meta(), FlopCounterMode(display=False, custom_mapping=ATTENTION) as counter:
        forward(model, batch).backward()
    return int(counter.get_total_flops())


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
