"""Instances of COCO annotations, cut out of their photographs."""

import hashlib
from dataclasses import dataclass

import orjson

from pipeline.layouts.common import with_mask
from stages.decode import DecodeError, decode_image
from stages.segments import segment
from stages.types import U8


@dataclass(frozen=True)
class CocoInstance:
    """One instance of a photograph of `height` x `width` pixels; `segmentation` is that of its annotation, as JSON."""

    height: int
    width: int
    segmentation: bytes

    @property
    def rough(self) -> bool:
        """Drawn by hand: the edge is still to be refined."""
        return True

    def key(self) -> str:
        """Hash of the size and the annotation."""
        head = f"coco {self.height} {self.width} ".encode()
        return hashlib.sha256(head + self.segmentation).hexdigest()

    def pixels(self, data: bytes, name: str) -> U8:
        """The photograph, uint8 (h, w, 4), alpha 255 on the instance and 0 elsewhere; colour stays everywhere.

        Raises DecodeError with reason bad_annotation or size_mismatch besides those of `decode_image`.
        """
        rgb = decode_image(data, name=name, want="rgb")
        if rgb.shape[:2] != (self.height, self.width):
            sizes = f"the picture is {rgb.shape[1]} x {rgb.shape[0]}, its annotation {self.width} x {self.height}"
            raise DecodeError("size_mismatch", f"{name}: {sizes} pixels")
        return with_mask(rgb, segment(orjson.loads(self.segmentation), self.height, self.width, name))
