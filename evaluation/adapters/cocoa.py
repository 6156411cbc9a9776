"""COCOA (Zhu et al., "Semantic Amodal Segmentation", CVPR 2017): COCO photographs with amodal regions.

`annotations/COCO_amodal_val2014.json` holds `images` and `annotations`; one of these lists the `regions` of a picture,
nearest first: `segmentation` (one flat polygon, all of the object), `visible_mask` (run lengths; absent where nothing
hides it), `isStuff`, `occlude_rate`; see https://github.com/Wakeupbuddy/amodalAPI and the reader of
https://github.com/XiaohangZhan/deocclusion. The form of Follmann et al. (WACV 2019), `..._with_classes.json`, has an
annotation each region instead and is read too. Photographs lie in `val2014/`, also in `images/`.
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

_FOLDERS = ("annotations/", "")


@adapter
def open_cocoa(
    root: Path, *, split: Literal["val", "test", "train"] = "val", occluded: bool = False, stuff: bool = False
) -> Dataset:
    """A picture each region; ids are `<file stem>/<annotation id>-<number of the region, from 1>`.

    `occluded` leaves out regions that nothing hides; `stuff` takes in those of stuff (sky, grass). See `item_of` for
    what an item holds. Raises EvalError where there is no annotation file, or a damaged one.
    """
    names = [f"{folder}COCO_amodal_{split}2014{end}.json" for end in ("", "_with_classes") for folder in _FOLDERS]
    name, content = load_annotations(root, names, "COCOA")
    found = unique(_things(name, content, occluded, stuff))
    pictures = photographs(root, (f"{split}2014", f"images/{split}2014", "images"))
    return Listed(found, lambda id: item_of(id, found[id], pictures))


def _things(name: str, content: dict[str, Any], occluded: bool, stuff: bool) -> Iterator[tuple[str, Thing]]:
    images = images_by_id(content)
    for place, annotation in enumerate(rows(content["annotations"])):
        image = images.get(annotation.get("image_id"), {})
        number = annotation.get("id") if type(annotation.get("id")) is int else f"row{place}"
        regions = annotation.get("regions")
        for k, region in enumerate([annotation] if regions is None else rows(regions), start=1):
            if (region.get("isStuff") and not stuff) or (occluded and not _hidden(region)):
                continue
            where = f"{name}: annotation {number}, region {k}"
            file_name = str(image.get("file_name") or "")
            thing = Thing(where, file_name, *size_of(image), _joined(region), region.get("visible_mask"))
            yield f"{stem_of(file_name)}/{number}-{k}", thing


def _hidden(region: dict[str, Any]) -> bool:
    """Only occluded regions have a `visible_mask`, unless they have classes; those tell a rate."""
    return bool(region.get("occlude_rate")) if "occlude_rate" in region else region.get("visible_mask") is not None


def _joined(region: dict[str, Any]) -> Any:
    """One flat polygon as a list of polygons, anything else as it is."""
    shape = region.get("segmentation")
    return [shape] if isinstance(shape, list) and shape and not isinstance(shape[0], list) else shape
