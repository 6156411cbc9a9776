"""What the page knows of a build before it opens a scene: a column a fact, and the assets, each once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

_ASSET = ("source", "origin", "whole", "license", "attribution", "uri", "caption")
_COLUMNS = {name: name for name in ("key", "split", "origin", "occluded", "caption", "target")}
_COLUMNS |= {"mask": "mask_kind", "visible": "visible_fraction", "area": "area_fraction", "iou": "mask_iou"}
_SCENE = ("seed", "attempt", "pair", "license", "mask_strength", "asked_visible_fraction", "num_objects", "shadow")


def spread(total: int, count: int) -> list[int]:
    """Numbers of `count` samples (all, if there are fewer) in even steps over `total`."""
    count = min(count, total)
    return [(2 * k + 1) * total // (2 * count) for k in range(count)]


def read_spread(out: Path, count: int) -> list[dict[str, Any]]:
    """Rows of the index of `count` samples, spread evenly over the build; memory holds those and one batch."""
    rows: list[dict[str, Any]] = []
    with pq.ParquetFile(out / "meta" / "index.parquet") as file:
        names = [name for name in file.schema_arrow.names if not name.startswith("sha256_")]
        wanted, start = spread(file.metadata.num_rows, count), 0
        for batch in file.iter_batches(batch_size=1024, columns=names):
            own = [k - start for k in wanted if start <= k < start + batch.num_rows]
            rows += batch.take(own).to_pylist() if own else []
            start += batch.num_rows
    return rows


def content(rows: Sequence[dict[str, Any]], full: set[str]) -> dict[str, Any]:
    """The page's tables: `columns` with one value a sample, and `assets` that these samples show.

    `full` are the keys of the samples whose layers are stored whole. In the columns, `assets` are places in the
    table of assets in depth order, and `licenses` those of the sample's assets.
    """
    assets = asset_table(rows)
    places = {asset["id"]: place for place, asset in enumerate(assets)}
    columns: dict[str, list[Any]] = {name: [_short(row[field]) for row in rows] for name, field in _COLUMNS.items()}
    columns["assets"] = [[places[layer["asset"]] for layer in row["layers"]] for row in rows]
    columns["licenses"] = [sorted({layer["license"] for layer in row["layers"]}) for row in rows]
    columns["full"] = [row["key"] in full for row in rows]
    return {"columns": columns, "assets": assets}


def asset_table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The assets that the samples show, each once, by id."""
    layers = {layer["asset"]: layer for row in rows for layer in row["layers"]}
    return [{"id": name} | {field: layer[field] for field in _ASSET} for name, layer in sorted(layers.items())]


def scene(row: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of one sample beside its layers: some facts, where each asset stands, and the recipe."""
    placed = [{name: layer[name] for name in ("role", "shadow", "affine")} for layer in row["layers"]]
    facts = {name: _short(row[name]) for name in _SCENE}
    return {"key": row["key"], "facts": facts, "placed": placed, "recipe": orjson.loads(row["recipe"])}


def _short(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
