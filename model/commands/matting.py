"""A mask for a picture that has none: the object that IS-Net finds."""

import os
from pathlib import Path
from typing import Literal

from model.pictures import PictureError
from stages.networks import OnnxMatter
from stages.types import U8, Mask


def find_object(picture: U8, network: Path | None, device: Literal["cpu", "cuda"], name: str) -> Mask:
    """bool (h, w): alpha over one half by an ONNX matting network, by default the one that the data engine fetched.

    Raises PictureError: no network there, it cannot be used, or it finds no object in the picture `name`.
    """
    path = network or cached_isnet()
    if not path.is_file():
        raise PictureError(f"{path}: no such file; {_ADVICE if network is None else 'it must be a matting network'}")
    try:
        mask = OnnxMatter(str(path), device=device).alpha(picture) > 0.5
    except ValueError as error:
        raise PictureError(str(error)) from None
    if not mask.any() or mask.all():
        what = "no object" if not mask.any() else "an object that fills the picture"
        raise PictureError(f"{name}: the matting network finds {what}; mark the object with a mask")
    return mask


def cached_isnet() -> Path:
    """Where the data engine keeps IS-Net: under `$LAYERLOOM_CACHE`, else `layerloom` in the user's cache folder."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("LAYERLOOM_CACHE") or user / "layerloom")
    return cache.absolute() / "models" / "isnet" / "isnet.onnx"


_ADVICE = (
    "without --mask the object is found by IS-Net, which `make data` fetches; run that, or give --mask, or another "
    "network with --matte-model"
)
