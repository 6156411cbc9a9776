"""Encoded samples as files and back. Legend: B batch, S branches, M modalities, L tokens, D dim, H W picture sides.

What is not a codec's or a network's work is not stored: masks are kept as bits and folded anew, so that a sample
takes (2 S + M) L D numbers, or (3 S + M) L D where the model predicts corrections, instead of 5 times as many.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from model.encoded import Encoded
from model.packing import fold_mask
from model.spec import Branch

Sample = dict[str, Tensor]


def take_apart(encoded: Encoded, mask_B1HW: Tensor, dtype: torch.dtype) -> list[Sample]:
    """One dictionary a sample. `clean`, `masked`, `anchor` (S, L, D) and `contexts` (M, L, D) are rounded to `dtype`,
    the last two only where there are any; `mask` (H, W / 8, rounded up) holds a pixel a bit, `size` is (H, W)."""
    dim = encoded.clean.shape[-1]
    whole = {"clean": encoded.clean, "masked": encoded.context[..., :dim], "anchor": encoded.anchor}
    whole |= {"contexts": encoded.contexts}
    kept = {name: t.to("cpu", dtype) for name, t in whole.items() if t.numel()}
    bits = np.packbits(mask_B1HW[:, 0].cpu().numpy() > 0.5, axis=2)
    kept |= {"mask": torch.from_numpy(bits)}
    size = torch.tensor(mask_B1HW.shape[-2:], dtype=torch.int32)
    return [{name: t[b].contiguous() for name, t in kept.items()} | {"size": size} for b in range(len(bits))]


def put_together(samples: Sequence[Mapping[str, Tensor]], branches: Sequence[Branch]) -> Encoded:
    """The inverse of `take_apart`, for samples of one size; equal to the bit where they were stored in float32."""

    def stacked(name: str) -> Tensor:
        return torch.stack([s[name] for s in samples]).float()

    clean, masked = stacked("clean"), stacked("masked")
    mask, factor = _masks(samples)
    holes = [mask if branch == "background" else 1 - mask for branch in branches]
    folded = torch.stack([fold_mask(hole, factor) for hole in holes], dim=1)
    context = torch.cat([masked, folded], dim=-1)
    return Encoded(
        clean,
        context,
        stacked("anchor") if "anchor" in samples[0] else context[..., :0],
        folded.mean(-1, keepdim=True),
        stacked("contexts") if "contexts" in samples[0] else context[:, :0],
        mask.shape[2] // factor,
        mask.shape[3] // factor,
    )


def to_bytes(sample: Sample) -> bytes:
    """A sample as a safetensors file."""
    data: bytes = save(sample)
    return data


def from_bytes(data: bytes) -> Sample:
    """The inverse of `to_bytes`. Raises ValueError, which says why, for what is no such file or lacks a tensor."""
    try:
        found: Sample = load(data)
    except Exception as error:  # safetensors raises its own kinds
        raise ValueError(str(error)) from None
    missing = {"clean", "masked", "mask", "size"} - found.keys()
    if missing:
        raise ValueError(f"no tensor '{min(missing)}'")
    return found


def _masks(samples: Sequence[Mapping[str, Tensor]]) -> tuple[Tensor, int]:
    """(B, 1, H, W) of 0 and 1, and the pixels of a latent's side: a token is 2 x 2 latents."""
    height, width = (int(side) for side in samples[0]["size"])
    bits: Any = np.stack([s["mask"].numpy() for s in samples])
    mask = torch.from_numpy(np.unpackbits(bits, axis=2, count=width)).float()[:, None]
    return mask, math.isqrt(height * width // (4 * samples[0]["clean"].shape[1]))
