"""Instances of OpenImages: a mask in a PNG file, laid over its photograph; and photographs stored turned."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.layouts.common import with_mask
from stages.decode import DecodeError, decode_image
from stages.types import U8

_ASPECT = 0.02  # rounding of a reduced mask's sides; more means that it is another picture's, or turned


@dataclass(frozen=True)
class OpenImagesInstance:
    """The instance whose mask is in the file `mask`; the picture is stored `turns` quarter turns to the right."""

    mask: Path
    turns: int

    @property
    def rough(self) -> bool:
        """Drawn with a few clicks: the edge is still to be refined."""
        return True

    def key(self) -> str:
        """Hash of the mask file's bytes and the turns."""
        head = f"openimages {self.turns} ".encode()
        return hashlib.sha256(head + self.mask.read_bytes()).hexdigest()

    def pixels(self, data: bytes, name: str) -> U8:
        """The upright photograph, uint8 (h, w, 4), alpha 255 on the instance and 0 elsewhere; colour everywhere.

        A mask of another size is resized to the nearest pixel. Raises DecodeError with reason size_mismatch if
        its proportions differ by over 2 %, besides the reasons of `decode_image`.
        """
        rgb = decode_image(data, name=name, want="rgb")
        mask = decode_image(self.mask.read_bytes(), name=self.mask.name, min_side=1, want="rgb").any(axis=2)
        (height, width), (rows, columns) = rgb.shape[:2], mask.shape
        if abs(columns * height / (rows * width) - 1) > _ASPECT:
            sizes = f"the picture is {width} x {height}, its mask {self.mask.name} {columns} x {rows}"
            raise DecodeError("size_mismatch", f"{name}: {sizes} pixels")
        bits = np.asarray(mask, np.uint8)
        fitted = np.asarray(cv2.resize(bits, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.bool_)
        return np.ascontiguousarray(np.rot90(with_mask(rgb, fitted), self.turns))


@dataclass(frozen=True)
class Upright:
    """A whole photograph that is stored `turns` quarter turns to the right."""

    turns: int

    @property
    def rough(self) -> bool:
        """There is no mask."""
        return False

    def key(self) -> str:
        """The turns."""
        return f"upright {self.turns}"

    def pixels(self, data: bytes, name: str) -> U8:
        """The upright photograph, uint8 (h, w, 3). Raises DecodeError."""
        return np.ascontiguousarray(np.rot90(decode_image(data, name=name, want="rgb"), self.turns))
