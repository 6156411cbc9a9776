"""Checks of a build as a whole: its records, its index, its files, its splits."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline import index
from pipeline.assets import Asset, read_table
from pipeline.build import ShardTask, shard_tasks
from pipeline.checks.common import Problem, Tally
from pipeline.manifest import Manifest
from pipeline.shards import ShardError, sample_key
from pipeline.version import digest

_COLUMNS = ["key", "index", "split", "pair", "occluded", "shard"]


def one_line(error: Exception) -> str:
    """An error's text on one line of at most 200 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:197]}..."


class Folder(NamedTuple):
    """What the records of a build say. `entries` is `index.json` by shard; `rows` has the columns that fit memory."""

    manifest: Manifest
    identity: dict[str, Any]
    assets: list[Asset]
    shards: list[ShardTask]
    entries: dict[str, dict[str, Any]]
    rows: list[dict[str, Any]]
    stamp: str


def require_build(out: Path) -> None:
    """Raise ShardError where there is no finished build."""
    if not (out / ".build" / "build.json").is_file():
        raise ShardError(f"{out}: not a folder that layerloom built: .build/build.json is missing")
    if not (out / "index.json").is_file():
        raise ShardError(f"{out}: the build is not finished: index.json is missing; run build again to go on with it")


def read_folder(out: Path, tally: Tally) -> Folder | None:
    """Read and check all records; None if the manifest cannot be read, without which nothing can be checked."""
    record = _record(out, tally)
    if record is None:
        return None
    manifest, build = record
    assets = _assets(out, build["identity"], tally)
    tasks = shard_tasks(manifest, out, out, build["fingerprint"])
    entries = _entries(out, build, manifest, tasks, tally)
    rows = _rows(out, tasks, tally)
    stamp = hashlib.sha256(orjson.dumps(build) + repr(assets).encode()).hexdigest()
    return Folder(manifest, build["identity"], assets, tasks, entries, rows, stamp)


def _record(out: Path, tally: Tally) -> tuple[Manifest, dict[str, Any]] | None:
    try:
        build = orjson.loads((out / ".build" / "build.json").read_bytes())
        identity, plain = build["identity"], build["manifest"]
        manifest = Manifest.model_validate_json(orjson.dumps(plain))
        found = {
            "fingerprint": (build["fingerprint"], digest(orjson.dumps(identity))),
            "identity.manifest": (identity["manifest"], digest(orjson.dumps(plain))),
        }
        {k: identity[k] for k in ("assets", "code", "libraries")}
    except (ValueError, KeyError, TypeError) as error:
        text = f"cannot be read: {type(error).__name__}: {one_line(error)}"
        tally.check("build_record", [f".build/build.json {text}"])
        return None
    tally.check("build_record", [f"{k} is {a}, its content gives {b}" for k, (a, b) in found.items() if a != b])
    return manifest, build


def _assets(out: Path, identity: dict[str, Any], tally: Tally) -> list[Asset]:
    try:
        assets = read_table(out / "meta" / "assets.parquet")
    except (OSError, pa.ArrowInvalid, ValidationError) as error:
        tally.check("asset_table", [f"meta/assets.parquet cannot be read: {one_line(error)}"])
        return []
    found = digest(b"".join(a.model_dump_json().encode() for a in assets))
    stored = identity["assets"]
    fault = f"meta/assets.parquet has the fingerprint {found}, the build was made with {stored}"
    tally.check("asset_table", [] if found == stored else [fault])
    return assets


def _entries(
    out: Path, build: dict[str, Any], manifest: Manifest, tasks: Sequence[ShardTask], tally: Tally
) -> dict[str, dict[str, Any]]:
    try:
        stored = index.read_index(out)
        entries = {str(s["name"]): {k: s[k] for k in ("samples", "num_bytes", "sha256")} for s in stored["shards"]}
    except (ValueError, KeyError, TypeError) as error:
        tally.check("index_json", [f"cannot be read: {type(error).__name__}: {error}"])
        return {}
    asked = [(f"data/{t.name}", t.stop - t.start) for t in tasks]
    claims = {
        "name": (stored.get("name"), manifest.name),
        "fingerprint": (stored.get("fingerprint"), build["fingerprint"]),
        "samples": (stored.get("samples"), manifest.samples),
        "versions": (stored.get("versions"), build["identity"]["libraries"]),
        "shards": ([(s["name"], s["samples"]) for s in stored["shards"]], asked),
    }
    faults = [f"{k} is {a}, must be {b}" for k, (a, b) in claims.items() if a != b]
    tally.check("index_json", faults)
    return {name.removeprefix("data/"): entry for name, entry in entries.items()}


