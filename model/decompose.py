"""A picture and a mask become two layers, at the picture's own size.

Legend: B batch, C channels, H W sides of pictures. Tensors are float32 in [-1, 1], arrays uint8, both sRGB-encoded.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from PIL import Image
from torch import Tensor, nn

from model.codec import Codec, PixelCodec
from model.detail import Full, Small, enlarge, enlarge_detailed, paste_known, pixel_of
from model.estimate import default_size, default_steps, make_layers
from model.folder import load_model, save_model
from model.layers import LayerModel
from model.modalities import make_modalities
from model.pictures import PictureError, as_mask, as_picture, check_same_size
from model.resize import resample, working_mask, working_size
from model.sampler import make_scheduler
from model.transformer import ModelError
from model.vae_codec import VaeCodec
from stages.alpha import over_rgb
from stages.types import F32, U8, Mask, Patch

DEFAULT_MODEL = "weights/nano-adapt"
MAX_SIZE, MAX_STEPS = 4096, 1000


class LayersOutput(NamedTuple):
    """uint8, sRGB-encoded: `foreground` (h, w, 4) straight RGBA, RGB 0 where alpha is 0; `background` (h, w, 3);
    `recomposed` (h, w, 3), the foreground over the background as PNG viewers show it."""

    foreground: U8
    background: U8
    recomposed: U8


class LayerDecompositionPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Takes an object, marked by a mask, out of a picture, and repaints what it hid.

    Args:
        layers: the model.
        scheduler: of its Euler steps; it takes its shift at run time.
        vae: the codec for opaque pictures, and
        rgba_vae: the one for the object; both None for a model on pixels.

    Raises:
        ModelError: the model has no branch for the background.
    """

    _optional_components = ["vae", "rgba_vae"]

    def __init__(
        self,
        layers: LayerModel,
        scheduler: FlowMatchEulerDiscreteScheduler,
        vae: AutoencoderKL | None = None,
        rgba_vae: AutoencoderKL | None = None,
    ) -> None:
        super().__init__()
        if "background" not in layers.spec.branches:
            raise ModelError(f"branches: a model must have 'background' to take pictures apart, has {_list(layers)}")
        self.register_modules(layers=layers.eval(), scheduler=scheduler, vae=vae, rgba_vae=rgba_vae)
        self.codec: Codec = PixelCodec(layers.spec.pixel_factor) if vae is None else VaeCodec(vae, rgba_vae)
        self.modalities = make_modalities(layers.spec.fusion)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        revision: str | None = None,
        torch_dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Read a folder that `save_pretrained`, or a training run, wrote (`model.folder`).

        The name may be a Hub id, `org/name`, at `revision`; for a folder, `revision` is that of a base that lies
        elsewhere, whose type is `torch_dtype`. Raises ModelError, see `load_model`.
        """
        model, codec = load_model(os.fspath(pretrained_model_name_or_path), revision, torch_dtype)
        parts = (codec.vae, codec.rgba_vae) if isinstance(codec, VaeCodec) else (None, None)
        for part in (model, *parts):
            _align(part)
        return cls(model, make_scheduler(), *parts)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *, dtype: torch.dtype | None = None) -> None:
        """Write one folder with everything, see `model.folder`. `dtype` rounds the model's weights."""
        save_model(Path(save_directory), self.layers, self.codec, dtype)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move all parts, as `torch.nn.Module.to`."""
        for part in (self.layers, self.vae, self.rgba_vae):
            if part is not None:
                part.to(*args, **kwargs)
        return self

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.layers.transformer.device
        return device

    def __call__(
        self,
        image: Image.Image | U8,
        mask: Image.Image | U8 | Mask,
        *,
        steps: int | None = None,
        seed: int = 0,
        size: int | None = None,
        detail: bool = True,
        paste_back: bool = False,
    ) -> LayersOutput:
        """Take `image` apart. The same arguments and number of threads give the same bytes on one machine.

        Args:
            image: Pillow image, or uint8 (h, w, 3).
            mask: of the same size; Pillow image or uint8, the object above 127, or bool.
            steps: of the sampler, 1 to 1000; by default `default_steps`. One gives the mean of all answers.
            seed: of its noise.
            size: the model works at about `size` x `size` pixels at the picture's aspect ratio, then the layers are
                brought to the picture's size; by default what the model was made for (`default_size`).
            detail: alpha's edges, visible colours of the object and fine structure of the background away from it
                come from the picture (`model.detail.enlarge_detailed`). False: all is the model's own, enlarged.
            paste_back: background pixels that are not near the mask are the picture's own (`paste_known`).

        Raises:
            PictureError: unfit arguments, a mask of another size, an empty or full one; too little memory.
        """
        picture, marked = as_picture(image), as_mask(mask)
        check_same_size(picture, marked)
        size = default_size(self.layers.spec) if size is None else size
        steps = default_steps(self.layers.spec) if steps is None else steps
        _check("size", size, 2 * self.codec.factor, MAX_SIZE)
        _check("steps", steps, 1, MAX_STEPS)
        small = self._small(picture, marked, size, steps, seed)
        exact = picture.astype(np.float32)
        full = enlarge_detailed(small, exact, marked) if detail else enlarge(small, marked.shape[0], marked.shape[1])
        reach = pixel_of(small.alpha, picture) if paste_back else None
        return _finish(full, picture, marked, reach)

    def _small(self, picture: U8, mask: Mask, size: int, steps: int, seed: int) -> Small:
        height, width = working_size(mask.shape[0], mask.shape[1], size, 2 * self.codec.factor)
        seen = resample(picture, height, width)
        composite = _to_tensor(seen).to(self.device)
        marked = torch.from_numpy(working_mask(mask, height, width)[None, None]).to(composite)
        generator = torch.Generator().manual_seed(seed)
        try:
            made = make_layers(
                self.layers, self.codec, self.modalities, composite, marked, steps, generator, self.scheduler
            )
        except torch.OutOfMemoryError:
            raise PictureError(
                f"size: {width} x {height} pixels do not fit into the memory of {self.device}; give a smaller size"
            ) from None
        assert made.background is not None
        assert made.foreground is not None
        colour, alpha = _to_levels(made.foreground[:, :3]), _to_levels(made.foreground[:, 3:])[..., 0] / np.float32(255)
        return Small(seen, _to_levels(made.background), colour, alpha)


def recompose(foreground: U8, background: U8) -> U8:
    """Straight RGBA (h, w, 4) over opaque (h, w, 3), exactly rounded."""
    out = background.copy()
    over_rgb(out, Patch(foreground, 0, 0))
    return out


def _finish(full: Full, picture: U8, mask: Mask, reach: int | None) -> LayersOutput:
    foreground = np.rint(np.dstack([full.colour, 255 * full.alpha])).clip(0, 255).astype(np.uint8)
    foreground[foreground[..., 3] == 0] = 0
    background = np.rint(full.background).clip(0, 255).astype(np.uint8)
    if reach is not None:
        background = paste_known(background, picture, mask, reach)
    return LayersOutput(foreground, background, recompose(foreground, background))


def _to_tensor(picture: F32) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] / 127.5 - 1


def _to_levels(tensor_1CHW: Tensor) -> F32:
    levels: F32 = ((tensor_1CHW[0].float().cpu() + 1) * 127.5).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(levels)


def _align(part: nn.Module | None) -> None:
    """Move weights from the file's map to memory of their own, in place.

    In the map they begin anywhere, and torch's kernels round otherwise for addresses that are not multiples of 64: a
    model would answer differently after it was saved and read.
    """
    for parameter in part.parameters() if part is not None else ():
        parameter.data = parameter.data.clone()


def _check(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise PictureError(f"{name}: must be {low} to {high}, is {value}")


def _list(layers: LayerModel) -> str:
    return ", ".join(repr(b) for b in layers.spec.branches) or "none"
