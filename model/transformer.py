"""The base transformer: made new, or read from a folder or the Hub; and what of it trains.

The class is diffusers' own `FluxTransformer2DModel`, unchanged.
"""

import re
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig
from torch import nn

from model.spec import Lora, Shape
from stages.lazy import one_line, quiet
from stages.settings import did_you_mean


class ModelError(ValueError):
    """A model that cannot be loaded or does not fit; the text names the model and says what to do."""


def new_transformer(shape: Shape, token_dim: int, context_dim: int, seed: int) -> FluxTransformer2DModel:
    """Random weights from `seed`; the last layer is zero, so that an untrained model answers 0.

    `token_dim` is a token's latents, `context_dim` the masked picture's and the folded mask's together.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = FluxTransformer2DModel(
            patch_size=1,
            in_channels=token_dim + context_dim,
            out_channels=token_dim,
            num_layers=shape.num_layers,
            num_single_layers=shape.num_single_layers,
            attention_head_dim=shape.head_dim,
            num_attention_heads=shape.num_heads,
            joint_attention_dim=shape.text_dim,
            pooled_projection_dim=shape.pooled_dim,
            guidance_embeds=shape.guidance_embeds,
            axes_dims_rope=shape.axes,
        )
    nn.init.zeros_(made.proj_out.weight)
    nn.init.zeros_(made.proj_out.bias)
    return made


def load_transformer(model: str, revision: str | None, dtype: torch.dtype) -> FluxTransformer2DModel:
    """The transformer of a diffusers model: its `transformer` subfolder, local or on the Hub.

    Raises:
        ModelError: missing, gated (the text says how to get access), unreadable, or of another class.
    """
    try:
        with quiet():
            return FluxTransformer2DModel.from_pretrained(
                model, subfolder="transformer", revision=revision, torch_dtype=dtype
            )
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(explain(model, error)) from error


def explain(model: str, error: BaseException) -> str:
    """One line for a model that did not load: gated, missing, or what the library said."""
    text = one_line(error)
    if re.search(r"gated repo|\b40[13] Client Error", text, re.IGNORECASE):
        return (
            f"{model}: access is gated; accept its licence at https://huggingface.co/{model} and log in with "
            "`hf auth login` (or set HF_TOKEN)"
        )
    if not Path(model).is_dir() and ("/" not in model.strip("/") or model.startswith((".", "/", "~"))):
        return f"{model}: no such folder"
    return f"{model}: cannot be loaded: {text}"


def add_lora(transformer: FluxTransformer2DModel, lora: Lora, seed: int) -> list[str]:
    """Put adapters on every linear layer whose whole name `lora.target` matches; B is zero, so nothing changes yet.

    Returns the names of the layers. Raises ModelError where none matches, or the expression is broken.
    """
    _check_pattern("adapt.lora.target", lora.target)
    names = [n for n, m in transformer.named_modules() if isinstance(m, nn.Linear) and re.fullmatch(lora.target, n)]
    if not names:
        raise ModelError(f"adapt.lora.target: '{lora.target}' matches no linear layer of the transformer")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        transformer.add_adapter(
            LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=names, init_lora_weights="gaussian")
        )
    return names


def choose_trained(transformer: FluxTransformer2DModel, patterns: tuple[str, ...]) -> list[str]:
    """Freeze all but LoRA and the parameters whose whole name a pattern matches; returns those names, sorted.

    Raises ModelError for a pattern that matches nothing.
    """
    names = [n for n, _ in transformer.named_parameters() if ".lora_" not in n]
    for pattern in patterns:
        _check_pattern("adapt.train", pattern)
        if not any(re.fullmatch(pattern, n) for n in names):
            raise ModelError(f"adapt.train: '{pattern}' matches no parameter{did_you_mean(pattern, names)}")
    chosen = {n for n in names if any(re.fullmatch(p, n) for p in patterns)}
    dtype = transformer.dtype
    for name, parameter in transformer.named_parameters():
        parameter.requires_grad_(name in chosen or ".lora_" in name)
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # steps of 5e-5 would be rounded away in bfloat16
    if dtype != torch.float32:
        for module in transformer.modules():
            if isinstance(module, nn.Linear) and module.weight.requires_grad:
                _bridge(module, dtype)
    return sorted(chosen)


def _bridge(module: nn.Linear, dtype: torch.dtype) -> None:
    """Let a float32 layer work among layers of `dtype`."""
    module.register_forward_pre_hook(lambda layer, given: tuple(t.to(layer.weight.dtype) for t in given))
    module.register_forward_hook(lambda _, __, made: made.to(dtype))


def _check_pattern(key: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ModelError(f"{key}: '{pattern}' is no regular expression: {error}") from None
