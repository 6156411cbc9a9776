"""Files of weights: safetensors, written in one type and read whole."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model.transformer import ModelError


def write_weights(path: Path, weights: Mapping[str, Tensor], dtype: torch.dtype | None) -> None:
    """Write tensors by name; `dtype` rounds them all, None keeps each one's own."""
    save_file({name: on_cpu(t, dtype) for name, t in weights.items()}, path, metadata={"format": "pt"})


def read_weights(path: Path) -> dict[str, Tensor]:
    """What `write_weights` wrote. Raises ModelError naming the file."""
    try:
        found: dict[str, Tensor] = load_file(path)
    except Exception as error:  # safetensors raises its own kinds, and OSError
        raise ModelError(f"{path}: cannot be read: {error}") from None
    return found


def on_cpu(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Without a gradient, contiguous, of type `dtype` unless that is None."""
    return tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
