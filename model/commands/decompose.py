"""`layerloom decompose`: a photograph's file becomes two layers, what they recompose, and a sheet of all."""

from pathlib import Path
from typing import Literal, NamedTuple

from model.commands.matting import find_object
from model.commands.sheet import decomposition_sheet
from model.config import resolve
from model.decompose import DEFAULT_MODEL, LayerDecompositionPipeline, LayersOutput
from model.pictures import PictureError, as_mask, check_same_size, read_mask, read_picture, write_png
from stages.lazy import require_device
from stages.types import U8, Mask


class Options(NamedTuple):
    """What a user may choose; see `LayerDecompositionPipeline` and `find_object`."""

    model: str | None = None  # DEFAULT_MODEL
    matte_model: Path | None = None
    steps: int | None = None
    seed: int = 0
    size: int | None = None
    detail: bool = True
    paste_back: bool = False
    device: Literal["cpu", "cuda"] = "cpu"


def decompose_file(photo: Path, mask: Path | None, out: Path, options: Options) -> LayersOutput:
    """Write foreground.png (RGBA), background.png, recomposed.png and sheet.png into `out`.

    Raises:
        PictureError: a file that is missing or unfit, no mask and nothing to find one with, a device that is not here.
        ModelError: the model cannot be loaded.
    """
    try:
        require_device(options.device)
    except ValueError as error:
        raise PictureError(str(error)) from None
    picture = read_picture(photo)
    marked = _mask(picture, photo, mask, options)
    pipeline = LayerDecompositionPipeline.from_pretrained(resolve(options.model or DEFAULT_MODEL)).to(options.device)
    made = pipeline(
        picture,
        marked,
        steps=options.steps,
        seed=options.seed,
        size=options.size,
        detail=options.detail,
        paste_back=options.paste_back,
    )
    for name, pixels in made._asdict().items():
        write_png(out / f"{name}.png", pixels)
    write_png(out / "sheet.png", decomposition_sheet(picture, marked, *made))
    return made


def _mask(picture: U8, photo: Path, mask: Path | None, options: Options) -> Mask:
    if mask is None:
        return find_object(picture, options.matte_model, options.device, str(photo))
    marked = read_mask(mask)
    check_same_size(picture, marked, (str(photo), str(mask)))
    return as_mask(marked, str(mask))
