"""OpenImages' layout: `<ImageID>.jpg`, masks as PNG files, and CSV tables, wherever they lie.

Masks may have another size than their picture. Some pictures are stored turned; the table of images says by how
much, and they and their masks are turned upright together
(https://storage.googleapis.com/openimages/web/2018-05-17-rotation-information.html).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import NamedTuple

from pipeline.layouts.common import Pictures, Skipped, check_categories, nothing_found, slug
from pipeline.layouts.openimages_mask import OpenImagesInstance, Upright
from pipeline.layouts.openimages_tables import (
    Box,
    MaskRow,
    Row,
    Tables,
    boxes,
    class_names,
    image_rows,
    marked_box,
    mask_row,
    rows,
    tables,
)
from pipeline.layouts.terms import spdx_of
from pipeline.source import Source
from pipeline.sources.common import AssetError, FetchedFile

_UNUSABLE = {"IsGroupOf": "group", "IsDepiction": "depiction", "IsInside": "inside"}
_EDGE = 0.003  # of the side, within which a box counts as touching the frame
_TURNS = {"": 0, "nan": 0, "0": 0, "90": 1, "180": 2, "270": 3}


class _Index(NamedTuple):
    pictures: Pictures
    names: dict[str, str]
    images: dict[str, Row]
    masks: list[MaskRow]


def read(source: Source, files: Sequence[FetchedFile]) -> tuple[list[FetchedFile], list[Skipped]]:
    """Instances (role foreground) or whole pictures whose files are there; the tables name millions that are not.

    `categories` are display names ("Dog") or labels ("/m/0bt9lr"). Whole pictures are those that the tables name.
    Skipped are groups, depictions, insides, missing masks, licences without identifier and unknown rotations.
    Raises AssetError if there is no table of masks (of images or masks for whole pictures), or no such category.
    """
    found = tables(files)
    if not (found.masks or (found.images and source.role != "foreground" and not source.categories)):
        raise nothing_found("openimages", "a .csv with the columns MaskPath, ImageID, LabelName, BoxXMin ...", files)
    index = _index(source, files, found)
    entries = _instances(index, found) if source.role == "foreground" else _whole(source, index)
    kept: dict[str, FetchedFile] = {}
    skipped: list[Skipped] = []
    for entry in entries:
        if isinstance(entry, Skipped):
            skipped.append(entry)
        elif entry.relative in kept:
            skipped.append(Skipped(entry.relative, "duplicate", "more than one row names this mask"))
        else:
            kept[entry.relative] = entry
    if not kept and not skipped:
        table = (*found.masks, *found.images)[0]
        of = f" in categories = {list(source.categories)}" if source.categories else ""
        raise AssetError(f"none of the {len(files)} files is a picture that {table.relative} names{of}")
    return list(kept.values()), skipped


def _index(source: Source, files: Sequence[FetchedFile], found: Tables) -> _Index:
    pictures, names = Pictures(files), class_names(found.classes)
    known = {PurePosixPath(f.relative).stem for f in pictures.all}
    masks = [mask_row(row) for file in found.masks for row in rows(file, known)]
    classes = {*names, *names.values(), *(row.label for row in masks)}
    check_categories(source.categories, classes, "the table")
    asked = [row for row in masks if _wanted(source, row.label, names)]
    return _Index(pictures, names, image_rows(found.images, known), asked)


def _wanted(source: Source, label: str, names: dict[str, str]) -> bool:
    return not source.categories or label in source.categories or names.get(label) in source.categories


def _picture(index: _Index, image: str) -> FetchedFile | Skipped:
    """The photograph itself, with what is said of it."""
    found = index.pictures.stem(image)
    row = index.images.get(image, {})
    license_url = row.get("License", "")
    terms = spdx_of(license_url) if license_url else ""
    if len(found) > 1:
        return Skipped(image, "ambiguous_image", f"{found[0].relative} or {found[1].relative}")
    if license_url and not terms:
        return Skipped(image, "unknown_license", license_url)
    if _turn(row) is None:
        return Skipped(image, "rotated", f"Rotation {row['Rotation']!r}, must be 0, 90, 180 or 270")
    author = _attribution(row)
    return replace(found[0], license=terms, attribution=author, photo=index.pictures.photo(found[0]))


def _turn(row: Row) -> int | None:
    """Quarter turns to the left that make the picture upright; None for anything else."""
    return _TURNS.get(row.get("Rotation", "").strip().lower().removesuffix(".0"))


def _attribution(row: Row) -> str:
    """ "Title" by Author, address: what a Creative Commons licence asks for, as far as it is known."""
    title, author, address = (row.get(k, "").strip() for k in ("Title", "Author", "OriginalLandingURL"))
    if not author:
        return ""
    return (f'"{title}" by ' if title else "") + author + (f", {address}" if address else "")


def _whole(source: Source, index: _Index) -> Iterator[FetchedFile | Skipped]:
    named = {row.image for row in index.masks}
    subjects = {row.image: index.names.get(row.label, row.label) for row in index.masks}
    for image in sorted(named if source.categories else named | set(index.images)):
        picture = _picture(index, image)
        if isinstance(picture, FetchedFile):
            turn = _turn(index.images.get(image, {}))
            caption = subjects.get(image, "") if source.role == "photograph" else ""
            yield replace(picture, caption=caption, part=Upright(turn) if turn else None)
        else:
            yield picture


def _instances(index: _Index, found: Tables) -> Iterator[FetchedFile | Skipped]:
    marked = boxes(found.boxes, {(row.image, row.label) for row in index.masks})
    pictures = {image: _picture(index, image) for image in dict.fromkeys(row.image for row in index.masks)}
    yield from (entry for entry in pictures.values() if isinstance(entry, Skipped))
    for row in index.masks:
        picture = pictures[row.image]
        if isinstance(picture, FetchedFile):
            yield _instance(index, row, picture, marked.get((row.image, row.label), ()))


def _instance(index: _Index, row: MaskRow, picture: FetchedFile, candidates: Sequence[Box]) -> FetchedFile | Skipped:
    stem = PurePosixPath(row.path).stem
    name = index.names.get(row.label, row.label)
    relative = f"{picture.relative}/{stem.removeprefix(row.image).strip('_')}.{slug(name)}"
    found = index.pictures.find(row.path)
    if len(found) != 1:
        return Skipped(relative, "missing_mask", f"{row.path}: {len(found)} files of that name")
    if row.box is None:
        return Skipped(relative, "bad_annotation", f"{row.path}: its box is not 4 numbers")
    box = marked_box(row.box, candidates)
    for mark, reason in _UNUSABLE.items():
        if mark in box.marks:
            return Skipped(relative, reason, f"{mark} = 1")
    part = OpenImagesInstance(found[0].path, _turn(index.images.get(row.image, {})) or 0)
    whole = False if _is_cut(box) else None
    return replace(picture, relative=relative, uri=f"{picture.uri}#{stem}", caption=name, whole=whole, part=part)


def _is_cut(box: Box) -> bool:
    if box.marks & {"IsTruncated", "IsOccluded"}:
        return True
    return min(box.x_min, box.y_min, 1 - box.x_max, 1 - box.y_max) < _EDGE
