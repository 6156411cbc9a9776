"""Masks of COCO annotations: polygons, and run lengths in column order, plain or compressed.

The format is that of the COCO API (https://cocodataset.org/#format-data), whose library fills the polygons. It leaves
memory uninitialised where runs do not cover the picture, so those are checked and laid out here.
"""

import math
from typing import Any

import numpy as np
from pycocotools import mask as coco

from stages.decode import DecodeError
from stages.types import Mask

_BAD = "bad_annotation"


def segment(segmentation: Any, height: int, width: int, name: str) -> Mask:
    """The mask (height, width) of a `segmentation`: a list of polygons, or {"size", "counts"}.

    Polygons are joined. Raises DecodeError with reason bad_annotation for what is neither, or does not fit.
    """
    try:
        if isinstance(segmentation, list):
            return _polygons(segmentation, height, width)
        return _runs(segmentation, height, width)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise DecodeError(_BAD, f"{name}: segmentation: {error}") from None


def _polygons(polygons: list[Any], height: int, width: int) -> Mask:
    if not polygons:
        raise ValueError("no polygon")
    far = 2 * max(height, width)  # some lie a little outside; the time to fill grows with their length
    for points in polygons:
        if not isinstance(points, list) or len(points) < 6 or len(points) % 2:
            raise ValueError("a polygon must be an even number of at least 6 coordinates")
        if not all(type(v) in (int, float) and math.isfinite(v) and abs(v) <= far for v in points):
            raise ValueError(f"a coordinate is no number within {far} of 0")
    floats = [[float(v) for v in points] for points in polygons]
    joined = coco.merge(coco.frPyObjects(floats, height, width))
    return _laid_out(_unpacked(joined["counts"].decode()), height, width)


def _runs(segmentation: Any, height: int, width: int) -> Mask:
    if not isinstance(segmentation, dict):
        raise ValueError(f"neither polygons nor run lengths but {type(segmentation).__name__}")
    if list(segmentation["size"]) != [height, width]:
        raise ValueError(f"size {segmentation['size']}, must be [{height}, {width}]")
    counts = segmentation["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(n) is int and n >= 0 for n in runs):
        raise ValueError("a run length is no whole number from 0")
    if sum(runs) != height * width:
        raise ValueError(f"the runs cover {sum(runs):,} pixels, must be {height * width:,}")
    return _laid_out(runs, height, width)


def _laid_out(runs: list[int], height: int, width: int) -> Mask:
    """Runs of 0 and 1 in turn, down one column after the other."""
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _unpacked(text: str) -> list[int]:
    """Run lengths of a compressed string: 5 bits a character, least first; from the fourth on, differences."""
    runs: list[int] = []
    value = bits = 0
    for char in text:
        code = ord(char) - 48
        if not 0 <= code < 64 or bits > 30:
            raise ValueError("the compressed runs are damaged")
        value |= (code & 0x1F) << bits
        bits += 5
        if not code & 0x20:
            signed = value - (1 << bits) if code & 0x10 else value
            runs.append(signed + (runs[-2] if len(runs) > 2 else 0))
            value = bits = 0
    if bits:
        raise ValueError("the compressed runs end early")
    return runs
