"""KINS (Qi et al., "Amodal Instance Segmentation with KINS Dataset", CVPR 2019): KITTI photographs, amodal instances.

`update_test_2020.json` (`a_segm`: all of the object, `i_segm`: what shows) or the older `instances_val.json`
(`segmentation` and `inmodal_seg`), also in `annotations/`; polygons or run lengths as in COCO. Photographs lie in
`testing/image_2/` and `training/image_2/`. See
https://github.com/qqlu/Amodal-Instance-Segmentation-through-KINS-Dataset.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from evaluation.adapters.amodal import (
    Thing,
    images_by_id,
    item_of,
    load_annotations,
    photographs,
    rows,
    size_of,
    stem_of,
)
from evaluation.adapters.listed import Listed, unique
from evaluation.adapters.options import adapter
from evaluation.sample import Dataset
from stages.decode import DecodeError
from stages.segments import segment

_OLD = {"test": "val", "train": "train"}
_KEYS = (("a_segm", "i_segm"), ("segmentation", "inmodal_seg"))


@adapter
def open_kins(root: Path, *, split: Literal["test", "train"] = "test", occluded: bool = False) -> Dataset:
    """A picture each instance; ids are `<file stem>/<annotation id>`.

    `occluded` leaves out instances whose two shapes agree. See `item_of` for what an item holds. Raises EvalError where
    there is no annotation file, or a damaged one.
    """
    files = (f"update_{split}_2020.json", f"instances_{_OLD[split]}.json")
    names = [f"{folder}{file}" for file in files for folder in ("annotations/", "")]
    name, content = load_annotations(root, names, "KINS")
    found = unique(_things(name, content, occluded))
    pictures = photographs(root, (f"{split}ing/image_2", "image_2"))
    return Listed(found, lambda id: item_of(id, found[id], pictures))


def _things(name: str, content: dict[str, Any], occluded: bool) -> Iterator[tuple[str, Thing]]:
    images = images_by_id(content)
    for place, row in enumerate(rows(content["annotations"])):
        whole, seen = next((keys for keys in _KEYS if keys[0] in row), _KEYS[0])
        image = images.get(row.get("image_id"), {})
        if occluded and _agree(row.get(whole), row.get(seen), *size_of(image)):
            continue
        number = row.get("id") if type(row.get("id")) is int else f"row{place}"
        file_name = str(image.get("file_name") or "")
        thing = Thing(f"{name}: annotation {number}", file_name, *size_of(image), row.get(whole), row.get(seen, ""))
        yield f"{stem_of(file_name)}/{number}", thing


def _agree(whole: Any, seen: Any, height: int, width: int) -> bool:
    """Whether two segmentations are one shape; False where one is damaged, so that it is counted."""
    if isinstance(whole, list) and isinstance(seen, list):
        return whole == seen
    try:
        return bool((segment(whole, height, width, "") == segment(seen, height, width, "")).all())
    except DecodeError:
        return False
