"""`layerloom edit`: another picture from the layers that `layerloom decompose` wrote."""

from pathlib import Path
from typing import Any, Literal

from model.edit import Edit, edit
from model.pictures import PictureError, read_picture, write_png
from stages.settings import parse
from stages.types import U8


def edit_folder(layers: Path, given: dict[str, Any], out: Path) -> U8:
    """Write to `out` what `given`, the fields of an `Edit`, makes of foreground.png and background.png in `layers`.

    `move` may be text, such as "40,-10".

    Raises:
        ManifestError: a field has a value that it cannot have.
        PictureError: a layer is missing or unfit, or both are not of one size; `out` cannot be written.
    """
    change = parse(Edit, given | {"move": _whole_numbers(given.get("move", (0, 0)))}, "edit")
    foreground, background = _layer(layers / "foreground.png", "rgba"), _layer(layers / "background.png", "rgb")
    if foreground.shape[:2] != background.shape[:2]:
        sizes = [f"{width} x {height}" for height, width in (foreground.shape[:2], background.shape[:2])]
        raise PictureError(f"{layers}: foreground.png has {sizes[0]} pixels, background.png {sizes[1]}; must be equal")
    picture = edit(foreground, background, change)
    write_png(out, picture)
    return picture


def _layer(path: Path, want: Literal["rgb", "rgba"]) -> U8:
    if not path.is_file():
        raise PictureError(f"{path}: no such file; `layerloom decompose PHOTO -o {path.parent}` writes it")
    return read_picture(path, want, min_side=1)


def _whole_numbers(move: Any) -> Any:
    """ "40,-10" as (40, -10). Raises PictureError for other text."""
    if not isinstance(move, str):
        return move
    try:
        right, down = (int(part) for part in move.split(","))
    except ValueError:
        text = "must be two whole numbers of pixels, right and down, such as 40,-10"
        raise PictureError(f"edit: move: {text} (got {move!r})") from None
    return right, down
