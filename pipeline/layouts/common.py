"""What every layout of annotated data shares: the pictures of a source, wanted classes, and hard masks."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from pipeline.source import IMAGE_SUFFIXES
from pipeline.sources.common import AssetError, FetchedFile
from stages.settings import did_you_mean
from stages.types import U8, Mask


class Skipped(NamedTuple):
    """Something annotated that is no asset, and why; `reason` is snake_case and counted."""

    relative: str
    reason: str
    detail: str


class Pictures:
    """The pictures of a source, found by name."""

    def __init__(self, files: Iterable[FetchedFile]) -> None:
        self.all = [f for f in files if PurePosixPath(f.relative).suffix.lower() in IMAGE_SUFFIXES]
        self._named: dict[str, list[FetchedFile]] = defaultdict(list)
        self._stems: dict[str, list[FetchedFile]] = defaultdict(list)
        for file in self.all:
            path = PurePosixPath(file.relative)
            self._named[path.name].append(file)
            self._stems[path.stem].append(file)

    def stem(self, stem: str) -> list[FetchedFile]:
        """The pictures whose name without its suffix is `stem`."""
        return self._stems.get(stem, [])

    def find(self, name: str, folder: str = "") -> list[FetchedFile]:
        """The pictures that `name` (a name, or a path whose end counts) may mean.

        Several remain only where none lies at the longest part of that path, or in a folder called `folder`.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        found = self._named.get(wanted.name, [])
        for size in range(len(wanted.parts), 1, -1):
            tail = wanted.parts[-size:]
            deep = [f for f in found if PurePosixPath(f.relative).parts[-size:] == tail]
            if deep:
                found = deep
                break
        inside = [f for f in found if folder and folder in PurePosixPath(f.relative).parts[:-1]]
        return inside or found

    def photo(self, file: FetchedFile) -> str:
        """What a photograph is known by: its name without suffix where no other in the source has that.

        Data sets that annotate the same photographs (MULAN those of COCO) then agree.
        """
        stem = PurePosixPath(file.relative).stem
        return stem if len(self._stems[stem]) < 2 else file.relative


def csv_rows(file: FetchedFile) -> Iterator[list[str]]:
    """The rows of a CSV file, one at a time, without blank ones. Raises AssetError where one cannot be read."""
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        reader = csv.reader(lines)
        try:
            yield from filter(None, reader)
        except csv.Error as error:
            raise AssetError(f"{file.relative}: line {reader.line_num}: {error}") from None


def check_categories(wanted: Sequence[str], known: Iterable[str], where: str) -> None:
    """Raise AssetError for the first of `wanted` that is none of the classes that `where` has."""
    classes = set(known)
    for name in wanted:
        if name not in classes:
            raise AssetError(f"categories: '{name}' is no class of {where}{did_you_mean(name, classes)}")


def nothing_found(layout: str, wanted: str, files: Sequence[FetchedFile]) -> AssetError:
    """The error for a source whose files are not in the layout that it names."""
    example = f"; the first of {len(files)} files is {files[0].relative!r}" if files else "; there are no files"
    return AssetError(f"layout = '{layout}' needs {wanted}, and there is none{example}")


def with_mask(rgb: U8, mask: Mask) -> U8:
    """`rgb` (h, w, 3) with alpha 255 where `mask` (h, w) holds and 0 elsewhere.

    Colour stays everywhere: whoever refines the edge needs what lies beyond it.
    """
    return np.dstack([rgb, np.where(mask, np.uint8(255), np.uint8(0))])


def slug(name: str) -> str:
    """A name as one segment of a path: lower case, blanks and slashes as hyphens."""
    return "-".join(name.lower().replace("/", " ").split()) or "unnamed"
