"""COCO's layout: masks against shapes drawn by hand, and what becomes of everything else."""

import json
import re
import shutil

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from pipeline.layouts import read_layout
from pipeline.layouts.coco_mask import CocoInstance, segment
from pipeline.layouts.json_tables import read_tables
from pipeline.sources.common import AssetError
from stages.decode import DecodeError
from tests.layouts import listed, pixels, put_json, put_photo, read, source

BY, NC, FLICKR = (
    {"id": 4, "name": "BY", "url": "http://creativecommons.org/licenses/by/2.0/"},
    {"id": 3, "name": "NC", "url": "http://creativecommons.org/licenses/by-nc-nd/2.0/"},
    {"id": 7, "name": "none known", "url": "http://flickr.com/commons/usage/"},
)
CLASSES = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 10, "name": "traffic light"}]
FIRST, SECOND = "000000000139.jpg", "000000000285.jpg"


def box(x, y, w, h):
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def runs(mask) -> list[int]:
    """Run lengths of a mask, column by column, zeros first: by counting."""
    counts, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


def annotation(key, segmentation, *, image=139, category=1, bbox=(50, 40, 60, 50), **more):
    fixed = {"id": key, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0}
    return fixed | {"segmentation": segmentation} | more


class Folder:
    """train2017 with two photographs, and annotations to be filled in."""

    def __init__(self, path):
        self.path = path
        self.first = put_photo(path / "train2017" / FIRST, 1)
        self.second = put_photo(path / "train2017" / SECOND, 2)
        self.images = [self.image(139, FIRST, self.first), self.image(285, SECOND, self.second)]
        self.rows = []

    @staticmethod
    def image(key, name, rgb, **more):
        return {"id": key, "file_name": name, "height": rgb.shape[0], "width": rgb.shape[1], "license": 4} | more

    def write(self, name="annotations/instances_train2017.json", **more):
        content = {"images": self.images, "annotations": self.rows, "categories": CLASSES, "licenses": [BY, NC, FLICKR]}
        put_json(self.path / name, content | more)
        return self.path


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def circle(shape, x, y, radius):
    v, u = np.mgrid[: shape[0], : shape[1]]
    return (u - x) ** 2 + (v - y) ** 2 <= radius**2


def test_polygons_and_both_kinds_of_runs_cut_the_shape_that_was_drawn(folder):
    h, w = folder.first.shape[:2]
    disc = circle((h, w), 80, 70, 30)
    packed = coco.encode(np.asfortranarray(disc.astype(np.uint8)))
    folder.rows = [
        annotation(1769, box(50, 40, 60, 50)),
        annotation(2, {"size": [h, w], "counts": runs(disc)}, category=18),
        annotation(3, {"size": [h, w], "counts": packed["counts"].decode()}, category=10),
        annotation(4, box(50, 40, 20, 50) + box(90, 40, 10, 10)),
    ]
    found, skipped = read(folder.write(), "coco")
    rectangle = np.zeros((h, w), bool)
    rectangle[40:90, 50:110] = True
    two = np.zeros((h, w), bool)
    two[40:90, 50:70] = two[40:50, 90:100] = True
    expected = {
        f"train2017/{FIRST}/1769.person": rectangle,
        f"train2017/{FIRST}/2.dog": disc,
        f"train2017/{FIRST}/3.traffic-light": disc,
        f"train2017/{FIRST}/4.person": two,
    }
    assert (list(found), skipped) == (list(expected), {})
    for name, mask in expected.items():
        rgba = pixels(found[name])
        assert rgba.dtype == np.uint8
        assert np.array_equal(rgba[..., 3], np.where(mask, 255, 0))
        assert np.array_equal(rgba[..., :3], folder.first)  # beyond the edge too, for whoever refines it
        assert found[name].part.rough


def test_what_is_said_of_an_instance(folder):
    folder.images[0] |= {"flickr_url": "http://farm9.staticflickr.com/8035/139_z.jpg"}
    folder.rows = [annotation(1769, box(50, 40, 60, 50), category=10)]
    found, _ = read(folder.write(), "coco")
    (file,) = found.values()
    assert file.path == folder.path / "train2017" / FIRST
    assert file.uri == f"file:train2017/{FIRST}#1769"
    assert (file.caption, file.license, file.photo) == ("traffic light", "CC-BY-2.0", "000000000139")
    assert file.attribution == "http://farm9.staticflickr.com/8035/139_z.jpg"


