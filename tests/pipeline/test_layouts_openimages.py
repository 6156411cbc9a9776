"""OpenImages' layout: tables, masks of other sizes, and pictures stored turned."""

import re

import numpy as np
import pytest

from pipeline.layouts import read_layout
from pipeline.layouts.openimages_mask import OpenImagesInstance, Upright
from pipeline.layouts.openimages_tables import tables
from pipeline.sources.common import AssetError
from stages.decode import DecodeError
from tests.layouts import (
    BOX_COLUMNS,
    IMAGE_COLUMNS,
    MASK_COLUMNS,
    listed,
    pixels,
    put_csv,
    put_mask,
    put_photo,
    read,
    source,
)

A, B, GONE = "0000a90019e380a1", "000b2a0adf9adfbd", "ffffffffffffffff"
DOG, CAT = "/m/0bt9lr", "/m/01yrx"
BY = "https://creativecommons.org/licenses/by/2.0/"
FRAME = (0.2, 0.6, 0.25, 0.75)


def mask_row(image, label=DOG, number="1a2b3c4d", at=FRAME):
    name = f"{image}_{label.strip('/').replace('/', '')}_{number}.png"
    sides = dict(zip(("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"), at, strict=True))
    return {"MaskPath": name, "ImageID": image, "LabelName": label, "BoxID": number, "Clicks": "0.1 0.2 1;"} | sides


def box_row(image, label=DOG, at=FRAME, **marks):
    sides = dict(zip(("XMin", "XMax", "YMin", "YMax"), at, strict=True))
    flags = dict.fromkeys(("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"), 0)
    return {"ImageID": image, "Source": "xclick", "LabelName": label, "Confidence": 1} | sides | flags | marks


def image_row(image, **more):
    said = {"License": BY, "Author": "Ann", "Title": "A dog, asleep", "OriginalLandingURL": "https://example.org/1"}
    return {"ImageID": image, "Subset": "train", "Rotation": "0.0"} | said | more


class Folder:
    """Two photographs and tables to be filled in, which also speak of a third that is not there."""

    def __init__(self, path):
        self.path = path
        self.pictures = {A: put_photo(path / "train" / f"{A}.jpg", 1), B: put_photo(path / "train" / f"{B}.jpg", 3)}
        self.masks, self.boxes = [mask_row(GONE)], [box_row(GONE, IsGroupOf=1)]
        self.images = [image_row(GONE, License="?")]
        self.classes = [[DOG, "Dog"], [CAT, "Cat"], ["/m/0000", "Crêpe, sweet"]]

    def add(self, row, mask, **marks):
        """A row, its mask and its box."""
        self.masks.append(row)
        put_mask(self.path / "masks" / "0" / row["MaskPath"], mask)
        if marks:
            at = [row[f"Box{side}"] for side in ("XMin", "XMax", "YMin", "YMax")]
            self.boxes.append(box_row(row["ImageID"], row["LabelName"], at, **marks))

    def write(self):
        put_csv(self.path / "csv" / "one.csv", MASK_COLUMNS, self.masks)
        put_csv(self.path / "csv" / "two.csv", IMAGE_COLUMNS, self.images)
        put_csv(self.path / "csv" / "three.csv", BOX_COLUMNS, self.boxes)
        put_csv(self.path / "csv" / "four.csv", None, self.classes)
        return self.path


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def rectangle(shape, at=FRAME):
    h, w = shape[:2]
    out = np.zeros((h, w), bool)
    out[round(at[2] * h) : round(at[3] * h), round(at[0] * w) : round(at[1] * w)] = True
    return out


def shape_of(folder, image=A):
    return folder.pictures[image].shape


