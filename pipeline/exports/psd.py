"""Photoshop files, written with psd-tools (MIT)."""

import importlib
import io
from typing import Any

from pipeline.exports.common import Format, Sample
from pipeline.exports.layers import layers
from pipeline.shards import ShardError


def files(key: str) -> tuple[str, ...]:
    """One file a sample."""
    return (f"{key}.psd",)


def contents(sample: Sample) -> tuple[bytes, ...]:
    """The document with the layers of `pipeline.exports.layers`, each with its transparency, RLE-compressed.

    Its merged picture is what psd-tools makes of the visible layers: the composite, within rounding.

    Raises:
        ShardError: psd-tools is not installed.
    """
    height, width = sample.composite.shape[:2]
    document = _library().new("RGB", (width, height))
    for layer in layers(sample):
        document.create_pixel_layer_from_array(layer.rgba, name=layer.name).visible = layer.visible
    sink = io.BytesIO()
    document.save(sink)
    return (sink.getvalue(),)


def _library() -> Any:
    try:
        return importlib.import_module("psd_tools").PSDImage
    except ImportError:
        raise ShardError("format 'psd' needs the library psd-tools: pip install 'layerloom[psd]'") from None


FORMAT = Format("one layered Photoshop file a sample (needs psd-tools)", files, contents)
