"""COCOA and KINS."""

import re

import numpy as np
import orjson
import pytest
from pycocotools import mask as coco

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import H, W, cut_off, item, noise, put, reason, same

WHOLE = [4, 3, 20, 3, 20, 15, 4, 15]  # x 4..20, y 3..15: the pixels 3 <= y < 15, 4 <= x < 20


def rectangle(x0, y0, x1, y1):
    """bool (H, W)."""
    out = np.zeros((H, W), bool)
    out[y0:y1, x0:x1] = True
    return out


def packed(mask):
    """Run lengths as the COCO API compresses them."""
    made = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(made["size"]), "counts": made["counts"].decode()}


def runs(mask):
    """Run lengths written out."""
    flat, counts, value = mask.T.reshape(-1), [], False
    start = 0
    for k in range(len(flat) + 1):
        if k == len(flat) or flat[k] != value:
            counts.append(k - start)
            start, value = k, not value
    return {"size": [H, W], "counts": counts}


def expected(picture, whole, seen):
    """The fields of an amodal item."""
    foreground = np.zeros((H, W, 4), np.uint8)
    for y, x in np.ndindex(H, W):
        if seen[y, x]:
            foreground[y, x, :3] = picture[y, x]
        foreground[y, x, 3] = 255 if seen[y, x] or whole[y, x] else 0
    shown = seen.astype(np.float32)
    return {"picture": picture, "mask": seen, "alpha": shown, "visible": shown, "foreground": foreground}


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(content))


def image(id, name, **changes):
    return {"id": id, "file_name": name, "height": H, "width": W} | changes


BOX, LEFT = rectangle(4, 3, 20, 15), rectangle(4, 3, 11, 15)
NAMES = ("COCO_val2014_000000000139.jpg", "COCO_val2014_000000000285.jpg")


def cocoa(regions, other=()):
    """One annotated picture, and another."""
    images = [image(139, NAMES[0]), image(285, NAMES[1])]
    annotations = [{"id": 7, "image_id": 139, "size": len(regions), "depth_constraint": "1-2", "regions": regions}]
    return {"images": images, "annotations": [*annotations, {"id": 8, "image_id": 285, "regions": list(other)}]}


def region(segmentation, **fields):
    return {"segmentation": segmentation, "name": "thing", "isStuff": 0, "occlude_rate": 0.0} | fields


@pytest.mark.parametrize(
    ("folder", "pictures"), [("annotations", "val2014"), (".", "images/val2014"), ("annotations", "images")]
)
def test_cocoa_pixel_by_pixel(tmp_path, folder, pictures):
    first, second = (put(tmp_path / pictures / name, noise(k)) for k, name in enumerate(NAMES))
    hidden = region(WHOLE, visible_mask=packed(LEFT), invisible_mask=packed(BOX & ~LEFT), occlude_rate=0.56)
    stuff = region(WHOLE, isStuff=1, name="sky")
    dump(tmp_path / folder / "COCO_amodal_val2014.json", cocoa([region(WHOLE), hidden, stuff], [hidden]))
    dataset = ADAPTERS["cocoa"](tmp_path)
    stems = [name.removesuffix(".jpg") for name in NAMES]
    assert list(dataset.ids) == [f"{stems[0]}/7-1", f"{stems[0]}/7-2", f"{stems[1]}/8-1"]
    same(item(dataset, f"{stems[0]}/7-1"), **expected(first, BOX, BOX))
    same(item(dataset, f"{stems[0]}/7-2"), **expected(first, BOX, LEFT))
    same(item(dataset, f"{stems[1]}/8-1"), **expected(second, BOX, LEFT))
    assert list(ADAPTERS["cocoa"](tmp_path, occluded=True).ids) == [f"{stems[0]}/7-2", f"{stems[1]}/8-1"]
    assert f"{stems[0]}/7-3" in ADAPTERS["cocoa"](tmp_path, stuff=True).ids


