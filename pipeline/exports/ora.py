"""OpenRaster files, which Krita, GIMP and MyPaint open as layers.

OpenRaster baseline (openraster.org), "File Layout Specification": a zip whose first entry is `mimetype`, stored, then
`stack.xml`, `data/`, `Thumbnails/thumbnail.png` of at most 256 pixels, and `mergedimage.png`. "Layer Stack
Specification": the first layer of a stack is the topmost, blended by `svg:src-over` if nothing else is said.
"""

import io
import zipfile
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import cv2

from pipeline.exports.common import COMPOSITE, Format, Sample
from pipeline.exports.layers import Layer, layers
from stages.codec import encode_png
from stages.types import U8

THUMBNAIL = 256
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first date that zip knows: same sample, same bytes


def files(key: str) -> tuple[str, ...]:
    """One file a sample."""
    return (f"{key}.ora",)


def contents(sample: Sample) -> tuple[bytes, ...]:
    """The document with the layers of `pipeline.exports.layers`; PNGs are stored, for they are deflated already."""
    stack = layers(sample)
    entries = {
        "mimetype": b"image/openraster",
        "stack.xml": stack_xml(stack, sample.composite.shape[:2]),
        **{_source(n): encode_png(layer.rgba) for n, layer in enumerate(stack)},
        "Thumbnails/thumbnail.png": encode_png(thumbnail(sample.composite)),
        "mergedimage.png": sample.members[COMPOSITE],
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return (sink.getvalue(),)


def stack_xml(stack: Sequence[Layer], shape: tuple[int, ...]) -> bytes:
    """`stack.xml` of layers from the lowest to the highest on a canvas of `shape` (h, w)."""
    height, width = shape
    image = ET.Element("image", version="0.0.5", w=str(width), h=str(height))
    above = ET.SubElement(image, "stack")
    for number, layer in reversed(list(enumerate(stack))):
        shown = "visible" if layer.visible else "hidden"
        place = {"name": layer.name, "src": _source(number), "x": "0", "y": "0"}
        ET.SubElement(above, "layer", place | {"visibility": shown, "opacity": "1.0", "composite-op": "svg:src-over"})
    return bytes(ET.tostring(image, encoding="UTF-8", xml_declaration=True))


def thumbnail(rgb: U8) -> U8:
    """uint8 (h, w, 3) shrunk to at most 256 pixels a side, its proportions kept, never enlarged."""
    scale = min(1.0, THUMBNAIL / max(rgb.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype("uint8", copy=False)


def _source(number: int) -> str:
    return f"data/layer{number}.png"


FORMAT = Format("one layered OpenRaster file a sample, for Krita, GIMP and MyPaint", files, contents)
