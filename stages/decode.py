"""Image files of unknown origin to arrays: damaged, oversized, animated and odd ones are refused by reason.

Pillow is the one decoder (16-bit colour PNG, which it cuts to its high byte, goes through `codec`). Orientation
tags are honoured, 16-bit samples rescaled, and embedded ICC profiles converted to sRGB; PNG's gAMA and cHRM are
ignored. A profile that cannot be used is ignored too, as viewers do: the picture is still good.
"""

import functools
import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from stages.codec import decode_png16

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 100_000_000
MIN_SIDE = 16
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L"}
_MAGIC = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a|II\*\0|MM\0\*", re.DOTALL)
_ORIENTATION_TAG = 0x0112
_SAME_AS_SRGB = 2  # levels; published sRGB profiles differ from each other by rounding

# warnings.catch_warnings swaps the process's filters, so two of ours must never interleave
_LOCK = threading.Lock()


class DecodeError(ValueError):
    """A file that is not used; `reason` is a short code to count by, the text names file, bound and value."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason, text)  # both, so that the error survives pickling
        self.reason = reason
        self.text = text

    def __str__(self) -> str:
        return self.text


def decode_image(
    data: bytes,
    *,
    name: str,
    max_pixels: int = MAX_PIXELS,
    min_side: int = MIN_SIDE,
    want: Literal["rgb", "rgba"],
) -> NDArray[np.uint8]:
    """Upright sRGB-encoded pixels of an image file, (h, w, 3) or straight (h, w, 4) uint8, C-contiguous.

    `name` is used in messages only. With "rgba" an opaque picture gets alpha 255 and RGB is 0 where alpha is 0;
    with "rgb" any alpha under 255 is refused. The size is checked before pixels are decoded; Pillow's own bound
    (twice `Image.MAX_IMAGE_PIXELS`) holds as well.

    Raises DecodeError with reason empty, unsupported_format, corrupt, truncated, too_many_pixels, too_small,
    animated (also multi-page), unsupported_mode, has_alpha or out_of_memory.
    """
    with _guard(name, data, max_pixels):
        image = _open(data, name, max_pixels, min_side)
        if getattr(image, "is_animated", False) and image.format != "MPO":  # MPO: a photograph with by-products
            raise DecodeError("animated", f"{name}: {image.format} holds more than 1 frame, must be 1")
        if image.mode not in _MODES:
            raise DecodeError("unsupported_mode", f"{name}: pixel mode {image.mode} is not supported")
        image.load()
        Image.open(io.BytesIO(data), formats=FORMATS).verify()  # finds bad checksums, load finds missing data
        colour, alpha = _colour_and_alpha(data, image, name)
        rgb = np.array(_to_srgb(colour, image.info.get("icc_profile")))
        orientation = _orientation(image)
    return _assemble(_upright(rgb, orientation), alpha if alpha is None else _upright(alpha, orientation), want, name)


@contextmanager
def _guard(name: str, data: bytes, max_pixels: int) -> Iterator[None]:
    """Silence Pillow's warnings and turn whatever it raises into a DecodeError; hostile files raise anything."""
    if not data:
        raise DecodeError("empty", f"{name}: the file is empty (0 bytes)")
    try:
        with _LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        if _MAGIC.match(data):
            raise DecodeError("corrupt", f"{name}: the image header is damaged or cut off") from error
        text = f"{name}: not one of {', '.join(FORMATS)}; the file starts with {data[:8]!r}"
        raise DecodeError("unsupported_format", text) from error
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        text = f"{name}: {found[0] if found else error} pixels, must be at most {max_pixels}"
        raise DecodeError("too_many_pixels", text) from error
    except MemoryError as error:
        raise DecodeError("out_of_memory", f"{name}: not enough memory to decode the image") from error
    except Exception as error:
        reason = "truncated" if isinstance(error, EOFError) or "truncated" in str(error).lower() else "corrupt"
        what = str(error) or type(error).__name__
        raise DecodeError(reason, f"{name}: the image is {reason}: {what}, file size {len(data)} bytes") from error


def _open(data: bytes, name: str, max_pixels: int, min_side: int) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        text = f"{name}: {width} x {height} = {width * height} pixels, must be at most {max_pixels}"
        raise DecodeError("too_many_pixels", text)
    if min(width, height) < min_side:
        raise DecodeError("too_small", f"{name}: {width} x {height} pixels, each side must be at least {min_side}")
    return image