def test_cocoa_with_classes_has_an_annotation_each_region(tmp_path):
    picture = put(tmp_path / "val2014" / NAMES[0], noise(0))
    rows = [
        {"id": 5, "image_id": 139, "category_id": 1, "segmentation": [WHOLE], "visible_mask": packed(LEFT)},
        {"id": 6, "image_id": 139, "category_id": 1, "segmentation": packed(BOX)},
    ]
    content = {"images": [image(139, NAMES[0])], "annotations": rows}
    dump(tmp_path / "annotations" / "COCO_amodal_val2014_with_classes.json", content)
    dataset = ADAPTERS["cocoa"](tmp_path)
    stem = NAMES[0].removesuffix(".jpg")
    same(item(dataset, f"{stem}/5-1"), **expected(picture, BOX, LEFT))
    same(item(dataset, f"{stem}/6-1"), **expected(picture, BOX, BOX))
    assert list(ADAPTERS["cocoa"](tmp_path, occluded=True).ids) == [f"{stem}/5-1"]


def test_what_shows_beyond_the_outline_is_part_of_the_whole(tmp_path):
    picture = put(tmp_path / "val2014" / NAMES[0], noise(0))
    wider = rectangle(3, 2, 12, 15)
    dump(tmp_path / "annotations" / "COCO_amodal_val2014.json", cocoa([region(WHOLE, visible_mask=packed(wider))]))
    found = item(ADAPTERS["cocoa"](tmp_path), f"{NAMES[0].removesuffix('.jpg')}/7-1")
    same(found, **expected(picture, BOX, wider))
    assert ((found.foreground[..., 3] / 255) >= found.visible).all()


KINS = {
    "polygons": ("update_test_2020.json", lambda w, s: {"a_segm": [w], "i_segm": [s]}),
    "runs of 2020": ("update_test_2020.json", lambda w, s: {"a_segm": [w], "i_segm": packed(filled(s))}),
    "old": ("instances_val.json", lambda w, s: {"segmentation": [w], "inmodal_seg": packed(filled(s))}),
    "old, written out": ("instances_val.json", lambda w, s: {"segmentation": [w], "inmodal_seg": runs(filled(s))}),
}


def filled(polygon):
    """The rectangle of a polygon."""
    return rectangle(polygon[0], polygon[1], polygon[4], polygon[5])


@pytest.mark.parametrize("form", KINS)
@pytest.mark.parametrize("folder", [".", "annotations"])
def test_kins_pixel_by_pixel(tmp_path, form, folder):
    name, written = KINS[form]
    part = [4, 3, 11, 3, 11, 15, 4, 15]
    rows = [
        {"id": 31, "image_id": 0, "category_id": 4} | written(WHOLE, part),
        {"id": 32, "image_id": 0, "category_id": 4} | written(WHOLE, WHOLE),
        {"id": 33, "image_id": 1, "category_id": 1} | written(WHOLE, part),
    ]
    dump(tmp_path / folder / name, {"images": [image(0, "000000.png"), image(1, "000001.png")], "annotations": rows})
    pictures = [put(tmp_path / "testing" / "image_2" / f"00000{k}.png", noise(k)) for k in range(2)]
    dataset = ADAPTERS["kins"](tmp_path)
    assert list(dataset.ids) == ["000000/31", "000000/32", "000001/33"]
    same(item(dataset, "000000/31"), **expected(pictures[0], BOX, LEFT))
    same(item(dataset, "000000/32"), **expected(pictures[0], BOX, BOX))
    same(item(dataset, "000001/33"), **expected(pictures[1], BOX, LEFT))
    assert list(ADAPTERS["kins"](tmp_path, occluded=True).ids) == ["000000/31", "000001/33"]


def test_kins_training_set_lies_elsewhere(tmp_path):
    rows = [{"id": 1, "image_id": 0, "a_segm": [WHOLE], "i_segm": [WHOLE]}]
    dump(tmp_path / "update_train_2020.json", {"images": [image(0, "000000.png")], "annotations": rows})
    put(tmp_path / "training" / "image_2" / "000000.png", noise(0))
    item(ADAPTERS["kins"](tmp_path, split="train"), "000000/1")


