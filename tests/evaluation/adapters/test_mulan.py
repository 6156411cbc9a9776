"""MULAN's annotations as test pictures."""

import os
import pickle
import re
import zlib

import numpy as np
import pytest

from evaluation.adapters import ADAPTERS
from evaluation.errors import EvalError
from tests.evaluation.adapters.folders import H, W, blob, cut_off, item, matte, noise, put, reason
from tests.layouts import put_annotation

NAME = "000000000139"


def layer(seed, alpha=None):
    """What to keep of the photograph, what to add, and how much of it covers."""
    kept = blob(seed)
    delta = np.where(kept[..., None], 0, noise(40 + seed)).astype(np.int16)
    made = {"blip2": "a thing", "original_image_mask": kept, "inpainted_delta": delta}
    return made if alpha is None else made | {"instance_alpha": alpha}


def content(alphas):
    return {"background": layer(9), "image": {}, "instances": {k: layer(k, a) for k, a in enumerate(alphas)}}


def colour(photo, seed):
    """A layer's colour, by the published formula."""
    return np.where(blob(seed)[..., None], photo, noise(40 + seed))


ALPHAS = [matte(0), np.roll(matte(1), 4, axis=1), np.roll(matte(2), 9, axis=1)]


def stack(photo, numbers):
    """Background and instances over it in order: exact, rounded at every layer."""
    out = colour(photo, 9).astype(np.int64)
    for k in numbers:
        a = ALPHAS[k].astype(np.int64)[..., None]
        out = (2 * (a * colour(photo, k) + (255 - a) * out) + 255) // 510
    return out.astype(np.uint8)


@pytest.fixture
def photo(tmp_path):
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", content(ALPHAS))
    return put(tmp_path / "train2017" / f"{NAME}.jpg", noise(0))


def test_instances_pixel_by_pixel(tmp_path, photo):
    dataset = ADAPTERS["mulan"](tmp_path)
    assert list(dataset.ids) == [f"mulan/{NAME}/{k}" for k in range(3)]
    for k in range(3):
        found = item(dataset, f"mulan/{NAME}/{k}")
        np.testing.assert_array_equal(found.picture, photo)
        np.testing.assert_array_equal(found.clean, stack(photo, [n for n in range(3) if n != k]))
        np.testing.assert_array_equal(found.foreground[..., 3], ALPHAS[k])
        shown = ALPHAS[k] > 0
        np.testing.assert_array_equal(found.foreground[..., :3], np.where(shown[..., None], colour(photo, k), 0))
        lets = np.prod([1 - ALPHAS[n] / 255 for n in range(k + 1, 3)], axis=0)
        np.testing.assert_allclose(found.visible, ALPHAS[k] / 255 * lets, atol=1e-6)
        np.testing.assert_array_equal(found.alpha, found.visible)
        np.testing.assert_array_equal(found.mask, found.visible >= 0.5)
        assert (found.effect, found.trimap, found.visible.dtype) == (None, None, np.float32)


def test_only_the_front(tmp_path, photo):
    dataset = ADAPTERS["mulan"](tmp_path, objects="front")
    assert list(dataset.ids) == [f"mulan/{NAME}/2"]
    found = item(dataset, f"mulan/{NAME}/2")
    np.testing.assert_array_equal(found.clean, stack(photo, [0, 1]))
    np.testing.assert_array_equal(found.visible, (ALPHAS[2] / np.float32(255)).astype(np.float32))


def test_photographs_elsewhere_and_pairs_in_a_table(tmp_path):
    photo = put(tmp_path / "coco" / "val2017" / "000000000139.jpg", noise(3))
    put_annotation(tmp_path / "mulan" / "x-77.p.zl", content(ALPHAS))
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.gz", content(ALPHAS[:1]))
    lines = ["image,annotation", "coco\\val2017\\000000000139.jpg,mulan/x-77.p.zl", "", "nothing"]
    (tmp_path / "mulan" / "pairs.csv").write_text("\n".join(lines))
    dataset = ADAPTERS["mulan"](tmp_path / "mulan", photographs=str(tmp_path / "coco"))
    assert list(dataset.ids) == [f"{NAME}/0", "x-77/0", "x-77/1", "x-77/2"]
    for id in dataset.ids:
        np.testing.assert_array_equal(item(dataset, id).picture, photo)


def test_damaged_missing_and_hostile_annotations_are_counted(tmp_path, photo):
    folder = tmp_path / "mulan"

    class Call:
        def __reduce__(self):
            return os.getcwd, ()

    (folder / "cut.p.zl").write_bytes((folder / f"{NAME}.p.zl").read_bytes())
    cut_off(folder / "cut.p.zl")
    (folder / "evil.p.zl").write_bytes(zlib.compress(pickle.dumps(Call())))
    put_annotation(folder / "none.p.zl", content([]))
    put_annotation(folder / "gone.p.zl", content(ALPHAS[:1]))
    put_annotation(folder / "size.p.zl", content(ALPHAS[:1]))
    put_annotation(folder / "under.p.zl", content([ALPHAS[0], np.full((H, W), 255, np.uint8)]))
    put(tmp_path / "train2017" / "size.jpg", noise(0)[1:].copy())
    put(tmp_path / "train2017" / "under.jpg", noise(0))
    dataset = ADAPTERS["mulan"](tmp_path)
    assert len(dataset.ids) == 3 + 3 + 2 + 2
    assert reason(dataset, "mulan/cut") == "mulan/cut.p.zl: the compressed data end early"
    assert re.fullmatch(
        r"mulan/evil\.p\.zl: the pickle holds the global \w+\.getcwd, which is not allowed",
        reason(dataset, "mulan/evil"),
    )
    assert reason(dataset, "mulan/none") == "mulan/none.p.zl: 0 instances, so there is no object"
    assert reason(dataset, "mulan/gone/0") == "gone.*: no such file"
    sizes = f"the picture is {W} x {H - 1}, original_image_mask {W} x {H} pixels"
    assert reason(dataset, "mulan/size/0") == f"mulan/size.p.zl: {sizes}"
    hidden = "instance 0: nothing of it shows, so there is no mask"
    assert reason(dataset, "mulan/under/0") == f"mulan/under.p.zl: {hidden}"
    item(dataset, "mulan/under/1")


def test_two_photographs_of_one_name_are_ambiguous(tmp_path, photo):
    put(tmp_path / "val2017" / f"{NAME}.jpg", noise(1))
    text = f"train2017/{NAME}.jpg: val2017/{NAME}.jpg is there too; one of them must go"
    assert reason(ADAPTERS["mulan"](tmp_path), f"mulan/{NAME}/0") == text


def test_two_annotations_of_one_name_are_both_counted(tmp_path, photo):
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.gz", content(ALPHAS[:1]))
    assert f"mulan/{NAME}/0-2" in ADAPTERS["mulan"](tmp_path).ids


def test_folders_without_annotations_or_photographs(tmp_path):
    text = f"{tmp_path}: no MULAN data set: looked for *.p.zl and *.p.gz"
    with pytest.raises(EvalError, match=f"^{re.escape(text)}$"):
        ADAPTERS["mulan"](tmp_path)
    gone = tmp_path / "gone"
    with pytest.raises(EvalError, match=f"^{re.escape(f'{gone}: option')} 'photographs' names no folder$"):
        ADAPTERS["mulan"](tmp_path, photographs=str(gone))
