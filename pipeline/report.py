"""Report: what a build was asked to be, beside what it became."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import ValidationError

from pipeline.assets import read_table
from pipeline.index import read_index
from pipeline.manifest import Manifest
from pipeline.shards import ShardError

F64 = NDArray[np.float64]

SCALARS = (
    *("split", "attempt", "pair", "num_objects", "origin", "license", "area_fraction", "asked_visible_fraction"),
    *("visible_fraction", "occluded", "shadow", "mask_kind", "mask_strength", "mask_iou"),
)


class Plan(NamedTuple):
    """What `.build/build.json` says: the manifest, the fingerprint, and the parts of it by name."""

    manifest: Manifest
    fingerprint: str
    identity: dict[str, Any]


class Facts(NamedTuple):
    """What a finished build holds. `columns` of `SCALARS`, one entry a sample, twins left out.

    A twin is the un-occluded second picture of a scene (`paired = true`): its scene was not drawn for it, so it
    says nothing about what was asked. `centres` (n, 2) and `overhang` (n,) are of the target's box: x, y in shares
    of the canvas, and the largest share of its width or height that is outside. `harmonize` (n,) is the target's.
    `uses` counts scenes an asset, twins included.
    """

    columns: dict[str, NDArray[Any]]
    centres: F64
    overhang: F64
    harmonize: F64
    uses: Counter[str]
    samples: Counter[str]
    licenses: Counter[str]
    twins: int
    rejects: Counter[str]


class Row(NamedTuple):
    """One line of the report."""

    name: str
    asked: str
    achieved: str


def read_plan(out: Path) -> Plan:
    """What is built in `out`.

    Raises:
        ShardError: nothing is, or it was made by a version with other manifests.
    """
    path = out / ".build" / "build.json"
    try:
        stored = orjson.loads(path.read_bytes())
        manifest = Manifest.model_validate_json(orjson.dumps(stored["manifest"]))
    except FileNotFoundError:
        raise ShardError(f"{out}: no build here ({path} is missing)") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ShardError(f"{path}: written by another version of layerloom: {key}: {first['msg'].lower()}") from None
    return Plan(manifest, str(stored["fingerprint"]), stored["identity"])


def require_finished(out: Path) -> Plan:
    """`read_plan` of a build that must be finished.

    Raises:
        ShardError: as `read_plan`; or shards are still missing.
    """
    plan = read_plan(out)
    for path in (out / "index.json", out / "meta" / "index.parquet"):
        if not path.is_file():
            raise ShardError(f"{out}: this build is not finished ({path} is missing); run layerloom build again")
    return plan


def read_facts(out: Path) -> Facts:
    """Gather the facts, row group by row group: memory holds one shard's rows and a few numbers a sample."""
    assets = {a.id: a for a in read_table(out / "meta" / "assets.parquet")}
    uses: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    kept: list[dict[str, Any]] = []
    for row in _rows(out):
        samples[row["split"]] += 1
        uses.update({layer["asset"] for layer in row["layers"]})
        if not is_twin(row):
            kept.append({name: row[name] for name in SCALARS} | _target(row, assets))
    columns = {name: np.array([row[name] for row in kept]) for name in (*SCALARS, *_TARGET)}
    rejects: Counter[str] = Counter()
    for shard in read_index(out)["shards"]:
        rejects.update(shard["rejects"])
    licenses = Counter(a.license for a in assets.values() if uses[a.id])
    centres = np.stack([columns.pop("x"), columns.pop("y")], axis=1)
    own = (columns.pop("overhang"), columns.pop("harmonize"))
    return Facts(columns, centres, *own, uses, samples, licenses, samples.total() - len(kept), rejects)


def is_twin(row: dict[str, Any]) -> bool:
    """Whether a sample shows another sample's scene without what was in front of it."""
    return bool(row["pair"]) and not row["occluded"]