def _rows(out: Path, tasks: Sequence[ShardTask], tally: Tally) -> list[dict[str, Any]]:
    path = out / "meta" / "index.parquet"
    try:
        stored = pq.read_schema(path).remove_metadata()
        rows: list[dict[str, Any]] = pq.read_table(path, columns=_COLUMNS).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        tally.check("index_parquet", [f"meta/index.parquet cannot be read: {one_line(error)}"])
        return []
    faults = [] if stored.equals(index.schema()) else [f"schema: {_schema_difference(stored)}"]
    asked = [(sample_key(t.split, n), n, t.split, t.name) for t in tasks for n in range(t.start, t.stop)]
    found = [(r["key"], r["index"], r["split"], r["shard"]) for r in rows]
    if len(found) != len(asked):
        faults.append(f"{len(found)} rows, must be {len(asked)}")
    different = [f"row {k}: is {a}, must be {b}" for k, (a, b) in enumerate(zip(found, asked, strict=False)) if a != b]
    faults += different[:1]
    tally.check("index_parquet", faults)
    return rows


def _schema_difference(stored: pa.Schema) -> str:
    asked = {f.name: f.type for f in index.schema()}
    found = {f.name: f.type for f in stored}
    different = [
        f"{k} is {found.get(k)}, must be {asked.get(k)}" for k in asked | found if found.get(k) != asked.get(k)
    ]
    return ", ".join(different) or "the order of the columns"


def check_files(out: Path, folder: Folder, tally: Tally) -> None:
    """Files of data/ against the manifest's shards."""
    asked = [t.name for t in folder.shards]
    present = {p.name for p in (out / "data").iterdir()} if (out / "data").is_dir() else set()
    for name in asked:
        tally.check("data_files", [] if name in present else ["the shard is missing"], name)
    for name in sorted(present - set(asked)):
        tally.report(Problem(name, "", "data_files", "unexpected: no shard of this build"))


def check_splits(folder: Folder, tally: Tally) -> None:
    """No id, picture, cluster or photograph of the asset table in two splits."""
    known = [name for name, _ in folder.manifest.splits.items()]
    for field in ("id", "sha256", "cluster", "photo"):
        splits: dict[str, set[str]] = defaultdict(set)
        for asset in folder.assets:
            splits[getattr(asset, field)].add(asset.split)
        splits.pop("", None)  # most assets share no photograph
        for value, where in splits.items():
            wrong = len(where) > 1 or not where <= set(known)
            tally.check("split_leak", [f"{field} {value} is in the splits {sorted(where)}"] if wrong else [])


def check_pairs(folder: Folder, tally: Tally) -> None:
    """Partners of paired scenes."""
    by_key = {row["key"]: row for row in folder.rows}
    for row in folder.rows:
        tally.check("pairs", _pair_faults(row, by_key, folder.manifest.paired), row["shard"], row["key"])


def _pair_faults(row: dict[str, Any], by_key: dict[str, dict[str, Any]], paired: bool) -> list[str]:
    if not row["pair"]:
        alone = paired and row["occluded"]
        return ["an occluded scene without a partner in a paired build"] if alone else []
    if not paired:
        return [f"has the partner {row['pair']} in a build that is not paired"]
    partner = by_key.get(row["pair"])
    if partner is None or partner["pair"] != row["key"] or partner is row:
        names = f"which names {partner['pair'] or 'none'}" if partner else "which does not exist"
        return [f"its partner is {row['pair']}, {names}"]
    return (
        [] if row["occluded"] != partner["occluded"] else [f"it and its partner are both occluded: {row['occluded']}"]
    )
