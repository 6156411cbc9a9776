"""What a camera and a careless user add, in training only. Arrays as in `model.data.sample.Pixels`."""

import cv2
import numpy as np

from model.data.options import DataOptions
from model.data.sample import Pixels
from stages.masks import MASK_KINDS, NUM_JITTER, imperfect_mask
from stages.types import U8, Mask


def augment(pixels: Pixels, options: DataOptions, rng: np.random.Generator) -> Pixels:
    """A flip of everything, a camera pass over the composite, another mask; each with its probability."""
    flip, noise, blur, jpeg, mask = rng.random(5) < (
        options.flip,
        options.noise,
        options.blur,
        options.jpeg,
        options.mask_noise,
    )
    if flip:
        pixels = Pixels._make(np.ascontiguousarray(a[:, ::-1]) for a in pixels)
    if mask:
        pixels = pixels._replace(mask=other_mask(pixels, rng))
    return pixels._replace(composite=camera(pixels.composite, bool(blur), bool(noise), bool(jpeg), rng))


def camera(picture: U8, blur: bool, noise: bool, jpeg: bool, rng: np.random.Generator) -> U8:
    """Blur (sigma 0.3 to 1 px), Gaussian noise (sigma 1 to 8 levels) and JPEG (quality 40 to 95), where asked."""
    sigma, level, quality = rng.uniform(0.3, 1.0), rng.uniform(1, 8), int(rng.integers(40, 96))
    if blur:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
    if noise:
        picture = np.rint(picture + rng.normal(0, level, picture.shape)).clip(0, 255).astype(np.uint8)
    if jpeg:
        data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()
    return picture


def visible_alpha(pixels: Pixels) -> U8:
    """(h, w) alpha of the object where nothing lies before it, rounded to 8 bits."""
    own, before = (a[..., 3].astype(np.uint32) for a in (pixels.foreground, pixels.occluder))
    return ((own * (255 - before) + 127) // 255).astype(np.uint8)


def other_mask(pixels: Pixels, rng: np.random.Generator) -> Mask:
    """Another imperfect mask of the visible object; the given one where too little shows."""
    true = visible_alpha(pixels) >= 128
    if np.count_nonzero(true) < 16:
        return pixels.mask
    kind = MASK_KINDS[rng.integers(len(MASK_KINDS))]
    return imperfect_mask(true, kind, rng.random(), tuple(rng.random(NUM_JITTER)))
