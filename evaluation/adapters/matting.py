"""What the matting sets share: photographs, mattes and trimaps in folders of one name each, paired by stem."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from evaluation.adapters.listed import Listed, not_there
from evaluation.adapters.masks import MaskFrom, mask_from_alpha, unit
from evaluation.adapters.shelf import Shelf, first_with, shelf
from evaluation.adapters.values import nearest_trimap
from evaluation.errors import EvalError
from evaluation.sample import Dataset, Item


class Folders(NamedTuple):
    """Names of the folders of a matting set; `trimap` is "" where its authors publish none."""

    picture: str
    alpha: str
    trimap: str = ""


def open_matting(
    root: Path, what: str, bases: Sequence[str], choices: Sequence[Folders], mask: MaskFrom, grow: int
) -> Dataset:
    """The first of the layouts `choices` that lies in `root` or a folder `bases` of it.

    An id is the stem of a picture, matte or trimap, so that one without the other is counted. Raises EvalError: no such
    layout, or mask = "trimap" without trimaps.
    """
    for names in choices:
        base = first_with(root, bases, (names.picture, names.alpha))
        if base is not None:
            return _Set(root, base, names, mask, grow, what).dataset()
    sought = " or ".join(f"{n.picture}/ and {n.alpha}/" for n in choices)
    places = ", ".join(f"{b}/" for b in bases if b != ".")
    raise not_there(root, what, f"{sought}{f', also in {places}' if places else ''}")


class _Set:
    def __init__(self, root: Path, base: Path, names: Folders, mask: MaskFrom, grow: int, what: str) -> None:
        at = base.relative_to(root).as_posix()
        self._pictures, self._alphas = shelf(root, f"{at}/{names.picture}"), shelf(root, f"{at}/{names.alpha}")
        self._trimaps = shelf(root, f"{at}/{names.trimap}") if names.trimap else Shelf(root, "")
        self._mask, self._grow = mask, grow
        if mask == "trimap" and not self._trimaps.ids:
            raise EvalError(f"{root}: mask = 'trimap' needs trimaps, and this {what} has none; use 'dilate' or 'box'")

    def dataset(self) -> Dataset:
        return Listed(self._pictures.ids | self._alphas.ids | self._trimaps.ids, self._item)

    def _item(self, id: str) -> Item:
        picture = self._pictures.rgb(id)
        alpha = unit(self._alphas.values(id, picture))
        trimap = nearest_trimap(self._trimaps.values(id, picture)) if self._trimaps.ids else None
        mask = mask_from_alpha(alpha, self._mask, self._grow, trimap, self._alphas.name(id))
        return Item(id, picture, mask, alpha=alpha, trimap=trimap)
