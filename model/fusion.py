"""Multi-modal context fusion: many context tokens through few latents, at a cost linear in both streams.

Legend: B batch, L query tokens, K context tokens of all modalities together, N latents, D token dim, W width, E out
dim, H W (in `grid`) rows and columns of tokens.

N << K learned latents query all context tokens, O(K N), think once among themselves, O(N^2), and each query token
reads them back, O(L N): arXiv 2511.20996; the two reads are the Set Transformer's ISAB (Lee et al., ICML 2019), the
asymmetric attention is Perceiver's (Jaegle et al., ICML 2021). Full cross-attention would cost O(L K).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

Grid = tuple[int, int]

_BASE = 10000.0
_SPREAD = 0.02  # standard deviation of learned vectors at the start


class Attention(nn.Module):
    """Scaled dot-product attention with several heads; queries and memory are normalised first (pre-norm)."""

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_query = nn.LayerNorm(width)
        self.norm_memory = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)

    def forward(self, query_BLW: Tensor, memory_BKW: Tensor) -> Tensor:
        """(B, L, W): what the queries read from the memory, without the residual."""
        q = self.to_q(self.norm_query(query_BLW))
        k, v = self.to_kv(self.norm_memory(memory_BKW)).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for t in (q, k, v))
        read: Tensor = self.to_out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return read


class ContextFusion(nn.Module):
    """What each token of a stream should know of the other views of the picture.

    Args:
        token_dim: D of the context tokens, the same for all modalities.
        query_dim: D of the stream's tokens, as the transformer gets them.
        width: W, inside; a multiple of 4 and of `num_heads`.
        num_latents: N.
        num_heads: of all three attentions.
        out_dim: E, extra channels of each token.
        num_modalities: each has a learned embedding, in the order of `contexts`.
    """

    def __init__(
        self,
        token_dim: int,
        query_dim: int,
        width: int,
        num_latents: int,
        num_heads: int,
        out_dim: int,
        num_modalities: int,
    ) -> None:
        super().__init__()
        assert width % 4 == width % num_heads == 0, "`Fusion` sees to it"
        self.context_in = nn.Linear(token_dim, width)
        self.query_in = nn.Linear(query_dim, width)
        self.modality = nn.Parameter(torch.randn(num_modalities, width) * _SPREAD)
        self.latents = nn.Parameter(torch.randn(num_latents, width) * _SPREAD)
        self.gather = Attention(width, num_heads)
        self.think = Attention(width, num_heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width)
        )
        self.read = Attention(width, num_heads)
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, out_dim))

    def forward(self, query_BLD: Tensor, contexts: Sequence[Tensor], query_grid: Grid, context_grid: Grid) -> Tensor:
        """(B, L, E) in the module's dtype, which the inputs may differ from.

        `contexts` holds one (B, rows * columns, D) for each modality, all of `context_grid`, rows first; L is
        rows * columns of `query_grid`. Both grids cover the same picture.
        """
        return self.answer(query_BLD, self.summarise(contexts, query_grid, context_grid), query_grid)

    def summarise(self, contexts: Sequence[Tensor], query_grid: Grid, context_grid: Grid) -> Tensor:
        """(B, N, W): the first half, the same for every stream of a picture; `answer` is the other one."""
        assert len(contexts) == len(self.modality), "one context for each modality"
        place = positions(context_grid, query_grid, self.modality)
        kinds = zip(contexts, self.modality, strict=True)
        memory = torch.cat([self.context_in(c.to(place.dtype)) + place + kind for c, kind in kinds], dim=1)
        latents = self.latents.expand(len(memory), -1, -1)
        latents = latents + self.gather(latents, memory)
        latents = latents + self.think(latents, latents)
        out: Tensor = latents + self.mlp(latents)
        return out

    def answer(self, query_BLD: Tensor, latents_BNW: Tensor, query_grid: Grid) -> Tensor:
        """(B, L, E): what each query token reads from the latents."""
        place = positions(query_grid, query_grid, self.modality)
        query = self.query_in(query_BLD.to(place.dtype)) + place
        extra: Tensor = self.out(query + self.read(query, latents_BNW))
        return extra


class WidenedEmbedder(nn.Module):
    """The base's input layer with `extra` more input channels, whose weights start at zero.

    Equal to one linear layer with both weights side by side, but computed in two parts: one wider product would add
    in another order, and the base's answer would not be kept to the bit. As LoRA's, the new weights are float32 at
    least, whatever the base's dtype, so that small steps are not rounded away.
    """

    def __init__(self, base: nn.Linear, extra: int) -> None:
        super().__init__()
        weight = base.weight
        self.base = base
        self.extra = nn.Linear(
            extra, base.out_features, bias=False, device=weight.device, dtype=_at_least_float32(weight)
        )
        nn.init.zeros_(self.extra.weight)

    def forward(self, tokens_BLD: Tensor) -> Tensor:
        """(B, L, base channels | extra channels) to (B, L, inner dim), in the dtype of the base's answer."""
        own, more = tokens_BLD.tensor_split([self.base.in_features], dim=-1)
        # A view with gaps takes another path through the matrix product, which adds the bias in another order.
        out: Tensor = self.base(own.contiguous().to(self.base.weight.dtype))
        added: Tensor = self.extra(more.to(self.extra.weight.dtype))
        return (out + added.to(out.dtype)).to(tokens_BLD.dtype)


def positions(grid: Grid, frame: Grid, like: Tensor) -> Tensor:
    """(rows * columns, W) sines and cosines of the places of `grid`'s tokens, in the width, dtype and device of `like`.

    A quarter each for sin and cos of the row and of the column (Vaswani et al., 2017, in two dimensions as in He et
    al., "Masked Autoencoders", 2022). Units are tokens of `frame`: where a grid is finer or coarser than the frame,
    its tokens stand at their centres, so that the same place of the picture has the same position in both.
    """
    quarter = like.shape[-1] // 4
    # float32: bfloat16 does not count beyond 256
    rates = _BASE ** (-torch.arange(quarter, device=like.device, dtype=torch.float32) / quarter)
    centres = [
        (torch.arange(n, device=like.device, dtype=torch.float32) + 0.5) * (whole / n) - 0.5
        for n, whole in zip(grid, frame, strict=True)
    ]
    row, column = (angle[..., None] * rates for angle in torch.meshgrid(*centres, indexing="ij"))
    return torch.cat([row.sin(), row.cos(), column.sin(), column.cos()], dim=-1).flatten(0, 1).to(like.dtype)


def _at_least_float32(weight: Tensor) -> torch.dtype:
    return torch.promote_types(weight.dtype, torch.float32)
