"""AIM-500, AM-2k, P3M-500 and PPM-100."""

import re

import numpy as np
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import H, W, cut_off, grown, item, matte, noise, put, reason, same, unit

JPEG = {"file_format": "JPEG", "quality": 100}
# adapter, options, folder of the set, its folders of pictures, mattes and trimaps
SETS = [
    ("aim500", {}, ".", "original", "mask", "trimap"),
    ("aim500", {}, "validation", "original", "mask", "trimap"),
    ("aim500", {}, "AIM-500", "original", "mask", "trimap"),
    ("am2k", {}, "validation", "original", "mask", "trimap"),
    ("am2k", {}, ".", "original", "mask", "trimap"),
    ("p3m500", {"part": "P"}, "validation/P3M-500-P", "blurred_image", "mask", "trimap"),
    ("p3m500", {"part": "NP"}, "validation/P3M-500-NP", "original_image", "mask", "trimap"),
    ("p3m500", {}, "validation2", "original_image", "mask", "trimap"),
    ("p3m500", {"part": "P"}, "validation1", "blurred_image", "mask", "trimap"),
    ("p3m500", {"part": "P"}, ".", "blurred_image", "mask", "trimap"),
    ("ppm100", {}, ".", "image", "matte", ""),
    ("ppm100", {}, "PPM-100", "image", "matte", ""),
    ("ppm100", {}, ".", "image_train", "matte_train", ""),
    ("ppm100", {}, ".", "train/fg", "train/alpha", ""),
]


def build(root, layout, ids=("o_1", "o_2")):
    """A set in its layout: pictures that are flat, so that JPEG keeps them, and mattes."""
    _, _, base, pictures, alphas, trimaps = layout
    made = {}
    for seed, id in enumerate(ids):
        flat = np.full((H, W, 3), 50 + 20 * seed, np.uint8)
        picture = put(root / base / pictures / f"{id}.jpg", flat, **JPEG)
        alpha = put(root / base / alphas / f"{id}.png", matte(seed))
        trimap = np.where(matte(seed) > 200, 255, np.where(matte(seed) > 0, 128, 0)).astype(np.uint8)
        made[id] = {"picture": picture, "alpha": unit(alpha)}
        if trimaps:
            made[id]["trimap"] = put(root / base / trimaps / f"{id}.png", trimap)
    return made


@pytest.mark.parametrize("layout", SETS, ids=lambda s: "-".join((s[0], s[2], s[3])).replace("/", "+"))
def test_every_layout_pixel_by_pixel(tmp_path, layout):
    made = build(tmp_path, layout)
    name, options = layout[:2]
    (tmp_path / layout[2] / layout[3] / ".DS_Store").write_bytes(b"x")
    (tmp_path / layout[2] / layout[3] / "._o_3.jpg").write_bytes(b"x")
    (tmp_path / layout[2] / layout[3] / "Thumbs.db").write_bytes(b"x")
    dataset = ADAPTERS[name](tmp_path, **options)
    assert list(dataset.ids) == ["o_1", "o_2"]
    for id, fields in made.items():
        same(item(dataset, id), mask=grown(fields["alpha"] > 0.5, 10), **fields)
    small = item(ADAPTERS[name](tmp_path, grow=2, **options), "o_1")
    np.testing.assert_array_equal(small.mask, grown(small.alpha > 0.5, 2))


@pytest.mark.parametrize("layout", [SETS[0], SETS[3], SETS[6]])
def test_masks_from_trimaps_and_boxes(tmp_path, layout):
    made = build(tmp_path, layout)
    name, options = layout[:2]
    from_trimap = item(ADAPTERS[name](tmp_path, mask="trimap", **options), "o_1")
    np.testing.assert_array_equal(from_trimap.mask, made["o_1"]["trimap"] > 0)
    box = item(ADAPTERS[name](tmp_path, mask="box", **options), "o_1").mask
    ys, xs = np.nonzero(made["o_1"]["alpha"] > 0.5)
    assert box.sum() == (np.ptp(ys) + 1) * (np.ptp(xs) + 1)


def test_ppm100_may_have_mattes_in_jpeg(tmp_path):
    flat = np.full((H, W), 255, np.uint8)
    flat[:8] = 0
    put(tmp_path / "image" / "a.jpg", noise(0), **JPEG)
    put(tmp_path / "matte" / "a.jpg", flat, **JPEG)
    np.testing.assert_array_equal(item(ADAPTERS["ppm100"](tmp_path), "a").alpha, unit(flat))


def test_trimaps_that_are_not_there_are_none_or_asked_for(tmp_path):
    build(tmp_path, ("aim500", {}, ".", "original", "mask", ""))
    assert item(ADAPTERS["aim500"](tmp_path), "o_1").trimap is None
    text = f"{tmp_path}: mask = 'trimap' needs trimaps, and this AIM-500 has none; use 'dilate' or 'box'"
    with pytest.raises(EvalError, match=f"^{re.escape(text)}$"):
        ADAPTERS["aim500"](tmp_path, mask="trimap")
    with pytest.raises(EvalError, match="option 'mask' must be one of 'dilate', 'box', is 'trimap'"):
        ADAPTERS["ppm100"](tmp_path, mask="trimap")


def test_damaged_missing_and_misfitting_files_are_counted(tmp_path):
    base = tmp_path / "validation"
    build(tmp_path, SETS[3], ids="abcdefgh")
    cut_off(base / "original" / "a.jpg")
    cut_off(base / "mask" / "b.png")
    (base / "original" / "c.jpg").unlink()
    (base / "mask" / "d.png").unlink()
    (base / "trimap" / "e.png").unlink()
    put(base / "mask" / "f.png", matte()[:-1])
    put(base / "original" / "g.png", noise(1))
    dataset = ADAPTERS["am2k"](tmp_path)
    assert list(dataset.ids) == list("abcdefgh")
    assert reason(dataset, "a").startswith("validation/original/a.jpg: the image is truncated")
    assert reason(dataset, "b").startswith("validation/mask/b.png: the image is truncated")
    assert reason(dataset, "c") == "validation/original/c.*: no such file"
    assert reason(dataset, "d") == "validation/mask/d.*: no such file"
    assert reason(dataset, "e") == "validation/trimap/e.*: no such file"
    assert reason(dataset, "f") == f"validation/mask/f.png: {W} x {H - 1} pixels, its picture has {W} x {H}"
    assert (
        reason(dataset, "g") == "validation/original/g.jpg: validation/original/g.png is there too; one of them must go"
    )
    item(dataset, "h")


@pytest.mark.parametrize(
    ("name", "options", "sought"),
    [
        ("aim500", {}, "no AIM-500 data set: looked for original/ and mask/, also in validation/, AIM-500/"),
        ("am2k", {}, "no AM-2k data set: looked for original/ and mask/, also in validation/"),
        ("p3m500", {"part": "P"}, "no P3M-500-P data set: looked for blurred_image/ and mask/, also in P3M-500-P/"),
        ("ppm100", {}, "no PPM-100 data set: looked for image/ and matte/ or image_train/ and matte_train/"),
    ],
)
def test_a_folder_of_another_layout(tmp_path, name, options, sought):
    put(tmp_path / "imgs" / "a.png", noise(0))
    with pytest.raises(EvalError, match=f"^{re.escape(f'{tmp_path}: {sought}')}"):
        ADAPTERS[name](tmp_path, **options)
