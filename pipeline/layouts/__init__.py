"""Annotated data sets as they lie on disk, read as assets."""

from collections.abc import Sequence

from pipeline.layouts import coco, mulan, openimages
from pipeline.layouts.common import Skipped
from pipeline.source import Source
from pipeline.sources.common import FetchedFile

__all__ = ["Skipped", "read_layout"]


def read_layout(source: Source, files: Sequence[FetchedFile]) -> tuple[list[FetchedFile], list[Skipped]]:
    """The assets that lie in `files`, all of a source's, by its `layout`, in order; and what is annotated but none.

    `role` says which: instances (foreground), or whole pictures (background, photograph; of MULAN, the completed
    backgrounds). `categories` narrows them to instances of those classes, or pictures that show one. Where a data
    set states a picture's licence that has no SPDX identifier, the picture is skipped; where it states none,
    `license` of the result is "". Raises AssetError if the layout's files are not there, or a category is unknown.
    """
    ordered = sorted(files, key=lambda f: (f.relative, f.uri))
    match source.layout:
        case "coco":
            return coco.read(source, ordered)
        case "openimages":
            return openimages.read(source, ordered)
        case "mulan":
            return mulan.read(source, ordered)
        case "files":
            return list(files), []
