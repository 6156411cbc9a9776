"""Other views of a picture, which the fusion reads. Legend: B batch, C channels, H W sides.

Each maps pictures to maps of the same size: (B, 3, H, W) float32 in [-1, 1], sRGB-encoded, to the same shape, range
and device; "amodal" also looks at the mask, (B, 1, H, W) of 0 and 1. No gradient flows through any but "picture".
"segmentation" and "depth" come from transformers, which is imported only then.
"""

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from model.amodal import load_amodal
from model.config import resolve
from model.spec import Fusion
from model.transformer import ModelError, explain
from stages.lazy import library, quiet
from stages.types import U8

Modality = Callable[[Tensor], Tensor]  # of a picture
Masked = Callable[[Tensor, Tensor], Tensor]  # of a picture and a mask

_BELOW, _ABOVE = 0.67, 1.33  # of the median


class Modalities:
    """Several views in a fixed order, by name."""

    def __init__(self, views: Mapping[str, Masked]) -> None:
        self._views = dict(views)

    def __call__(self, picture_BCHW: Tensor, mask_B1HW: Tensor) -> dict[str, Tensor]:
        """One (B, 3, H, W) map for each view."""
        return {name: view(picture_BCHW, mask_B1HW) for name, view in self._views.items()}


def make_modalities(fusion: Fusion | None) -> Modalities:
    """The views that `fusion` names, in its order; none without a fusion. Raises ModelError, see `Network`."""
    return Modalities({name: MODALITIES[name](fusion) for name in fusion.modalities} if fusion else {})


def picture_view(picture_BCHW: Tensor) -> Tensor:
    """The picture itself: without it the model sees only what its own branch may keep."""
    return picture_BCHW


def edge_view(picture_BCHW: Tensor) -> Tensor:
    """1 on edges, -1 elsewhere, three equal channels: Canny (PAMI 1986) of the grey picture, by OpenCV.

    Hysteresis runs from 0.67 to 1.33 times the median grey, at most 255 (a common rule of thumb, so that dark
    pictures have edges too); the gradient is the sum of both absolute 3 x 3 Sobel derivatives.
    """
    maps = [torch.from_numpy(_edges(rgb)) for rgb in _to_u8(picture_BCHW)]
    edges = torch.stack(maps)[:, None].to(picture_BCHW) / 127.5 - 1
    return edges.expand(-1, 3, -1, -1)


class Network:
    """A network of transformers and its image processor, by Hub id or folder; it follows the picture's device.

    Weights are read from safetensors only, and code that lies beside them is never run.
    Raises ModelError, naming `key` and saying what to do, where a library or the model is missing or unfit.
    """

    def __init__(self, key: str, auto_class: str, model: str) -> None:
        asked: dict[str, Any] = {"trust_remote_code": False}
        try:
            transformers = library("transformers")
            with quiet():
                self._images: Any = transformers.AutoImageProcessor.from_pretrained(model, backend="pil", **asked)
                loaded = getattr(transformers, auto_class).from_pretrained(
                    model, dtype=torch.float32, use_safetensors=True, **asked
                )
        except Exception as error:  # whatever a folder of unknown origin makes the loader raise
            view = key.removesuffix("_model")
            advice = f"give a folder or Hub id in fusion.{key}, or leave '{view}' out of fusion.modalities"
            raise ModelError(f"fusion.{key}: {explain(model, error)}; {advice}") from error
        self._network: Any = loaded.eval().requires_grad_(False)

    def run(self, picture_BCHW: Tensor) -> Any:
        """What the network says of the pictures, resized and normalised as its image processor does."""
        device = picture_BCHW.device
        seen = self._images(images=list(_to_u8(picture_BCHW)), input_data_format="channels_last", return_tensors="pt")
        return self._network.to(device)(seen["pixel_values"].to(device))


def segmentation_view(model: str) -> Modality:
    """Each pixel in the colour of its likeliest class: SegFormer (Xie et al., NeurIPS 2021) or a model like it."""
    network = Network("segmentation_model", "AutoModelForSemanticSegmentation", model)

    def view(picture_BCHW: Tensor) -> Tensor:
        logits = network.run(picture_BCHW).logits
        # One at a time: 150 classes of a megapixel are 600 MB.
        classes = [_resized(one[None], picture_BCHW, "bilinear").argmax(1)[0] for one in logits]
        colours = class_colours(logits.shape[1]).to(picture_BCHW)
        return colours[torch.stack(classes)].permute(0, 3, 1, 2)

    return view


def depth_view(model: str) -> Modality:
    """1 where nearest, -1 where farthest, three equal channels; 0 all over a picture without depth.

    Depth Anything V2 (Yang et al., NeurIPS 2024), whose inverse depth has no scale: each picture is stretched.
    """
    network = Network("depth_model", "AutoModelForDepthEstimation", model)

    def view(picture_BCHW: Tensor) -> Tensor:
        depth = _resized(network.run(picture_BCHW).predicted_depth[:, None], picture_BCHW, "bicubic")
        low, high = depth.amin((1, 2, 3), keepdim=True), depth.amax((1, 2, 3), keepdim=True)
        stretched = 2 * (depth - low) / (high - low).clamp_min(1e-12) - 1
        return torch.where(high > low, stretched, torch.zeros_like(depth)).expand(-1, 3, -1, -1)

    return view


def amodal_view(model: str) -> Masked:
    """1 where the object is, seen or hidden, -1 elsewhere, three equal channels, by the network of a folder."""
    network = load_amodal(resolve(model)).eval().requires_grad_(False)

    def view(picture_BCHW: Tensor, mask_B1HW: Tensor) -> Tensor:
        return (2 * network.to(picture_BCHW.device).alpha(picture_BCHW, mask_B1HW) - 1).expand(-1, 3, -1, -1)

    return view


def class_colours(count: int) -> Tensor:
    """(count, 3) float32 in [-1, 1], all different; class 0 is black.

    The colour map of the PASCAL VOC development kit: bits 0, 1, 2, 3, ... of the class go to the highest bit of red,
    green and blue, then to the next one.
    """
    classes = torch.arange(count)[:, None]
    channel = torch.arange(3)
    levels = sum((classes >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
    assert isinstance(levels, Tensor)
    return levels / 127.5 - 1


def _of_picture(view: Modality) -> Masked:
    return lambda picture, _: view(picture)


MODALITIES: dict[str, Callable[[Fusion], Masked]] = {
    "picture": lambda _: _of_picture(picture_view),
    "edge": lambda _: _of_picture(edge_view),
    "amodal": lambda fusion: amodal_view(fusion.amodal_model),
    "segmentation": lambda fusion: _of_picture(segmentation_view(fusion.segmentation_model)),
    "depth": lambda fusion: _of_picture(depth_view(fusion.depth_model)),
}


def _to_u8(picture_BCHW: Tensor) -> U8:
    """(B, H, W, 3) in 0..255."""
    levels = ((picture_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    pixels: U8 = np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())
    return pixels


def _edges(rgb: U8) -> U8:
    """(H, W) of 0 and 255."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    median = float(np.median(grey))
    return np.asarray(cv2.Canny(grey, _BELOW * median, min(_ABOVE * median, 255)), np.uint8)


def _resized(maps_BCHW: Tensor, like: Tensor, mode: str) -> Tensor:
    return interpolate(maps_BCHW, size=like.shape[-2:], mode=mode, align_corners=False)
