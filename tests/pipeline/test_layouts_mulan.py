"""MULAN's layout: layers against the published formula."""

import gzip
import pickle
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from pipeline.layouts import read_layout
from pipeline.layouts.mulan_layer import MulanLayer
from pipeline.sources.common import AssetError
from stages.decode import DecodeError
from tests.layouts import listed, pixels, put_annotation, put_csv, put_photo, read, source

NAME = "000000000139"


def layer(shape, seed, caption):
    rng = np.random.default_rng([7, seed])
    kept = rng.random(shape) < 0.6
    delta = np.where(kept[..., None], rng.integers(-9, 9, (*shape, 3)), rng.integers(0, 256, (*shape, 3)))
    return {
        "llava": "long",
        "blip2": caption,
        "original_image_mask": kept,
        "inpainted_delta": delta.astype(np.int16),
        "instance_alpha": rng.integers(0, 256, shape).astype(np.uint8),
    }


def content(shape, instances=2):
    captions = ["a dog\n", "two  cats.", "a cow"]
    ground = layer(shape, 100, "a green field.")
    del ground["instance_alpha"]
    return {
        "captioning": {"llava": "LLaVa", "blip2": "BLIP 2", "clip": "CLIP"},
        "background": ground,
        "image": {"llava": "long", "blip2": "a dog and cats in a field", "original_image_mask": np.ones(shape, bool)},
        "instances": {k: layer(shape, k, captions[k]) for k in range(instances)},
    }


def formula(rgb, layer):
    """By pixels, in exact integers."""
    out = rgb.copy()
    for y in range(rgb.shape[0]):
        for x in range(rgb.shape[1]):
            for c in range(3):
                kept = int(rgb[y, x, c]) * int(layer["original_image_mask"][y, x])
                if "instance_mask" in layer:
                    kept *= int(layer["instance_mask"][y, x])
                out[y, x, c] = min(max(kept + int(layer["inpainted_delta"][y, x, c]), 0), 255)
    return out


@pytest.fixture
def base(tmp_path):
    return put_photo(tmp_path / "train2017" / f"{NAME}.jpg", 4)


@pytest.fixture
def said(tmp_path, base):
    said = content(base.shape[:2])
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", said)
    return said


def test_instances_follow_the_formula(tmp_path, base, said):
    said["instances"][1]["instance_mask"] = np.random.default_rng(1).random(base.shape[:2]) < 0.5
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", said)
    found, skipped = read(tmp_path, "mulan")
    assert (list(found), skipped) == ([f"mulan/{NAME}.p.zl/0", f"mulan/{NAME}.p.zl/1"], {})
    for k, file in enumerate(found.values()):
        rgba = pixels(file)
        alpha = said["instances"][k]["instance_alpha"]
        assert np.array_equal(rgba[..., 3], alpha)
        assert np.array_equal(rgba[..., :3], np.where(alpha[..., None] > 0, formula(base, said["instances"][k]), 0))
        assert file.part.rough is False
        assert file.path == tmp_path / "train2017" / f"{NAME}.jpg"
        assert file.uri == f"file:train2017/{NAME}.jpg#{k}"
        assert (file.license, file.attribution, file.whole, file.photo) == ("", "", None, NAME)
    assert [f.caption for f in found.values()] == ["a dog", "two cats"]


def test_backgrounds_and_photographs(tmp_path, base, said):
    found, _ = read(tmp_path, "mulan", "background")
    ((relative, file),) = found.items()
    assert (relative, file.caption, file.photo) == (f"mulan/{NAME}.p.zl/background", "a green field", NAME)
    assert np.array_equal(pixels(file), formula(base, said["background"]))
    found, _ = read(tmp_path, "mulan", "photograph")
    ((relative, file),) = found.items()
    assert (relative, file.caption, file.photo) == (f"train2017/{NAME}.jpg", "a dog and cats in a field", NAME)
    assert file.part is None


def variants(said):
    """The same layer, written in every way that is read."""
    kept, delta, alpha = said["original_image_mask"], said["inpainted_delta"], said["instance_alpha"]
    yield {}
    yield {"original_image_mask": kept[..., None], "instance_alpha": alpha[..., None]}
    yield {"original_image_mask": np.dstack([kept] * 3).astype(np.uint8), "instance_alpha": np.dstack([alpha] * 3)}
    yield {"original_image_mask": kept.astype(np.uint8) * 255, "inpainted_delta": delta.astype(np.int64)}
    yield {"original_image_mask": kept.astype(np.float64), "inpainted_delta": delta.astype(np.float16)}
    yield {"instance_alpha": alpha.astype(np.float32) / 255, "inpainted_delta": np.asfortranarray(delta)}
    yield {"instance_alpha": alpha.astype(np.float64), "instance_mask": None, "unknown": {"a": [1]}}
    yield {"instance_alpha": Image.fromarray(alpha), "original_image_mask": Image.fromarray(kept)}


