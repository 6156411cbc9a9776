"""What the amodal sets share: JSON files that tell of objects in photographs what shows and what they are whole."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import orjson

from evaluation.adapters.shelf import Shelf, pictures_in
from evaluation.errors import EvalError
from evaluation.sample import Item
from stages.decode import DecodeError
from stages.segments import segment


class Thing(NamedTuple):
    """One object: the file name of its photograph and its size, and the segmentations (see `stages.segments`) of all
    of it and of what shows of it; None for the latter means that nothing hides it. `name` is what messages call it."""

    name: str
    file_name: str
    height: int
    width: int
    whole: Any
    seen: Any


def load_annotations(root: Path, names: Sequence[str], what: str) -> tuple[str, dict[str, Any]]:
    """The first of the JSON files `names` in `root`: its name and content, which has images and annotations.

    Raises EvalError: none is there, or it is damaged.
    """
    path = next((root / name for name in names if (root / name).is_file()), None)
    if path is None:
        raise EvalError(f"{root}: no {what} data set: looked for {', '.join(names)}")
    name = path.relative_to(root).as_posix()
    try:
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise EvalError(f"{root}: {name}: not JSON that can be read: {error}") from None
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise EvalError(f"{root}: {name}: no list '{key}'")
    return name, content


def images_by_id(content: dict[str, Any]) -> dict[Any, dict[str, Any]]:
    """The rows of `images` by their id."""
    return {row["id"]: row for row in rows(content["images"]) if isinstance(row.get("id"), int | str)}


def rows(values: Any) -> list[dict[str, Any]]:
    """The entries of a list; what is no dict becomes an empty one, so that it is counted."""
    return [row if isinstance(row, dict) else {} for row in values] if isinstance(values, list) else []


def size_of(image: dict[str, Any]) -> tuple[int, int]:
    """Height and width, 0 where they are no whole numbers."""
    height, width = image.get("height"), image.get("width")
    return (height if type(height) is int else 0), (width if type(width) is int else 0)


def stem_of(file_name: Any) -> str:
    """The last part of a file name without its suffix, fit for an id; "unnamed" where there is none."""
    stem = PurePosixPath(str(file_name or "").replace("\\", "/")).stem.lstrip(".")
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in stem) or "unnamed"


def photographs(root: Path, folders: Sequence[str]) -> Shelf:
    """The pictures by file name in the first of `folders` that there is."""
    folder = next((f for f in folders if (root / f).is_dir()), folders[0])
    return Shelf(root, f"{folder}/{{id}}", ((path.name, path) for path in pictures_in(root / folder)))


def item_of(id: str, thing: Thing, pictures: Shelf) -> Item:
    """The item of an object. Raises DecodeError.

    `mask`, `alpha` and `visible` are what shows of it. The foreground's alpha is 255 on all of it, its colour that of
    the photograph where it shows and 0 where it is hidden: these data sets know shapes only, so nothing but shape may
    be scored there. What shows counts as part of the whole even where its outline was drawn inside.
    """
    if not thing.file_name:
        raise DecodeError("bad_annotation", f"{thing.name}: its image_id is in no entry of 'images' with a file_name")
    picture = pictures.rgb(PurePosixPath(thing.file_name.replace("\\", "/")).name)
    if picture.shape[:2] != (thing.height, thing.width):
        sizes = f"{thing.width} x {thing.height}, its picture has {picture.shape[1]} x {picture.shape[0]}"
        raise DecodeError("size_mismatch", f"{thing.name}: annotated for {sizes} pixels")
    whole = segment(thing.whole, thing.height, thing.width, thing.name)
    seen = whole if thing.seen is None else segment(thing.seen, thing.height, thing.width, thing.name)
    if not seen.any():
        raise DecodeError("no_object", f"{thing.name}: nothing of the object shows, so there is no mask")
    visible = seen.astype(np.float32)
    foreground = np.zeros((*seen.shape, 4), np.uint8)
    foreground[seen, :3] = picture[seen]
    foreground[seen | whole, 3] = 255
    return Item(id, picture, seen, alpha=visible, foreground=foreground, visible=visible)
