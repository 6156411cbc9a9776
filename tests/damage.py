"""Change a build on purpose, and forge the records that would give the change away."""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline import index
from pipeline.assets import read_table, write_table
from pipeline.index import sha_column
from pipeline.shards import read_members
from pipeline.validate import Report
from pipeline.version import digest

Harm = tuple[str, "Callable[[Damage], None]", str]  # the rule it breaks, how, and a part of what is said of it
Members = list[tuple[str, bytes]]  # names without the key
_MODES = {2: "L", 3: "RGB", 4: "RGBA"}


class Damage:
    """A build (a copy!) that can be changed. Each method keeps all records consistent unless it says otherwise."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.record = out / ".build" / "build.json"
        self.first = sorted((out / "data").glob("train-*.tar"))[0]

    def names(self) -> list[str]:
        return list(self.samples())

    def samples(self) -> dict[str, Members]:
        """The samples of the first shard."""
        found: dict[str, Members] = {}
        for member in read_members(self.first):
            key, name = member.name.split(".", 1)
            found.setdefault(key, []).append((name, member.data))
        return found

    def meta(self, key: str) -> dict[str, Any]:
        return orjson.loads(dict(self.samples()[key])["json"])

    def pixels(self, key: str, name: str) -> np.ndarray:
        return np.array(Image.open(io.BytesIO(dict(self.samples()[key])[f"{name}.png"])))

    def write(self, samples: dict[str, Members]) -> None:
        """Replace the first shard."""
        names = [(f"{key}.{name}", data) for key, members in samples.items() for name, data in members]
        write_tar(self.first, names)
        self.seal_shard()
        self.seal_rows()

    def member(self, key: str, name: str, change: Callable[[bytes], bytes]) -> None:
        """Replace one member of the first shard."""
        samples = self.samples()
        samples[key] = [(n, change(data) if n == name else data) for n, data in samples[key]]
        self.write(samples)

    def paint(self, key: str, name: str, pixels: np.ndarray) -> None:
        """Replace a picture."""
        self.member(key, f"{name}.png", lambda _: png(pixels))

    def tell(self, key: str, **facts: Any) -> None:
        """Change facts in the JSON and in the index."""
        self.member(key, "json", lambda data: orjson.dumps(orjson.loads(data) | facts))
        self.rows(lambda rows: [row | facts if row["key"] == key else row for row in rows])

    def rows(self, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
        """Change the rows of the index, and nothing else."""
        path = self.out / "meta" / "index.parquet"
        rows = change(pq.read_table(path).to_pylist())
        pq.write_table(pa.Table.from_pylist(rows, schema=index.schema()), path)

    def seal_rows(self) -> None:
        """Let the index tell the bytes and offsets of the first shard as they are now."""
        found: dict[str, dict[str, Any]] = {}
        for member in read_members(self.first):
            key, name = member.name.split(".", 1)
            row = found.setdefault(key, {"offset": member.offset})
            row[sha_column(name)] = digest(member.data)
        names = set(index.schema().names)
        sealed = {key: {k: v for k, v in row.items() if k in names} for key, row in found.items()}
        self.rows(lambda rows: [row | sealed.get(row["key"], {}) for row in rows])

    def seal_shard(self) -> None:
        """Let index.json tell the size and SHA-256 of the first shard as it is now."""
        data = self.first.read_bytes()
        facts = {"num_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        name = f"data/{self.first.name}"
        self.index(lambda s: s | {"shards": [e | facts if e["name"] == name else e for e in s["shards"]]})

    def index(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change index.json, and nothing else."""
        path = self.out / "index.json"
        path.write_bytes(orjson.dumps(change(orjson.loads(path.read_bytes()))))

    def build(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change build.json, and nothing else."""
        self.record.write_bytes(orjson.dumps(change(orjson.loads(self.record.read_bytes()))))

    def manifest(self, **facts: Any) -> None:
        """Change the manifest."""
        self.build(lambda b: b | {"manifest": b["manifest"] | facts})
        self._seal_identity()

    def assets(self, change: Callable[[int, Any], dict[str, Any]], seal: bool = True) -> None:
        """Change columns of the asset table: `change(number, asset)` names them."""
        path = self.out / "meta" / "assets.parquet"
        rows = [a.model_copy(update=change(k, a)) for k, a in enumerate(read_table(path))]
        write_table(path, rows)
        if seal:
            self._seal_identity()

    def _seal_identity(self) -> None:
        assets = read_table(self.out / "meta" / "assets.parquet")
        stored = orjson.loads(self.record.read_bytes())
        identity = stored["identity"] | {
            "manifest": digest(orjson.dumps(stored["manifest"])),
            "assets": digest(b"".join(a.model_dump_json().encode() for a in assets)),
        }
        fingerprint = digest(orjson.dumps(identity))
        self.build(lambda b: b | {"identity": identity, "fingerprint": fingerprint})
        self.index(lambda s: s | {"fingerprint": fingerprint})


def broken(report: Report) -> dict[str, str]:
    """The rules that have problems, with the first of each as text."""
    found: dict[str, str] = {}
    for p in report.problems:
        found.setdefault(p.rule, f"{p.shard} {p.key} {p.detail}")
    return found


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels, _MODES[2] if pixels.ndim == 2 else _MODES[pixels.shape[2]]).save(out, "png")
    return out.getvalue()
