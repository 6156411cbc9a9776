"""RORD, RemovalBench and captures of background matting."""

import re

import numpy as np
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import (
    H,
    W,
    blob,
    cut_off,
    grown,
    item,
    matte,
    noise,
    put,
    reason,
    same,
    unit,
    white,
)

SCENES = {"I-210618_I01001_W01": 3, "I-210619_O02001_T03": 2}


def rord(root, base="val"):
    """Two scenes: frames, their plates, blended truths, and masks with the object black."""
    made, seed = {}, 0
    for scene, count in SCENES.items():
        plate = put(root / base / "img" / scene / f"{scene}_G0001.jpg", noise(900 + seed))
        for frame in range(1, count + 1):
            name, seed = f"{scene}_F{frame:04d}", seed + 1
            made[f"{scene}/{name}"] = (
                put(root / base / "img" / scene / f"{name}.jpg", noise(seed)),
                put(root / base / "gt" / scene / f"{name}.jpg", noise(500 + seed)),
                plate,
                blob(seed),
            )
            put(root / base / "mask" / scene / f"{name}_M.png", white(~blob(seed)))
        put(root / base / "mask" / scene / f"{scene}_G0001_M.png", white(~blob(seed)))
    (root / base / "label").mkdir()
    return made


@pytest.mark.parametrize("base", ["val", "RORD/val", "."])
def test_rord_pixel_by_pixel(tmp_path, base):
    made = rord(tmp_path, base)
    dataset = ADAPTERS["rord"](tmp_path)
    assert list(dataset.ids) == sorted(made)
    assert len(dataset.ids) == 5
    plates = ADAPTERS["rord"](tmp_path, clean="plate")
    inverse = ADAPTERS["rord"](tmp_path, object="white")
    for id, (picture, truth, plate, mask) in made.items():
        same(item(dataset, id), picture=picture, clean=truth, mask=mask)
        same(item(plates, id), picture=picture, clean=plate, mask=mask)
        np.testing.assert_array_equal(item(inverse, id).mask, ~mask)


def test_rord_takes_one_frame_of_each_scene(tmp_path):
    rord(tmp_path)
    first = [f"{scene}/{scene}_F0001" for scene in SCENES]
    assert list(ADAPTERS["rord"](tmp_path, frames="first").ids) == first


def test_rord_without_scene_folders(tmp_path):
    for scene in SCENES:
        for frame in (1, 2):
            put(tmp_path / "test" / "img" / f"{scene}_F000{frame}.png", noise(frame))
            put(tmp_path / "test" / "gt" / f"{scene}_F000{frame}.png", noise(frame + 5))
            put(tmp_path / "test" / "mask" / f"{scene}_F000{frame}.png", white(~blob(frame)))
    dataset = ADAPTERS["rord"](tmp_path, split="test")
    assert len(dataset.ids) == 4
    found = item(dataset, f"{next(iter(SCENES))}_F0002")
    same(found, picture=noise(2), clean=noise(7), mask=blob(2))
    assert len(ADAPTERS["rord"](tmp_path, split="test", frames="first").ids) == 2


def test_rord_counts_what_is_damaged_or_missing(tmp_path):
    made = rord(tmp_path)
    a, b, c, d, e = sorted(made)
    cut_off(tmp_path / "val" / "img" / f"{a}.jpg")
    (tmp_path / "val" / "gt" / f"{b}.jpg").unlink()
    (tmp_path / "val" / "mask" / f"{c}_M.png").unlink()
    put(tmp_path / "val" / "mask" / f"{d}_M.png", white(blob())[1:])
    (tmp_path / "val" / "img" / f"{e}.jpg").unlink()
    scene = d.partition("/")[0]
    (tmp_path / "val" / "img" / scene / f"{scene}_G0001.jpg").unlink()
    dataset = ADAPTERS["rord"](tmp_path)
    assert list(dataset.ids) == [a, b, c, d, e]
    assert reason(dataset, a).startswith(f"val/img/{a}.jpg: the image is truncated")
    assert reason(dataset, b) == f"val/gt/{b}.*: no such file"
    assert reason(dataset, c) == f"val/mask/{c}_M.*: no such file"
    assert reason(dataset, d) == f"val/mask/{d}_M.png: {W} x {H - 1} pixels, its picture has {W} x {H}"
    assert reason(dataset, e) == f"val/img/{e}.*: no such file"
    put(tmp_path / "val" / "mask" / f"{d}_M.png", white(blob()))
    assert reason(ADAPTERS["rord"](tmp_path, clean="plate"), d) == f"val/img/{scene}/*G0001.*: no such file"


def test_removalbench_pixel_by_pixel(tmp_path):
    made = {}
    for seed, id in enumerate(["1", "10", "2"]):
        made[id] = {
            "picture": put(tmp_path / "images" / f"{id}.png", noise(seed)),
            "mask": put(tmp_path / "masks" / f"{id}.png", np.dstack([white(blob(seed))] * 3))[..., 0] > 0,
            "clean": put(tmp_path / "gt" / f"{id}.png", noise(seed + 50)),
        }
        put(tmp_path / "results_omnieraser_base" / f"{id}.png", noise(seed + 90))
    dataset = ADAPTERS["removalbench"](tmp_path)
    assert list(dataset.ids) == ["1", "10", "2"]
    for id, fields in made.items():
        same(item(dataset, id), **fields)


