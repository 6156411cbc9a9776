"""Users' own test sets: a folder of `<id>.<kind>.png`, whichever kinds exist.

| kind | pixels | |
|---|---|---|
| `input` or `image` | RGB | what the method sees |
| `mask` | grey, from 128 on: object | the rough mask that the method is given |
| `clean` | RGB | the scene without the object |
| `effect` | grey, from 128 on | object with its shadow and reflection |
| `alpha` | grey | alpha of the object as it shows |
| `foreground` | RGBA, straight | the whole object, hidden parts included |
| `visible` | grey | the visible part of the foreground's alpha |
| `trimap`, `trimap1` to `trimap3` | 0, 128, 255 | |

Other picture formats than PNG are read too. Items may lie one folder down (`<folder>/<id>.<kind>.png`; their id is then
`<folder>/<id>`). Where no file is of any kind, all are cut-outs: `<id>.png` is a foreground.
"""

import difflib
from pathlib import Path
from typing import Literal

import numpy as np

from evaluation.adapters.ground import Grounds
from evaluation.adapters.listed import Listed, not_there
from evaluation.adapters.masks import MaskFrom, mask_from_alpha, unit
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import Shelf, folders_in, pictures_in
from evaluation.adapters.values import nearest_trimap
from evaluation.sample import Dataset, Item
from stages.alpha import over_rgb
from stages.decode import DecodeError
from stages.types import F32, U8, Mask, Patch

Trimap = Literal["trimap", "trimap1", "trimap2", "trimap3"]
_TRIMAPS = ("trimap", "trimap1", "trimap2", "trimap3")
_KINDS = ("input", "image", "mask", "clean", "effect", "alpha", "foreground", "visible", *_TRIMAPS)


@adapter
def open_plain(
    root: Path, *, mask: MaskFrom = "dilate", grow: int = 10, trimap: Trimap = "trimap", backgrounds: str = ""
) -> Dataset:
    """The items of a folder in the plain layout and of the folders in it.

    `visible` is `alpha` where there is no file of it, and the foreground's alpha where there is neither: nothing hides
    the object then; `alpha` likewise is `visible`. Where there is no mask, `mask` and `grow` make one of alpha (see
    `mask_from_alpha`). `trimap` names the kind of trimap; "trimap" means `trimap1` where there is none of that name.

    A foreground without picture is composited over `clean`, else over a picture of the folder `backgrounds` (which one
    depends on the id alone), else over mid-grey: an easy ground, so name it with the numbers. Both are then the item's
    `clean`.

    Raises EvalError: no such items, or no pictures in `backgrounds`. Missing are items without picture and foreground,
    and those whose files are damaged, of another size, ambiguous, or of a kind that looks like a slip.
    """
    shelves = {kind: Shelf(root, f"{{id}}.{kind}.png", found) for kind, found in _sorted(root).items()}
    ids = set[str]().union(*(s.ids for s in shelves.values()))
    if not ids:
        raise not_there(root, "plain", f"<id>.input.png, <id>.image.png, <id>.foreground.png and so on in {root.name}/")
    reader = _Reader(shelves, Grounds(backgrounds), mask, grow, trimap)
    return Listed(ids, reader.item)


def _sorted(root: Path) -> dict[str, list[tuple[str, Path]]]:
    """(id, path) by kind; what may be a misspelt kind is kept as one."""
    found: dict[str, list[tuple[str, Path]]] = {kind: [] for kind in _KINDS}
    folders = [("", root), *((f"{folder.name}/", folder) for folder in folders_in(root))]
    files = [(prefix, *path.stem.rpartition(".")[::2], path) for prefix, f in folders for path in pictures_in(f)]
    if not any(id and kind in _KINDS for _, id, kind, _ in files):
        found["foreground"] = [(prefix + path.stem, path) for prefix, _, _, path in files]
        return found
    for prefix, id, kind, path in files:
        if id and (kind in _KINDS or difflib.get_close_matches(kind, _KINDS, 1, 0.75)):
            found.setdefault(kind, []).append((prefix + id, path))
    return found


class _Reader:
    def __init__(self, shelves: dict[str, Shelf], grounds: Grounds, mask: MaskFrom, grow: int, trimap: Trimap) -> None:
        self._shelves, self._grounds = shelves, grounds
        self._mask, self._grow, self._trimap = mask, grow, trimap

    def item(self, id: str) -> Item:
        """The item `id`. Raises DecodeError."""
        self._check_kinds(id)
        picture, clean, foreground = self._picture(id)
        alpha, visible = self._shelf_alpha(id, "alpha", picture), self._shelf_alpha(id, "visible", picture)
        if visible is None and foreground is not None:
            visible = alpha if alpha is not None else unit(foreground[..., 3])
        alpha = visible if alpha is None else alpha
        trimap = self._read_trimap(id, picture)
        return Item(
            id,
            picture,
            self._read_mask(id, picture, alpha, trimap),
            clean=clean,
            effect=self._shelves["effect"].mask(id, picture) if id in self._shelves["effect"].ids else None,
            alpha=alpha,
            foreground=foreground,
            visible=visible,
            trimap=trimap,
        )

    def _check_kinds(self, id: str) -> None:
        for kind, shelf in self._shelves.items():
            if kind not in _KINDS and id in shelf.ids:
                near = difflib.get_close_matches(kind, _KINDS, 1, 0)[0]
                raise DecodeError("kind", f"{shelf.name(id)}: unknown kind '{kind}'; did you mean '{near}'?")

    def _picture(self, id: str) -> tuple[U8, U8 | None, U8 | None]:
        """Picture, clean scene and foreground."""
        clean, cut = self._shelves["clean"], self._shelves["foreground"]
        for kind in ("input", "image"):
            if id in self._shelves[kind].ids:
                picture = self._shelves[kind].rgb(id)
                return (
                    picture,
                    clean.rgb(id, picture) if id in clean.ids else None,
                    cut.rgba(id, picture) if id in cut.ids else None,
                )
        if id not in cut.ids:
            raise DecodeError("missing", f"{id}.input.png: no such file, nor {id}.image.png or {id}.foreground.png")
        foreground = cut.rgba(id)
        if foreground[..., 3].min() == 255:
            raise DecodeError("no_object", f"{cut.name(id)}: alpha is 255 everywhere, so it is no cut-out")
        ground = clean.rgb(id, foreground) if id in clean.ids else self._grounds.under(id, *foreground.shape[:2])
        picture = ground.copy()
        over_rgb(picture, Patch(foreground, 0, 0))
        return picture, ground, foreground

    def _shelf_alpha(self, id: str, kind: str, picture: U8) -> F32 | None:
        shelf = self._shelves[kind]
        return unit(shelf.values(id, picture)) if id in shelf.ids else None

    def _read_trimap(self, id: str, picture: U8) -> U8 | None:
        for kind in (self._trimap, "trimap1") if self._trimap == "trimap" else (self._trimap,):
            if id in self._shelves[kind].ids:
                return nearest_trimap(self._shelves[kind].values(id, picture))
        return None

    def _read_mask(self, id: str, picture: U8, alpha: F32 | None, trimap: U8 | None) -> Mask | None:
        if id in self._shelves["mask"].ids:
            return self._shelves["mask"].mask(id, picture)
        if alpha is None:
            return None
        return np.asarray(mask_from_alpha(alpha, self._mask, self._grow, trimap, id))