@pytest.mark.parametrize(
    ("bbox", "whole"),
    [
        ((1, 1, 60, 50), None),
        ((0.5, 40, 60, 50), False),
        ((50, 0, 60, 50), False),
        ((-60, -50, -1, -1), False),
    ],
)
def test_an_instance_that_touches_the_frame_is_not_whole(folder, bbox, whole):
    h, w = folder.first.shape[:2]
    if bbox[0] < 0:  # from the far corner
        bbox = (w - 60, h - 50, 60, 50)
    folder.rows = [annotation(1, box(50, 40, 60, 50), bbox=bbox)]
    (file,) = read(folder.write(), "coco")[0].values()
    assert file.whole is whole


def test_an_instance_one_pixel_from_the_far_corner_does_not_touch_the_frame(folder):
    h, w = folder.first.shape[:2]
    folder.rows = [annotation(1, box(50, 40, 60, 50), bbox=(w - 61, h - 51, 60, 50))]
    (file,) = read(folder.write(), "coco")[0].values()
    assert file.whole is None


def test_roles(folder):
    big = annotation(1, box(50, 40, 60, 50), category=18, bbox=(10, 10, 55, 100))
    folder.rows = [annotation(2, box(50, 40, 60, 50)), big]
    folder.rows += [annotation(3, {}, category=10, bbox=(0, 0, 200, 190), iscrowd=1)]
    folder.images[1]["license"] = 3
    folder.write()
    for role, captions in (("background", ["", ""]), ("photograph", ["dog", ""])):
        found, skipped = read(folder.path, "coco", role)
        assert (list(found), skipped) == ([f"train2017/{FIRST}", f"train2017/{SECOND}"], {})
        assert [f.caption for f in found.values()] == captions
        assert [f.license for f in found.values()] == ["CC-BY-2.0", "CC-BY-NC-ND-2.0"]
        assert [f.photo for f in found.values()] == ["000000000139", "000000000285"]
        assert {f.part for f in found.values()} == {None}
        only, _ = read(folder.path, "coco", role, categories=["dog"])
        assert list(only) == [f"train2017/{FIRST}"]


def test_categories(folder):
    folder.rows = [annotation(1, box(9, 9, 60, 50)), annotation(2, box(9, 9, 60, 50), category=18)]
    folder.rows += [annotation(3, box(9, 9, 60, 50), category=10)]
    folder.write()
    found, skipped = read(folder.path, "coco", categories=["dog", "traffic light"])
    assert ([f.caption for f in found.values()], skipped) == (["dog", "traffic light"], {})
    message = "categories: 'dgo' is no class of the annotations; did you mean 'dog'?"
    with pytest.raises(AssetError, match=f"^{re.escape(message)}$"):
        read(folder.path, "coco", categories=["dgo"])


def test_reasons(folder):
    fine = box(50, 40, 60, 50)
    folder.images += [
        folder.image(1, "gone.jpg", folder.first),
        folder.image(2, "gone-too.jpg", folder.first),
        folder.image(3, SECOND, folder.second, license=7),
        folder.image(4, SECOND, folder.second, license=99),
        folder.image(5, "", folder.second),
    ]
    folder.rows = [
        annotation(10, fine, iscrowd=1),
        annotation(11, fine, bbox=(9, 9, 31, 31.9)),
        annotation(12, fine, bbox=(9, 9, 10, 32)),
        annotation(13, fine, bbox=(9, 9, 60)),
        annotation(14, fine, bbox=None),
        annotation(15, []),
        annotation(16, fine, category=99),
        annotation(None, fine),
        annotation(17, fine, image=1),
        annotation(18, fine, image=1),
        annotation(19, fine, image=3),
        annotation(20, fine, image=4),
        annotation(21, fine, image=5),
        annotation(22, fine, image=77),
        annotation(23, fine, bbox=(9, 9, True, 60)),
        annotation(24, fine, bbox=(9, 9, float("nan"), 60)),
    ]
    found, skipped = read(folder.write(), "coco")
    file, index = f"train2017/{FIRST}", "annotations/instances_train2017.json"
    assert list(found) == [f"{file}/12.person"]
    assert skipped == {
        f"{file}/10.person": "crowd",
        f"{file}/11.person": "too_small",
        f"{file}/13.person": "bad_annotation",
        f"{file}/14.person": "bad_annotation",
        f"{file}/15.person": "bad_annotation",
        f"{file}/16.unnamed": "bad_annotation",
        f"{file}/none.person": "bad_annotation",
        f"{file}/23.person": "bad_annotation",
        f"{file}/24.person": "bad_annotation",
        f"{index}:gone.jpg": "missing_image",
        f"{index}:{SECOND}": "unknown_license",
        f"{index}:": "missing_image",
        f"{index}:22": "bad_annotation",
    }


