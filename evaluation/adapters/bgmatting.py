"""Captures of background matting: a picture with the subject, one of the scene without it, and a matte where there is.

Folders paired by stem, as https://github.com/PeterL1n/BackgroundMattingV2 takes them (inference_images.py: pictures and
`bgr`; eval/benchmark.m: `pha`, `fgr`, `trimap`; Lin et al., "Real-Time High-Resolution Background Matting", CVPR 2021):

    src/<id>.png  (or img/, image/)   bgr/<id>.png   [pha/<id>.png]  [fgr/<id>.png]  [trimap/<id>.png]  [mask/<id>.png]

or one folder of https://github.com/senguptaumd/Background-Matting (Sengupta et al., CVPR 2020):

    <id>_img.png   <id>_back.png   [<id>_masksDL.png]
"""

from pathlib import Path

import numpy as np

from evaluation.adapters.listed import Listed, not_there
from evaluation.adapters.masks import MaskFrom, mask_from_alpha, unit
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import Shelf, first_with, pictures_in, shelf
from evaluation.adapters.values import nearest_trimap
from evaluation.sample import Dataset, Item
from stages.types import F32, U8, Mask

_PICTURES = ("src", "img", "image")
_ENDS = {"picture": "_img", "bgr": "_back", "mask": "_masksDL"}
_OTHERS = ("bgr", "pha", "fgr", "trimap", "mask")


@adapter
def open_bgmatting(root: Path, *, mask: MaskFrom = "dilate", grow: int = 10) -> Dataset:
    """Captures; the picture of the empty scene is `clean`, `fgr` with `pha` is the foreground, which nothing hides.

    The pictures are taken as they are: those of a hand-held camera must be aligned first. Where a capture has no mask,
    `mask` and `grow` make one of the matte (see `mask_from_alpha`); without a matte the item has none. Raises EvalError
    for a folder of another layout.
    """
    shelves = _folders(root) or _flat(root)
    if not shelves:
        sought = "src/ (or img/, image/) and bgr/, or <id>_img.png and <id>_back.png"
        raise not_there(root, "background-matting", sought)
    return Listed(set[str]().union(*(s.ids for s in shelves.values())), _Reader(shelves, mask, grow).item)


def _folders(root: Path) -> dict[str, Shelf]:
    name = next((n for n in _PICTURES if first_with(root, (".",), (n, "bgr"))), None)
    return {} if name is None else {"picture": shelf(root, name)} | {other: shelf(root, other) for other in _OTHERS}


def _flat(root: Path) -> dict[str, Shelf]:
    paths = pictures_in(root)
    found = {
        kind: Shelf(root, f"{{id}}{end}.*", [(p.stem.removesuffix(end), p) for p in paths if p.stem.endswith(end)])
        for kind, end in _ENDS.items()
    }
    return found | {other: Shelf(root, "") for other in ("pha", "fgr", "trimap")} if found["bgr"].ids else {}


class _Reader:
    def __init__(self, shelves: dict[str, Shelf], mask: MaskFrom, grow: int) -> None:
        self._shelves, self._mask, self._grow = shelves, mask, grow

    def item(self, id: str) -> Item:
        """The capture `id`. Raises DecodeError."""
        shelves = self._shelves
        picture = shelves["picture"].rgb(id)
        clean = shelves["bgr"].rgb(id, picture)
        # a kind that no capture has was not published; one that some have is missing where it is not there
        values = shelves["pha"].values(id, picture) if shelves["pha"].ids else None
        alpha = None if values is None else unit(values)
        trimap = nearest_trimap(shelves["trimap"].values(id, picture)) if shelves["trimap"].ids else None
        foreground = self._foreground(id, picture, values)
        return Item(
            id,
            picture,
            self._rough(id, picture, alpha, trimap),
            clean=clean,
            alpha=alpha,
            foreground=foreground,
            visible=None if foreground is None else alpha,
            trimap=trimap,
        )

    def _foreground(self, id: str, picture: U8, alpha: U8 | None) -> U8 | None:
        if alpha is None or not self._shelves["fgr"].ids:
            return None
        rgba = np.dstack([self._shelves["fgr"].rgb(id, picture), alpha])
        rgba[alpha == 0] = 0
        return rgba

    def _rough(self, id: str, picture: U8, alpha: F32 | None, trimap: U8 | None) -> Mask | None:
        if self._shelves["mask"].ids:
            return self._shelves["mask"].mask(id, picture)
        return None if alpha is None else mask_from_alpha(alpha, self._mask, self._grow, trimap, id)