def test_an_instance_and_what_is_said_of_it(folder):
    row = mask_row(A)
    mask = rectangle(shape_of(folder))
    folder.add(row, mask)
    folder.images += [image_row(A), image_row(B)]
    found, skipped = read(folder.write(), "openimages")
    assert skipped == {}
    ((relative, file),) = found.items()
    assert relative == f"train/{A}.jpg/m0bt9lr_1a2b3c4d.dog"
    assert file.uri == f"file:train/{A}.jpg#{A}_m0bt9lr_1a2b3c4d"
    assert file.path == folder.path / "train" / f"{A}.jpg"
    assert (file.caption, file.license, file.photo, file.whole) == ("Dog", "CC-BY-2.0", A, None)
    assert file.attribution == '"A dog, asleep" by Ann, https://example.org/1'
    rgba = pixels(file)
    assert np.array_equal(rgba[..., 3], np.where(mask, 255, 0))
    assert np.array_equal(rgba[..., :3], folder.pictures[A])
    assert file.part.rough


@pytest.mark.parametrize(("factor", "rows"), [(2, 1), (3, 1), (1, 2)])
def test_masks_of_another_size_go_to_the_nearest_pixel(folder, factor, rows):
    h, w = shape_of(folder)[:2]
    size = (h // factor * rows, w // factor * rows)
    small = np.random.default_rng(2).random(size) < 0.5
    folder.add(mask_row(A), small)
    (file,) = read(folder.write(), "openimages")[0].values()
    y = ((np.arange(h) + 0.5) * size[0] / h).astype(int)
    x = ((np.arange(w) + 0.5) * size[1] / w).astype(int)
    expected = np.where(small[y][:, x], 255, 0)
    assert np.mean(pixels(file)[..., 3] == expected) > 0.999  # a tie may go either way


def test_a_mask_of_other_proportions_is_refused(folder):
    h, w = shape_of(folder)[:2]
    folder.add(mask_row(A), np.ones((w, h), bool))
    (file,) = read(folder.write(), "openimages")[0].values()
    said = f"the picture is {w} x {h}, its mask {A}_m0bt9lr_1a2b3c4d.png {h} x {w} pixels"
    with pytest.raises(DecodeError, match=f"{re.escape(said)}$") as e:
        pixels(file)
    assert e.value.reason == "size_mismatch"


@pytest.mark.parametrize(
    ("rotation", "turns"), [("", 0), ("nan", 0), ("0.0", 0), ("0", 0), ("90.0", 1), ("180.0", 2), ("270", 3)]
)
def test_pictures_and_masks_are_turned_upright_counter_clockwise(folder, rotation, turns):
    mask = rectangle(shape_of(folder))
    folder.add(mask_row(A), mask)
    folder.images.append(image_row(A, Rotation=rotation))
    (file,) = read(folder.write(), "openimages")[0].values()
    stored = np.dstack([folder.pictures[A], np.where(mask, 255, 0)])
    for _ in range(turns):
        stored = stored.swapaxes(0, 1)[::-1]  # the right column becomes the top row
    assert np.array_equal(pixels(file), stored)
    (whole,) = read(folder.path, "openimages", "background")[0].values()
    if turns:
        assert np.array_equal(pixels(whole), stored[..., :3])
        assert whole.part == Upright(turns)
        assert whole.part.rough is False
    else:
        assert whole.part is None


@pytest.mark.parametrize(
    ("marks", "at", "whole", "reason"),
    [
        ({"IsTruncated": 0}, FRAME, None, None),
        ({"IsTruncated": 1}, FRAME, False, None),
        ({"IsOccluded": 1}, FRAME, False, None),
        ({"IsOccluded": -1, "IsTruncated": -1, "IsGroupOf": -1}, FRAME, None, None),
        ({"IsOccluded": 0}, (0.001, 0.6, 0.25, 0.75), False, None),
        ({"IsOccluded": 0}, (0.2, 0.6, 0.25, 0.999), False, None),
        ({"IsOccluded": 0}, (0.004, 0.996, 0.004, 0.996), None, None),
        ({"IsGroupOf": 1}, FRAME, None, "group"),
        ({"IsDepiction": 1}, FRAME, None, "depiction"),
        ({"IsInside": 1}, FRAME, None, "inside"),
    ],
)
def test_marks_of_the_box_that_the_mask_was_drawn_from(folder, marks, at, whole, reason):
    folder.add(mask_row(A, at=at), rectangle(shape_of(folder), at), **marks)
    # Boxes of others must not count: of another label, another picture, another place.
    bad = {"IsGroupOf": 1, "IsOccluded": 1}
    folder.boxes += [box_row(A, CAT, at, **bad), box_row(B, DOG, at, **bad), box_row(A, DOG, (0, 1, 0, 1), **bad)]
    found, skipped = read(folder.write(), "openimages")
    assert list(skipped.values()) == ([reason] if reason else [])
    assert [f.whole for f in found.values()] == ([] if reason else [whole])


def test_boxes_match_to_the_digits_that_the_masks_quote(folder):
    folder.add(mask_row(A, at=(0.2, 0.6, 0.25, 0.75)), rectangle(shape_of(folder)))
    folder.boxes += [box_row(A, DOG, (0.2, 0.6, 0.25, 0.753), IsGroupOf=1)]
    assert list(read(folder.write(), "openimages")[1].values()) == []
    folder.boxes += [box_row(A, DOG, (0.2004, 0.5998, 0.25, 0.7501), IsDepiction=1)]
    assert list(read(folder.write(), "openimages")[1].values()) == ["depiction"]


def test_categories_by_name_or_label(folder):
    folder.add(mask_row(A), rectangle(shape_of(folder)))
    folder.add(mask_row(B, CAT), rectangle(shape_of(folder, B)))
    folder.write()
    both = [f"train/{A}.jpg", f"train/{B}.jpg"]
    for wanted, images in ((["Dog"], both[:1]), ([CAT], both[1:]), (["Dog", "Cat"], both)):
        found, _ = read(folder.path, "openimages", categories=wanted)
        assert [r.rpartition("/")[0] for r in found] == images
        assert list(read(folder.path, "openimages", "background", categories=wanted)[0]) == images
    with pytest.raises(AssetError, match=r"that csv/one.csv names in categories = \['Crêpe, sweet'\]$"):
        read(folder.path, "openimages", categories=["Crêpe, sweet"])
    with pytest.raises(AssetError, match=r"^categories: 'Dogg' is no class of the table; did you mean 'Dog'\?$"):
        read(folder.path, "openimages", categories=["Dogg"])


def test_without_class_names_labels_stand_for_themselves(folder):
    folder.add(mask_row(A), rectangle(shape_of(folder)))
    (folder.write() / "csv" / "four.csv").unlink()
    (file,) = read(folder.path, "openimages", categories=[DOG])[0].values()
    assert file.caption == DOG
    with pytest.raises(AssetError, match="'Dog' is no class"):
        read(folder.path, "openimages", categories=["Dog"])


def test_class_names_with_a_header(folder):
    folder.add(mask_row(A), rectangle(shape_of(folder)))
    put_csv(folder.write() / "csv" / "four.csv", ["LabelName", "DisplayName"], folder.classes)
    (file,) = read(folder.path, "openimages", categories=["Dog"])[0].values()
    assert file.caption == "Dog"


def test_whole_pictures_are_those_that_tables_name(folder):
    folder.add(mask_row(A), rectangle(shape_of(folder)))
    folder.images.append(image_row(B, Author="", License=""))
    put_photo(folder.path / "train" / "stranger.jpg", 5)
    folder.write()
    for role, captions in (("photograph", ["Dog", ""]), ("background", ["", ""])):
        found, skipped = read(folder.path, "openimages", role)
        assert (list(found), skipped) == ([f"train/{A}.jpg", f"train/{B}.jpg"], {})
        assert [f.caption for f in found.values()] == captions
        assert [f.photo for f in found.values()] == [A, B]
        assert [(f.license, f.attribution) for f in found.values()] == [("", ""), ("", "")]
    (folder.path / "csv" / "one.csv").unlink()  # pictures alone need no masks
    assert list(read(folder.path, "openimages", "background")[0]) == [f"train/{B}.jpg"]
    with pytest.raises(AssetError, match="MaskPath"):
        read(folder.path, "openimages", "background", categories=["Dog"])


@pytest.mark.parametrize(
    ("said", "attribution"),
    [
        ({"Title": ""}, "Ann, https://example.org/1"),
        ({"OriginalLandingURL": " "}, '"A dog, asleep" by Ann'),
        ({"Author": ""}, ""),
    ],
)
def test_attribution_says_what_is_known(folder, said, attribution):
    folder.images.append(image_row(A, **said))
    (file,) = read(folder.write(), "openimages", "background")[0].values()
    assert file.attribution == attribution


def test_reasons(folder):
    fine = rectangle(shape_of(folder))
    folder.add(mask_row(A), fine)
    folder.masks += [mask_row(A), mask_row(A, number="gone"), mask_row(A, number="nobox", at=("", "", "", ""))]
    put_mask(folder.path / "masks" / mask_row(A, number="nobox")["MaskPath"], fine)
    for image, more in (
        ("1" * 16, {"License": "https://example.org/"}),
        ("2" * 16, {"Rotation": "45"}),
        ("3" * 16, {}),
    ):
        put_photo(folder.path / "train" / f"{image}.jpg", 5)
        folder.add(mask_row(image), fine)
        folder.images.append(image_row(image, **more))
    put_photo(folder.path / "val" / f"{'3' * 16}.jpg", 5)
    found, skipped = read(folder.write(), "openimages")
    assert list(found) == [f"train/{A}.jpg/m0bt9lr_1a2b3c4d.dog"]
    assert skipped == {
        "1" * 16: "unknown_license",
        "2" * 16: "rotated",
        "3" * 16: "ambiguous_image",
        f"train/{A}.jpg/m0bt9lr_1a2b3c4d.dog": "duplicate",
        f"train/{A}.jpg/m0bt9lr_gone.dog": "missing_mask",
        f"train/{A}.jpg/m0bt9lr_nobox.dog": "bad_annotation",
    }
    details = {s.reason: s.detail for s in read_layout(source("openimages"), listed(folder.path))[1]}
    assert details["unknown_license"] == "https://example.org/"
    assert details["rotated"] == "Rotation '45', must be 0, 90, 180 or 270"
    assert details["missing_mask"] == f"{A}_m0bt9lr_gone.png: 0 files of that name"


def test_folders_without_tables_or_without_their_pictures_are_refused(folder, tmp_path):
    needs = "layout = 'openimages' needs a .csv with the columns MaskPath, ImageID, LabelName, BoxXMin ..., and there"
    with pytest.raises(AssetError, match=re.escape(f"{needs} is none; the first of 2 files is 'train/{A}.jpg'")):
        read(folder.path, "openimages")
    folder.write()
    with pytest.raises(AssetError, match=r"^none of the 6 files is a picture that csv/one.csv names$"):
        read(folder.path, "openimages")


def test_tables_are_known_by_their_header_alone(folder):
    put_csv(folder.write() / "csv" / "other.CSV", ["ImageID", "Caption"], [[A, "a dog"]])
    put_csv(folder.path / "csv" / "words.csv", None, [["one", "two"]])
    (folder.path / "csv" / "empty.csv").touch()
    found = tables(listed(folder.path))
    assert [[f.path.stem for f in kind] for kind in found] == [["one"], ["two"], ["three"], ["four"]]


def test_cut_rows_cost_only_themselves(folder):
    folder.add(mask_row(A), rectangle(shape_of(folder)))
    with (folder.write() / "csv" / "one.csv").open("a") as out:
        out.write(f"x.png,{A}\n")
    with (folder.path / "csv" / "three.csv").open("a") as out:
        out.write(f"{A},xclick,{DOG},1,a,b,c,d\n{A}\n")
    found, skipped = read(folder.path, "openimages")
    assert (len(found), list(skipped.values())) == (1, ["missing_mask"])


def test_keys_follow_the_mask_and_the_turns(tmp_path):
    mask = np.zeros((20, 20), bool)
    for name in ("a", "b", "c"):
        mask[5, 5] = name == "c"
        put_mask(tmp_path / f"{name}.png", mask)
    a, b, c = (OpenImagesInstance(tmp_path / f"{name}.png", 0) for name in "abc")
    assert a.key() == b.key() != c.key()
    keys = [a.key(), c.key(), OpenImagesInstance(tmp_path / "a.png", 1).key(), Upright(1).key(), Upright(2).key()]
    assert len(set(keys)) == 5
