"""What a training step of FLUX's class costs, counted without computing: operations, and bytes that are held.

On the meta device nothing runs and nothing is stored; the same count of a run on the CPU is its test.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from model.encoded import Encoded
from model.flow import add_noise, flow_loss
from model.layers import LayerModel
from model.spec import Fusion, Lora, Shape, Spec
from model.transformer import new_transformer

LATENT, CONTEXT = 64, 64 + 256  # of a token: its latents; the masked picture's and the folded mask's
PIXELS = 16  # to a token's side
TEXT_TOKENS = 512
# The counter knows only the GPU's attention.
ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda q, k, v, *_, **__: sdpa_flop_count(q, k, v),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad, q, k, v)
    ),
}


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
