"""COCO's layout: pictures, and JSON files with images, annotations, categories and licences.

Format: https://cocodataset.org/#format-data. LVIS, and whatever exports it, have the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import orjson

from pipeline.layouts.coco_mask import CocoInstance
from pipeline.layouts.common import Pictures, Skipped, check_categories, nothing_found, slug
from pipeline.layouts.json_tables import read_tables
from pipeline.layouts.terms import spdx_of
from pipeline.source import Source
from pipeline.sources.common import FetchedFile
from stages.decode import MAX_PIXELS

MIN_SIDE = 32
_KEYS = ("images", "annotations", "categories")
_EDGE = 1.0  # pixels from the frame within which a box counts as touching it


class _Index(NamedTuple):
    """One JSON file: its path, its tables by id, and annotations by image."""

    relative: str
    images: dict[Any, dict[str, Any]]
    classes: dict[Any, str]
    licenses: dict[Any, str]
    annotations: dict[Any, list[dict[str, Any]]]


def read(source: Source, files: Sequence[FetchedFile]) -> tuple[list[FetchedFile], list[Skipped]]:
    """Instances (role foreground) or whole pictures that the JSON files among `files` annotate.

    A picture is found by its name; where several have it, the one in the folder that the JSON file is named after
    (`instances_val2017.json`: `val2017`). Skipped are crowds, instances under 32 px on the long side, ones drawn
    twice, and whatever is missing, damaged or ambiguous. Raises AssetError if there is no such JSON file, or no
    class of a wanted name.
    """
    skipped: list[Skipped] = []
    pictures, classes = Pictures(files), set[str]()
    found: dict[str, FetchedFile] = {}
    tables = 0
    for file in (f for f in files if f.relative.endswith(".json")):
        if index := _load(file, skipped):  # one at a time: the largest fills gigabytes
            tables += 1
            classes |= set(index.classes.values())
            _collect(_entries(source, index, pictures), found, skipped)
    if not tables:
        raise nothing_found("coco", "a .json file with images, annotations and categories", files)
    check_categories(source.categories, classes, "the annotations")
    return list(found.values()), skipped


def _collect(entries: Iterable[FetchedFile | Skipped], found: dict[str, FetchedFile], skipped: list[Skipped]) -> None:
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
        elif entry.relative not in found:
            found[entry.relative] = entry
        elif entry.part is not None and entry.part != found[entry.relative].part:
            skipped.append(Skipped(entry.relative, "duplicate", "another annotation has that id"))


def _load(file: FetchedFile, skipped: list[Skipped]) -> _Index | None:
    try:
        raw = read_tables(file.path.read_text(encoding="utf-8"), _shrunk)
    except (ValueError, RecursionError) as error:
        skipped.append(Skipped(file.relative, "bad_json", str(error)))
        return None
    if not all(key in raw for key in _KEYS):
        return None
    rows = {key: [row for row in raw.get(key, ()) if isinstance(row, dict)] for key in (*_KEYS, "licenses")}
    if rows["annotations"] and not any("segmentation" in row for row in rows["annotations"]):
        return None  # boxes, captions or panoptic segments only
    by_image: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows["annotations"]:
        by_image[_id(row.get("image_id"))].append(row)
    return _Index(
        file.relative,
        {key: row for row in rows["images"] if (key := _id(row.get("id"))) is not None},
        {_id(row.get("id")): str(row.get("name", "")) for row in rows["categories"]},
        {_id(row.get("id")): str(row.get("url", "")) for row in rows["licenses"]},
        by_image,
    )


def _shrunk(table: str, row: Any) -> Any:
    """A row of annotations with its segmentation as JSON, a tenth of the size; b"" where there is none."""
    if table == "annotations" and isinstance(row, dict) and "segmentation" in row:
        packed = orjson.dumps(row["segmentation"]) if row["segmentation"] else b""
        row["segmentation"] = bytes(memoryview(packed))  # a copy: orjson's own keeps 8 KB of room
    return row


def _id(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _entries(source: Source, index: _Index, pictures: Pictures) -> Iterator[FetchedFile | Skipped]:
    if source.role == "foreground":
        yield from _orphans(source, index)
    for key, image in index.images.items():
        asked = [row for row in index.annotations.get(key, ()) if _wanted(source, index, row)]
        if not asked and (source.role == "foreground" or source.categories):
            continue
        picture = _picture(index, image, pictures)
        if isinstance(picture, Skipped):
            yield picture
        elif source.role == "foreground":
            yield from (_instance(index, image, picture, row) for row in asked)
        else:
            yield replace(picture, caption=_subject(index, asked) if source.role == "photograph" else "")


def _orphans(source: Source, index: _Index) -> Iterator[Skipped]:
    for key, rows in index.annotations.items():
        if key not in index.images:
            for row in (r for r in rows if _wanted(source, index, r)):
                where = f"{index.relative}:{row.get('id')}"
                yield Skipped(where, "bad_annotation", f"image_id {row.get('image_id')!r} is in no entry of images")


def _wanted(source: Source, index: _Index, row: dict[str, Any]) -> bool:
    return not source.categories or index.classes.get(_id(row.get("category_id"))) in source.categories


def _picture(index: _Index, image: dict[str, Any], pictures: Pictures) -> FetchedFile | Skipped:
    """The photograph itself, with what is said of it."""
    name = str(image.get("file_name") or image.get("coco_url") or "")
    where = f"{index.relative}:{name}"
    folder = PurePosixPath(index.relative).stem.rpartition("_")[2]
    found = pictures.find(name, folder) if name else []
    beside = [f for f in found if PurePosixPath(f.relative).parent == PurePosixPath(index.relative).parent]
    found = beside if len(found) > 1 and beside else found
    if len(found) != 1:
        if not found:
            return Skipped(where, "missing_image", "no picture of that name")
        return Skipped(where, "ambiguous_image", f"{found[0].relative} or {found[1].relative}")
    if (terms := _terms(index, image)) is None:
        url = index.licenses.get(_id(image.get("license")), "")
        return Skipped(where, "unknown_license", f"license {image.get('license')!r} {url}".rstrip())
    author = str(image.get("flickr_url") or "")
    return replace(found[0], license=terms, attribution=author, photo=pictures.photo(found[0]))


def _terms(index: _Index, image: dict[str, Any]) -> str | None:
    """SPDX identifier, "" where the data set says nothing, None where what it says has none."""
    if image.get("license") is None:
        return ""
    return spdx_of(index.licenses.get(_id(image["license"]), "")) or None


def _instance(index: _Index, image: dict[str, Any], picture: FetchedFile, row: dict[str, Any]) -> FetchedFile | Skipped:
    name = index.classes.get(_id(row.get("category_id")), "")
    relative = f"{picture.relative}/{slug(str(row.get('id')))}.{slug(name)}"
    size, box = _numbers((image.get("height"), image.get("width")), 2), _numbers(row.get("bbox"), 4)
    if row.get("iscrowd"):
        return Skipped(relative, "crowd", "iscrowd: several objects in one mask")
    if not name or _id(row.get("id")) is None:
        return Skipped(relative, "bad_annotation", f"id {row.get('id')!r}, category_id {row.get('category_id')!r}")
    if size is None or min(size) < 1 or size[0] * size[1] > MAX_PIXELS or size != [int(v) for v in size]:
        return Skipped(relative, "bad_annotation", f"picture of {image.get('height')} x {image.get('width')} pixels")
    if box is None or not row.get("segmentation"):
        return Skipped(relative, "bad_annotation", "no bbox of 4 numbers" if box is None else "no segmentation")
    if max(box[2:]) < MIN_SIDE:
        return Skipped(relative, "too_small", f"long side {max(box[2:]):g} px, at least {MIN_SIDE}")
    part = CocoInstance(int(size[0]), int(size[1]), row["segmentation"])
    uri = f"{picture.uri}#{row['id']}"
    whole = False if _touches(box, size) else None
    return replace(picture, relative=relative, uri=uri, caption=name, whole=whole, part=part)


def _touches(box: list[float], size: list[float]) -> bool:
    x, y, width, height = box
    return min(x, y, size[1] - x - width, size[0] - y - height) < _EDGE


def _subject(index: _Index, rows: Sequence[dict[str, Any]]) -> str:
    """Class of the largest annotated thing."""

    def area(row: dict[str, Any]) -> float:
        box = _numbers(row.get("bbox"), 4)
        return box[2] * box[3] if box and not row.get("iscrowd") else 0.0

    largest = max(rows, key=area, default={})
    return index.classes.get(_id(largest.get("category_id")), "")


def _numbers(values: Any, count: int) -> list[float] | None:
    fits = isinstance(values, list | tuple) and len(values) == count
    return list(values) if fits and all(type(v) in (int, float) and isfinite(v) for v in values) else None
