"""Both layers of pictures at a model's own size. Legend: B batch, H W sides of pictures; values in [-1, 1]."""

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from model.codec import Codec
from model.encoded import encode_condition
from model.layers import LayerModel
from model.modalities import Modalities
from model.sampler import Layers, decode_layers, denoise
from model.spec import Spec


def default_size(spec: Spec) -> int:
    """The side in pixels of the squares that a model was made for."""
    return 64 if spec.codec == "pixel" else 1024


def default_steps(spec: Spec) -> int:
    """Steps of the sampler. One gives a mean of all answers, blurred but least wrong: at 64 px more steps add noise."""
    return 1 if spec.codec == "pixel" else 28


def make_layers(
    model: LayerModel,
    codec: Codec,
    modalities: Modalities,
    composite: Tensor,
    mask: Tensor,
    steps: int,
    generator: torch.Generator,
    scheduler: FlowMatchEulerDiscreteScheduler | None = None,
) -> Layers:
    """Both layers of a batch at a size the codec takes: composite (B, 3, H, W), mask (B, 1, H, W) of 0 and 1.

    A model that only repaints, such as a base before it is adapted, runs twice: the object is the picture with all
    outside the mask repainted, its alpha the mask. Raises ValueError for sides that the codec cannot take.
    """
    with torch.inference_mode():
        encoded = encode_condition(model.spec, codec, modalities, composite, mask)
        layers = decode_layers(model, codec, denoise(model, encoded, steps, generator, scheduler), encoded)
        if layers.foreground is not None:
            return layers
        turned = encode_condition(model.spec, codec, modalities, composite, 1 - mask)
        tokens = denoise(model, turned, steps, generator, scheduler)
        outpainted = decode_layers(model, codec, tokens, turned).background
        assert outpainted is not None
        return layers._replace(foreground=torch.cat([outpainted, 2 * mask - 1], dim=1))