def test_all_ways_to_write_a_layer_give_the_same_pixels(tmp_path, base, said):
    expected = None
    for change in variants(said["instances"][0]):
        changed = said | {"instances": [said["instances"][0] | change]}
        put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", changed)
        (file,) = read(tmp_path, "mulan")[0].values()
        expected = pixels(file) if expected is None else expected
        assert np.array_equal(pixels(file), expected), list(change)


def test_alpha_of_truth_values_and_of_ones(tmp_path, base, said):
    hard = said["instances"][0]["instance_alpha"] > 100
    for written in (hard, hard.astype(np.uint8), hard.astype(np.float32)):
        said["instances"] = [said["instances"][0] | {"instance_alpha": written}]
        put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", said)
        (file,) = read(tmp_path, "mulan")[0].values()
        assert np.array_equal(pixels(file)[..., 3], np.where(hard, 255, 0))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols_gzip_and_lists(tmp_path, base, said, protocol):
    said["instances"] = list(said["instances"].values())
    (tmp_path / "mulan" / f"{NAME}.p.zl").unlink()
    packed = gzip.compress(pickle.dumps(said, protocol))
    (tmp_path / "mulan" / f"{NAME}.p.gz").write_bytes(packed)
    found, skipped = read(tmp_path, "mulan")
    assert (list(found), skipped) == ([f"mulan/{NAME}.p.gz/0", f"mulan/{NAME}.p.gz/1"], {})


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (["image", "annotation"], ["/data/coco/train2017/{}.jpg", "/data/mulan/other.p.zl"]),
        (["annotation_path", "note", "path"], ["mulan/other.p.zl", "12", "{}.jpg"]),
        (None, ["train2017\\{}.jpg", "mulan\\other.p.zl"]),
    ],
)
def test_a_table_of_pairs_says_what_names_do_not(tmp_path, base, said, header, row):
    (tmp_path / "mulan" / f"{NAME}.p.zl").rename(tmp_path / "mulan" / "other.p.zl")
    assert read(tmp_path, "mulan")[1] == {"mulan/other.p.zl": "missing_image"}
    put_photo(tmp_path / "train2017" / "other.jpg", 1)  # the table counts for more than the name
    put_csv(tmp_path / "pairs.csv", header, [["x", "y"], [cell.format(NAME) for cell in row]])
    found, _ = read(tmp_path, "mulan")
    assert {f.path.name for f in found.values()} == {f"{NAME}.jpg"}


def test_reasons(tmp_path, base, said):
    for name in ("gone", "twice", "broken", "evil", "empty", "odd", "none", "late"):
        put_annotation(tmp_path / "mulan" / f"{name}.p.zl", said)
        if name != "gone":
            put_photo(tmp_path / "train2017" / f"{name}.jpg", 4)
    put_photo(tmp_path / "val2017" / "twice.jpg", 4)
    (tmp_path / "mulan" / "broken.p.zl").write_bytes(zlib.compress(pickle.dumps(said)[:-99]))
    (tmp_path / "mulan" / "evil.p.zl").write_bytes(zlib.compress(b"cos\nsystem\n(S'exit 1'\ntR."))
    (tmp_path / "mulan" / "empty.p.zl").write_bytes(b"")
    put_annotation(tmp_path / "mulan" / "odd.p.zl", [1])
    put_annotation(tmp_path / "mulan" / "none.p.zl", said | {"instances": {}})
    put_annotation(tmp_path / "mulan" / "late.p.zl", said | {"instances": [3]})
    found, skipped = read(tmp_path, "mulan")
    assert list(found) == [f"mulan/{NAME}.p.zl/0", f"mulan/{NAME}.p.zl/1"]
    assert skipped == {
        "mulan/gone.p.zl": "missing_image",
        "mulan/twice.p.zl": "ambiguous_image",
        "mulan/broken.p.zl": "bad_annotation",
        "mulan/evil.p.zl": "unsafe_pickle",
        "mulan/empty.p.zl": "bad_annotation",
        "mulan/odd.p.zl": "bad_annotation",
        "mulan/late.p.zl": "bad_annotation",
    }
    _, told = read_layout(source("mulan"), listed(tmp_path))
    details = {s.relative: s.detail for s in told}
    assert details["mulan/evil.p.zl"].endswith("the pickle holds the global os.system, which is not allowed")
    assert details["mulan/twice.p.zl"].endswith("may be train2017/twice.jpg or val2017/twice.jpg")
    assert details["mulan/gone.p.zl"].endswith("its photograph gone.* is not there")


