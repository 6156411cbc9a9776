"""Preview: a contact sheet of a build, one row of layers a sample."""

import io
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from pipeline.assets import write_atomic
from pipeline.facts import require_finished
from pipeline.index import read_index
from pipeline.shards import MEMBERS, ShardError
from stages.alpha import premultiply_pm
from stages.codec import decode_png
from stages.types import F32, U8

COLUMNS = ("composite", "background", "foreground", "shadow", "occluder", "mask on composite")
SHEET = "preview.png"
GAP, CAPTION, HEADER = 6, 22, 58  # pixels between cells, under a cell, above the first row
TINT = (255, 0, 128)  # hardly ever in a photograph
_GREY, _LINE = (96, 96, 96), (216, 216, 216)
_FIELDS = ["key", "origin", "num_objects", "visible_fraction", "mask_kind", "mask_iou", "shard", "offset"]


def write_preview(out: Path, count: int = 16) -> Path:
    """Write the contact sheet as `out`/preview.png; returns its path. Same build, same bytes."""
    sink = io.BytesIO()
    Image.fromarray(contact_sheet(out, count)).save(sink, "PNG", compress_level=9)
    write_atomic(out / SHEET, sink.getvalue())
    return out / SHEET


def contact_sheet(out: Path, count: int, thumb: int = 224) -> U8:
    """Draw `count` samples, spread evenly over the finished build in `out`, two beside each other.

    Reads only the drawn samples, at their offsets in the shards.

    Returns:
        uint8 (h, w, 3) sRGB. Cells are `thumb` pixels a side; `cell_origin` says where they are.

    Raises:
        ShardError: no build, or not a finished one; or a shard does not hold the sample where the index says.
    """
    require_finished(out)
    rows = _spread(pq.read_table(out / "meta" / "index.parquet", columns=_FIELDS), count)
    blocks = min(2, len(rows))
    right, _ = cell_origin(blocks - 1, len(COLUMNS), thumb)
    lines = -(-len(rows) // blocks)
    sheet = Image.new("RGB", (right, HEADER + lines * (thumb + CAPTION + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    _head(draw, out, len(rows), blocks, thumb)
    for place, row in enumerate(rows):
        cells = layer_cells(read_sample(out, row), thumb)
        for column, cell in enumerate(cells):
            x, y = cell_origin(place, column, thumb)
            draw.rectangle((x - 1, y - 1, x + thumb, y + thumb), outline=_LINE)
            sheet.paste(Image.fromarray(cell), (x, y))
        x, y = cell_origin(place, 0, thumb)
        draw.text((x, y + thumb + 3), caption(row), "black", _fitting(caption(row), right // blocks - 2 * GAP))
    return np.asarray(sheet)


def cell_origin(place: int, column: int, thumb: int) -> tuple[int, int]:
    """Left upper pixel (x, y) of a cell: sample number `place` on the sheet, column as in `COLUMNS`."""
    block = len(COLUMNS) * (thumb + GAP) + 2 * GAP
    return GAP + place % 2 * block + column * (thumb + GAP), HEADER + place // 2 * (thumb + CAPTION + GAP)


def read_sample(out: Path, row: dict[str, Any]) -> dict[str, bytes]:
    """The members of the sample that a row of the index (`key`, `shard`, `offset`) points to, by member name.

    Raises:
        ShardError: it is not there.
    """
    path = out / "data" / row["shard"]
    members: dict[str, bytes] = {}
    try:
        with path.open("rb") as file:
            file.seek(row["offset"])
            with tarfile.open(fileobj=file, mode="r:") as tar:
                for info in islice(tar, len(MEMBERS)):
                    handle = tar.extractfile(info)
                    members[info.name] = handle.read() if handle else b""
    except (OSError, tarfile.TarError) as error:
        raise ShardError(f"{path}: {row['key']} cannot be read at byte {row['offset']}: {error}") from None
    if list(members) != [f"{row['key']}.{name}" for name in MEMBERS]:
        found = ", ".join(members) or "nothing"
        raise ShardError(f"{path}: byte {row['offset']} should begin {row['key']}, found {found}")
    return dict(zip(MEMBERS, members.values(), strict=True))


def layer_cells(members: dict[str, bytes], thumb: int) -> tuple[U8, ...]:
    """The layers of a sample in the order of `COLUMNS`, each uint8 (thumb, thumb, 3).

    RGBA lies on a checkerboard, the shadow is black on white, the mask a tint with an outline.
    """
    layers = {name: decode_png(data) for name, data in members.items() if name != "json"}
    composite = shrink(layers["composite.png"], thumb)
    shadow = shrink(255 - layers["shadow.png"], thumb)
    return (
        composite,
        shrink(layers["background.png"], thumb),
        _on_checkerboard(layers["foreground.png"], thumb),
        np.repeat(shadow[..., None], 3, axis=2),
        _on_checkerboard(layers["occluder.png"], thumb),
        _tinted(composite, shrink(layers["mask.png"], thumb)),
    )


def shrink(pixels: Any, thumb: int) -> Any:
    """Resize a square picture to `thumb` pixels: area average, or bilinear where it is smaller than that."""
    smaller = thumb <= pixels.shape[0]
    return cv2.resize(pixels, (thumb, thumb), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _on_checkerboard(rgba: U8, thumb: int) -> U8:
    pm: F32 = shrink(premultiply_pm(rgba), thumb)
    y, x = np.mgrid[0:thumb, 0:thumb] // 8
    board = np.where((x + y) % 2, 200.0, 240.0)[..., None]
    return np.rint(pm[..., :3] + (1 - pm[..., 3:] / 255) * board).clip(0, 255).astype(np.uint8)


def _tinted(composite: U8, mask: U8) -> U8:
    inside = (mask >= 128).astype(np.uint8)
    edge = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    weight = np.where(edge, 1.0, 0.35 * mask / 255)[..., None]
    return np.rint(composite + weight * (np.array(TINT) - composite)).astype(np.uint8)


def _spread(table: Any, count: int) -> list[dict[str, Any]]:
    total = table.num_rows
    count = min(count, total)
    return list(table.take([(2 * k + 1) * total // (2 * count) for k in range(count)]).to_pylist())


def _head(draw: ImageDraw.ImageDraw, out: Path, shown: int, blocks: int, thumb: int) -> None:
    index = read_index(out)
    draw.text((GAP, 6), f"{index['name']}: {shown} of {index['samples']} samples", "black", ImageFont.load_default(20))
    for block in range(blocks):
        for column, name in enumerate(COLUMNS):
            x, y = cell_origin(block, column, thumb)
            draw.text((x, y - 20), name, _GREY, _fitting(name, thumb))


def caption(row: dict[str, Any]) -> str:
    """The line under a sample, from its row of the index."""
    objects = f"{row['num_objects']} object{'s' if row['num_objects'] > 1 else ''}"
    shown = f"{row['origin']} target, {objects}, visible {row['visible_fraction']:.2f}"
    return f"{row['key']}   {shown}, mask {row['mask_kind']} (IoU {row['mask_iou']:.2f})"


def _fitting(text: str, width: int) -> Any:
    """The largest font, from 15 pixels down to 6, in which the text is not wider."""
    fonts = (ImageFont.load_default(size) for size in range(15, 6, -1))
    return next((font for font in fonts if font.getlength(text) <= width), ImageFont.load_default(6))