def test_details_name_bound_and_value(folder):
    folder.rows = [annotation(1, box(9, 9, 60, 50), bbox=(9, 9, 31, 31.5)), annotation(2, box(9, 9, 60, 50), image=285)]
    folder.images[1]["license"] = 7
    _, skipped = read_layout(source("coco"), listed(folder.write()))
    assert [s.detail for s in skipped] == [
        "long side 31.5 px, at least 32",
        "license 7 http://flickr.com/commons/usage/",
    ]


@pytest.mark.parametrize("size", [(0, 50), (50.5, 50), ("50", 50), (None, 50), (10**9, 10**9), (1e300, 50), (True, 50)])
def test_sizes_that_no_picture_has(folder, size):
    folder.images[0] |= {"height": size[0], "width": size[1]}
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    assert list(read(folder.write(), "coco")[1].values()) == ["bad_annotation"]


def test_licence_that_the_data_set_does_not_state_is_left_to_the_source(folder):
    for image in folder.images:
        del image["license"]
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    folder.write(licenses=None)
    (file,) = read(folder.path, "coco")[0].values()
    assert file.license == file.attribution == ""


def test_a_picture_is_sought_in_the_folder_that_the_annotations_are_named_after(folder):
    shutil.copytree(folder.path / "train2017", folder.path / "val2017")
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    folder.write()
    folder.write("annotations/instances_val2017.json")
    found, skipped = read(folder.path, "coco")
    assert (list(found), skipped) == ([f"train2017/{FIRST}/1.person", f"val2017/{FIRST}/1.person"], {})
    assert {f.photo for f in found.values()} == {f"train2017/{FIRST}", f"val2017/{FIRST}"}
    (folder.path / "annotations" / "instances_val2017.json").unlink()
    (folder.path / "annotations" / "instances_train2017.json").rename(folder.path / "val2017" / "x.json")
    assert list(read(folder.path, "coco")[0]) == [f"val2017/{FIRST}/1.person"]  # beside its JSON
    (folder.path / "val2017" / "x.json").rename(folder.path / "annotations" / "x.json")
    assert read(folder.path, "coco") == ({}, {f"annotations/x.json:{FIRST}": "ambiguous_image"})


def test_names_with_folders_and_lvis_addresses(folder):
    folder.images[0]["file_name"] = f"train2017/{FIRST}"
    del folder.images[1]["file_name"]
    folder.images[1]["coco_url"] = f"http://images.cocodataset.org/train2017/{SECOND}"
    folder.rows = [annotation(1, box(9, 9, 60, 50)), annotation(2, box(9, 9, 60, 50), image=285)]
    found, _ = read(folder.write(), "coco")
    assert list(found) == [f"train2017/{FIRST}/1.person", f"train2017/{SECOND}/2.person"]


def test_the_same_annotation_in_two_files_counts_once_and_another_of_its_id_is_told(folder):
    folder.rows = [annotation(1, box(9, 9, 60, 50)), annotation(2, box(9, 9, 60, 50))]
    folder.write()
    folder.rows[1]["segmentation"] = box(9, 9, 60, 40)
    folder.write("annotations/person_keypoints_train2017.json")
    found, skipped = read(folder.path, "coco")
    assert skipped == {f"train2017/{FIRST}/2.person": "duplicate"}
    assert orjson.loads(found[f"train2017/{FIRST}/2.person"].part.segmentation) == box(9, 9, 60, 50)


def test_other_json_is_passed_over_and_broken_json_is_told(folder):
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    folder.write()
    boxes = [{"id": 5, "image_id": 139, "category_id": 1, "bbox": [1, 1, 50, 50]}]
    put_json(folder.path / "boxes.json", {"images": folder.images, "annotations": boxes, "categories": CLASSES})
    put_json(folder.path / "captions.json", {"images": [], "annotations": []})
    put_json(folder.path / "list.json", [1, 2])
    (folder.path / "cut.json").write_text('{"images": [')
    found, skipped = read(folder.path, "coco")
    assert (list(found), skipped) == ([f"train2017/{FIRST}/1.person"], {"cut.json": "bad_json"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4) | JSON, st.sampled_from([None, 1, 3]))
