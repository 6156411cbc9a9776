"""RemovalBench (Wei et al., "OmniEraser: Remove Objects and Their Effects in Images with Paired Video-Frame Data").

`images/<id>.png`, `masks/<id>.png` (object white) and `gt/<id>.png` of the data set BaiLing/RemovalBench on the Hugging
Face Hub; folders of results beside them are not read.
"""

from pathlib import Path

from evaluation.adapters.listed import Listed, not_there
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import first_with, shelf
from evaluation.sample import Dataset, Item


@adapter
def open_removalbench(root: Path) -> Dataset:
    """Pictures with mask and clean scene. Raises EvalError for a folder of another layout."""
    names = ("images", "masks", "gt")
    base = first_with(root, (".", "RemovalBench"), names)
    if base is None:
        raise not_there(root, "RemovalBench", "images/, masks/ and gt/, also in RemovalBench/")
    at = base.relative_to(root).as_posix()
    pictures, masks, truths = (shelf(root, f"{at}/{name}") for name in names)

    def item(id: str) -> Item:
        picture = pictures.rgb(id)
        return Item(id, picture, masks.mask(id, picture), clean=truths.rgb(id, picture))

    return Listed(pictures.ids | masks.ids | truths.ids, item)
