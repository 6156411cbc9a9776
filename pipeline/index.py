"""The index of a build: one parquet row a sample, and `index.json` with one entry a shard."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.assets import write_atomic
from pipeline.manifest import Manifest
from pipeline.schema import LayerMeta, SampleMeta
from pipeline.shards import MEMBERS, Written
from pipeline.version import library_versions

_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _arrow(annotation: Any) -> Any:
    if annotation in _ARROW:
        return _ARROW[annotation]
    if annotation == tuple[LayerMeta, ...]:
        return pa.list_(pa.struct([(n, _arrow(f.annotation)) for n, f in LayerMeta.model_fields.items()]))
    return pa.list_(pa.float64())


def schema() -> pa.Schema:
    """Columns of the index: the JSON's keys, then shard, byte offset, and SHA-256 of each member."""
    columns = [(name, _arrow(field.annotation)) for name, field in SampleMeta.model_fields.items()]
    columns += [("shard", pa.string()), ("offset", pa.int64())]
    return pa.schema(columns + [(sha_column(member), pa.string()) for member in MEMBERS])


def sha_column(member: str) -> str:
    """Name of the column with the SHA-256 of a member, e.g. `sha256_composite_png`."""
    return f"sha256_{member.replace('.', '_')}"


def write_marker(
    path: Path,
    shard: str,
    metas: Sequence[SampleMeta],
    hashes: Sequence[dict[str, str]],
    written: Written,
    rejects: Counter[str],
) -> None:
    """Write a shard's part of the index; its presence marks the shard as finished."""
    rows = [
        meta.model_dump() | {"shard": shard, "offset": offset} | {sha_column(k): v for k, v in sha.items()}
        for meta, sha, offset in zip(metas, hashes, written.offsets, strict=True)
    ]
    facts = {"num_bytes": written.num_bytes, "sha256": written.sha256, "rejects": dict(sorted(rejects.items()))}
    table = pa.Table.from_pylist(rows, schema=schema()).replace_schema_metadata({b"shard": orjson.dumps(facts)})
    _write_parquet(path, table)


def _write_parquet(path: Path, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_atomic(path, sink.getvalue().to_pybytes())


def marker_facts(path: Path) -> dict[str, Any]:
    """`num_bytes`, `sha256` and `rejects` of a finished shard."""
    return dict(orjson.loads(pq.read_schema(path).metadata[b"shard"]))


def marker_bytes(path: Path) -> int:
    """Size of the shard that the marker belongs to."""
    return int(marker_facts(path)["num_bytes"])


def finish(manifest: Manifest, out: Path, fingerprint: str, markers: Sequence[Path]) -> None:
    """Join the markers to `meta/index.parquet` (row by row group: memory holds one shard) and `index.json`."""
    shards = []
    temporary = out / "meta" / ".index.parquet.tmp"
    with pq.ParquetWriter(temporary, schema(), compression="zstd") as writer:
        for path in markers:
            table = pq.read_table(path)
            writer.write_table(table.replace_schema_metadata(None))
            facts = marker_facts(path)
            shards.append({"name": f"data/{path.stem}.tar", "samples": table.num_rows, **facts})
    temporary.replace(out / "meta" / "index.parquet")
    record = {
        "name": manifest.name,
        "fingerprint": fingerprint,
        "samples": sum(s["samples"] for s in shards),
        "versions": library_versions(),
        "shards": shards,
    }
    write_atomic(out / "index.json", orjson.dumps(record, option=orjson.OPT_INDENT_2))


def read_index(out: Path) -> dict[str, Any]:
    """The build's `index.json`."""
    return dict(orjson.loads((out / "index.json").read_bytes()))


def read_rows(out: Path) -> pa.Table:
    """The build's `meta/index.parquet`."""
    return pq.read_table(out / "meta" / "index.parquet")
