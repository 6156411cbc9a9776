"""From a configuration to a model that can train."""

from pathlib import Path

import torch

from model.codec import Codec, PixelCodec
from model.config import ROOT, TrainConfig
from model.folder import Loaded, load_codec, load_model, load_vae, load_weights, own_weights
from model.layers import LayerModel
from model.modalities import Modalities, make_modalities
from model.rgba_codec import make_rgba_vae
from model.spec import Spec
from model.transformer import load_transformer, new_transformer
from model.vae_codec import VaeCodec


def assemble(config: TrainConfig) -> Loaded:
    """The base, adapted as `config.adapt` says, and its codec.

    Raises:
        ModelError: the base is missing, gated or of another shape, or a pattern of `adapt` matches nothing.
    """
    base, adapt = config.base, config.adapt
    own = {"branches": adapt.branches, "lora": adapt.lora, "fusion": adapt.fusion, "trained": adapt.train}
    if base.shape is not None:
        return _new(config, base.spec.model_copy(update=own | {"base": None}))
    assert base.model is not None
    location = resolve(base.model)
    if (Path(location) / "layers.json").is_file():
        return _adapted(config, location, own)
    dtype = torch.bfloat16 if config.machine.precision == "bf16" else torch.float32
    spec = base.spec.model_copy(update=own | {"base": location})
    transformer = load_transformer(location, base.revision, dtype)
    vae = load_vae(location, "vae")
    codec = VaeCodec(vae, make_rgba_vae(vae))
    return Loaded(LayerModel(spec, transformer, 4 * codec.channels, config.seed), codec)


def resolve(model: str) -> str:
    """A folder of the repository where there is one of that name, else the name as it is (a folder, or a Hub id)."""
    inside = ROOT / model
    return str(inside) if inside.is_dir() and not Path(model).is_dir() else model


def modalities_of(spec: Spec) -> Modalities:
    """What turns a picture into the views that the fusion reads; none without a fusion."""
    return make_modalities(spec.fusion)


def _new(config: TrainConfig, spec: Spec) -> Loaded:
    assert config.base.shape is not None
    codec: Codec = PixelCodec(spec.pixel_factor)
    token_dim = 4 * codec.channels
    context_dim = token_dim + 4 * codec.factor**2
    transformer = new_transformer(config.base.shape, token_dim, context_dim, config.seed)
    return Loaded(LayerModel(spec, transformer, token_dim, config.seed), codec)


def _adapted(config: TrainConfig, location: str, own: dict[str, object]) -> Loaded:
    """A model of ours goes on: its wiring, its text, its codec; its own LoRA or fusion cannot be stacked upon."""
    base = load_model(location)
    spec = base.model.spec.model_copy(update=own)
    transformer = load_transformer(base.model.spec.base or location, None, torch.float32)
    model = LayerModel(spec, transformer, base.model.token_dim, config.seed)
    kept = {k: v for k, v in own_weights(base.model).items() if k.startswith("text.")}
    load_weights(model, kept, Path(location))
    return Loaded(model, load_codec(base.model.spec, location))
