"""What the page asks of the model: files of unknown origin in, layers out. Knows nothing of the page."""

from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple

import cv2
import numpy as np

from model.commands.matting import cached_isnet, find_object
from model.decompose import LayerDecompositionPipeline, LayersOutput
from model.pictures import PictureError, as_mask, check_same_size, mask_of
from stages.decode import DecodeError, decode_image
from stages.types import U8, Mask

MAX_PIXELS = 25_000_000  # of a picture; taking so many apart took 3.7 GB
MAX_SEED = 2**32 - 1
_PAINTED = 64  # alpha of strokes; softer pixels are the brush's rim


class Choices(NamedTuple):
    """What a user may choose, see `LayerDecompositionPipeline`; None is the model's own."""

    steps: int | None = None
    seed: int | None = None  # 0
    size: int | None = None
    detail: bool = True
    paste_back: bool = False


class Service:
    """One model, which works for one caller at a time, and how objects are found where none is marked.

    `network` is an ONNX matting network, by default the one that the data engine fetched, on `device`.
    """

    def __init__(
        self,
        pipeline: LayerDecompositionPipeline,
        network: Path | None = None,
        device: Literal["cpu", "cuda"] = "cpu",
    ) -> None:
        self.pipeline = pipeline
        self._network, self._device = network, device
        self._alone = Lock()  # the sampler's scheduler keeps count of its steps

    def decompose(self, picture: U8, mask: Mask | None, choices: Choices = Choices()) -> LayersOutput:
        """Layers of a picture (h, w, 3); without a mask, bool (h, w), the matting network marks the object.

        Raises PictureError: unfit choices or mask, no mask and nothing to find one with.
        """
        seed = 0 if choices.seed is None else choices.seed
        if not 0 <= seed <= MAX_SEED:
            raise PictureError(f"seed: must be 0 to {MAX_SEED}, is {seed}")
        if mask is None:
            mask = self._found(picture)
        given = choices._replace(seed=seed)._asdict()
        with self._alone:
            return self.pipeline(picture, mask, **given)

    def _found(self, picture: U8) -> Mask:
        if not (self._network or cached_isnet()).is_file():
            raise PictureError(
                "mask: none given; paint over the object, or upload one (IS-Net, which would find the object, is not "
                "here; `make data` fetches it)"
            )
        return find_object(picture, self._network, self._device, "picture")


def decode_picture(data: bytes | None) -> U8:
    """Upright sRGB pixels (h, w, 3) of an image file. Raises PictureError for none, or an unfit or a huge one."""
    if not data:
        raise PictureError("picture: none given; choose one")
    return _decoded(data, "picture", "rgb", 16)


def decode_mask(data: bytes, picture: U8) -> Mask:
    """Bool (h, w) of an image file, as of `model.pictures.read_mask`, which must have the picture's size.

    Raises PictureError for an unfit file, another size, a mask that is empty or full.
    """
    marked = mask_of(_decoded(data, "mask", "rgba", 1))
    check_same_size(picture, marked)
    return as_mask(marked)


def painted_mask(strokes: list[U8], picture: U8) -> Mask | None:
    """Bool (h, w) of the picture's size, where any of the layers painted on, RGBA of any size, is; None: nowhere."""
    marked = np.zeros(picture.shape[:2], np.bool_)
    for layer in strokes:
        alpha = cv2.resize(layer[..., 3], (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        marked |= alpha >= _PAINTED
    return as_mask(marked) if marked.any() else None


def to_paint_on(picture: U8, longest: int) -> U8:
    """The picture, its longer side at most `longest` pixels: browsers send back what is painted in full."""
    height, width = picture.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _decoded(data: bytes, name: str, want: Literal["rgb", "rgba"], min_side: int) -> U8:
    try:
        return decode_image(data, name=name, max_pixels=MAX_PIXELS, min_side=min_side, want=want)
    except DecodeError as error:
        raise PictureError(str(error)) from None
