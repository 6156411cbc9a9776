"""Baselines without a network: each fills the mask from what is around it, or does nothing.

Colours are sRGB-encoded throughout, as viewers and the other methods have them. The foreground of all is the picture
with the mask as alpha.
"""

from functools import partial
from typing import Any

import cv2
import numpy as np
from pydantic import Field

from evaluation.layers import Answer
from evaluation.methods.holes import filler, mask_of, rgba
from evaluation.methods.made import Made, NoOptions, key_of, needed
from evaluation.sample import Item
from model.resize import resample
from stages.types import F32, U8, Frozen, Mask

_ROUNDING = 1e-5  # shares of a pixel that differ by no more are the same


class Radius(Frozen):
    """Pixels around each one that is filled, which it is filled from."""

    radius: float = Field(3.0, ge=1, le=64)


class Biharmonic(Frozen):
    """`pixels`: about how many masked pixels are solved for at most; 20,000 take about half a second."""

    pixels: int = Field(20_000, ge=1_000, le=10_000_000)


def make_copy_input(options: NoOptions) -> Made:
    """Background: the picture as it is, object and all. No metric of removal may prefer it inside the mask."""

    def method(item: Item) -> Answer:
        return Answer(item.picture.copy(), rgba(item.picture, mask_of(item, "copy-input").astype(np.float32)))

    return Made(method, key_of("copy-input", options, ()))


def make_mask_as_alpha(options: NoOptions) -> Made:
    """The mask as the object's alpha; no background."""

    def method(item: Item) -> Answer:
        return Answer(None, rgba(item.picture, mask_of(item, "mask-as-alpha").astype(np.float32)))

    return Made(method, key_of("mask-as-alpha", options, ()))


def make_mean_fill(options: NoOptions) -> Made:
    """One colour: the mean of all pixels outside the mask."""

    def fill(picture: U8, mask: Mask) -> F32:
        mean = picture[~mask].mean(axis=0, dtype=np.float64).astype(np.float32)
        return np.broadcast_to(mean, picture.shape)

    return Made(filler("mean-fill", fill), key_of("mean-fill", options, (np,)))


def make_telea(options: Radius) -> Made:
    """Fast marching (Telea, "An image inpainting technique based on the fast marching method", JGT 2004), by OpenCV."""
    return Made(filler("telea", partial(telea, radius=options.radius)), key_of("telea", options, (cv2,)))


def make_navier_stokes(options: Radius) -> Made:
    """Isophotes continued into the mask, by OpenCV.

    Bertalmio, Bertozzi and Sapiro, "Navier-Stokes, fluid dynamics, and image and video inpainting", CVPR 2001.
    """

    def fill(picture: U8, mask: Mask) -> U8:
        return np.asarray(cv2.inpaint(picture, mask.view(np.uint8), options.radius, cv2.INPAINT_NS), np.uint8)

    return Made(filler("navier-stokes", fill), key_of("navier-stokes", options, (cv2,)))


def make_biharmonic(options: Biharmonic) -> Made:
    """Biharmonic functions (Damelin and Hoang, IJMMS 2018, 3950312), by scikit-image, all channels alike.

    Of a mask of more than `pixels` pixels a smaller picture is solved, in which so many are masked, and the result
    enlarged linearly: time and memory grow faster than the mask.
    """
    skimage = needed("biharmonic", "skimage", "eval")
    restoration = needed("biharmonic", "skimage.restoration", "eval")
    fill = partial(_biharmonic, restoration.inpaint_biharmonic, options.pixels)
    return Made(filler("biharmonic", fill), key_of("biharmonic", options, (skimage, cv2)))


def make_smooth_fill(options: NoOptions) -> Made:
    """The push-pull interpolation of `model.fill`, which our models start from."""
    torch = needed("smooth-fill", "torch", "train")
    smooth_fill = needed("smooth-fill", "model.fill", "train").smooth_fill

    def fill(picture: U8, mask: Mask) -> F32:
        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))[None]).float()
        known = torch.from_numpy(~mask[None, None]).float()
        return np.asarray(smooth_fill(planes, known)[0].permute(1, 2, 0).numpy(), np.float32)

    return Made(filler("smooth-fill", fill), key_of("smooth-fill", options, (torch,)))


def telea(picture: U8, mask: Mask, radius: float = 3.0) -> U8:
    """uint8 (h, w, 3) with the pixels of a bool mask (h, w) filled from what is within `radius` pixels."""
    return np.asarray(cv2.inpaint(picture, mask.view(np.uint8), radius, cv2.INPAINT_TELEA), np.uint8)


def _biharmonic(solve: Any, pixels: int, picture: U8, mask: Mask) -> F32:
    height, width = mask.shape
    scale = min(1.0, float(np.sqrt(pixels / np.count_nonzero(mask))))
    high, wide = max(1, int(height * scale)), max(1, int(width * scale))
    known = resample((~mask).astype(np.float32), high, wide)
    # Pixels that are known in part have means that lie beside their centres, and biharmonic functions swing after such.
    hole = known < 1 - _ROUNDING
    hole = known < _ROUNDING if hole.all() else hole
    colour = resample(picture * (~mask)[..., None], high, wide) / np.maximum(known, _ROUNDING)[..., None]
    # float64: in float32 the solver's error shows
    small = 255 * solve(colour.astype(np.float64) / 255, hole, channel_axis=-1) if hole.any() else colour
    return resample(np.asarray(small, np.float32), height, width)
