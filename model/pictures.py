"""Pictures and masks that a user gives, checked; and PNG files that come back. Arrays are uint8, sRGB-encoded."""

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from stages.codec import encode_png
from stages.decode import DecodeError, decode_image
from stages.types import U8, Mask

_MARKED = 127  # brighter pixels of a mask mark the object


class PictureError(ValueError):
    """A picture, a mask or a setting of inference that cannot be used; the text names it, its bound and its value."""


def read_picture(path: Path, want: Literal["rgb", "rgba"] = "rgb", min_side: int = 16) -> U8:
    """Upright sRGB pixels of an image file, (h, w, 3), or straight (h, w, 4) with "rgba".

    Raises PictureError, naming the file, where it is missing or `stages.decode` refuses it.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise PictureError(f"{path}: no such file") from None
    except OSError as error:
        raise PictureError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return decode_image(data, name=str(path), want=want, min_side=min_side)
    except DecodeError as error:
        raise PictureError(str(error)) from None


def read_mask(path: Path) -> Mask:
    """A mask file as bool (h, w): pixels that are brighter than 127 and, if it has alpha, not transparent."""
    return mask_of(read_picture(path, "rgba", min_side=1))


def mask_of(rgba: U8) -> Mask:
    """Straight RGBA (h, w, 4) as bool (h, w): pixels that are brighter than 127 and not transparent."""
    return np.asarray((rgba[..., :3].max(axis=2) > _MARKED) & (rgba[..., 3] > _MARKED), np.bool_)


def write_png(path: Path, pixels: U8) -> None:
    """Write (h, w, 3) or (h, w, 4) pixels; the folder is made. Raises PictureError where it cannot be written."""
    if path.suffix.lower() != ".png":
        raise PictureError(f"{path}: pictures are written as PNG; its name must end in .png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(pixels))
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {error.strerror}") from None


def as_picture(image: Image.Image | U8) -> U8:
    """(h, w, 3) of a Pillow image, converted to RGB, or of an array. Raises PictureError for another array."""
    pixels = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise PictureError(f"picture: must be uint8 (h, w, 3), is {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(pixels)


def as_mask(mask: Image.Image | U8 | Mask, name: str = "mask") -> Mask:
    """bool (h, w) of a Pillow image or an array, uint8 being marked above 127.

    Raises PictureError for another array, and for a mask that marks nothing, or everything.
    """
    values = np.asarray(mask.convert("L")) if isinstance(mask, Image.Image) else mask
    if values.dtype not in (np.uint8, np.bool_) or values.ndim != 2:
        raise PictureError(f"{name}: must be uint8 or bool (h, w), is {values.dtype} {values.shape}")
    marked = values if values.dtype == np.bool_ else values > _MARKED
    if not marked.any():
        raise PictureError(f"{name}: marks nothing; the object's pixels must be brighter than {_MARKED} of 255")
    if marked.all():
        raise PictureError(f"{name}: marks the whole picture; pixels that are not the object's must be 0")
    return np.asarray(marked, np.bool_)


def check_same_size(picture: U8, mask: Mask, names: tuple[str, str] = ("picture", "mask")) -> None:
    """Raise PictureError, naming both and their sizes, unless they have one size."""
    if picture.shape[:2] != mask.shape[:2]:
        (height, width), (high, wide) = picture.shape[:2], mask.shape[:2]
        raise PictureError(f"{names[1]}: {wide} x {high} pixels, but {names[0]} has {width} x {height}; must be equal")
