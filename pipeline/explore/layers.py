"""The layers of a sample as a page reads them: WebP pictures without transparency, each cut to what it shows.

A canvas keeps colours multiplied by alpha in 8 bits (HTML Living Standard, "Premultiplied alpha and the 2D rendering
context"), which loses colours. So colour and alpha are two opaque pictures, and the page puts them together again.
"""

import base64
import io
import zlib
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image

from pipeline.preview import shrink
from stages.alpha import premultiply_pm, unpremultiply
from stages.types import U8

SMALL = 256  # pixels a side of layers that are not stored whole
_COLOUR, _ALPHA = 40, 60  # quality of shrunk pictures
_EMPTY = {"box": [0, 0, 0, 0], "data": ""}


def full_layers(layers: Mapping[str, U8]) -> dict[str, Any]:
    """Every pixel of a sample: `size`, `crc` and `planes`.

    `layers` are the decoded members by name without suffix: uint8 (h, w, 3), (h, w, 4) or (h, w), as `MEMBERS` has
    them. `crc` is the CRC-32 of the composite's RGB bytes, row by row, which the page computes again. `planes` are
    the background, colour and alpha of the object and of what is in front of it, shadow and mask: each a `box`
    (x, y, width, height) and `data`, lossless WebP in base64; an empty one where there is nothing.
    """
    planes = _planes(layers)
    return {
        "size": len(layers["composite"]),
        "crc": zlib.crc32(layers["composite"].tobytes()),
        "planes": {name: _cut(*plane, lossless=True) for name, plane in planes.items()},
    }


def small_layers(layers: Mapping[str, U8]) -> dict[str, Any]:
    """As `full_layers`, shrunk to `SMALL` pixels where larger and compressed with loss; `crc` is null."""
    size = min(len(layers["composite"]), SMALL)
    shrunk = {name: _shrunk(layer, size) for name, layer in layers.items() if name != "composite"}
    shrunk["mask"] = np.where(shrunk["mask"] >= 128, 255, 0).astype(np.uint8)
    for name in ("foreground", "occluder"):
        shrunk[name] = _bled(shrunk[name])
    planes = {name: _cut(*plane, lossless=name == "mask") for name, plane in _planes(shrunk).items()}
    return {"size": size, "crc": None, "planes": planes}


def webp(pixels: U8, quality: int | None) -> bytes:
    """Encode uint8 (h, w, 3) or (h, w) as WebP, lossless where `quality` (0 to 100) is None."""
    sink = io.BytesIO()
    settings = {"lossless": True, "quality": 40, "method": 2} if quality is None else {"quality": quality, "method": 4}
    Image.fromarray(pixels).save(sink, "WEBP", **settings)
    return sink.getvalue()


def _planes(layers: Mapping[str, U8]) -> dict[str, tuple[U8, U8]]:
    """Pictures to store, each with the plane whose zeros need not be stored."""
    fg, oc, everywhere = layers["foreground"], layers["occluder"], np.ones_like(layers["mask"])
    return {
        "background": (layers["background"], everywhere),
        "foreground": (fg[..., :3], fg[..., 3]),
        "foreground_alpha": (fg[..., 3], fg[..., 3]),
        "occluder": (oc[..., :3], oc[..., 3]),
        "occluder_alpha": (oc[..., 3], oc[..., 3]),
        "shadow": (layers["shadow"], layers["shadow"]),
        "mask": (layers["mask"], layers["mask"]),
    }


def _cut(picture: U8, where: U8, lossless: bool) -> dict[str, Any]:
    x, y, width, height = (int(v) for v in cv2.boundingRect(np.ascontiguousarray(where)))
    if not width:
        return _EMPTY
    quality = None if lossless else _COLOUR if picture.ndim == 3 else _ALPHA
    data = webp(np.ascontiguousarray(picture[y : y + height, x : x + width]), quality)
    return {"box": [x, y, width, height], "data": base64.b64encode(data).decode()}


def _shrunk(layer: U8, size: int) -> U8:
    if layer.ndim == 3 and layer.shape[2] == 4:
        return unpremultiply(shrink(premultiply_pm(layer), size))
    return np.asarray(shrink(layer, size))


def _bled(rgba: U8) -> U8:
    """Colours of the nearest pixels where alpha is 0, so that no black bleeds in when colours are compressed."""
    pm = cv2.blur(premultiply_pm(rgba), (9, 9), borderType=cv2.BORDER_CONSTANT)
    near = pm[..., :3] * (255 / np.maximum(pm[..., 3:], 1e-3))
    colour = np.where(rgba[..., 3:] > 0, rgba[..., :3], np.rint(near.clip(0, 255)).astype(np.uint8))
    return np.concatenate([colour, rgba[..., 3:]], axis=2)
