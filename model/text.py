"""Words for the transformer, read once: one prompt stands for all pictures, so no text encoder is kept.

Legend: T text tokens, D text dim, P pooled text dim.
"""

from typing import Any, NamedTuple

import torch
from diffusers import FluxPipeline
from torch import Tensor

from model.transformer import ModelError, explain
from stages.lazy import library, quiet


class Prompt(NamedTuple):
    """Embeddings of one prompt, float32 on the CPU: `tokens` (1, T, D) from T5, `pooled` (1, P) from CLIP."""

    tokens: Tensor
    pooled: Tensor


def encode_prompt(
    base: str,
    prompt: str,
    max_tokens: int,
    revision: str | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.bfloat16,
) -> Prompt:
    """What a FLUX model in a folder or on the Hub reads of a prompt: `FluxPipeline.encode_prompt`, cut at `max_tokens`.

    Both encoders are loaded and freed again; in bfloat16, FLUX's own type, its T5 takes 9 GB. Weights are read from
    safetensors only. Raises ModelError where the base has no such encoders, or they cannot be loaded.
    """
    transformers, where = library("transformers"), {"revision": revision}
    weights: dict[str, Any] = where | {"dtype": dtype, "use_safetensors": True}
    try:
        with quiet():
            pipe = FluxPipeline(
                scheduler=None,
                vae=None,
                transformer=None,
                text_encoder=transformers.CLIPTextModel.from_pretrained(base, subfolder="text_encoder", **weights).to(
                    device
                ),
                tokenizer=transformers.AutoTokenizer.from_pretrained(base, subfolder="tokenizer", **where),
                text_encoder_2=transformers.T5EncoderModel.from_pretrained(
                    base, subfolder="text_encoder_2", **weights
                ).to(device),
                tokenizer_2=transformers.AutoTokenizer.from_pretrained(base, subfolder="tokenizer_2", **where),
            )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(
            f"{explain(base, error)}; its text encoders read base.spec.prompt, and base.spec.text_tokens = 0 goes "
            "without words"
        ) from error
    with quiet(), torch.no_grad():
        tokens, pooled, _ = pipe.encode_prompt(prompt, None, device=device, max_sequence_length=max_tokens)
    return Prompt(tokens.float().cpu(), pooled.float().cpu())
