"""Write the page and what it shows: `explore.html`, and `explore/` with thumbnails and layers."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.assets import write_atomic
from pipeline.explore.content import content, read_spread, scene, spread
from pipeline.explore.html import call, html
from pipeline.explore.layers import full_layers, small_layers, webp
from pipeline.facts import require_finished
from pipeline.index import read_index
from pipeline.listener import Listener
from pipeline.preview import read_sample, shrink
from pipeline.shards import ShardError
from stages.codec import decode_png
from stages.types import U8

PAGE, FOLDER = "explore.html", "explore"
ACROSS = 5  # thumbnails a row of a sheet
PACK = ACROSS * ACROSS  # samples a sheet of thumbnails, and a file of layers
THUMB, _QUALITY = 144, 55


class _Pack(NamedTuple):
    number: int
    rows: Sequence[dict[str, Any]]
    full: set[str]


def explore(out: Path, count: int = 2000, full: int = 12, listener: Listener | None = None) -> Path:
    """Write the explorer of the finished build in `out`; returns the page's path. Same build, same bytes.

    `count` samples are shown, spread evenly over the build (all, if there are fewer). Every sheet of 25 has one
    picture of thumbnails and one file of layers of 256 px, compressed with loss; of `full` samples, again spread
    evenly, the layers are stored whole in a file of their own, and recompose exactly. The folder appears complete or
    not at all, and replaces an earlier one.

    Raises:
        ShardError: no build, or not a finished one; a sample is not where the index says, or not a picture.
        ValueError: `count` is below 1 or `full` below 0.
    """
    if count < 1 or full < 0:
        raise ValueError(f"count is at least 1 and full at least 0, got {count} and {full}")
    require_finished(out)
    rows = read_spread(out, count)
    whole = {rows[k]["key"] for k in spread(len(rows), full)} if full else set()
    for left in out.glob(f".{FOLDER}.*"):  # of a run that was killed
        shutil.rmtree(left)
    fresh = out / f".{FOLDER}.tmp"
    try:
        _write_files(out, fresh, rows, whole, listener)
        _replace(fresh, out / FOLDER)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    index = read_index(out)
    shape = {"folder": FOLDER, "pack": PACK, "across": ACROSS, "thumb": THUMB, "total": index["samples"]}
    write_atomic(out / PAGE, html(index["name"], shape | content(rows, whole)).encode())
    return out / PAGE


def _write_files(
    out: Path, to: Path, rows: Sequence[dict[str, Any]], full: set[str], listener: Listener | None
) -> None:
    for name in ("thumbs", "scenes", "full"):
        (to / name).mkdir(parents=True)
    packs = [_Pack(at // PACK, rows[at : at + PACK], full) for at in range(0, len(rows), PACK)]
    if listener:
        listener.stage("explore", len(rows))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the codecs let go of the interpreter's lock
        for done in pool.map(lambda pack: _write_pack(out, to, pack), packs):
            if listener:
                listener.advance(done, Counter())


def _write_pack(out: Path, to: Path, pack: _Pack) -> int:
    sheet = np.zeros((-(-len(pack.rows) // ACROSS) * THUMB, ACROSS * THUMB, 3), np.uint8)
    scenes = []
    for place, row in enumerate(pack.rows):
        layers = _layers(out, row)
        y, x = (THUMB * v for v in divmod(place, ACROSS))
        sheet[y : y + THUMB, x : x + THUMB] = shrink(layers["composite"], THUMB)
        whole = row["key"] in pack.full
        if whole:
            name = f"full/{row['key']}"
            (to / f"{name}.js").write_bytes(call(name, full_layers(layers)))
        scenes.append(scene(row) | {"layers": None if whole else small_layers(layers)})
    (to / "thumbs" / f"{pack.number:04d}.webp").write_bytes(webp(sheet, _QUALITY))
    name = f"scenes/{pack.number:04d}"
    (to / f"{name}.js").write_bytes(call(name, scenes))
    return len(pack.rows)


def _layers(out: Path, row: dict[str, Any]) -> dict[str, U8]:
    """The decoded pictures of a sample, by member name without suffix."""
    try:
        return dict(_decoded(read_sample(out, row)))
    except ShardError:
        raise
    except ValueError as error:
        raise ShardError(f"{out / 'data' / row['shard']}: {row['key']}: {error}") from None


def _decoded(members: dict[str, bytes]) -> Iterator[tuple[str, U8]]:
    for name, data in members.items():
        if name != "json":
            yield name.removesuffix(".png"), decode_png(data)


def _replace(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        folder.replace(old)
    fresh.replace(folder)
    shutil.rmtree(old, ignore_errors=True)
