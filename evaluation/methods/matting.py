"""IS-Net as a matting method: the object is what the network finds in the picture."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from evaluation.errors import EvalError
from evaluation.layers import Answer
from evaluation.methods.classical import telea
from evaluation.methods.holes import filled, mask_of, rgba
from evaluation.methods.made import Made, file_hash, key_of, needed
from evaluation.metrics.regions import regions
from evaluation.sample import Item
from model.commands.matting import cached_isnet
from stages.colour import Foreground, estimate_foreground
from stages.networks import OnnxMatter
from stages.types import F32, Frozen, Mask


class IsNet(Frozen):
    """`path`: an ONNX matting network, by default the IS-Net that the data engine fetched.

    `near`: alpha is 0 farther than so many pixels from the mask; by default the network's word counts everywhere, and
    the mask is not looked at. `colour`: how the old background is taken out of soft pixels (`stages.colour`).
    """

    path: str | None = Field(None, min_length=1)
    near: int | None = Field(None, ge=0, le=4096)
    colour: Foreground = "ml"
    device: Literal["cpu", "cuda"] = "cpu"
    threads: int = Field(1, ge=1, le=256)


def make_isnet(options: IsNet) -> Made:
    """Foreground: the network's alpha, colours without the old background. Background: Telea's.

    Of an item without a mask, or with a full one, there is no background.

    Raises EvalError where there is no such file (the text says how to get it) or where it is no matting network; so
    does the method, with `near` for an item without a mask.
    """
    path = Path(options.path) if options.path else cached_isnet()
    if not path.is_file():
        advice = "`make data` fetches IS-Net" if options.path is None else "it must be an ONNX matting network"
        raise EvalError(f"method 'isnet': {path}: no such file; {advice}, or give isnet:FILE.onnx")
    onnxruntime = needed("isnet", "onnxruntime", "eval")
    try:
        network = OnnxMatter(str(path), device=options.device, threads=options.threads)
    except ValueError as error:
        raise EvalError(f"method 'isnet': {error}") from error

    def method(item: Item) -> Answer:
        try:
            alpha = _near(network.alpha(item.picture), item, options.near)
        except ValueError as error:
            raise EvalError(f"{item.id}: {error}") from error
        colour = estimate_foreground(item.picture, alpha, options.colour)
        fillable = item.mask is not None and not item.mask.all()
        background = filled(item, mask_of(item, "isnet"), "isnet", telea) if fillable else None
        return Answer(background, rgba(colour, alpha))

    return Made(method, key_of("isnet", options, (onnxruntime, cv2, np), file_hash(path)))


def _near(alpha: F32, item: Item, pixels: int | None) -> F32:
    if pixels is None:
        return alpha
    if item.mask is None:
        raise EvalError("has no mask, which 'isnet' with near needs")
    return np.where(_grown(item.mask, pixels), alpha, np.float32(0))


def _grown(mask: Mask, pixels: int) -> Mask:
    return mask | regions(mask, pixels)["ring"]
