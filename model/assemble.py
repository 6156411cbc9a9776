"""From a configuration to a model that can train."""

from pathlib import Path

import torch

from model.codec import Codec, PixelCodec
from model.config import TrainConfig, resolve
from model.folder import Loaded, base_of, load_model, load_vae, load_weights, own_weights, read_about
from model.layers import LayerModel
from model.lazy_codec import LazyCodec
from model.modalities import Modalities, make_modalities
from model.precomputed import stored_text
from model.rgba_codec import make_rgba_vae
from model.spec import Spec
from model.text import Prompt, encode_prompt
from model.transformer import load_transformer, new_transformer
from model.vae_codec import VaeCodec
from stages.settings import ManifestError, parse


def assemble(config: TrainConfig) -> Loaded:
    """The base, adapted as `config.adapt` says, and its codec.

    From pre-computed latents neither a VAE nor a text encoder is kept in memory.

    Raises:
        ManifestError: a new transformer with another codec than pixels.
        ModelError: the base is missing, gated or of another shape, or a pattern of `adapt` matches nothing.
        DataError: the pre-computed words are missing.
    """
    spec = wiring(config)
    codec = make_codec(config, spec)
    if config.base.shape is not None:
        return Loaded(_new(config, spec, codec), codec)
    location = _location(config)
    if _ours(location):
        return Loaded(_adapted(config, spec, location), codec)
    dtype = torch.bfloat16 if config.machine.precision == "bf16" else torch.float32
    transformer = load_transformer(location, config.base.revision, dtype)
    model = LayerModel(spec, transformer, 4 * codec.channels, config.seed)
    prompt = stored_text(config) if config.precomputed and has_words(config, spec) else words(config, spec)
    if prompt:
        model.text.tokens, model.text.pooled = prompt
    return Loaded(model, codec)


def wiring(config: TrainConfig) -> Spec:
    """The specification of the model that `assemble` makes, without its weights. Raises as `assemble` does."""
    base, adapt = config.base, config.adapt
    own = {"branches": adapt.branches, "lora": adapt.lora, "fusion": adapt.fusion, "trained": adapt.train}
    if base.shape is not None:
        if base.spec.codec != "pixel":
            raise ManifestError(f'{config.name}: base.spec.codec: must be "pixel" for a new transformer (base.shape)')
        return base.spec.model_copy(update=own | {"base": None})
    location = _location(config)
    if not _ours(location):
        return base.spec.model_copy(update=own | {"base": location})
    return parse(Spec, read_about(Path(location))["spec"], f"{location}/layers.json").model_copy(update=own)


def make_codec(config: TrainConfig, spec: Spec) -> Codec:
    """Pixels, or the base's VAE with the RGBA VAE that `base.rgba` or the base's folder holds, else a new one.

    Raises ModelError where one cannot be loaded.
    """
    if spec.codec == "pixel":
        return PixelCodec(spec.pixel_factor)
    location = _location(config)
    rgba = resolve(config.base.rgba) if config.base.rgba else location

    def load() -> VaeCodec:
        vae = load_vae(base_of(spec, location), "vae")
        trained = config.base.rgba or (Path(rgba) / "rgba_vae").is_dir()
        return VaeCodec(vae, load_vae(rgba, "rgba_vae") if trained else make_rgba_vae(vae))

    return LazyCodec(load) if config.precomputed else load()


def has_words(config: TrainConfig, spec: Spec) -> bool:
    """Whether the base is another's, whose text encoders read the prompt; a model of ours keeps what they said."""
    return config.base.model is not None and not _ours(_location(config)) and spec.text_tokens > 0


def words(config: TrainConfig, spec: Spec, device: str = "cpu") -> Prompt | None:
    """The prompt as the base's text encoders read it; None where there are none. Raises ModelError."""
    if not has_words(config, spec):
        return None
    return encode_prompt(_location(config), spec.prompt, spec.text_tokens, config.base.revision, device)


def modalities_of(spec: Spec) -> Modalities:
    """What turns a picture into the views that the fusion reads; none without a fusion."""
    return make_modalities(spec.fusion)


def _location(config: TrainConfig) -> str:
    assert config.base.model is not None
    return resolve(config.base.model)


def _ours(location: str) -> bool:
    return (Path(location) / "layers.json").is_file()


def _new(config: TrainConfig, spec: Spec, codec: Codec) -> LayerModel:
    assert config.base.shape is not None
    token_dim = 4 * codec.channels
    context_dim = token_dim + 4 * codec.factor**2
    transformer = new_transformer(config.base.shape, token_dim, context_dim, config.seed)
    return LayerModel(spec, transformer, token_dim, config.seed)


def _adapted(config: TrainConfig, spec: Spec, location: str) -> LayerModel:
    """A model of ours goes on: its wiring, its text; its own LoRA or fusion cannot be stacked upon."""
    base = load_model(location)
    transformer = load_transformer(base_of(base.model.spec, location), None, torch.float32)
    model = LayerModel(spec, transformer, base.model.token_dim, config.seed)
    kept = {k: v for k, v in own_weights(base.model).items() if k.startswith("text.")}
    load_weights(model, kept, Path(location))
    return model