def _png_depth(data: bytes, image: Image.Image) -> tuple[int, int]:
    """Bits a sample and colour type as stored in the file (IHDR, PNG section 11.2.1); (8, 2) for other formats."""
    return (data[24], data[25]) if image.format == "PNG" else (8, 2)


def _deep_png(data: bytes) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """16-bit RGB, grey with alpha, or RGBA."""
    pixels = _to_8_bit(decode_png16(data))
    has_alpha = pixels.shape[2] in (2, 4)
    colour = pixels[..., :-1] if has_alpha else pixels
    colour = np.ascontiguousarray(colour[..., 0] if colour.shape[2] == 1 else colour)
    return Image.fromarray(colour), pixels[..., -1] if has_alpha else None


def _to_8_bit(values: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Nearest of v / 257; 257 is odd, so no ties."""
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _colour_and_alpha(data: bytes, image: Image.Image, name: str) -> tuple[Image.Image, NDArray[np.uint8] | None]:
    """Colour as an L, RGB or CMYK image in the file's own colour space, and (h, w) alpha where there is any."""
    depth, colour_type = _png_depth(data, image)
    if depth == 16 and ("transparency" in image.info or image.info.get("interlace")):
        text = f"{name}: 16-bit PNG must not be interlaced or have a transparent value (tRNS)"
        raise DecodeError("unsupported_mode", text)
    if depth == 16 and colour_type != 0:  # Pillow keeps all 16 bits of grey alone
        return _deep_png(data)
    if image.mode.startswith("I;16"):
        return Image.fromarray(_to_8_bit(np.asarray(image).astype(np.uint16))), None
    if depth in (2, 4) and image.mode == "L" and "transparency" in image.info:
        highest = (1 << depth) - 1  # Pillow widens the pixels to 8 bits, but not the transparent value
        image.info["transparency"] = (image.info["transparency"] & highest) * (255 // highest)
    straight = image.convert("RGBA") if image.has_transparency_data else None
    alpha = None if straight is None else np.array(straight.getchannel("A"))
    if image.mode in ("1", "L", "LA"):
        return image.convert("L"), alpha
    return image if image.mode == "CMYK" else (straight or image).convert("RGB"), alpha


def _to_srgb(colour: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB: relative colorimetric with black point compensation, untouched where the profile is sRGB."""
    transform = _transform(profile, colour.mode) if profile else None
    if transform is None or (colour.mode != "CMYK" and _is_near_identity(transform, colour.mode)):
        return colour.convert("RGB")
    if colour.mode == "L":
        return Image.fromarray(np.asarray(transform.apply(_probe("L")))[0][np.asarray(colour)])
    return transform.apply(colour)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "L":
        flags |= ImageCms.Flags.NOOPTIMIZE  # else 33 nodes stand for the curve: 10 levels off in the dark
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _srgb(), mode, "RGB", intent, flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _probe(mode: str) -> Image.Image:
    """All 256 greys in one row, or a 17 x 17 x 17 grid of colours."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    level = np.rint(np.linspace(0, 255, 17)).astype(np.uint8)
    grid = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(17, -1, 3))


def _is_near_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether colours move by rounding only; names do not tell, a linear profile may be called sRGB."""
    probe = _probe(mode)
    moved = np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB"))
    return bool(np.abs(moved).max() <= _SAME_AS_SRGB)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; broken metadata counts as 1, because viewers show such a picture as stored."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # hostile metadata raises anything, and costs only itself
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A view with the visual top row first (Exif 2.32, tag 0x0112: 5 to 8 are stored transposed)."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    turned = turned[::-1] if orientation in (3, 4, 7, 8) else turned
    return turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned


def _assemble(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, want: str, name: str) -> NDArray[np.uint8]:
    if want == "rgb":
        if alpha is not None and (count := int(np.count_nonzero(alpha < 255))):
            text = (
                f"{name}: {count} of {alpha.size} pixels have alpha under 255, must be 0 (the picture is used as RGB)"
            )
            raise DecodeError("has_alpha", text)
        return np.ascontiguousarray(rgb)
    pixels = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    pixels[..., :3] = rgb
    if alpha is not None:
        pixels[..., 3] = alpha
        pixels[alpha == 0] = 0
    return pixels
