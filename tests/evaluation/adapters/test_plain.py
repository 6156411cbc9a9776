"""Users' own folders."""

import hashlib
import re

import cv2
import numpy as np
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import (
    H,
    W,
    blob,
    cut_off,
    cutout,
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

open_plain = ADAPTERS["plain"]


def full(folder, id, seed=0):
    """All kinds of one item; what it should be read as."""
    visible = np.where(blob(seed), matte(seed), 0).astype(np.uint8)
    trimap = np.where(matte(seed) > 200, 255, np.where(matte(seed) > 0, 128, 0)).astype(np.uint8)
    return {
        "picture": put(folder / f"{id}.input.png", noise(seed)),
        "mask": put(folder / f"{id}.mask.png", white(blob(seed))) > 0,
        "clean": put(folder / f"{id}.clean.png", noise(seed + 1)),
        "effect": put(folder / f"{id}.effect.png", white(~blob(seed))) > 0,
        "alpha": unit(put(folder / f"{id}.alpha.png", matte(seed + 1))),
        "foreground": put(folder / f"{id}.foreground.png", cutout(seed)),
        "visible": unit(put(folder / f"{id}.visible.png", visible)),
        "trimap": put(folder / f"{id}.trimap.png", trimap),
    }


def test_all_kinds_pixel_by_pixel(tmp_path):
    expected = {id: full(tmp_path, id, seed) for seed, id in enumerate(["00062", "b", "v1.2"])}
    (tmp_path / "SOURCE.md").write_text("x")
    (tmp_path / "pairs.json").write_text("{}")
    (tmp_path / ".b.mask.png").write_text("hidden")
    dataset = open_plain(tmp_path)
    assert list(dataset.ids) == ["00062", "b", "v1.2"]
    for id, fields in expected.items():
        same(item(dataset, id), **fields)


def test_kinds_are_optional_and_other_formats_are_read(tmp_path):
    picture = put(tmp_path / "a.image.png", noise(1))
    put(tmp_path / "b.input.jpg", np.full((H, W, 3), 77, np.uint8), file_format="JPEG")
    put(tmp_path / "b.mask.bmp", white(blob()), file_format="BMP")
    dataset = open_plain(tmp_path)
    same(item(dataset, "a"), picture=picture)
    same(item(dataset, "b"), picture=np.full((H, W, 3), 77, np.uint8), mask=blob())


def test_one_folder_down_but_not_two(tmp_path):
    put(tmp_path / "top.input.png", noise(0))
    expected = {f"{name}/7": full(tmp_path / name, "7", seed) for seed, name in enumerate(["cars", "people"])}
    put(tmp_path / "cars" / "deep" / "9.input.png", noise(3))
    dataset = open_plain(tmp_path)
    assert list(dataset.ids) == ["cars/7", "people/7", "top"]
    for id, fields in expected.items():
        same(item(dataset, id), **fields)


def test_without_a_mask_alpha_gives_one(tmp_path):
    picture, alpha = put(tmp_path / "a.image.png", noise(0)), put(tmp_path / "a.alpha.png", matte())
    small = put(tmp_path / "a.trimap1.png", np.where(blob(), 128, 0).astype(np.uint8))
    large = put(tmp_path / "a.trimap2.png", np.full((H, W), 255, np.uint8))
    box = np.zeros((H, W), bool)
    ys, xs = np.nonzero(alpha >= 128)
    box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
    for options, mask in [
        ({}, grown(alpha >= 128, 10)),
        ({"grow": 3}, grown(alpha >= 128, 3)),
        ({"mask": "box"}, box),
        ({"mask": "trimap"}, small > 0),
        ({"mask": "trimap", "trimap": "trimap2"}, large > 0),
    ]:
        trimap = large if options.get("trimap") else small
        same(item(open_plain(tmp_path, **options), "a"), picture=picture, alpha=unit(alpha), mask=mask, trimap=trimap)


def test_a_given_mask_is_not_replaced(tmp_path):
    put(tmp_path / "a.image.png", noise(0))
    put(tmp_path / "a.alpha.png", matte())
    put(tmp_path / "a.mask.png", white(blob()))
    np.testing.assert_array_equal(item(open_plain(tmp_path, mask="box"), "a").mask, blob())


def test_what_shows_is_known_from_whatever_is_there(tmp_path):
    names = {"alpha": matte(1), "visible": matte(2)}
    for kinds in ((), ("alpha",), ("visible",), ("alpha", "visible")):
        folder = tmp_path / "-".join(("x", *kinds))
        put(folder / "a.input.png", noise(0))
        put(folder / "a.foreground.png", cutout(0))
        for kind in kinds:
            put(folder / f"a.{kind}.png", names[kind])
        found = item(open_plain(folder), "a")
        visible = matte(2) if "visible" in kinds else matte(1) if "alpha" in kinds else matte(0)
        np.testing.assert_array_equal(found.visible, unit(visible))
        np.testing.assert_array_equal(found.alpha, unit(matte(1) if "alpha" in kinds else visible))


def over(foreground, ground):
    """Exactly, in integers, by pixels."""
    out = ground.copy()
    for y, x, c in np.ndindex(ground.shape):
        a = int(foreground[y, x, 3])
        out[y, x, c] = (2 * (a * int(foreground[y, x, c]) + (255 - a) * int(ground[y, x, c])) + 255) // 510
    return out


def test_cut_outs_are_put_on_grey(tmp_path):
    for id in ("cat", "dog"):
        put(tmp_path / "set" / f"{id}.png", cutout(len(id)))
    dataset = open_plain(tmp_path / "set", grow=1)
    assert list(dataset.ids) == ["cat", "dog"]
    assert list(open_plain(tmp_path).ids) == ["set/cat", "set/dog"]
    grey, fg = np.full((H, W, 3), 128, np.uint8), cutout(3)
    alpha = unit(fg[..., 3])
    fields = {"clean": grey, "alpha": alpha, "visible": alpha, "foreground": fg, "mask": grown(fg[..., 3] >= 128, 1)}
    same(item(dataset, "cat"), picture=over(fg, grey), **fields)


def test_cut_outs_are_put_on_their_own_clean_picture(tmp_path):
    fg, clean = put(tmp_path / "a.foreground.png", cutout(1)), put(tmp_path / "a.clean.png", noise(4))
    found = item(open_plain(tmp_path), "a")
    np.testing.assert_array_equal(found.clean, clean)
    np.testing.assert_array_equal(found.picture, over(fg, clean))


def test_cut_outs_are_put_on_backgrounds_by_their_id_alone(tmp_path):
    sides = [(48, 64), (24, 64), (72, 32), (12, 40)]
    grounds = [put(tmp_path / "bg" / f"{k}.png", noise(k, h + 8, w + 8, 3)) for k, (h, w) in enumerate(sides)]
    for k in range(12):
        put(tmp_path / "all" / f"{k}.png", cutout(k))
    put(tmp_path / "few" / "7.png", cutout(7))
    every, few = (open_plain(tmp_path / name, backgrounds=str(tmp_path / "bg")) for name in ("all", "few"))
    for id in every.ids:
        found = item(every, id)
        drawn = int.from_bytes(hashlib.sha256(f"ground {id}".encode()).digest()[:8], "big") % 4
        np.testing.assert_array_equal(found.clean, covering(grounds[drawn]))
        np.testing.assert_array_equal(found.picture, over(cutout(int(id)), found.clean))
    np.testing.assert_array_equal(item(few, "7").picture, item(every, "7").picture)


def covering(picture):
    """Scaled until it covers H x W, and its middle."""
    scale = max(H / picture.shape[0], W / picture.shape[1])
    h, w = (max(n, round(m * scale)) for n, m in ((H, picture.shape[0]), (W, picture.shape[1])))
    big = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return big[(h - H) // 2 :][:H, (w - W) // 2 :][:, :W]


@pytest.mark.parametrize("kind", ["input", "mask", "clean", "effect", "alpha", "foreground", "visible", "trimap"])
def test_a_damaged_or_misfitting_file_names_itself(tmp_path, kind):
    for id in ("a", "b", "c"):
        full(tmp_path, id)
    cut_off(tmp_path / f"a.{kind}.png")
    pixels = cutout() if kind == "foreground" else noise(1) if kind in ("input", "clean") else matte()
    put(tmp_path / f"b.{kind}.png", np.ascontiguousarray(pixels[1:, :-2]))
    (tmp_path / f"c.{kind}.png").write_bytes(b"")
    dataset = open_plain(tmp_path)
    assert re.match(rf"a\.{kind}\.png: the image is truncated", reason(dataset, "a"))
    other, size = ("b.mask.png", f"{W} x {H}") if kind == "input" else (f"b.{kind}.png", f"{W - 2} x {H - 1}")
    its = f"{W - 2} x {H - 1}" if kind == "input" else f"{W} x {H}"
    first = "b.clean.png" if kind == "input" else other
    assert reason(dataset, "b") == f"{first}: {size} pixels, its picture has {its}"
    assert reason(dataset, "c") == f"c.{kind}.png: the file is empty (0 bytes)"


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"a.mask": blob()}, "a.input.png: no such file, nor a.image.png or a.foreground.png"),
        ({"a.input": noise(0), "a.effct": blob()}, "a.effct.png: unknown kind 'effct'; did you mean 'effect'?"),
        ({"a.input": noise(0), "a.masks": blob()}, "a.masks.png: unknown kind 'masks'; did you mean 'mask'?"),
        ({"a.input": noise(0), "a.mask": noise(1)}, "a.mask.png: channels differ by up to"),
        ({"a.input": cutout()}, "a.input.png: "),
        ({"a.input": noise(0), "a.alpha": matte() * 0}, "a: alpha is 0 everywhere, so there is no object"),
        ({"a.foreground": noise(0)}, "a.foreground.png: alpha is 255 everywhere, so it is no cut-out"),
        ({"a.input": noise(1, 8, 8, 3)}, "a.input.png: 8 x 8 pixels, each side must be at least 16"),
    ],
)
def test_what_cannot_be_used_says_why(tmp_path, files, text):
    for name, pixels in files.items():
        put(tmp_path / f"{name}.png", white(pixels) if pixels.dtype == bool else pixels)
    put(tmp_path / "fine.input.png", noise(2))
    dataset = open_plain(tmp_path)
    assert reason(dataset, "a").startswith(text)
    item(dataset, "fine")


