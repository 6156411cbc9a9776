"""A tiny transformer of FLUX's class, and pictures for it: what the tests of the model share."""

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from model.batch import Batch, Cursor
from model.codec import Codec, PixelCodec
from model.encoded import Encoded, encode
from model.layers import LayerModel
from model.modalities import make_modalities
from model.spec import Fusion, Lora, Shape, Spec
from model.transformer import new_transformer

torch.set_num_threads(1)

SHAPE = Shape(num_layers=1, num_single_layers=1, num_heads=2, head_dim=8, text_dim=12, pooled_dim=16, axes=(2, 2, 4))
FUSION = Fusion(modalities=("picture", "edge"), width=16, num_latents=3, num_heads=2, out_dim=5)
LORA = Lora(rank=2, alpha=2.0)
PIXELS = Spec(codec="pixel", pixel_factor=2)
TOKEN = 64  # latents of a token with factor 2, of which the mask adds 16


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


def picture(seed: int, channels: int = 3, height: int = 8, width: int = 12, batch: int = 2) -> Tensor:
    """Uniform in [-1, 1]."""
    return torch.rand((batch, channels, height, width), generator=generator(seed)) * 2 - 1


def mask(seed: int, height: int = 8, width: int = 12, batch: int = 2) -> Tensor:
    """0 and 1, each pixel by chance."""
    return (torch.rand((batch, 1, height, width), generator=generator(seed)) < 0.4).float()


def sample(height: int = 8, width: int = 12) -> Batch:
    """Random pictures; the object's alpha is 0 in places, and its colour black there."""
    size = {"height": height, "width": width}
    alpha = picture(4, 1, **size).mul(1.5).clamp(-1, 1)
    colour = torch.where(alpha > -1, picture(5, **size), -1.0)
    visible = (alpha + 1) / 2
    return Batch(
        picture(1, **size),
        picture(2, **size),
        torch.cat([colour, alpha], dim=1),
        visible,
        mask(3, **size),
        ("a", "b"),
        Cursor(),
    )


def base(token: int = TOKEN, context: int = TOKEN + 16, shape: Shape = SHAPE, seed: int = 0) -> FluxTransformer2DModel:
    """Random weights, the last layer's too."""
    made = new_transformer(shape, token, context, seed)
    with torch.no_grad():
        made.proj_out.weight.copy_(normal(seed + 1, *made.proj_out.weight.shape) * 0.1)
        made.proj_out.bias.copy_(normal(seed + 2, *made.proj_out.bias.shape) * 0.1)
    return made


def layer_model(spec: Spec, transformer: FluxTransformer2DModel | None = None) -> LayerModel:
    return LayerModel(spec, base() if transformer is None else transformer, TOKEN)


def tokens_of(spec: Spec, batch: Batch | None = None, codec: Codec | None = None) -> Encoded:
    return encode(spec, codec or PixelCodec(2), make_modalities(spec.fusion), batch or sample())


def trained_names(module: nn.Module) -> set[str]:
    return {name for name, parameter in module.named_parameters() if parameter.requires_grad}


def projections(doubles: int, singles: int) -> set[str]:
    """Every attention and feed-forward projection of so many blocks, by hand."""
    names = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    double = [*(f"attn.{n}" for n in names), *(f"{ff}.net.{n}" for ff in ("ff", "ff_context") for n in ("0.proj", "2"))]
    single = ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out"]
    return {f"transformer_blocks.{i}.{n}" for i in range(doubles) for n in double} | {
        f"single_transformer_blocks.{i}.{n}" for i in range(singles) for n in single
    }