@settings(deadline=None)
def test_tables_are_read_as_the_whole_file_is(content, indent):
    expected = content.items() if isinstance(content, dict) else ()
    lists = {name: [(name, row) for row in value] for name, value in expected if isinstance(value, list)}
    assert read_tables(json.dumps(content, indent=indent), lambda name, row: (name, row)) == lists


@given(st.data())
@settings(deadline=None)
def test_cut_or_damaged_tables_are_refused_where_the_whole_file_is(data):
    text = json.dumps({"a": [1, {"b": [2]}, "c"], "d": 3, "e": [], "f": [[]]})
    at = data.draw(st.integers(1, len(text) - 1))
    with pytest.raises(json.JSONDecodeError):
        read_tables(text[:at], lambda _, row: row)
    changed = text[:at] + data.draw(st.sampled_from('{}[],:"1 ')) + text[at + 1 :]
    try:
        whole = json.loads(changed)
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            read_tables(changed, lambda _, row: row)
    else:
        expected = {k: v for k, v in whole.items() if isinstance(v, list)}
        assert read_tables(changed, lambda _, row: row) == expected


def test_the_last_of_two_tables_of_one_name_counts():
    assert read_tables('{"a": [1], "a": [2], "b": [3], "b": null}', lambda _, row: row) == {"a": [2]}


def test_json_that_is_nested_without_end_is_told(folder):
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    (folder.write() / "deep.json").write_text('{"a": ' + "[" * 10**6)
    (folder.path / "latin.json").write_bytes(b'{"a": "\xff"}')
    found, skipped = read(folder.path, "coco")
    assert (len(found), skipped) == (1, {"deep.json": "bad_json", "latin.json": "bad_json"})


def test_rows_that_are_no_rows_cost_only_themselves(folder):
    folder.images += [None, {}, {"id": [1]}]
    folder.rows = [None, {}, {"id": {}, "image_id": [], "segmentation": 3}, annotation(1, box(9, 9, 60, 50))]
    found, skipped = read(folder.write(categories=[*CLASSES, None, {"id": []}], licenses=[None, {}, BY]), "coco")
    assert list(found) == [f"train2017/{FIRST}/1.person"]
    assert set(skipped.values()) == {"bad_annotation"}


def test_a_folder_without_annotations_is_refused(folder):
    put_json(folder.path / "a.json", {"images": []})
    message = "layout = 'coco' needs a .json file with images, annotations and categories, and there is none; "
    with pytest.raises(AssetError, match=re.escape(f"{message}the first of 3 files is 'a.json'")):
        read(folder.path, "coco")


def test_a_picture_of_another_size_is_refused(folder):
    folder.images[0]["width"] -= 1
    folder.rows = [annotation(1, box(9, 9, 60, 50))]
    (file,) = read(folder.write(), "coco")[0].values()
    h, w = folder.first.shape[:2]
    with pytest.raises(DecodeError, match=f"the picture is {w} x {h}, its annotation {w - 1} x {h} pixels$") as e:
        pixels(file)
    assert e.value.reason == "size_mismatch"