def test_two_files_of_one_kind_are_ambiguous(tmp_path):
    put(tmp_path / "a.input.png", noise(0))
    put(tmp_path / "a.input.jpg", noise(0), file_format="JPEG")
    assert reason(open_plain(tmp_path), "a") == "a.input.jpg: a.input.png is there too; one of them must go"


def test_mask_from_trimap_needs_one(tmp_path):
    put(tmp_path / "a.image.png", noise(0))
    put(tmp_path / "a.alpha.png", matte())
    assert reason(open_plain(tmp_path, mask="trimap"), "a") == "a: no trimap, which mask = 'trimap' needs"


def test_files_that_go_after_opening_are_missing(tmp_path):
    put(tmp_path / "a.input.png", noise(0))
    dataset = open_plain(tmp_path)
    (tmp_path / "a.input.png").unlink()
    assert reason(dataset, "a") == "a.input.png: no such file"


def test_folders_without_items_and_without_backgrounds(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    text = "no plain data set: looked for <id>.input.png, <id>.image.png, <id>.foreground.png"
    with pytest.raises(EvalError, match=f"^{re.escape(f'{tmp_path}: {text}')}"):
        open_plain(tmp_path)
    put(tmp_path / "a.png", cutout())
    for wrong in (tmp_path / "gone", tmp_path / "notes.txt"):
        with pytest.raises(
            EvalError, match=f"^{re.escape(str(wrong))}: option 'backgrounds' names no folder with pictures$"
        ):
            open_plain(tmp_path, backgrounds=str(wrong))
