"""What cut-outs without a picture are put on."""

from pathlib import Path

import cv2
import numpy as np

from evaluation.adapters.shelf import Shelf, pictures_in
from evaluation.errors import EvalError
from stages.rng import hash64
from stages.types import U8

_GREY = 128


class Grounds:
    """The pictures of a folder, or mid-grey where `folder` is "". Raises EvalError where it holds no picture."""

    def __init__(self, folder: str) -> None:
        root = Path(folder)
        paths = pictures_in(root) if folder else []
        if folder and not paths:
            raise EvalError(f"{folder}: option 'backgrounds' names no folder with pictures")
        self._shelf = Shelf(root, "{id}", [(path.name, path) for path in paths])
        self._names = [path.name for path in paths]

    def under(self, id: str, height: int, width: int) -> U8:
        """The ground of item `id`: uint8 (height, width, 3). The same for every order and number of items.

        A picture is scaled to cover the size, and its middle is taken. Raises DecodeError as `Shelf.rgb` does.
        """
        if not self._names:
            return np.full((height, width, 3), _GREY, np.uint8)
        return _cover(self._shelf.rgb(self._names[hash64(f"ground {id}") % len(self._names)]), height, width)


def _cover(picture: U8, height: int, width: int) -> U8:
    scale = max(height / picture.shape[0], width / picture.shape[1])
    h, w = max(height, round(picture.shape[0] * scale)), max(width, round(picture.shape[1] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, (w, h), interpolation=how)
    y, x = (h - height) // 2, (w - width) // 2
    return np.ascontiguousarray(scaled[y : y + height, x : x + width])
