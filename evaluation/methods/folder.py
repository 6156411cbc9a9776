"""Predictions that another program wrote, one picture's files each:

    ROOT/ID.background.png   the scene without the object, RGB
    ROOT/ID.foreground.png   the object, straight RGBA
    ROOT/ID.alpha.png        its alpha, grey with 8 or 16 bits: for methods that only matte, such as Matting-Anything
                             and DiffMatte; the colours are then the picture's own

all of the size of the picture that the protocol gives, which `layerloom evaluate` writes beside its report. An id with
a slash names a file in a folder, or one whose name has %2F instead, as in that report. Whatever kinds of file the
folder holds at all are asked for of every picture.
"""

from pathlib import Path

import numpy as np
from pydantic import Field

from evaluation.adapters.shelf import read_bytes, same_size
from evaluation.adapters.values import decode_values
from evaluation.cache import file_name
from evaluation.errors import EvalError
from evaluation.layers import Answer, Method
from evaluation.methods.holes import rgba
from evaluation.methods.made import Made, files_hash, key_of
from evaluation.sample import Item
from stages.decode import DecodeError, decode_image
from stages.types import U8, Frozen

KINDS = ("background", "foreground", "alpha")
_PNG, _OPAQUE_TYPES = b"\x89PNG\r\n\x1a\n", (0, 2)  # colour types without alpha (PNG, third edition, section 11.2.1)


class Predictions(Frozen):
    """`path`: the folder."""

    path: str = Field(min_length=1)


def make_folder(options: Predictions) -> Made:
    """The predictions in a folder; the key changes with any of their bytes. Raises EvalError as `prediction_folder`."""
    root = Path(options.path)
    method, files = prediction_folder(root), [p for paths in _found(root).values() for p in paths]
    return Made(method, key_of("folder", options, (), files_hash(root, files)))


def prediction_folder(root: Path) -> Method:
    """A method that reads its answers from the files in `root`; a foreground goes before an alpha.

    Layers of a kind that no file of the folder has are None. Raises EvalError for a folder that is not there or holds
    no such files. The method raises EvalError, naming the file, for one that is missing, damaged, without the alpha
    of a foreground, or of another size than the picture (both sizes are told).
    """
    if not root.is_dir():
        raise EvalError(f"{root}: no such folder of predictions")
    kinds = frozenset(kind for kind, paths in _found(root).items() if paths)
    if not kinds:
        raise EvalError(f"{root}: no predictions: looked for {', '.join(f'ID.{kind}.png' for kind in KINDS)}")

    def method(item: Item) -> Answer:
        try:
            background = _background(root, item) if "background" in kinds else None
            return Answer(background, _foreground(root, item, kinds))
        except DecodeError as error:
            raise EvalError(str(error)) from error

    return method


def _found(root: Path) -> dict[str, list[Path]]:
    return {kind: list(root.rglob(f"*.{kind}.png")) for kind in KINDS}


def _path(root: Path, id: str, kind: str) -> Path:
    nested, flat = root / f"{id}.{kind}.png", root / f"{file_name(id)}.{kind}.png"
    return flat if flat.is_file() else nested


def _background(root: Path, item: Item) -> U8:
    path = _path(root, item.id, "background")
    data = read_bytes(path, str(path))
    return same_size(decode_image(data, name=str(path), min_side=1, want="rgb"), str(path), item.picture)


def _foreground(root: Path, item: Item, kinds: frozenset[str]) -> U8 | None:
    """From the first of its files that is there; where none is, the first that the folder has of other pictures."""
    paths = [_path(root, item.id, kind) for kind in ("foreground", "alpha") if kind in kinds]
    if not paths:
        return None
    path = next((p for p in paths if p.is_file()), paths[0])
    data = read_bytes(path, str(path))
    if path.name.endswith(".alpha.png"):
        values = same_size(decode_values(data, str(path)), str(path), item.picture)
        return rgba(item.picture, (values / 255).astype(np.float32))
    pixels = same_size(decode_image(data, name=str(path), min_side=1, want="rgba"), str(path), item.picture)
    if data[:8] == _PNG and data[25] in _OPAQUE_TYPES and (pixels[..., 3] == 255).all():
        raise EvalError(f"{path}: has no alpha; a foreground is RGBA")
    return pixels
