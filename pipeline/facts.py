"""Facts: what a build was asked to be and what it holds, gathered from its files for reports."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.assets import Asset, read_table
from pipeline.index import read_index
from pipeline.manifest import Manifest
from pipeline.shards import ShardError

Column = NDArray[Any]

_SCALARS = (
    *("key", "split", "attempt", "pair", "size", "num_objects", "target", "origin", "license", "area_fraction"),
    *("asked_visible_fraction", "visible_fraction", "occluded", "shadow", "mask_kind", "mask_strength", "mask_iou"),
)
_NESTED = tuple(f"layers.list.element.{name}" for name in ("role", "asset", "affine"))


class Plan(NamedTuple):
    """What `.build/build.json` says: the manifest, the fingerprint, and the parts of that by name."""

    manifest: Manifest
    fingerprint: str
    identity: dict[str, Any]


class Facts(NamedTuple):
    """What a finished build holds.

    `columns` are those of the index that hold one number or text a sample, and five of the target: `x` and `y` of
    its box's centre in shares of the canvas, `overhang`, the share of the box's width that is left or right of the
    canvas, `scale` and `harmonize`. Twins are left out of them: a twin is the second, un-occluded picture of a scene
    (`paired = true`), so its scene was not drawn for it and says nothing about what was asked.

    `samples` a split, `uses` scenes an asset and `licenses` samples a licence count twins too; `rejects` are
    layouts drawn in vain, by reason.
    """

    columns: dict[str, Column]
    samples: Counter[str]
    uses: Counter[str]
    licenses: Counter[str]
    twins: int
    rejects: Counter[str]
    assets: list[Asset]


def read_plan(out: Path) -> Plan:
    """What is built in `out`.

    Raises:
        ShardError: nothing is, or it was written by a version whose manifests are different.
    """
    path = out / ".build" / "build.json"
    try:
        stored = orjson.loads(path.read_bytes())
        manifest = Manifest.model_validate_json(orjson.dumps(stored["manifest"]))
    except FileNotFoundError:
        raise ShardError(f"{out}: no build here: {path} is missing") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ShardError(f"{path}: written by another version of layerloom: {key}: {first['msg'].lower()}") from None
    return Plan(manifest, str(stored["fingerprint"]), stored["identity"])


def require_finished(out: Path) -> Plan:
    """`read_plan` of a build whose shards must all be there.

    Raises:
        ShardError: as `read_plan`; or the build has not ended.
    """
    plan = read_plan(out)
    for path in (out / "index.json", out / "meta" / "index.parquet"):
        if not path.is_file():
            raise ShardError(f"{out}: this build is not finished: {path} is missing; run layerloom build again")
    return plan


def read_facts(out: Path) -> Facts:
    """Gather the facts of the finished build in `out`, one shard's rows at a time."""
    assets = read_table(out / "meta" / "assets.parquet")
    sizes = {a.id: (a.width, a.height) for a in assets}
    samples, uses, licenses, rejects = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    kept: list[dict[str, Any]] = []
    for row in _rows(out):
        samples[row["split"]] += 1
        licenses[row["license"]] += 1
        uses.update({layer["asset"] for layer in row["layers"]})
        if not is_twin(row):
            kept.append({name: row[name] for name in _SCALARS} | _target(row, sizes))
    for shard in read_index(out)["shards"]:
        rejects.update(shard["rejects"])
    columns = {name: np.array([row[name] for row in kept]) for name in kept[0]}
    return Facts(columns, samples, uses, licenses, samples.total() - len(kept), rejects, assets)


def is_twin(row: Mapping[str, Any]) -> bool:
    """Whether a sample shows its partner's scene without what is in front of the target."""
    return bool(row["pair"]) and not row["occluded"]


def _rows(out: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(out / "meta" / "index.parquet") as file:
        for batch in file.iter_batches(batch_size=1024, columns=[*_SCALARS, *_NESTED, "recipe"]):
            yield from batch.to_pylist()


def _target(row: dict[str, Any], sizes: dict[str, tuple[int, int]]) -> dict[str, float]:
    layer = next(layer for layer in row["layers"] if layer["role"] == "target")
    width, height = sizes[layer["asset"]]
    matrix = np.array(layer["affine"]).reshape(2, 3) / row["size"]
    corners = matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])
    left, right = corners[0].min(), corners[0].max()
    outside = max(0.0, -left, right - 1) / (right - left)
    spec = next(o for o in orjson.loads(row["recipe"])["objects"] if o["role"] == "target")
    drawn = {"scale": spec["scale"], "harmonize": spec["harmonize"]}
    return {"x": corners[0].mean(), "y": corners[1].mean(), "overhang": outside} | drawn