def test_removalbench_counts_what_is_damaged_or_missing(tmp_path):
    for id in "abcd":
        for folder in ("images", "masks", "gt"):
            put(tmp_path / "RemovalBench" / folder / f"{id}.png", noise(0) if folder != "masks" else white(blob()))
    base = tmp_path / "RemovalBench"
    cut_off(base / "gt" / "a.png")
    (base / "masks" / "b.png").unlink()
    put(base / "images" / "c.png", noise(0)[:, :-3].copy())
    dataset = ADAPTERS["removalbench"](tmp_path)
    assert reason(dataset, "a").startswith("RemovalBench/gt/a.png: the image is truncated")
    assert reason(dataset, "b") == "RemovalBench/masks/b.*: no such file"
    assert reason(dataset, "c") == f"RemovalBench/masks/c.png: {W} x {H} pixels, its picture has {W - 3} x {H}"
    item(dataset, "d")


@pytest.mark.parametrize("pictures", ["src", "img", "image"])
def test_captures_in_folders(tmp_path, pictures):
    made = {}
    for seed, id in enumerate(["a", "b"]):
        colour, alpha = noise(seed + 70), matte(seed)
        put(tmp_path / "fgr" / f"{id}.jpg", colour)
        foreground = np.dstack([colour, alpha])
        foreground[alpha == 0] = 0
        made[id] = {
            "picture": put(tmp_path / pictures / f"{id}.png", noise(seed)),
            "clean": put(tmp_path / "bgr" / f"{id}.png", noise(seed + 30)),
            "alpha": unit(put(tmp_path / "pha" / f"{id}.png", alpha)),
            "visible": unit(alpha),
            "foreground": foreground,
            "mask": grown(alpha >= 128, 4),
        }
    dataset = ADAPTERS["bgmatting"](tmp_path, grow=4)
    assert list(dataset.ids) == ["a", "b"]
    for id, fields in made.items():
        same(item(dataset, id), **fields)
    for id in made:
        put(tmp_path / "mask" / f"{id}.png", white(blob()))
        trimap = put(tmp_path / "trimap" / f"{id}.png", np.where(matte() > 0, 128, 0).astype(np.uint8))
    found = item(ADAPTERS["bgmatting"](tmp_path), "b")
    same(found, **made["b"] | {"mask": blob(), "trimap": trimap})


def test_captures_without_a_matte_have_picture_and_empty_scene(tmp_path):
    picture, clean = put(tmp_path / "src" / "a.png", noise(0)), put(tmp_path / "bgr" / "a.png", noise(1))
    same(item(ADAPTERS["bgmatting"](tmp_path), "a"), picture=picture, clean=clean)


def test_captures_with_a_matte_but_no_colours_have_no_foreground(tmp_path):
    picture, clean = put(tmp_path / "src" / "a.png", noise(0)), put(tmp_path / "bgr" / "a.png", noise(1))
    alpha = unit(put(tmp_path / "pha" / "a.png", matte()))
    found = item(ADAPTERS["bgmatting"](tmp_path, mask="box"), "a")
    same(found, picture=picture, clean=clean, alpha=alpha, mask=found.mask)
    assert found.mask.any()


def test_captures_in_one_folder(tmp_path):
    picture, clean = put(tmp_path / "0001_img.png", noise(0)), put(tmp_path / "0001_back.png", noise(1))
    put(tmp_path / "0001_masksDL.png", white(blob()))
    put(tmp_path / "0002_img.png", noise(2))
    put(tmp_path / "other.png", noise(3))
    dataset = ADAPTERS["bgmatting"](tmp_path)
    assert list(dataset.ids) == ["0001", "0002"]
    same(item(dataset, "0001"), picture=picture, clean=clean, mask=blob())
    assert reason(dataset, "0002") == "0002_back.*: no such file"


def test_captures_count_what_is_damaged_or_missing(tmp_path):
    for id in "abcd":
        put(tmp_path / "src" / f"{id}.png", noise(0))
        put(tmp_path / "bgr" / f"{id}.png", noise(1))
        put(tmp_path / "pha" / f"{id}.png", matte())
    cut_off(tmp_path / "bgr" / "a.png")
    (tmp_path / "pha" / "b.png").unlink()
    (tmp_path / "src" / "c.png").unlink()
    dataset = ADAPTERS["bgmatting"](tmp_path)
    assert reason(dataset, "a").startswith("bgr/a.png: the image is truncated")
    assert reason(dataset, "b") == "pha/b.*: no such file"
    assert reason(dataset, "c") == "src/c.*: no such file"
    item(dataset, "d")


@pytest.mark.parametrize(
    ("name", "sought"),
    [
        ("rord", "no RORD data set: looked for img/, mask/ and gt/ in val/, RORD/val/ and the folder itself"),
        ("removalbench", "no RemovalBench data set: looked for images/, masks/ and gt/, also in RemovalBench/"),
        ("bgmatting", "no background-matting data set: looked for src/ (or img/, image/) and bgr/, or <id>_img.png"),
    ],
)
def test_a_folder_of_another_layout(tmp_path, name, sought):
    put(tmp_path / "images" / "a.png", noise(0))
    with pytest.raises(EvalError, match=f"^{re.escape(f'{tmp_path}: {sought}')}"):
        ADAPTERS[name](tmp_path)