def test_what_is_damaged_or_missing_is_counted(tmp_path):
    images = [image(k, f"{name}.png") for k, name in enumerate("abcd")]
    images += [image(4, "e.png", height=H + 1), image(5, None), image(6, "../x/a.png"), "no image"]
    good = {"a_segm": [WHOLE], "i_segm": [WHOLE]}
    rows = [
        {"id": 10, "image_id": 0} | good,
        {"id": 11, "image_id": 1} | good,
        {"id": 12, "image_id": 2} | good,
        {"id": 13, "image_id": 3, "a_segm": [[1, 2, 3]], "i_segm": [WHOLE]},
        {"id": 14, "image_id": 4} | good,
        {"id": 15, "image_id": 5} | good,
        {"id": 16, "image_id": 99} | good,
        {"id": 17, "image_id": 0, "a_segm": [WHOLE]},
        {"id": 18, "image_id": 0, "a_segm": [WHOLE], "i_segm": runs(BOX & ~BOX)},
        {"id": 10, "image_id": 0} | good,
        {"id": 19, "image_id": 6} | good,
        "no annotation",
    ]
    dump(tmp_path / "update_test_2020.json", {"images": images, "annotations": rows})
    for name in "acde":
        put(tmp_path / "testing" / "image_2" / f"{name}.png", noise(0))
    cut_off(tmp_path / "testing" / "image_2" / "c.png")
    dataset = ADAPTERS["kins"](tmp_path)
    assert len(dataset.ids) == len(rows)
    where = "update_test_2020.json: annotation"
    assert reason(dataset, "b/11") == "testing/image_2/b.png: no such file"
    assert reason(dataset, "c/12").startswith("testing/image_2/c.png: the image is truncated")
    even = "segmentation: a polygon must be an even number of at least 6 coordinates"
    assert reason(dataset, "d/13") == f"{where} 13: {even}"
    size = f"annotated for {W} x {H + 1}, its picture has {W} x {H} pixels"
    assert reason(dataset, "e/14") == f"{where} 14: {size}"
    nowhere = "its image_id is in no entry of 'images' with a file_name"
    assert reason(dataset, "unnamed/15") == f"{where} 15: {nowhere}"
    assert reason(dataset, "unnamed/16") == f"{where} 16: {nowhere}"
    assert reason(dataset, "a/17") == f"{where} 17: segmentation: neither polygons nor run lengths but str"
    assert reason(dataset, "a/18") == f"{where} 18: nothing of the object shows, so there is no mask"
    assert reason(dataset, "unnamed/row11") == f"{where} row11: {nowhere}"
    for id in ("a/10", "a/10-2", "a/19"):
        np.testing.assert_array_equal(item(dataset, id).mask, BOX)
    changed = ["d/13", "a/17", "a/18", "unnamed/row11"]  # damaged or hidden: counted, whatever is asked for
    assert list(ADAPTERS["kins"](tmp_path, occluded=True).ids) == sorted(changed)


@pytest.mark.parametrize(("name", "file"), [("cocoa", "COCO_amodal_val2014.json"), ("kins", "update_test_2020.json")])
def test_annotation_files_that_cannot_be_used(tmp_path, name, file):
    sought = f"{tmp_path}: no {name.upper()} data set: looked for annotations/{file}"
    with pytest.raises(EvalError, match=f"^{re.escape(sought)}"):
        ADAPTERS[name](tmp_path)
    for content, text in [
        (b'{"images": [', f"{file}: not JSON that can be read: "),
        (b"[]", f"{file}: no list 'images'"),
        (b'{"images": []}', f"{file}: no list 'annotations'"),
        (b'{"images": [], "annotations": {}}', f"{file}: no list 'annotations'"),
    ]:
        (tmp_path / file).write_bytes(content)
        with pytest.raises(EvalError, match=f"^{re.escape(f'{tmp_path}: {text}')}"):
            ADAPTERS[name](tmp_path)
