"""Layers of a MULAN annotation over their photograph.

An annotation (`stages.pickles.load_packed` reads its file) holds "background" and "instances", each as what to keep
of the photograph and what to add to it; see https://huggingface.co/datasets/mulan-dataset/v1.0 and arXiv:2404.02790.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.decode import DecodeError
from stages.types import F32, U8


def layers(content: Any, name: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """Background, instances in order, and the whole image's captions of an annotation's `content`.

    Instances are a list, or a dict whose values count in their order. Raises DecodeError (bad_annotation).
    """
    if not isinstance(content, dict) or not isinstance(content.get("background"), dict):
        raise _bad(name, "no dict with a 'background'")
    instances = content.get("instances")
    rows = list(instances.values()) if isinstance(instances, dict) else instances
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _bad(name, "'instances' is no list or dict of dicts")
    image = content.get("image")
    return content["background"], rows, image if isinstance(image, dict) else {}


def compose(rgb: U8, layer: dict[str, Any], name: str) -> U8:
    """Colour of a layer, uint8 (h, w, 3): what its masks keep of the photograph `rgb`, plus its delta.

    x = rgb * original_image_mask (* instance_mask where there is one) + inpainted_delta, rounded and clipped.
    Raises DecodeError (bad_annotation, size_mismatch).
    """
    kept = rgb * _scaled(_plane(layer, "original_image_mask", rgb.shape, name), 1.0)
    if layer.get("instance_mask") is not None:
        kept = kept * _scaled(_plane(layer, "instance_mask", rgb.shape, name), 1.0)
    delta = _plane(layer, "inpainted_delta", rgb.shape, name)
    return np.asarray(np.rint(np.clip(kept + delta, 0, 255)), np.uint8)


def cut_out(rgb: U8, layer: dict[str, Any], name: str) -> U8:
    """An instance, hidden parts included: uint8 (h, w, 4) straight, 0 where alpha is 0. Raises as `compose` does."""
    alpha = _scaled(_plane(layer, "instance_alpha", rgb.shape, name)[..., :1], 255.0)
    rgba = np.dstack([compose(rgb, layer, name), np.rint(np.clip(alpha, 0, 255)).astype(np.uint8)])
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def _plane(layer: dict[str, Any], key: str, shape: Sequence[int], name: str) -> F32:
    """An array of the layer as float32 (h, w, 1 or 3)."""
    value = layer.get(key)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf" or value.ndim not in (2, 3):
        raise _bad(name, f"{key} is no array of numbers (h, w) or (h, w, c)")
    value = value[..., None] if value.ndim == 2 else value
    if value.shape[:2] != tuple(shape[:2]):
        sizes = f"the picture is {shape[1]} x {shape[0]}, {key} {value.shape[1]} x {value.shape[0]}"
        raise DecodeError("size_mismatch", f"{name}: {sizes} pixels")
    if value.shape[2] not in (1, 3):
        raise _bad(name, f"{key} has {value.shape[2]} channels")
    with np.errstate(over="ignore"):
        plane = value.astype(np.float32)
    if not np.isfinite(plane).all():
        raise _bad(name, f"{key} holds a value that is not finite")
    return plane


def _scaled(plane: F32, top: float) -> F32:
    """From 0..1 or 0..255, whichever it is written in, to 0..`top`."""
    return plane * np.float32(top / (255.0 if plane.max(initial=0) > 1 else 1.0))


def _bad(name: str, text: str) -> DecodeError:
    return DecodeError("bad_annotation", f"{name}: {text}")
