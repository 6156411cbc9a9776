"""RORD (Sagong et al., "RORD: A Real-world Object Removal Dataset", BMVC 2022), in the 960 x 540 distribution.

    val/img/<scene>/<frame>.jpg      with objects; the scene's plate, <..>G0001.jpg, lies among them
    val/gt/<scene>/<frame>.jpg       without them
    val/mask/<scene>/<frame>_M.png   object 0, rest 255

https://github.com/Forty-lock/RORD: dataloader.py pairs the three folders by name, preprocessing.py writes the masks
with the object black and blends the plate into each frame for `gt`. Frames may also lie in `img/` itself.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from evaluation.adapters.listed import Listed, not_there
from evaluation.adapters.options import adapter
from evaluation.adapters.shelf import first_with, shelf
from evaluation.sample import Dataset, Item

_PLATE = "G0001"


@adapter
def open_rord(
    root: Path,
    *,
    split: Literal["val", "train", "test"] = "val",
    frames: Literal["all", "first"] = "all",
    clean: Literal["gt", "plate"] = "gt",
    object: Literal["black", "white"] = "black",
) -> Dataset:
    """Frames with mask and clean scene; ids are `<scene>/<frame>`.

    `frames` = "first" takes one of each scene, the first by name: published numbers on "RORD-Val" of 343 pictures are
    on one a scene. `clean` = "plate" takes the photograph of the empty scene instead of the blended frame. `object` is
    the colour of objects in the masks. Raises EvalError for a folder of another layout.
    """
    base = first_with(root, (split, ".", f"RORD/{split}"), ("img", "mask"))
    if base is None:
        raise not_there(root, "RORD", f"img/, mask/ and gt/ in {split}/, RORD/{split}/ and the folder itself")
    at = base.relative_to(root).as_posix()
    pictures, truths = shelf(root, f"{at}/img", nested=True), shelf(root, f"{at}/gt", nested=True)
    masks = shelf(root, f"{at}/mask", nested=True, end="_M")
    plates = {_scene(id): id for id in sorted(pictures.ids) if id.endswith(_PLATE)}

    def item(id: str) -> Item:
        picture = pictures.rgb(id)
        white = masks.mask(id, picture)
        if clean == "gt":
            truth = truths.rgb(id, picture)
        else:
            truth = pictures.rgb(plates.get(_scene(id), f"{_scene(id)}/*{_PLATE}"), picture)
        return Item(id, picture, white if object == "white" else ~white, clean=truth)

    ids = {id for id in pictures.ids | masks.ids | truths.ids if not id.endswith(_PLATE)}
    return Listed(ids if frames == "all" else _first_of_each(ids), item)


def _scene(id: str) -> str:
    """The folder, or where there is none, the name without its frame number."""
    folder, _, name = id.rpartition("/")
    return folder or name.rpartition("_")[0]


def _first_of_each(ids: Iterable[str]) -> set[str]:
    first: dict[str, str] = {}
    for id in sorted(ids):
        first.setdefault(_scene(id), id)
    return set(first.values())