@pytest.mark.parametrize(
    ("change", "reason", "said_of_it"),
    [
        ({"instance_alpha": None}, "bad_annotation", "instance_alpha is no array of numbers (h, w) or (h, w, c)"),
        ({"instance_alpha": "x"}, "bad_annotation", "instance_alpha is no array of numbers (h, w) or (h, w, c)"),
        ({"inpainted_delta": np.zeros(5)}, "bad_annotation", "inpainted_delta is no array of numbers"),
        ({"original_image_mask": np.array([["a"]])}, "bad_annotation", "original_image_mask is no array of numbers"),
        ({"inpainted_delta": (0, 0, 2)}, "bad_annotation", "inpainted_delta has 2 channels"),
        ({"inpainted_delta": (0, 0, 4)}, "bad_annotation", "inpainted_delta has 4 channels"),
        ({"instance_mask": (1, 0)}, "size_mismatch", "instance_mask {w} x {h1} pixels"),
        ({"original_image_mask": (0, 1)}, "size_mismatch", "original_image_mask {w1} x {h} pixels"),
        ({"inpainted_delta": np.inf}, "bad_annotation", "inpainted_delta holds a value that is not finite"),
        ({"instance_alpha": np.nan}, "bad_annotation", "instance_alpha holds a value that is not finite"),
        ({"inpainted_delta": 1e300}, "bad_annotation", "inpainted_delta holds a value that is not finite"),
    ],
)
def test_a_bad_layer_is_a_decode_error(tmp_path, base, said, change, reason, said_of_it):
    h, w = base.shape[:2]
    ((key, value),) = change.items()
    if isinstance(value, tuple):
        value = np.zeros((h + value[0], w + value[1], *value[2:]), np.int16)
    elif isinstance(value, float):
        value = np.full((h, w), value)
    said["instances"] = [said["instances"][0] | {key: value}]
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", said)
    (file,) = read(tmp_path, "mulan")[0].values()
    text = said_of_it.format(w=w, h=h, w1=w + 1, h1=h + 1)
    with pytest.raises(DecodeError, match=f"^mulan/{NAME}.p.zl/0: .*{re.escape(text)}") as e:
        pixels(file)
    assert e.value.reason == reason


def test_a_layer_that_is_gone_is_a_decode_error(tmp_path, base, said):
    part = MulanLayer(tmp_path / "mulan" / f"{NAME}.p.zl", 2)
    with pytest.raises(DecodeError, match=r"^x: 2 instances, none of number 2$"):
        part.pixels((tmp_path / "train2017" / f"{NAME}.jpg").read_bytes(), "x")


def test_keys_follow_the_file_and_the_layer(tmp_path, base, said):
    first, second = (f.part for f in read(tmp_path, "mulan")[0].values())
    (ground,) = (f.part for f in read(tmp_path, "mulan", "background")[0].values())
    put_annotation(tmp_path / "copy.p.zl", said)
    assert MulanLayer(tmp_path / "copy.p.zl", 0).key() == first.key()
    before = {first.key(), second.key(), ground.key()}
    said["instances"][0]["inpainted_delta"][0, 0, 0] += 1
    put_annotation(tmp_path / "mulan" / f"{NAME}.p.zl", said)
    assert len(before | {first.key(), second.key(), ground.key()}) == 6


def test_classes_and_empty_folders_are_refused(tmp_path, base, said):
    with pytest.raises(AssetError, match=r"^categories: layout = 'mulan' has no classes, leave it out$"):
        read(tmp_path, "mulan", categories=["dog"])
    (tmp_path / "mulan" / f"{NAME}.p.zl").unlink()
    message = "layout = 'mulan' needs annotations (*.p.zl, *.p.gz), and there is none; the first of 1 files is "
    with pytest.raises(AssetError, match=re.escape(f"{message}'train2017/{NAME}.jpg'")):
        read(tmp_path, "mulan")
