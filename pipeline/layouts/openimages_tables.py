"""The tables of OpenImages V7, recognised by their header, read row by row; only what is wanted stays in memory.

Columns: https://storage.googleapis.com/openimages/web/download_v7.html.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from pipeline.layouts.common import csv_rows
from pipeline.sources.common import FetchedFile

_LABEL = re.compile(r"/[a-z]+/[0-9a-z_]+")
_NEEDS = {
    "masks": ("MaskPath", "ImageID", "LabelName", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"),
    "images": ("ImageID", "License", "Author"),
    "boxes": ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", "IsGroupOf"),
    "classes": ("LabelName", "DisplayName"),
}
_SAME = 0.002  # of the side; masks quote their box to fewer digits than the table of boxes
Row = dict[str, str]


class Tables(NamedTuple):
    """The CSV files of a source by what they hold."""

    masks: list[FetchedFile]
    images: list[FetchedFile]
    boxes: list[FetchedFile]
    classes: list[FetchedFile]


class Box(NamedTuple):
    """A box in shares of the picture's sides, and the marks set on it ("IsTruncated", ...)."""

    x_min: float
    x_max: float
    y_min: float
    y_max: float
    marks: frozenset[str]


class MaskRow(NamedTuple):
    """A row of the table of masks; `box` is None where it names none."""

    path: str
    image: str
    label: str
    box: Box | None


def tables(files: Sequence[FetchedFile]) -> Tables:
    """Sort the CSV files among `files` by their first row; others are passed over."""
    found = Tables([], [], [], [])
    for file in files:
        if file.relative.lower().endswith(".csv"):
            first = next(csv_rows(file), [])
            kinds = [kind for kind, needed in _NEEDS.items() if set(needed) <= set(first)]
            if not kinds and len(first) == 2 and _LABEL.fullmatch(first[0]):
                kinds = ["classes"]  # the published file has no header
            if kinds:
                getattr(found, kinds[0]).append(file)
    return found


def rows(file: FetchedFile, known: Container[str]) -> Iterator[Row]:
    """The rows of a table that are about a picture that is `known`, by column; missing cells are empty."""
    cells = csv_rows(file)
    header = next(cells)
    place = header.index("ImageID")
    for row in cells:
        if len(row) > place and row[place] in known:
            yield dict.fromkeys(header, "") | dict(zip(header, row, strict=False))


def class_names(files: Sequence[FetchedFile]) -> dict[str, str]:
    """Display name by label ("/m/0bt9lr": "Dog")."""
    return {row[0]: row[1].strip() for file in files for row in csv_rows(file) if len(row) > 1 and row[0][:1] == "/"}


def mask_row(row: Row) -> MaskRow:
    """The columns of the table of masks that count."""
    return MaskRow(row["MaskPath"], row["ImageID"], row["LabelName"], _box(row, "Box"))


def image_rows(files: Sequence[FetchedFile], known: Container[str]) -> dict[str, Row]:
    """What is said of each picture that is `known`, by its id."""
    return {row["ImageID"]: row for file in files for row in rows(file, known)}


def boxes(files: Sequence[FetchedFile], pairs: set[tuple[str, str]]) -> dict[tuple[str, str], list[Box]]:
    """The boxes of each wanted pair (picture, label)."""
    found: dict[tuple[str, str], list[Box]] = defaultdict(list)
    known = {image for image, _ in pairs}
    for file in files:
        for row in rows(file, known):
            pair = row["ImageID"], row["LabelName"]
            if pair in pairs and (box := _box(row, "")):
                found[pair].append(box)
    return found


def marked_box(own: Box, candidates: Sequence[Box]) -> Box:
    """The one among `candidates` that is the same box as `own`, which has no marks; `own` where none is."""

    def distance(other: Box) -> float:
        return max(abs(a - b) for a, b in zip(own[:4], other[:4], strict=True))

    near = min(candidates, key=distance, default=own)
    return near if distance(near) <= _SAME else own


def _box(row: Row, prefix: str) -> Box | None:
    try:
        x_min, x_max, y_min, y_max = (float(row[f"{prefix}{side}"]) for side in ("XMin", "XMax", "YMin", "YMax"))
    except ValueError:
        return None
    marks = frozenset(key for key, value in row.items() if key.startswith("Is") and value == "1")
    return Box(x_min, x_max, y_min, y_max, marks)