@pytest.mark.parametrize(
    ("segmentation", "said"),
    [
        ([], "no polygon"),
        ([[]], "a polygon must be an even number of at least 6 coordinates"),
        (
            [[1, 2, 3, 4]],
            "a polygon must be an even number of at least 6 coordinates",
        ),  # the library takes it for a box
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon must be an even number of at least 6 coordinates"),
        ([1, 2, 3, 4, 5, 6], "a polygon must be an even number of at least 6 coordinates"),
        ([[1, 2, 3, 4, 5, None]], "a coordinate is no number within 20 of 0"),
        ([[1, 2, 3, 4, 5, "6"]], "a coordinate is no number within 20 of 0"),
        ([[1, 2, 3, 4, 5, 21]], "a coordinate is no number within 20 of 0"),
        ([[1, 2, 3, 4, 5, float("nan")]], "a coordinate is no number within 20 of 0"),
        ("oops", "neither polygons nor run lengths but str"),
        (None, "neither polygons nor run lengths but NoneType"),
        ({"counts": [80]}, "'size'"),
        ({"size": [8, 10]}, "'counts'"),
        ({"size": 8, "counts": [80]}, "'int' object is not iterable"),
        ({"size": [10, 8], "counts": [80]}, "size [10, 8], must be [8, 10]"),
        ({"size": [8, 10], "counts": [79]}, "the runs cover 79 pixels, must be 80"),
        ({"size": [8, 10], "counts": [40, 41]}, "the runs cover 81 pixels, must be 80"),
        ({"size": [8, 10], "counts": [90, -10]}, "a run length is no whole number from 0"),
        ({"size": [8, 10], "counts": [80.0]}, "a run length is no whole number from 0"),
        ({"size": [8, 10], "counts": None}, "a run length is no whole number from 0"),
        ({"size": [8, 10], "counts": ""}, "the runs cover 0 pixels, must be 80"),
        ({"size": [8, 10], "counts": "12"}, "the runs cover 3 pixels, must be 80"),
        ({"size": [8, 10], "counts": "1 "}, "the compressed runs are damaged"),
        ({"size": [8, 10], "counts": "1\u00e4"}, "the compressed runs are damaged"),
        ({"size": [8, 10], "counts": "oooooooo0"}, "the compressed runs are damaged"),
        ({"size": [8, 10], "counts": "1o"}, "the compressed runs end early"),
    ],
)
def test_a_bad_segmentation_is_a_decode_error(segmentation, said):
    with pytest.raises(DecodeError, match=f"^x: segmentation: {re.escape(said)}$") as e:
        segment(segmentation, 8, 10, "x")
    assert e.value.reason == "bad_annotation"


MASKS = st.integers(1, 12).flatmap(
    lambda w: st.integers(1, 12).flatmap(
        lambda h: st.lists(st.booleans(), min_size=w * h, max_size=w * h).map(lambda v: np.reshape(v, (h, w)))
    )
)


@given(MASKS)
@settings(deadline=None)
def test_any_mask_survives_both_kinds_of_runs(mask):
    h, w = mask.shape
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    for counts in (runs(mask), packed):
        assert np.array_equal(segment({"size": [h, w], "counts": counts}, h, w, "x"), mask)


def test_long_runs_survive_packing():
    mask = np.random.default_rng(5).random((700, 900)) < 0.5
    mask[:, 200:700] = False
    mask[:, 300:500] = True
    packed = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert np.array_equal(segment({"size": [700, 900], "counts": packed}, 700, 900, "x"), mask)


EIGHTHS = st.integers(0, 320).map(lambda n: n / 8)


@given(st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=3, max_size=7))
@settings(deadline=None)
def test_polygons_hold_the_pixels_whose_centre_is_well_inside(points):
    """Even-odd by ray casting at pixel centres; the library may differ within a pixel of an outline."""
    mask = segment([[v for p in points for v in p]], 40, 40, "x")
    v, u = np.mgrid[:40, :40] + 0.5
    inside, near = np.zeros((40, 40), bool), np.full((40, 40), np.inf)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        if ay != by:
            inside ^= ((ay > v) != (by > v)) & (u < (bx - ax) * (v - ay) / (by - ay) + ax)
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = np.clip(((u - ax) * (bx - ax) + (v - ay) * (by - ay)) / length, 0, 1) if length > 0 else 0.0
        near = np.minimum(near, np.hypot(u - ax - t * (bx - ax), v - ay - t * (by - ay)))
    away = near > 1.5
    assert np.array_equal(mask[away], inside[away])


def test_keys_tell_annotations_and_sizes_apart():
    parts = [
        CocoInstance(8, 10, b"[[1,2,3,4,5,6]]"),
        CocoInstance(8, 10, b"[[1,2,3,4,5,7]]"),
        CocoInstance(10, 8, b"[[1,2,3,4,5,6]]"),
        CocoInstance(8, 101, b"[[1,2,3,4,5,6]]"),
        CocoInstance(81, 0, b"1[[1,2,3,4,5,6]]"),
    ]
    assert len({p.key() for p in parts}) == len(parts)
    assert CocoInstance(8, 10, b"[[1,2,3,4,5,6]]").key() == parts[0].key()


def test_the_order_does_not_depend_on_that_of_the_files(folder):
    folder.rows = [annotation(k, box(9, 9, 60, 50), image=139 if k % 2 else 285) for k in range(5)]
    files = listed(folder.write())
    assert read_layout(source("coco"), files) == read_layout(source("coco"), files[::-1])


def test_plain_files_are_left_alone(folder):
    files = listed(folder.path)
    assert read_layout(source("files"), files) == (files, [])
