"""One folder that holds a whole layer model, written and read back.

    layers.json                          spec, sizes, format version
    training.json                        the run that made it (`model.record`), where one did
    layers.safetensors                   fusion, widened embedder, text, and what trained of a base that lies elsewhere
    pytorch_lora_weights.safetensors     LoRA, as diffusers' `load_lora_weights` reads it
    transformer/                         the base as `FluxTransformer2DModel.from_pretrained` reads it, unless it
                                         lies elsewhere (`spec.base`)
    vae/  rgba_vae/                      the codec's halves, where it has any, as `AutoencoderKL` reads them

Diffusers' own `save_lora_weights` keeps only the LoRA, so what else was trained has a file of its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import torch
from diffusers import AutoencoderKL, FluxPipeline
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor

from model.codec import Codec, PixelCodec
from model.config import resolve
from model.hub import locate
from model.layers import LayerModel
from model.spec import Spec
from model.transformer import ModelError, explain, load_transformer
from model.vae_codec import VaeCodec
from model.weights import on_cpu, read_weights, write_weights
from stages.settings import parse

FORMAT = 1
_LORA = "pytorch_lora_weights.safetensors"


class Loaded(NamedTuple):
    """A model and the codec whose latents it works on."""

    model: LayerModel
    codec: Codec


def save_model(folder: Path, model: LayerModel, codec: Codec, dtype: torch.dtype | None = None) -> None:
    """Write `folder` (made if missing). `dtype` rounds all weights, e.g. to bfloat16 for shipping."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"format": FORMAT, "token_dim": model.token_dim, "spec": model.spec.model_dump()}
    (folder / "layers.json").write_bytes(orjson.dumps(about, option=orjson.OPT_INDENT_2))
    if model.spec.base is None:
        (folder / "transformer").mkdir(exist_ok=True)
        model.transformer.save_config(folder / "transformer")
        weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        write_weights(weights, base_weights(model.transformer.state_dict()), dtype)
    write_weights(folder / "layers.safetensors", own_weights(model), dtype)
    if model.spec.lora:
        lora = {k: on_cpu(v, dtype) for k, v in get_peft_model_state_dict(model.transformer).items()}
        FluxPipeline.save_lora_weights(folder, transformer_lora_layers=lora)
    if isinstance(codec, VaeCodec) and model.spec.base is None:
        codec.vae.save_pretrained(folder / "vae")
    if isinstance(codec, VaeCodec) and codec.rgba_vae is not None:
        codec.rgba_vae.save_pretrained(folder / "rgba_vae")


def load_model(folder: str, revision: str | None = None, dtype: torch.dtype = torch.float32) -> Loaded:
    """Read what `save_model` wrote, into a folder or a repository of the Hub (`model.hub.locate`).

    Raises:
        ModelError: no such folder or Hub id, another format, a base that cannot be loaded, weights of another shape.
    """
    folder, revision = locate(folder, revision)
    about = read_about(Path(folder))
    spec = parse(Spec, about["spec"], f"{folder}/layers.json")
    transformer = load_transformer(base_of(spec, folder), revision, dtype)
    model = LayerModel(spec, transformer, about["token_dim"])
    path = Path(folder) / "layers.safetensors"
    load_weights(model, read_weights(path), path)
    if spec.lora:
        unknown = set_peft_model_state_dict(transformer, _lora(Path(folder) / _LORA)).unexpected_keys
        if unknown:
            raise ModelError(f"{folder}/{_LORA}: weights of layers that the base lacks: {', '.join(unknown[:3])}")
    return Loaded(model, load_codec(spec, folder))


def read_about(folder: Path) -> dict[str, Any]:
    """What `layers.json` says. Raises ModelError where it is missing or of another format."""
    try:
        about: dict[str, Any] = orjson.loads((folder / "layers.json").read_bytes())
    except FileNotFoundError:
        what = "is no layerloom model: it has no layers.json" if folder.is_dir() else "no such folder"
        raise ModelError(f"{folder}: {what}") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{folder}/layers.json: cannot be read: {error}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else about
        raise ModelError(f"{folder}/layers.json: format must be {FORMAT}, is {found}")
    return about


def load_codec(spec: Spec, folder: str) -> Codec:
    """The codec of a model: none to load for pixels, else `vae` of the base and `rgba_vae` of the folder."""
    if spec.codec == "pixel":
        return PixelCodec(spec.pixel_factor)
    rgba = Path(folder) / "rgba_vae"
    return VaeCodec(load_vae(base_of(spec, folder), "vae"), load_vae(folder, "rgba_vae") if rgba.is_dir() else None)


def base_of(spec: Spec, folder: str) -> str:
    """Where the base of a model's folder lies: in it, in another one (of the repository, too), or on the Hub."""
    return resolve(spec.base) if spec.base else folder


def load_vae(model: str, subfolder: str) -> AutoencoderKL:
    """An AutoencoderKL in float32. Raises ModelError as `load_transformer` does."""
    try:
        return AutoencoderKL.from_pretrained(model, subfolder=subfolder)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(explain(f"{model}/{subfolder}", error)) from error


def base_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The base's own names and weights, without what LoRA and the widened embedder put around them."""
    plain = {k.replace(".base_layer.", ".").replace("x_embedder.base.", "x_embedder."): v for k, v in state.items()}
    return {k: v for k, v in plain.items() if ".lora_" not in k and not k.startswith("x_embedder.extra.")}


def own_weights(model: LayerModel) -> dict[str, Tensor]:
    """All weights that are in neither the base nor the LoRA file."""
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    keep = {}
    for name, tensor in model.state_dict().items():
        inside = name.startswith("transformer.") and ".x_embedder.extra." not in name
        if ".lora_" in name or (inside and (model.spec.base is None or name not in trained)):
            continue
        keep[name] = tensor
    return keep


def load_weights(model: LayerModel, weights: Mapping[str, Tensor], path: Path) -> None:
    """Put weights in place. Raises ModelError naming file, weight and both shapes where they do not fit."""
    state = model.state_dict()
    for name, tensor in weights.items():
        if name.startswith("text."):
            setattr(model.text, name.removeprefix("text."), tensor.to(torch.float32))
        elif name not in state:
            raise ModelError(f"{path}: '{name}' is not in this model")
        elif state[name].shape != tensor.shape:
            raise ModelError(f"{path}: '{name}' must be {tuple(state[name].shape)}, is {tuple(tensor.shape)}")
        else:
            state[name].copy_(tensor)


def _lora(path: Path) -> dict[str, Tensor]:
    return {k.removeprefix("transformer."): v for k, v in read_weights(path).items()}
