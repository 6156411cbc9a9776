"""Small folders in the layouts of public data sets, for tests."""

import csv
import json
import pickle
import zlib
from pathlib import Path

from PIL import Image

from pipeline.layouts import read_layout
from pipeline.source import Source
from pipeline.sources.common import FetchedFile, walk_files
from tests.assets import photo

MASK_COLUMNS = ["MaskPath", "ImageID", "LabelName", "BoxID", "BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"]
MASK_COLUMNS += ["PredictedIoU", "Clicks"]
IMAGE_COLUMNS = ["ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author"]
IMAGE_COLUMNS += ["Title", "OriginalSize", "OriginalMD5", "Thumbnail300KURL", "Rotation"]
BOX_COLUMNS = ["ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"]
BOX_COLUMNS += ["IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"]


def source(layout: str, role: str = "foreground", **fields) -> Source:
    """A local source of that layout; its own licence and attribution differ from all that data sets say."""
    fixed = {"name": "set", "kind": "local", "path": "set", "license": "MIT", "attribution": "nobody"}
    return Source.model_validate(fixed | {"layout": layout, "role": role} | fields)


def listed(folder: Path) -> list[FetchedFile]:
    """All files of a folder, as a source offers them."""
    return [FetchedFile(path, name, f"file:{name}") for path, name in walk_files(folder)]


def read(folder: Path, layout: str, role: str = "foreground", **fields):
    """(assets by relative, reasons by relative) of a folder."""
    found, skipped = read_layout(source(layout, role, **fields), listed(folder))
    assert len({f.relative for f in found}) == len(found)
    return {f.relative: f for f in found}, {s.relative: s.reason for s in skipped}


def pixels(file: FetchedFile):
    """What the worker takes out of the file."""
    part = pickle.loads(pickle.dumps(file.part))
    assert part == file.part
    assert part.key() == file.part.key()
    return part.pixels(file.path.read_bytes(), file.relative)


def put_photo(path: Path, k: int):
    """Write photograph number `k` without loss under any name; its pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = photo(k)
    Image.fromarray(rgb).save(path, format="PNG")
    return rgb


def put_json(path: Path, content: object) -> None:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def put_csv(path: Path, columns: list[str] | None, rows: list[dict | list]) -> None:
    """Write a CSV file: rows as lists, or as dicts of some of the columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        if columns:
            writer.writerow(columns)
        writer.writerows(row if isinstance(row, list) else [row.get(c, "") for c in columns] for row in rows)


def put_mask(path: Path, mask) -> None:
    """Write a binary mask as OpenImages does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).convert("1").save(path)


def put_annotation(path: Path, content: object, protocol: int = 4) -> None:
    """Write a pickle compressed with zlib, as MULAN does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(pickle.dumps(content, protocol)))
